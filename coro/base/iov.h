/* coro/base/iov.h - what is left of blocks that a call has moved in part. */
#pragma once

#include <stddef.h>
#include <sys/uio.h>

static inline size_t iov_bytes(const struct iovec *iov, int count)
{
    size_t n = 0;
    for (int i = 0; i < count; i++)
        n += iov[i].iov_len;
    return n;
}

/* Drop n bytes from the front of *iov. */
static inline void iov_advance(struct iovec **iov, int *count, size_t n)
{
    while (*count > 0 && n >= (*iov)->iov_len) {
        n -= (*iov)->iov_len;
        (*iov)++;
        (*count)--;
    }
    if (n > 0 && *count > 0) {
        (*iov)->iov_base = (char *)(*iov)->iov_base + n;
        (*iov)->iov_len -= n;
    }
}
