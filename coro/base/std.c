#include "coro/base/std.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "coro/base/err.h"

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

/* Of the first failure of stdout; 0: none, or not known. */
static int output_error;

static int remember(FILE *out, bool is_done)
{
    int err = is_done ? 0 : errno;
    if (out == stdout && output_error == 0)
        output_error = err;
    return -err;
}

int std_write(FILE *out, const void *bytes, size_t n)
{
    return remember(out, fwrite(bytes, 1, n, out) == n);
}

int std_flush(FILE *out)
{
    return remember(out, fflush(out) == 0);
}

static void check_output(int status, void *program)
{
    if (std_flush(stdout) == 0 && !ferror(stdout))
        return;
    fprintf(stderr, "%s: cannot write: %s\n", (const char *)program,
            err_text(output_error != 0 ? -output_error : -EIO));
    if (status == EXIT_SUCCESS)
        _exit(EXIT_FAILURE);
}

void std_check_at_exit(const char *program)
{
    (void)on_exit(check_output, (void *)(uintptr_t)program);
}
