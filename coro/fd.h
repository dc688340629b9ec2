/* coro/fd.h - what a loop knows about a descriptor, inside the runtime: the
 * record, who waits for it, and the waits that the calls of io.c are built on.
 *
 *   context    the loop's thread
 *   ownership  a record is the loop's; it lives until co_close or the loop's end,
 *              and after a wait it must be looked up again */
#pragma once

#include <errno.h>

#include "coro/internal.h"
#include "coro/io.h"

/* A task that waits; on its stack. */
struct fd_wait {
    struct co_fd *f; /* NULL: closed meanwhile */
    struct co_task *task;
};

/* A task that has to learn of a descriptor's closing, though it is not among those that
 * wait for it; on its stack. */
struct fd_probe {
    struct co_list link; /* in the loop's list */
    int fd;
    bool is_closed;
    unsigned events; /* set of enum co_io_event that it waits for on its own */
    struct co_task *task;
    struct reactor_watch *watch; /* NULL: waits for no event */
};

struct co_fd {
    int fd;
    uint8_t ready; /* set of enum co_io_event: the kernel may have something */
    bool is_stream;
    bool is_hup; /* the peer closed: reads end, no new edge comes */
    bool is_watched;
    bool is_doubtful; /* the last event may have told an error (fd.c) */
    bool is_read_out; /* a read came up short since: drained, if there was no error */
    bool is_overdue;  /* fired, and its task could not be spawned: the timer tries again */
    int parked_why;   /* what fn gets then */
    struct co_loop *loop;
    struct fd_wait *reader;
    struct fd_wait *writer;
    co_parked_fn *parked; /* NULL: not parked */
    void *arg;
    struct co_site *site;
    int64_t deadline_ns; /* while parked */
    int64_t parked_ns;   /* since when */
    struct co_timer timer;
    struct co_list link; /* among the fired, or in the pool */
    /* the reactor's watch follows */
};

/* NULL: nobody had to wait for fd yet (or it is no descriptor). */
static inline struct co_fd *coro_fd_find(const struct co_loop *loop, int fd)
{
    return LIKELY((size_t)fd < loop->fds_cap) ? loop->fds[fd] : NULL;
}

/* The record of fd, made when it has none; is_stream < 0: ask the kernel.
 * 0, -EBADF, -ENOMEM. */
MUST_USE int coro_fd_obtain(struct co_loop *loop, int fd, int is_stream, struct co_fd **ret_f);

/* Watch from now on.  Epoll reports what is already there as a first edge, so
 * nothing is known to be readable until it comes. */
MUST_USE int coro_fd_watch(struct co_fd *f);

/* Park until the direction is ready; 0: fd may be tried (again). */
MUST_USE int coro_fd_await(struct co_loop *loop, struct co_fd *f, enum co_io_event direction,
                           int64_t deadline_ns);

/* The same until any of the directions is. */
MUST_USE int coro_fd_await_any(struct co_loop *loop, struct co_fd *f, unsigned events,
                               int64_t deadline_ns);

/* Before a call: park when the direction is known to be empty; refuse when
 * cancelled.  0: nothing known, call. */
static inline int coro_fd_before(struct co_loop *loop, int fd, enum co_io_event direction,
                                 int64_t deadline_ns)
{
    if (UNLIKELY(loop->self->is_cancelled))
        return -ECANCELED;
    struct co_fd *f = coro_fd_find(loop, fd);
    if (f == NULL || (f->ready & direction))
        return 0;
    return coro_fd_await(loop, f, direction, deadline_ns);
}

/* After a call that failed with errno `err`: park if it would have blocked.
 * 0: call again. */
MUST_USE int coro_fd_retry(struct co_loop *loop, int fd, enum co_io_event direction,
                           int64_t deadline_ns, int err);

/* A read moved less than it was asked to: on a stream the direction is drained. */
static inline void coro_fd_read_out(const struct co_loop *loop, int fd)
{
    struct co_fd *f = coro_fd_find(loop, fd);
    if (f == NULL || !f->is_stream || f->is_hup)
        return;
    if (f->is_doubtful)
        f->is_read_out = true;
    else
        f->ready &= (uint8_t)~CO_READABLE;
}

/* A write moved something: no error was pending.  Not all of it: drained, too. */
static inline void coro_fd_written(const struct co_loop *loop, int fd, bool is_all)
{
    struct co_fd *f = coro_fd_find(loop, fd);
    if (f == NULL || !f->is_stream)
        return;
    if (f->is_doubtful) {
        f->is_doubtful = false;
        if (f->is_read_out && !f->is_hup)
            f->ready &= (uint8_t)~CO_READABLE;
    }
    if (UNLIKELY(!is_all))
        f->ready &= (uint8_t)~CO_WRITABLE;
}

/* What of `events` fd is ready for now; 0: nothing.  Never waits. */
int coro_fd_poll(int fd, unsigned events);

/* ---- park.c ---- */

/* The parked descriptor has become readable. */
void coro_fd_fire(struct co_fd *f);
void coro_fd_on_deadline(struct co_timer *timer);
