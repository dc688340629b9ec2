/* server/mode/blocking.c - see blocking.h.
 *
 * An idle connection sits in recv().  Another thread ends it by shutting down its
 * read side: recv returns 0, but bytes that came before (and on Linux even after)
 * are still delivered first.  A signal handler of its own thread must not: it may
 * run when recv has taken the first bytes of a request and is about to return, and
 * the rest would find a connection that has ended.  It leaves word instead, which
 * is read when recv was broken off (EINTR), and void when it brought something. */
#include "server/mode/blocking.h"

#include <sys/socket.h>
#include <unistd.h>

#include "coro/base/clock.h"
#include "server/metrics/metrics.h"

static struct blocking *of(struct http_io *io)
{
    return CONTAINER_OF(io, struct blocking, io);
}

/* bytes: of the request that ends it; NULL: it begins. */
static void set_idle(struct blocking *b, const char *bytes, size_t len)
{
    bool is_idle = bytes == NULL;
    if (is_idle) {
        atomic_store_explicit(&b->idle_since_ns, clock_now_ns(), memory_order_relaxed);
        metrics_add(METRICS_IDLE, 1);
    } else {
        metrics_sub(METRICS_IDLE, 1);
    }
    atomic_store(&b->is_idle, is_idle);
    if (b->on_idle != NULL)
        b->on_idle(b, bytes, len);
}

static ssize_t read_through(struct http_io *io, void *buf, size_t cap, int64_t deadline_ns)
{
    struct blocking *b = of(io);
    bool was_idle = atomic_load_explicit(&b->is_idle, memory_order_relaxed);
    if (!was_idle)
        io_block_expect(&b->block);
    ssize_t n = b->block.io.ops->read(&b->block.io, buf, cap, deadline_ns);
    if (!was_idle)
        atomic_store(&b->block.is_waiting, false);
    if (n > 0 && was_idle) {
        if (atomic_exchange(&b->block.is_hurried, false)) /* it came in time */
            atomic_store(&b->given_up, HTTP_CLOSE_OPEN);
        set_idle(b, buf, (size_t)n);
        atomic_store_explicit(&b->has_asked, true, memory_order_relaxed);
    }
    return n;
}

static ssize_t writev_through(struct http_io *io, struct iovec *iov, int count, int64_t deadline_ns)
{
    struct blocking *b = of(io);
    atomic_store_explicit(&b->block.waits_since_ns, 0, memory_order_relaxed);
    return b->block.io.ops->writev(&b->block.io, iov, count, deadline_ns);
}

static int shut_write_through(struct http_io *io)
{
    struct blocking *b = of(io);
    return b->block.io.ops->shut_write(&b->block.io);
}

static int64_t now_through(struct http_io *io)
{
    struct blocking *b = of(io);
    return b->block.io.ops->now_ns(&b->block.io);
}

static int64_t queued_through(struct http_io *io)
{
    struct blocking *b = of(io);
    return b->block.io.ops->queued_ns(&b->block.io);
}

static const struct http_io_ops through = {
    .read = read_through,
    .writev = writev_through,
    .shut_write = shut_write_through,
    .now_ns = now_through,
    .queued_ns = queued_through,
};

void blocking_init(struct blocking *b, blocking_idle_fn *on_idle)
{
    *b = (struct blocking){.on_idle = on_idle};
    atomic_init(&b->fd, -1);
}

static void serve(struct blocking *b, struct http_app *app, int fd)
{
    struct sockaddr_storage addr;
    socklen_t len = sizeof addr;
    bool is_known = getpeername(fd, (struct sockaddr *)&addr, &len) == 0;
    b->io = (struct http_io){.ops = &through, .fd = fd};
    enum http_turn turn =
        http_session_init(&b->session, app, &b->io, (struct sockaddr *)&addr, is_known ? len : 0);
    if (!is_known) {
        /* reset while it was queued: nobody waits for an answer, and whose it was,
         * and so what it may do, is not to be known any more */
        http_session_end(&b->session, HTTP_CLOSE_ABORTED);
        turn = HTTP_TURN_CLOSE;
    }
    while (turn != HTTP_TURN_CLOSE) {
        if (turn == HTTP_TURN_IDLE)
            set_idle(b, NULL, 0);
        turn = http_session_turn(&b->session);
    }
    if (atomic_load(&b->is_idle)) {
        set_idle(b, "", 0);
        int why = atomic_load(&b->given_up);
        if (why != HTTP_CLOSE_OPEN)
            http_session_end(&b->session, (enum http_close_reason)why);
    }
    http_session_fini(&b->session);
}

void blocking_serve(struct blocking *b, struct http_app *app, int fd, const atomic_bool *cut,
                    void (*on_closing)(struct blocking *b))
{
    atomic_store(&b->given_up, HTTP_CLOSE_OPEN);
    atomic_store(&b->has_asked, false);
    atomic_store(&b->fd, fd);
    if (io_block_init(&b->block, fd, cut) == 0)
        serve(b, app, fd);
    if (on_closing != NULL)
        on_closing(b);
    atomic_store(&b->fd, -1);
    if (http_session_is_reset(&b->session))
        io_drop_unsent(fd);
    close(fd);
}

static bool is_idle_for(const struct blocking *b, int64_t idle_ns)
{
    if (!atomic_load(&b->is_idle))
        return false;
    /* whoever has just connected is about to ask */
    if (!atomic_load_explicit(&b->has_asked, memory_order_relaxed) && idle_ns < BLOCKING_FIRST_NS)
        idle_ns = BLOCKING_FIRST_NS;
    return clock_now_ns() - atomic_load_explicit(&b->idle_since_ns, memory_order_relaxed) >=
           idle_ns;
}

void blocking_give_up(struct blocking *b, int64_t idle_ns, enum http_close_reason why)
{
    int fd = atomic_load(&b->fd);
    char first;
    if (fd < 0 || !is_idle_for(b, idle_ns) || recv(fd, &first, 1, MSG_PEEK | MSG_DONTWAIT) > 0)
        return;
    atomic_store(&b->given_up, why);
    shutdown(fd, SHUT_RD);
}

void blocking_yield(struct blocking *b, int64_t idle_ns, enum http_close_reason why)
{
    if (!is_idle_for(b, idle_ns))
        return;
    atomic_store(&b->given_up, why);
    atomic_store(&b->block.is_hurried, true);
}

void blocking_hurry(struct blocking *b, int64_t patience_ns)
{
    io_block_hurry(&b->block, patience_ns);
}

void blocking_cut(struct blocking *b)
{
    int fd = atomic_load(&b->fd);
    if (fd >= 0)
        shutdown(fd, SHUT_RDWR);
}
