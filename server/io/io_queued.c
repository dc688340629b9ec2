/* How long the newest bytes of a connection have been waiting: the kernel knows,
 * to a few milliseconds. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "coro/base/clock.h"
#include "server/io/io.h"

int64_t io_queued_ns(struct http_io *io)
{
    struct tcp_info info;
    socklen_t len = sizeof info;
    if (getsockopt(io->fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
        return 0; /* a UNIX socket */
    return (int64_t)info.tcpi_last_data_recv * NS_PER_MS;
}
