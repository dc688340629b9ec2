/* What only the kernel knows of a connection, or can do with it. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "coro/base/clock.h"
#include "server/io/io.h"

/* To a few milliseconds. */
int64_t io_queued_ns(struct http_io *io)
{
    struct tcp_info info;
    socklen_t len = sizeof info;
    if (getsockopt(io->fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
        return 0; /* a UNIX socket */
    return (int64_t)info.tcpi_last_data_recv * NS_PER_MS;
}

void io_drop_unsent(int fd)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once); /* else as ever */
}
