/* tests/lib/pair_io.h - a struct http_io in memory: bytes to read on one side,
 * bytes written on the other, a clock that stands still, faults on request. */
#pragma once

#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "coro/base/buf.h"
#include "coro/base/clock.h"
#include "server/http/http_io.h"

struct pair_io {
    struct http_io io;
    const char *in; /* what the client sends (borrowed) */
    size_t in_len;
    size_t at;       /* read so far */
    size_t split;    /* a read stops here once; 0: nowhere */
    size_t step;     /* a read brings at most this; 0: all there is */
    int at_end;      /* when all is read: 0 end of stream, or -errno */
    int write_error; /* every write fails so; 0: none */
    bool is_shut;    /* FIN sent */
    unsigned reads, writes;
    int64_t now_ns;
    int64_t step_ns; /* the clock moves so far with each read */
    int64_t last_deadline_ns;
    int64_t queued_ns; /* what its io says about the newest bytes */
    unsigned looks;    /* how often it was asked for that */
    struct buf out;    /* what the server wrote */
};

static inline ssize_t pair_read(struct http_io *io, void *buf, size_t cap, int64_t deadline_ns)
{
    struct pair_io *p = CONTAINER_OF(io, struct pair_io, io);
    ck_assert_uint_gt(cap, 0);
    p->last_deadline_ns = deadline_ns;
    if (p->at == p->in_len) {
        if (p->at_end == -ETIMEDOUT)
            p->now_ns = deadline_ns;
        return p->at_end;
    }
    p->now_ns += p->step_ns;
    if (p->now_ns >= deadline_ns)
        return -ETIMEDOUT;
    p->reads++;
    size_t n = p->in_len - p->at;
    if (p->at < p->split && p->split - p->at < n)
        n = p->split - p->at;
    if (p->step > 0 && n > p->step)
        n = p->step;
    if (n > cap)
        n = cap;
    memcpy(buf, p->in + p->at, n);
    p->at += n;
    return (ssize_t)n;
}

static inline ssize_t pair_writev(struct http_io *io, struct iovec *iov, int count,
                                  int64_t deadline_ns)
{
    struct pair_io *p = CONTAINER_OF(io, struct pair_io, io);
    size_t total = 0;
    p->last_deadline_ns = deadline_ns;
    p->writes++;
    if (p->write_error != 0)
        return p->write_error;
    for (int i = 0; i < count; i++) {
        ck_assert_int_eq(buf_append(&p->out, iov[i].iov_base, iov[i].iov_len), 0);
        total += iov[i].iov_len;
    }
    return (ssize_t)total;
}

static inline int pair_shut_write(struct http_io *io)
{
    CONTAINER_OF(io, struct pair_io, io)->is_shut = true;
    return 0;
}

static inline int64_t pair_now_ns(struct http_io *io)
{
    return CONTAINER_OF(io, struct pair_io, io)->now_ns;
}

static inline int64_t pair_queued_ns(struct http_io *io)
{
    struct pair_io *p = CONTAINER_OF(io, struct pair_io, io);
    p->looks++;
    return p->queued_ns;
}

static inline void pair_init(struct pair_io *p, const char *in, size_t n)
{
    static const struct http_io_ops ops = {pair_read, pair_writev, pair_shut_write, pair_now_ns,
                                           pair_queued_ns};
    *p = (struct pair_io){.io = {.ops = &ops, .fd = -1}, .in = in, .in_len = n, .now_ns = NS_PER_S};
    buf_init(&p->out, 1 << 26);
}

static inline void pair_fini(struct pair_io *p)
{
    buf_fini(&p->out);
}

/* What was written, NUL terminated. */
static inline const char *pair_out(struct pair_io *p)
{
    ck_assert_int_eq(buf_append_char(&p->out, 0), 0);
    p->out.len--;
    return p->out.data;
}
