#include "client/wait.h"

#include <errno.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "coro/io.h"

bool cl_wait_is_pollable(int fd)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return false;
    return S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) || (S_ISCHR(st.st_mode) && isatty(fd));
}

static int wait_for(int fd, unsigned events)
{
    if (co_self() == NULL) {
        struct pollfd wanted = {.fd = fd, .events = events == CO_READABLE ? POLLIN : POLLOUT};
        (void)poll(&wanted, 1, -1); /* if it fails, the read or write that follows says why */
        return 0;
    }
    int rv = co_wait_fd(fd, events, CO_NO_DEADLINE);
    return rv < 0 ? rv : 0;
}

int cl_wait_readable(int fd)
{
    return wait_for(fd, CO_READABLE);
}

int cl_wait_writable(int fd)
{
    return wait_for(fd, CO_WRITABLE);
}
