/* server/io/io.h - the two implementations of struct http_io.
 *
 *   ownership  fd and everything pointed to is borrowed; the mode closes fd */
#pragma once

#include <stdatomic.h>

#include "coro/base/attr.h"
#include "server/http/http_io.h"

/* Parks the task: coroutine mode.  fd is non-blocking; close it with co_close. */
void io_coro_init(struct http_io *io, int fd);

/* Blocks the thread: thread and prefork mode.  fd is blocking. */
struct io_block {
    struct http_io io;
    /* Set: the wait that is interrupted next (by a signal, or shutdown of the
     * descriptor) and all later ones return -ECANCELED.  May be NULL. */
    const atomic_bool *cut;
    int64_t read_armed_ns; /* what SO_RCVTIMEO is set to */
    int64_t write_armed_ns;
    atomic_llong waits_since_ns; /* for the peer, whom we had nothing to tell; 0: not */
    atomic_bool is_waiting;      /* in a system call that waits for that peer */
    atomic_bool is_hurried;      /* that call, once interrupted, returns -ETIMEDOUT */
};
/* The read that follows waits for a peer in the middle of something (not for its next
 * request): waits_since_ns is when we first waited for it since we last wrote. */
void io_block_expect(struct io_block *b);
/* When it has been waiting for patience_ns: the deadline is now.  In a signal handler of
 * the thread that waits; the signal may come a moment before the wait: repeat it. */
void io_block_hurry(struct io_block *b, int64_t patience_ns);

/* For both: since when the newest bytes wait, in ns; 0: not known. */
int64_t io_queued_ns(struct http_io *io);
/* What the peer has not taken yet is dropped when fd is closed (and the peer sees a
 * reset): else the kernel would keep it for as long as the peer takes a byte at times. */
void io_drop_unsent(int fd);

/* 0, or -errno when the descriptor takes no timeouts. */
MUST_USE int io_block_init(struct io_block *b, int fd, const atomic_bool *cut);
