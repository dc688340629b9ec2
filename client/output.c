#include "client/output.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include "client/wait.h"
#include "coro/prof/prof.h"

#define OUTPUT_BATCH_BYTES 65536
#define OUTPUT_MAX_BYTES   (16UL << 20)

int cl_write_all(int fd, const char *at, size_t n)
{
    PROF_SCOPE("{write}");
    while (n > 0) {
        ssize_t written = write(fd, at, n);
        if (written < 0 && errno == EAGAIN) {
            /* whom we share a pipe or terminal with may have made it non-blocking */
            struct pollfd writable = {.fd = fd, .events = POLLOUT};
            poll(&writable, 1, -1);
            continue;
        }
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -errno;
        at += written;
        n -= (size_t)written;
    }
    return 0;
}

void cl_output_init(struct cl_output *out, int fd)
{
    *out = (struct cl_output){.fd = fd, .is_pollable = cl_wait_is_pollable(fd)};
    buf_init(&out->pending, OUTPUT_MAX_BYTES);
}

void cl_output_fini(struct cl_output *out)
{
    buf_fini(&out->pending);
}

int cl_output_write(struct cl_output *out, const char *bytes, size_t n)
{
    if (out->err == 0)
        out->err = buf_append(&out->pending, bytes, n);
    if (out->err == 0 && out->pending.len >= OUTPUT_BATCH_BYTES)
        return cl_output_flush(out);
    return out->err;
}

int cl_output_flush(struct cl_output *out)
{
    size_t done = 0;
    while (out->err == 0 && done < out->pending.len) {
        size_t n = out->pending.len - done;
        int rv = 0;
        if (out->is_pollable) {
            /* a writable pipe takes PIPE_BUF bytes without making us wait */
            rv = cl_wait_writable(out->fd);
            n = n < PIPE_BUF ? n : PIPE_BUF;
        }
        ssize_t written = rv < 0 ? -1 : write(out->fd, out->pending.data + done, n);
        if (written >= 0)
            done += (size_t)written;
        else if (rv < 0)
            out->err = rv;
        else if (errno != EINTR && errno != EAGAIN)
            out->err = -errno;
    }
    buf_consume(&out->pending, done);
    return out->err;
}

int cl_output_close(struct cl_output *out)
{
    int rv = cl_output_flush(out);
    if (close(out->fd) < 0 && errno != EINTR && rv == 0)
        out->err = rv = -errno;
    return rv;
}
