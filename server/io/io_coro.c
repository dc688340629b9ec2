#include "coro/io.h"

#include <errno.h>
#include <sys/socket.h>

#include "coro/prof/prof.h"
#include "server/io/io.h"

static ssize_t coro_read(struct http_io *io, void *buf, size_t cap, int64_t deadline_ns)
{
    PROF_SCOPE("{read}");
    return co_read(io->fd, buf, cap, deadline_ns);
}

static ssize_t coro_writev(struct http_io *io, struct iovec *iov, int count, int64_t deadline_ns)
{
    PROF_SCOPE("{writev}");
    return co_writev(io->fd, iov, count, deadline_ns);
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
