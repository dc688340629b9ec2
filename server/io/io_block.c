/* Blocking transport with deadlines.
 *
 * A poll before every read would double the system calls.  Instead the socket
 * carries a timeout (SO_RCVTIMEO, SO_SNDTIMEO), armed once to TICK_NS and armed
 * anew only when a deadline is nearer than what is armed: in ordinary traffic
 * never.  A wait that times out before its deadline just waits again. */
#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "coro/base/clock.h"
#include "coro/base/iov.h"
#include "coro/prof/prof.h"
#include "server/io/io.h"

#define TICK_NS  (5 * NS_PER_S)
#define SLACK_NS (20 * NS_PER_MS) /* a wait may overshoot its deadline by so much */

static struct io_block *block_of(struct http_io *io)
{
    return CONTAINER_OF(io, struct io_block, io);
}

static int arm(int fd, int option, int64_t span_ns, int64_t *armed_ns)
{
    if (span_ns > TICK_NS)
        span_ns = TICK_NS;
    if (span_ns < NS_PER_MS)
        span_ns = NS_PER_MS; /* zero would mean: for ever */
    struct timeval tv = {.tv_sec = span_ns / NS_PER_S, .tv_usec = span_ns % NS_PER_S / NS_PER_US};
    if (setsockopt(fd, SOL_SOCKET, option, &tv, sizeof tv) < 0)
        return -errno;
    *armed_ns = span_ns;
    return 0;
}

/* Before a call that may block: 0, or -errno when it must not be made. */
static int before(struct io_block *b, int option, int64_t *armed_ns, int64_t deadline_ns)
{
    if (deadline_ns == CLOCK_NEVER)
        return 0;
    int64_t left_ns = deadline_ns - clock_now_ns();
    if (left_ns + SLACK_NS >= *armed_ns)
        return 0;
    return arm(b->io.fd, option, left_ns, armed_ns);
}

/* After a call that failed with errno: 0 to try again, or -errno. */
static int after(struct io_block *b, int option, int64_t *armed_ns, int64_t deadline_ns)
{
    int error = errno;
    if (error != EINTR && error != EAGAIN && error != EWOULDBLOCK)
        return -error;
    if (b->cut != NULL && atomic_load_explicit(b->cut, memory_order_relaxed))
        return -ECANCELED;
    if (atomic_load_explicit(&b->is_hurried, memory_order_relaxed))
        return -ETIMEDOUT;
    if (deadline_ns == CLOCK_NEVER)
        return 0;
    /* after a signal, too: each one starts the socket's timeout anew */
    int64_t left_ns = deadline_ns - clock_now_ns();
    if (left_ns <= 0)
        return -ETIMEDOUT;
    return left_ns == *armed_ns ? 0 : arm(b->io.fd, option, left_ns, armed_ns);
}

/* ---- a peer that keeps us waiting ---- */

void io_block_expect(struct io_block *b)
{
    if (atomic_load_explicit(&b->waits_since_ns, memory_order_relaxed) == 0)
        atomic_store_explicit(&b->waits_since_ns, clock_now_ns(), memory_order_relaxed);
    atomic_store(&b->is_waiting, true);
}

void io_block_hurry(struct io_block *b, int64_t patience_ns)
{
    if (atomic_load(&b->is_waiting) &&
        clock_now_ns() - atomic_load_explicit(&b->waits_since_ns, memory_order_relaxed) >=
            patience_ns)
        atomic_store(&b->is_hurried, true);
}

static ssize_t block_read(struct http_io *io, void *buf, size_t cap, int64_t deadline_ns)
{
    struct io_block *b = block_of(io);
    int rv = before(b, SO_RCVTIMEO, &b->read_armed_ns, deadline_ns);
    while (rv == 0) {
        PROF_WAIT_BEGIN("{read}");
        ssize_t n = recv(io->fd, buf, cap, 0);
        prof_wait_end();
        if (n > 0)
            return n;
        if (n == 0) /* our own shutdown, to wake us, looks like the peer's end */
            return b->cut != NULL && atomic_load_explicit(b->cut, memory_order_relaxed) ? -ECANCELED
                                                                                        : 0;
        rv = after(b, SO_RCVTIMEO, &b->read_armed_ns, deadline_ns);
    }
    return rv;
}

/* There is room nearly always, and then sending is work; else it is waiting. */
static ssize_t send_some(struct io_block *b, const struct msghdr *message)
{
    int flags = MSG_NOSIGNAL | (b->io.is_last ? MSG_MORE : 0);
    ssize_t n = sendmsg(b->io.fd, message, flags | MSG_DONTWAIT);
    if (n >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
        return n;
    io_block_expect(b);
    prof_wait_begin();
    n = sendmsg(b->io.fd, message, flags);
    prof_wait_end();
    atomic_store(&b->is_waiting, false);
    if (n > 0) /* a wait that a signal broke off goes on: it began when it began */
        atomic_store_explicit(&b->waits_since_ns, 0, memory_order_relaxed);
    return n;
}

static ssize_t block_writev(struct http_io *io, struct iovec *iov, int count, int64_t deadline_ns)
{
    PROF_SCOPE("{writev}");
    struct io_block *b = block_of(io);
    size_t total = 0;
    int rv = before(b, SO_SNDTIMEO, &b->write_armed_ns, deadline_ns);
    while (rv == 0 && count > 0) {
        struct msghdr message = {.msg_iov = iov, .msg_iovlen = (size_t)count};
        ssize_t n = send_some(b, &message);
        if (n < 0) {
            rv = after(b, SO_SNDTIMEO, &b->write_armed_ns, deadline_ns);
            continue;
        }
        total += (size_t)n;
        iov_advance(&iov, &count, (size_t)n);
        if (count > 0) /* a partial write: the timeout may have ended it */
            rv = clock_now_ns() >= deadline_ns || atomic_load(&b->is_hurried)
                     ? -ETIMEDOUT
                     : before(b, SO_SNDTIMEO, &b->write_armed_ns, deadline_ns);
    }
    return rv < 0 ? rv : (ssize_t)total;
}

static int block_shut_write(struct http_io *io)
{
    return shutdown(io->fd, SHUT_WR) < 0 ? -errno : 0;
}

static int64_t block_now_ns(struct http_io *io)
{
    (void)io;
    return clock_now_ns();
}

int io_block_init(struct io_block *b, int fd, const atomic_bool *cut)
{
    static const struct http_io_ops ops = {
        .read = block_read,
        .writev = block_writev,
        .shut_write = block_shut_write,
        .now_ns = block_now_ns,
        .queued_ns = io_queued_ns,
    };
    *b = (struct io_block){.io = {.ops = &ops, .fd = fd}, .cut = cut};
    int rv = arm(fd, SO_RCVTIMEO, TICK_NS, &b->read_armed_ns);
    return rv < 0 ? rv : arm(fd, SO_SNDTIMEO, TICK_NS, &b->write_armed_ns);
}
