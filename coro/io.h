/* coro/io.h - socket calls that park the task instead of the thread.
 *
 *   context   CO_FN: only inside a task; may yield
 *   deadline  absolute ns of co_now(); CO_NO_DEADLINE waits for ever
 *   returns   0 or more, or -errno; -ETIMEDOUT deadline, -ECANCELED cancelled,
 *             -EBADF closed by co_close meanwhile, -EBUSY another task waits in
 *             this direction already
 *   fd        borrowed, non-blocking; registered with the loop at first use,
 *             once, edge-triggered; close it with co_close and nothing else */
#pragma once

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "coro/coro.h"

EXTERN_C_BEGIN

enum co_io_event { CO_READABLE = 1, CO_WRITABLE = 2 };

/* Read 1..cap bytes; 0 is end of stream. */
CO_FN MUST_USE ssize_t co_read(int fd, void *buf, size_t cap, int64_t deadline_ns);
/* Write all n bytes; n, or -errno when some may have gone out. */
CO_FN MUST_USE ssize_t co_write(int fd, const void *buf, size_t n, int64_t deadline_ns);
CO_FN MUST_USE ssize_t co_readv(int fd, const struct iovec *iov, int count, int64_t deadline_ns);
/* Write all; iov is used up (its entries change). */
CO_FN MUST_USE ssize_t co_writev(int fd, struct iovec *iov, int count, int64_t deadline_ns);

/* One message, as recvmsg and sendmsg: for datagrams, their addresses, and what
 * travels beside the data.  Bytes received; 0 is end of stream on a stream and
 * an empty message on a datagram socket. */
CO_FN MUST_USE ssize_t co_recvmsg(int fd, struct msghdr *message, int flags, int64_t deadline_ns);
CO_FN MUST_USE ssize_t co_sendmsg(int fd, const struct msghdr *message, int flags,
                                  int64_t deadline_ns);
/* Copy n bytes of a file to a socket inside the kernel.  The bytes that went
 * out: fewer than n when the file ended before.  file_fd: borrowed, a regular file. */
CO_FN MUST_USE ssize_t co_sendfile(int fd, int file_fd, off_t offset, size_t n,
                                   int64_t deadline_ns);

/* A new connection's fd (owned by the caller, non-blocking, close-on-exec). */
CO_FN MUST_USE int co_accept(int listen_fd, struct sockaddr *ret_addr, socklen_t *ret_len,
                             int64_t deadline_ns);
CO_FN MUST_USE int co_connect(int fd, const struct sockaddr *addr, socklen_t len,
                              int64_t deadline_ns);

/* Wait until fd is ready for any of `events` (a set of enum co_io_event);
 * returns those that are.  Made for descriptors that other code reads, writes
 * and perhaps closes (libcurl): the loop does not know whether they were
 * drained, so each wait asks the kernel.  -EBUSY as for the other calls. */
CO_FN MUST_USE int co_wait_fd(int fd, unsigned events, int64_t deadline_ns);

/* Wake whoever waits on fd with -EBADF, forget it, close it.  0 or -errno. */
int co_close(int fd);

/* ---- waiting without a task ---- */

/* An idle connection needs no stack: park the descriptor alone.  When fd turns
 * readable (or has an error, or its peer hung up) a task is spawned that runs
 * fn(arg, 0); at the deadline one that runs fn(arg, -ETIMEDOUT); when the loop
 * ends first, fn(arg, -ECANCELED).  The task is detached.  Bytes that arrived
 * before the call count: nothing is lost.  0, or -errno (fn will not run). */
typedef int co_parked_fn(void *arg, int why);
#define co_park_fd(fd, deadline_ns, fn, arg)                                                       \
    __extension__({                                                                                \
        static struct co_site co_site_here = {__FILE__, __func__, __LINE__, 0};                    \
        co_park_fd_at(&co_site_here, fd, deadline_ns, fn, arg);                                    \
    })
MUST_USE int co_park_fd_at(struct co_site *site, int fd, int64_t deadline_ns, co_parked_fn *fn,
                           void *arg);
/* Take it back: true when fn will not be called any more. */
bool co_unpark_fd(int fd);

EXTERN_C_END
