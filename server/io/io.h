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
};
/* For both: since when the newest bytes wait, in ns; 0: not known. */
int64_t io_queued_ns(struct http_io *io);

/* 0, or -errno when the descriptor takes no timeouts. */
MUST_USE int io_block_init(struct io_block *b, int fd, const atomic_bool *cut);
