/* client/ask.c - a reader, N workers and a printer over a ring of items.
 *
 *      reader                 workers                     printer (the first task)
 *   line -> item TODO  -->  ask, retry: item DONE  -->  line out, item FREE
 *        next_in               next_take                    next_out
 *
 * Items leave in the order they came.  A slow answer keeps its successors in
 * the ring; when the ring is full, or holds as many bytes as it may, the
 * reader waits: memory has a bound however long the input and however slow
 * one answer.
 *
 * When it goes wrong: one URL's failure is that URL's (tried again when that
 * can help, then printed as having no answer).  A server that was never
 * reached, or has been gone for UNREACHABLE_MAX_NS, ends the run: the rest would
 * only fail too.  So does an input or output that fails, and a signal; a
 * second signal ends the program at once. */
#include "client/ask.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "client/command.h"
#include "client/multi.h"
#include "client/progress.h"
#include "client/wait.h"
#include "coro/base/clock.h"
#include "coro/base/err.h"
#include "coro/io.h"
#include "coro/sync.h"

#define RING_MIN          256U
#define RING_PER_TRANSFER 4U
#define RING_MAX_BYTES    (16UL << 20)
#define ANSWER_MAX_BYTES  (1UL << 20)
/* An item's buffer that grew beyond this is not kept for the next line. */
#define KEEP_BYTES         4096U
#define CONNECT_TIMEOUT_NS (10 * NS_PER_S)
#define UNREACHABLE_MAX_NS (10 * NS_PER_S)
#define FLUSH_EVERY_NS     (20 * NS_PER_MS)
#define COMPLAINTS_MAX     20U
/* libcurl and the TLS library under it run on the workers' stacks. */
#define STACK_BYTES (512UL << 10)

enum item_state { ITEM_FREE, ITEM_TODO, ITEM_DONE };

struct item {
    enum item_state state;
    enum cl_answer answer;
    uint64_t line;
    struct buf url;
    struct buf text; /* what is printed, with its newline */
    char why[CL_WHY_BYTES];
};

struct ask {
    const struct cl_ask_options *options;
    struct cl_lines *in;
    struct cl_output *out;
    struct cl_ask_result *result;
    struct cl_multi *multi;
    struct cl_progress progress;

    struct item *ring;
    unsigned ring_len;
    uint64_t next_in;
    uint64_t next_take;
    uint64_t next_out;
    size_t ring_bytes;
    bool is_read; /* the reader has seen the end */
    int stop;     /* -errno: everybody ends */

    struct co_event room;  /* told to the reader: the ring may have some */
    struct co_event done;  /* told to the printer: there may be something to print */
    struct co_sem to_take; /* items put and not taken; at the end one for each worker */

    int64_t started_ns;
    bool is_known;                /* the server has answered */
    int64_t unreachable_since_ns; /* it cannot be reached since; 0: it can */
    uint64_t random;
    sigset_t signals;
};

static struct item *item_at(struct ask *ask, uint64_t n)
{
    return &ask->ring[n % ask->ring_len];
}

/* Whoever waits now looks again; nothing stays set. */
static void tell(struct co_event *event)
{
    co_event_set(event);
    co_event_clear(event);
}

/* Every worker comes to see that there is nothing left for it. */
static void end_of_items(struct ask *ask)
{
    for (unsigned i = 0; i < ask->options->transfers; i++)
        co_sem_release(&ask->to_take);
}

static void stop(struct ask *ask, int err, const char *format, ...) PRINTF_LIKE(3, 4);

/* End the run, for the first reason that is given. */
static void stop(struct ask *ask, int err, const char *format, ...)
{
    if (ask->stop == 0) {
        va_list args;
        va_start(args, format);
        vsnprintf(ask->result->why, sizeof ask->result->why, format, args);
        va_end(args);
        ask->stop = err;
    }
    tell(&ask->room);
    tell(&ask->done);
    end_of_items(ask);
}

/* ---- the reader ---- */

static bool has_room(const struct ask *ask)
{
    uint64_t used = ask->next_in - ask->next_out;
    return used == 0 || (used < ask->ring_len && ask->ring_bytes < RING_MAX_BYTES);
}

static int wait_for_room(struct ask *ask)
{
    int rv = 0;
    while (rv >= 0 && ask->stop == 0 && !has_room(ask))
        rv = co_event_wait(&ask->room, CO_NO_DEADLINE);
    return rv;
}

static int put(struct ask *ask, const struct cl_line *line)
{
    struct item *item = item_at(ask, ask->next_in);
    item->line = ask->in->line;
    item->why[0] = '\0';
    item->text.len = 0;
    item->url.len = 0;
    int rv = buf_append(&item->url, line->text, line->len);
    if (rv < 0)
        return rv;
    if (line->is_cut)
        snprintf(item->why, sizeof item->why, "longer than %d bytes", CL_LINE_MAX_BYTES);
    item->state = ITEM_TODO;
    ask->ring_bytes += item->url.len;
    ask->next_in++;
    co_sem_release(&ask->to_take);
    return 0;
}

static int read_lines(void *arg)
{
    struct ask *ask = arg;
    struct cl_line line;
    int rv;
    for (;;) {
        rv = wait_for_room(ask);
        if (rv >= 0 && ask->stop == 0)
            rv = cl_lines_next(ask->in, &line);
        if (rv <= 0 || ask->stop != 0)
            break;
        rv = line.len > 0 ? put(ask, &line) : 0;
        if (rv < 0)
            break;
    }
    ask->is_read = true;
    if (rv < 0)
        stop(ask, rv, "cannot read %s: %s", ask->options->input_name, cl_lines_error_text(rv));
    end_of_items(ask);
    tell(&ask->done);
    return 0;
}

/* ---- the workers ---- */

/* Wait before the next attempt.  0: try again; 1: give this URL up; -errno: the run ends. */
static int wait_to_retry(struct ask *ask, int rv, int attempt, const struct cl_reply *reply)
{
    const struct cl_retry *retry = &ask->options->retry;
    if (cl_retry_is_unreachable(rv)) {
        int64_t now_ns = clock_now_ns();
        if (ask->unreachable_since_ns == 0)
            ask->unreachable_since_ns = now_ns;
        if (!ask->is_known || now_ns - ask->unreachable_since_ns > UNREACHABLE_MAX_NS) {
            const char *path = ask->options->unix_path;
            stop(ask, rv, "cannot reach %s%s: %s", path != NULL ? "unix:" : "",
                 path != NULL ? path : ask->options->server, reply->why);
            return rv;
        }
    } else if (!cl_retry_is_worth(rv, reply->status) || attempt >= retry->attempts_max) {
        return 1;
    }
    ask->result->retries++;
    /* xorshift: the spread of the waits needs no better */
    ask->random ^= ask->random << 13;
    ask->random ^= ask->random >> 7;
    ask->random ^= ask->random << 17;
    return co_sleep(cl_retry_delay_ns(retry, attempt, reply->retry_after_s, ask->random));
}

static int ask_server(struct ask *ask, struct item *item, struct buf *target,
                      struct cl_reply *reply)
{
    const struct cl_ask_options *options = ask->options;
    int rv =
        cl_answer_target(target, options->server, options->is_text, options->suffixes, &item->url);
    if (rv < 0)
        return rv;
    /* the line, so that the server's log and its refusals can be told apart, and
     * two runs over one input get the same bytes */
    char id[24];
    snprintf(id, sizeof id, "%llu", (unsigned long long)item->line);
    const struct cl_request req = {.url = target->data,
                                   .request_id = id,
                                   .unix_path = options->unix_path,
                                   .ca_file = options->ca_file,
                                   .connect_timeout_ns = CONNECT_TIMEOUT_NS,
                                   .timeout_ns = options->timeout_ns,
                                   .body_max_bytes = ANSWER_MAX_BYTES,
                                   .flags = CL_NO_PROXY};
    for (int attempt = 1;; attempt++) {
        int got = cl_multi_get(ask->multi, &req, reply, CO_NO_DEADLINE);
        if (got == -ECANCELED)
            return got;
        item->answer = CL_ANSWER_NONE;
        if (got == 0) {
            ask->is_known = true;
            ask->unreachable_since_ns = 0;
            item->answer = cl_answer_judge(reply, options->is_text, item->why);
        } else {
            snprintf(item->why, sizeof item->why, "%s", reply->why);
        }
        if (item->answer != CL_ANSWER_NONE)
            return 0;
        rv = wait_to_retry(ask, got, attempt, reply);
        if (rv != 0)
            return rv < 0 ? rv : 0;
    }
}

/* NULL: the end, or the run is to stop. */
static struct item *take(struct ask *ask)
{
    if (co_sem_acquire(&ask->to_take, CO_NO_DEADLINE) < 0 || ask->stop != 0)
        return NULL;
    return ask->next_take < ask->next_in ? item_at(ask, ask->next_take++) : NULL;
}

static int work(void *arg)
{
    struct ask *ask = arg;
    struct cl_reply reply;
    struct buf target;
    struct item *item;
    cl_reply_init(&reply);
    buf_init(&target, 4UL * CL_LINE_MAX_BYTES);
    while ((item = take(ask)) != NULL) {
        int rv = 0;
        item->answer = CL_ANSWER_NONE;
        if (item->why[0] == '\0')
            rv = ask_server(ask, item, &target, &reply);
        if (rv == 0)
            rv = cl_answer_render(&item->text, item->answer, &reply, ask->options->is_text,
                                  &item->url, item->line, item->why);
        if (rv < 0) {
            stop(ask, rv, "%s", err_text(rv));
            break;
        }
        ask->ring_bytes += item->text.len;
        item->state = ITEM_DONE;
        if (item == item_at(ask, ask->next_out))
            tell(&ask->done);
    }
    buf_fini(&target);
    cl_reply_fini(&reply);
    return 0;
}

/* ---- the printer ---- */

static void show_progress(struct ask *ask)
{
    int64_t now_ns = co_now();
    if (!cl_progress_is_due(&ask->progress, now_ns))
        return;
    const struct cl_ask_result *result = ask->result;
    double seconds = (double)(now_ns - ask->started_ns) / 1e9;
    double rate = seconds > 0 ? (double)result->lines / seconds : 0;
    char left[48] = "";
    if (ask->in->size_bytes > 0 && ask->in->read_bytes > 0) {
        double part = (double)ask->in->read_bytes / (double)ask->in->size_bytes;
        snprintf(left, sizeof left, "  %.0f %%, %.0f s left", part * 100,
                 seconds * (1 - part) / part);
    }
    cl_progress_show(&ask->progress, now_ns, "%llu URLs  %.0f/s  %llu refused  %llu failed%s",
                     (unsigned long long)result->lines, rate,
                     (unsigned long long)result->answers[CL_ANSWER_REFUSED],
                     (unsigned long long)result->answers[CL_ANSWER_NONE], left);
}

static void complain_of(struct ask *ask, const struct item *item)
{
    uint64_t failed = ask->result->answers[CL_ANSWER_NONE];
    if (ask->options->is_quiet || failed > COMPLAINTS_MAX)
        return;
    cl_progress_clear(&ask->progress);
    cl_complain("%s:%llu: no answer: %s", ask->options->input_name, (unsigned long long)item->line,
                item->why);
    if (failed == COMPLAINTS_MAX)
        cl_complain("more URLs without an answer are only counted");
}

static void item_release(struct ask *ask, struct item *item)
{
    ask->ring_bytes -= item->url.len + item->text.len;
    if (item->url.cap > KEEP_BYTES)
        buf_fini(&item->url);
    if (item->text.cap > KEEP_BYTES)
        buf_fini(&item->text);
    item->state = ITEM_FREE;
}

static int print_item(struct ask *ask, struct item *item)
{
    int rv = cl_output_write(ask->out, item->text.data, item->text.len);
    ask->result->lines++;
    ask->result->answers[item->answer]++;
    if (item->answer == CL_ANSWER_NONE)
        complain_of(ask, item);
    item_release(ask, item);
    ask->next_out++;
    tell(&ask->room);
    return rv;
}

/* Nothing to print now.  Whoever follows our output need not wait for a full
 * buffer, but a write for every answer would cost more than the answer. */
static int wait_for_item(struct ask *ask, int64_t *flush_ns)
{
    int64_t now_ns = clock_now_ns();
    if (ask->out->pending.len > 0 && now_ns >= *flush_ns) {
        *flush_ns = now_ns + FLUSH_EVERY_NS;
        return cl_output_flush(ask->out);
    }
    int64_t until_ns = CO_NO_DEADLINE;
    if (ask->progress.is_on)
        until_ns = ask->progress.next_ns;
    if (ask->out->pending.len > 0 && *flush_ns < until_ns)
        until_ns = *flush_ns;
    int rv = co_event_wait(&ask->done, until_ns);
    return rv == -ETIMEDOUT ? 0 : rv;
}

/* Print, in order, until everything is printed or the run is to stop. */
static int print(struct ask *ask)
{
    int64_t flush_ns = 0;
    int rv = 0;
    while (ask->stop == 0 && rv >= 0) {
        struct item *item = item_at(ask, ask->next_out);
        show_progress(ask);
        if (ask->next_out < ask->next_in && item->state == ITEM_DONE)
            rv = print_item(ask, item);
        else if (ask->is_read && ask->next_out == ask->next_in)
            break;
        else
            rv = wait_for_item(ask, &flush_ns);
    }
    /* what was answered before a stop is worth having */
    while (rv >= 0 && ask->next_out < ask->next_in) {
        struct item *item = item_at(ask, ask->next_out);
        if (item->state != ITEM_DONE)
            break;
        rv = print_item(ask, item);
    }
    int flushed = cl_output_flush(ask->out);
    return rv < 0 ? rv : flushed;
}

/* ---- signals ---- */

static int watch_signals(void *arg)
{
    struct ask *ask = arg;
    struct signalfd_siginfo info;
    int fd = signalfd(-1, &ask->signals, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t n = co_read(fd, &info, sizeof info, CO_NO_DEADLINE);
    if (n == (ssize_t)sizeof info) {
        ask->result->signal = (int)info.ssi_signo;
        stop(ask, -EINTR, "interrupted");
        sigprocmask(SIG_UNBLOCK, &ask->signals, NULL);
    }
    co_close(fd);
    return 0;
}

/* ---- the run ---- */

/* Cancel what still runs, then wait for it: afterwards nobody uses ask. */
static void end_task(struct co_task *task, bool is_cancelled)
{
    int result;
    if (task == NULL)
        return;
    if (is_cancelled)
        co_cancel(task);
    if (co_join(task, CO_NO_DEADLINE, &result) < 0)
        co_detach(task);
}

static int ask_first_task(void *arg)
{
    struct ask *ask = arg;
    unsigned n = ask->options->transfers;
    struct co_task *signals = co_spawn_named("signals", watch_signals, ask);
    struct co_task *reader = NULL;
    struct co_task **workers = calloc(n, sizeof(struct co_task *));
    int rv = workers != NULL ? cl_multi_new(n, &ask->multi) : -ENOMEM;
    if (rv < 0)
        goto out;
    ask->started_ns = clock_now_ns();
    rv = -ENOMEM;
    reader = co_spawn_named("reader", read_lines, ask);
    if (reader == NULL)
        goto out;
    for (unsigned i = 0; i < n; i++) {
        workers[i] = co_spawn_named("worker", work, ask);
        if (workers[i] == NULL)
            goto out;
    }
    rv = print(ask);
out:
    if (ask->out->err < 0)
        stop(ask, rv, "cannot write the output: %s", err_text(ask->out->err));
    if (rv < 0)
        stop(ask, rv, "%s", err_text(rv));
    end_task(reader, ask->stop != 0);
    for (unsigned i = 0; workers != NULL && i < n; i++)
        end_task(workers[i], ask->stop != 0);
    free(workers);
    cl_multi_free(ask->multi);
    end_task(signals, true);
    cl_progress_clear(&ask->progress);
    ask->result->elapsed_ns = clock_now_ns() - ask->started_ns;
    return ask->stop;
}

static int ask_init(struct ask *ask)
{
    unsigned len = ask->options->transfers * RING_PER_TRANSFER;
    ask->ring_len = len > RING_MIN ? len : RING_MIN;
    ask->ring = calloc(ask->ring_len, sizeof *ask->ring);
    if (ask->ring == NULL)
        return -ENOMEM;
    for (unsigned i = 0; i < ask->ring_len; i++) {
        buf_init(&ask->ring[i].url, CL_LINE_MAX_BYTES);
        /* the answer, or a failure with the URL's bytes escaped */
        buf_init(&ask->ring[i].text, ANSWER_MAX_BYTES + CL_WHY_BYTES);
    }
    co_event_init(&ask->room);
    co_event_init(&ask->done);
    co_sem_init(&ask->to_take, 0);
    cl_progress_init(&ask->progress);
    if (getrandom(&ask->random, sizeof ask->random, GRND_NONBLOCK) < 0 || ask->random == 0)
        ask->random = (uint64_t)clock_now_ns();
    sigemptyset(&ask->signals);
    sigaddset(&ask->signals, SIGINT);
    sigaddset(&ask->signals, SIGTERM);
    return 0;
}

int cl_ask_run(const struct cl_ask_options *options, struct cl_lines *in, struct cl_output *out,
               struct cl_ask_result *ret_result)
{
    struct ask ask = {.options = options, .in = in, .out = out, .result = ret_result};
    const struct co_options loop = {
        .name = "domainc", .stack_bytes = STACK_BYTES, .watchdog_ns = -1, .is_unaccounted = true};
    sigset_t before;
    *ret_result = (struct cl_ask_result){0};
    int rv = ask_init(&ask);
    if (rv == 0) {
        sigprocmask(SIG_BLOCK, &ask.signals, &before);
        rv = co_run(ask_first_task, &ask, &loop);
        sigprocmask(SIG_SETMASK, &before, NULL);
    }
    if (rv < 0 && ret_result->why[0] == '\0')
        snprintf(ret_result->why, sizeof ret_result->why, "%s", err_text(rv));
    for (unsigned i = 0; ask.ring != NULL && i < ask.ring_len; i++) {
        buf_fini(&ask.ring[i].url);
        buf_fini(&ask.ring[i].text);
    }
    free(ask.ring);
    return rv;
}
