/* server/http/http_io.h - the transport that a session is written over.
 *
 * session.c is written once, in blocking style; the mode supplies one of two
 * implementations of this table (server/io): io_coro.c parks the task,
 * io_block.c blocks the thread.
 *
 *   deadline  absolute ns, monotonic (the clock of now_ns)
 *   returns   >= 0, or -errno; -ETIMEDOUT deadline, -ECANCELED the server is
 *             stopping hard, -ECONNRESET / -EPIPE the peer went away */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct http_io;

struct http_io_ops {
    /* Read 1..cap bytes; 0 is end of stream. */
    ssize_t (*read)(struct http_io *io, void *buf, size_t cap, int64_t deadline_ns);
    /* Write everything; iov is used up (its entries change). */
    ssize_t (*writev)(struct http_io *io, struct iovec *iov, int count, int64_t deadline_ns);
    /* Send FIN; reading goes on (lingering close). */
    int (*shut_write)(struct http_io *io);
    /* The monotonic clock, as fresh as deadlines need: may be cached per loop turn. */
    int64_t (*now_ns)(struct http_io *io);
    /* For how long the newest bytes read have been there, a system call; NULL: not known. */
    int64_t (*queued_ns)(struct http_io *io);
};

struct http_io {
    const struct http_io_ops *ops;
    int fd;       /* borrowed: the mode opened it and closes it */
    bool is_last; /* behind what is written now comes shut_write, at once: its FIN may travel
                     with the data, in one packet instead of two */
};
