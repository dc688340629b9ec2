#include "coro/base/std.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int std_hold(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) >= 0)
            continue;
        /* the wrong way round; the lowest free number, as those below are in use */
        if (open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0)
            return -errno;
    }
    return 0;
}
