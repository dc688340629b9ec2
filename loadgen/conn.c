#include "loadgen/conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "coro/base/clock.h"
#include "coro/base/err.h"
#include "coro/io.h"
#include "coro/prof/prof.h"
#include "loadgen/target.h"

/* After a failed connect: no busy loop against a server that is gone. */
#define BACKOFF_FIRST_NS (10 * NS_PER_MS)
#define BACKOFF_MAX_NS   (320 * NS_PER_MS)
#define TRICKLE_BYTES    16
#define READ_BYTES       65536
#define LOOK_FOR_END_NS  (20 * NS_PER_MS)
/* A request that may not fit into the socket's buffer, and how long to wait for
 * room before looking for an answer. */
#define LARGE_BYTES 65536
#define LOOK_NS     (5 * NS_PER_MS)

void lg_conn_init(struct lg_conn *c, struct lg_worker *worker, unsigned index)
{
    *c = (struct lg_conn){.worker = worker, .index = index, .fd = -1};
}

static void hang_up(struct lg_conn *c)
{
    if (c->fd >= 0)
        co_close(c->fd);
    c->fd = -1;
}

static struct lg_record *record_of(const struct lg_conn *c)
{
    return c->due_ns < c->worker->measure_ns ? &c->worker->warmup : &c->worker->record;
}

/* All requests under way have ended in the same way. */
static void end_all(struct lg_conn *c, enum lg_outcome outcome, const char *why)
{
    struct lg_record *r = record_of(c);
    c->now_ns = clock_now_ns();
    if (r->first_why[outcome] == NULL && outcome != LG_UNFINISHED)
        r->first_why[outcome] = why;
    for (; c->unanswered > 0; c->unanswered--)
        lg_record_end(r, outcome, c->due_ns, c->sent_ns, c->now_ns);
    hang_up(c);
}

static enum lg_outcome outcome_of(int err, enum lg_outcome otherwise)
{
    switch (-err) {
    case ETIMEDOUT:
        return otherwise == LG_CONNECT ? LG_CONNECT_TIMEOUT : LG_TIMEOUT;
    case ECANCELED:
        return LG_UNFINISHED;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EADDRNOTAVAIL:
        return LG_LOCAL;
    default:
        return otherwise;
    }
}

static int hook_up(struct lg_conn *c, int64_t deadline_ns)
{
    PROF_FN();
    const struct lg_target *target = c->worker->load->target;
    int fd = socket(target->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int on = 1;
    if (target->addr.ss_family != AF_UNIX)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    int rv = co_connect(fd, (const struct sockaddr *)&target->addr, target->addr_len, deadline_ns);
    if (rv < 0) {
        co_close(fd);
        return rv;
    }
    c->fd = fd;
    c->backoff_ns = 0;
    record_of(c)->connects++;
    lg_reply_init(&c->reply, c->worker->load->requests->is_head);
    return 0;
}

/* ---- reading ---- */

static void end_one(struct lg_conn *c)
{
    struct lg_record *r = record_of(c);
    int status = c->reply.status;
    if (status < (int)ARRAY_LEN(r->statuses))
        r->statuses[status]++;
    lg_record_end(r, status < 400 ? LG_OK : LG_STATUS, c->due_ns, c->sent_ns, c->now_ns);
    c->unanswered--;
}

static bool is_answer_begun(const struct lg_conn *c)
{
    return c->reply.started && !c->reply.done;
}

/* Take n bytes (0: end of stream) apart.  LG_OK: all is well so far. */
static enum lg_outcome take_bytes(struct lg_conn *c, const char *bytes, size_t n)
{
    PROF_FN();
    bool at_end = n == 0;
    do {
        size_t used = 0;
        enum lg_reply_turn turn = lg_reply_feed(&c->reply, bytes, n, &used);
        if (turn == LG_REPLY_BAD && !at_end)
            return LG_MALFORMED;
        if (turn != LG_REPLY_DONE)
            break;
        end_one(c);
        bytes += used;
        n -= used;
        if (c->unanswered > 0 && !c->reply.keep_alive)
            return LG_CLOSED; /* those behind it on this connection will not be answered */
    } while (n > 0 && c->unanswered > 0);
    if (c->unanswered > 0 && at_end)
        return is_answer_begun(c) ? LG_HALF : LG_CLOSED;
    if (n > 0 && c->unanswered == 0)
        c->reply.keep_alive = false; /* bytes nobody asked for: not to be trusted again */
    return LG_OK;
}

/* n bytes (0: end of stream) have come into the worker's buffer. */
static enum lg_outcome take_some(struct lg_conn *c, size_t n)
{
    c->now_ns = clock_now_ns();
    c->worker->activity++;
    record_of(c)->read_bytes += (uint64_t)n;
    return take_bytes(c, c->worker->buffer, n);
}

static const char *problem_of(const struct lg_conn *c, enum lg_outcome outcome)
{
    return outcome == LG_MALFORMED ? c->reply.problem : NULL;
}

static void read_answers(struct lg_conn *c, int64_t deadline_ns)
{
    PROF_FN();
    while (c->unanswered > 0) {
        ssize_t n = co_read(c->fd, c->worker->buffer, READ_BYTES, deadline_ns);
        if (UNLIKELY(n < 0)) {
            bool is_late = n == -ETIMEDOUT;
            end_all(c, outcome_of((int)n, LG_RESET),
                    !is_late             ? err_text((int)n)
                    : is_answer_begun(c) ? "it had begun"
                                         : "nothing came");
            return;
        }
        enum lg_outcome outcome = take_some(c, (size_t)n);
        if (UNLIKELY(outcome != LG_OK)) {
            end_all(c, outcome, problem_of(c, outcome));
            return;
        }
    }
    if (!c->reply.keep_alive || !c->worker->load->keepalive)
        hang_up(c);
}

/* ---- writing ---- */

static int trickle(struct lg_conn *c, const char *bytes, size_t n, int64_t deadline_ns)
{
    int64_t pause_ns = c->worker->load->trickle_ns;
    while (n > 0) {
        size_t piece = n < TRICKLE_BYTES ? n : TRICKLE_BYTES;
        ssize_t rv = co_write(c->fd, bytes, piece, deadline_ns);
        if (rv >= 0 && n > piece) /* between pieces: behind the last the server's time runs */
            rv = co_sleep(pause_ns);
        if (rv < 0)
            return (int)rv;
        bytes += piece;
        n -= piece;
    }
    return 0;
}

static const char *next_request(struct lg_worker *w, size_t *ret_bytes)
{
    const struct lg_requests *all = w->load->requests;
    const char *bytes = lg_request_at(all, w->next_request, ret_bytes);
    if (++w->next_request >= all->n)
        w->next_request = 0;
    return bytes;
}

/* Send a large request, and look for answers whenever the server stops taking it
 * in: a refusal need not wait for the end of the body, nor answers to the
 * requests before this one until the server can send no more. */
static int write_large(struct lg_conn *c, const char *bytes, size_t n, int64_t deadline_ns)
{
    PROF_FN();
    while (n > 0 && c->unanswered > 0) {
        struct iovec piece = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = n};
        struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
        int64_t look_ns = clock_add_ns(clock_now_ns(), LOOK_NS);
        ssize_t rv = co_sendmsg(c->fd, &message, 0, look_ns < deadline_ns ? look_ns : deadline_ns);
        if (rv > 0) {
            record_of(c)->written_bytes += (uint64_t)rv;
            bytes += rv;
            n -= (size_t)rv;
            continue;
        }
        if (rv != -ETIMEDOUT || look_ns >= deadline_ns)
            return (int)rv;
        rv = co_read(c->fd, c->worker->buffer, READ_BYTES, 0);
        if (rv == -ETIMEDOUT)
            continue;
        if (rv <= 0)
            return rv < 0 ? (int)rv : -EPIPE;
        enum lg_outcome outcome = take_some(c, (size_t)rv);
        if (outcome != LG_OK)
            end_all(c, outcome, problem_of(c, outcome));
    }
    return n == 0 ? 0 : -EPIPE; /* half a request: no other one can follow it */
}

static int write_batch(struct lg_conn *c, int64_t deadline_ns)
{
    PROF_FN();
    struct lg_worker *w = c->worker;
    struct iovec iov[LG_PIPELINE_MAX];
    unsigned batch = c->unanswered;
    size_t sum = 0;
    for (unsigned i = 0; i < batch; i++) {
        size_t n;
        const char *bytes = next_request(w, &n);
        iov[i] = (struct iovec){.iov_base = (void *)(uintptr_t)bytes, .iov_len = n};
        sum += n;
    }
    if (sum > LARGE_BYTES) {
        int rv = 0;
        for (unsigned i = 0; i < batch && rv == 0; i++)
            rv = write_large(c, iov[i].iov_base, iov[i].iov_len, deadline_ns);
        return rv;
    }
    ssize_t rv = co_writev(c->fd, iov, (int)batch, deadline_ns);
    if (rv > 0)
        record_of(c)->written_bytes += (uint64_t)rv;
    return rv < 0 ? (int)rv : 0;
}

static int write_one(struct lg_conn *c, int64_t deadline_ns)
{
    PROF_FN();
    size_t n;
    const char *bytes = next_request(c->worker, &n);
    if (c->worker->load->trickle_ns > 0) {
        int rv = trickle(c, bytes, n, deadline_ns);
        if (rv < 0)
            return rv;
    } else if (n > LARGE_BYTES) {
        return write_large(c, bytes, n, deadline_ns);
    } else {
        ssize_t rv = co_write(c->fd, bytes, n, deadline_ns);
        if (rv < 0)
            return (int)rv;
    }
    record_of(c)->written_bytes += n;
    return 0;
}

/* Writing failed because the server closed: it may have answered before. */
static void end_unwritten(struct lg_conn *c, int err, int64_t deadline_ns)
{
    ssize_t n = err == -EPIPE || err == -ECONNRESET ? 1 : 0;
    while (n > 0 && c->unanswered > 0) {
        n = co_read(c->fd, c->worker->buffer, READ_BYTES, deadline_ns);
        if (n > 0 && take_some(c, (size_t)n) != LG_OK)
            break;
    }
    if (c->unanswered > 0)
        end_all(c, outcome_of(err, LG_WRITE),
                err == -ETIMEDOUT ? "the request was not taken in" : err_text(err));
    hang_up(c);
}

/* ---- one request, or one batch ---- */

/* A server may close a connection that nobody used for a while: who has waited that
 * long looks before it sends, as every client does that keeps connections. */
static void look_for_end(struct lg_conn *c)
{
    char byte;
    if (c->fd >= 0 && c->due_ns - c->now_ns >= LOOK_FOR_END_NS &&
        co_read(c->fd, &byte, 1, c->due_ns) != -ETIMEDOUT)
        hang_up(c);
}

static void exchange(struct lg_conn *c, unsigned batch)
{
    PROF_FN();
    const struct lg_load *load = c->worker->load;
    struct lg_record *r = record_of(c);
    int64_t deadline_ns = clock_add_ns(c->now_ns, load->timeout_ns);
    c->sent_ns = 0;
    c->unanswered = 1;
    if (c->fd < 0) {
        int rv = hook_up(c, deadline_ns);
        if (rv < 0) {
            r->sent++;
            end_all(c, outcome_of(rv, LG_CONNECT), rv == -ETIMEDOUT ? NULL : err_text(rv));
            c->backoff_ns = c->backoff_ns == 0                   ? BACKOFF_FIRST_NS
                            : c->backoff_ns * 2 > BACKOFF_MAX_NS ? BACKOFF_MAX_NS
                                                                 : c->backoff_ns * 2;
            return;
        }
        c->now_ns = clock_now_ns();
    }
    r->sent += batch;
    c->unanswered = batch;
    c->sent_ns = c->now_ns;
    int rv = batch == 1 ? write_one(c, deadline_ns) : write_batch(c, deadline_ns);
    if (UNLIKELY(rv < 0)) {
        end_unwritten(c, rv, deadline_ns);
        return;
    }
    read_answers(c, deadline_ns);
}

/* Wait for the next request's time; how many to send, 0: there is none any more. */
static unsigned next_due(struct lg_conn *c)
{
    PROF_FN();
    struct lg_worker *w = c->worker;
    const struct lg_load *load = w->load;
    if (w->requests_left == 0 || __atomic_load_n(w->stop, __ATOMIC_RELAXED))
        return 0;
    if (load->rate_per_s > 0) {
        c->due_ns = lg_plan_due_ns(&w->plan);
        c->now_ns = clock_now_ns();
        if (c->due_ns >= w->end_ns || c->now_ns >= w->end_ns)
            return 0;
        lg_plan_take(&w->plan);
        if (c->due_ns > c->now_ns) {
            if (co_sleep_until(c->due_ns) < 0)
                return 0;
            look_for_end(c);
            c->now_ns = clock_now_ns();
            w->activity++;
            hist_record(&record_of(c)->lag, c->now_ns - c->due_ns);
        }
    } else {
        if (c->now_ns >= w->end_ns)
            return 0;
        c->due_ns = c->now_ns;
    }
    if (c->due_ns < w->measure_ns)
        return load->pipeline;
    unsigned batch =
        load->pipeline < w->requests_left ? load->pipeline : (unsigned)w->requests_left;
    w->requests_left -= batch;
    return batch;
}

int lg_conn_main(void *arg)
{
    struct lg_conn *c = arg;
    struct lg_worker *w = c->worker;
    const struct lg_load *load = w->load;
    int64_t wait_ns = 0;
    if (load->rate_per_s <= 0) /* closed loop: the ramp adds connections */
        wait_ns = load->ramp_ns * c->index / w->connections;
    int rv = co_sleep_until(w->start_ns + wait_ns);
    c->now_ns = clock_now_ns();
    unsigned batch;
    while (rv == 0 && (batch = next_due(c)) > 0) {
        exchange(c, batch);
        if (UNLIKELY(c->backoff_ns > 0)) {
            rv = co_sleep(c->backoff_ns);
            c->now_ns = clock_now_ns();
        }
    }
    hang_up(c);
    return 0;
}

/* Where the idle connections' one request is recorded: with the warm-up. */
int lg_conn_idle(void *arg)
{
    struct lg_conn *c = arg;
    struct lg_worker *w = c->worker;
    c->due_ns = w->start_ns - 1; /* also when there is none */
    c->now_ns = clock_now_ns();
    exchange(c, 1);
    if (c->fd >= 0) {
        w->idle_open++;
        char byte;
        /* Nothing comes but the end: the server's, or ours by cancel. */
        if (co_read(c->fd, &byte, 1, CO_NO_DEADLINE) != -ECANCELED)
            w->idle_open--;
    }
    hang_up(c);
    return 0;
}
