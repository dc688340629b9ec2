#include "coro/io.h"

#include <errno.h>
#include <sys/socket.h>

#include "coro/base/iov.h"
#include "coro/prof/prof.h"
#include "server/io/io.h"

static ssize_t coro_read(struct http_io *io, void *buf, size_t cap, int64_t deadline_ns)
{
    PROF_SCOPE("{read}");
    return co_read(io->fd, buf, cap, deadline_ns);
}

/* With what comes behind it in one packet, as far as the socket takes it at once. */
static ssize_t write_last(struct http_io *io, struct iovec *iov, int count, int64_t deadline_ns)
{
    struct msghdr message = {.msg_iov = iov, .msg_iovlen = (size_t)count};
    ssize_t n = co_sendmsg(io->fd, &message, MSG_MORE, deadline_ns);
    if (n < 0)
        return n;
    iov_advance(&iov, &count, (size_t)n);
    if (count == 0)
        return n;
    ssize_t rest = co_writev(io->fd, iov, count, deadline_ns);
    return rest < 0 ? rest : n + rest;
}

static ssize_t coro_writev(struct http_io *io, struct iovec *iov, int count, int64_t deadline_ns)
{
    PROF_SCOPE("{writev}");
    return io->is_last ? write_last(io, iov, count, deadline_ns)
                       : co_writev(io->fd, iov, count, deadline_ns);
}

static int coro_shut_write(struct http_io *io)
{
    return shutdown(io->fd, SHUT_WR) < 0 ? -errno : 0;
}

static int64_t coro_now_ns(struct http_io *io)
{
    (void)io;
    return co_now();
}

void io_coro_init(struct http_io *io, int fd)
{
    static const struct http_io_ops ops = {
        .read = coro_read,
        .writev = coro_writev,
        .shut_write = coro_shut_write,
        .now_ns = coro_now_ns,
        .queued_ns = io_queued_ns,
    };
    *io = (struct http_io){.ops = &ops, .fd = fd};
}
