/* coro/io.h - socket calls that park the task instead of the thread.
 *
 *   context   CO_FN: only inside a task; may let others run.  The others: any
 *             code on the loop's thread; they never wait
 *   deadline  absolute ns of co_now(); CO_NO_DEADLINE waits for ever; 0: what can
 *             be done at once (coro.h)
 *   returns   0 or more, or -errno: what coro.h says of every wait;
 *             -EBADF no descriptor, or closed by co_close meanwhile (also when its
 *             number is another's by now);
 *             -EBUSY another task waits in this direction already, or the
 *             descriptor is parked;
 *             -ENOMEM no memory to watch it; else what the system call said.
 *             -EINTR and -EAGAIN are dealt with (co_connect excepted)
 *   fd        borrowed, non-blocking: one that blocks holds up the whole loop.
 *             It is registered when somebody first has to wait for it, once,
 *             edge-triggered, with the loop of that task: it belongs to one loop
 *             at a time; close it with co_close there, and with nothing else.
 *             Sockets, pipes, terminals, eventfds.  Regular files never have to be
 *             waited for: reading one blocks the loop for as long as the disk
 *             takes (co_offload)
 *   signals   a peer that is gone is -EPIPE, never SIGPIPE; except on a pipe, where
 *             the kernel cannot be told: ignore it there */
#pragma once

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "coro/coro.h"

CO_C_BEGIN

enum co_io_event { CO_READABLE = 1, CO_WRITABLE = 2 };

/* Read 1..cap bytes into buf (borrowed; cap not 0); 0 is end of stream.  A stream whose
 * peer passes descriptors or credentials is for co_recvmsg: a read stops where they
 * travel, and what lies behind them is not seen before more comes. */
CO_FN CO_MUST_USE ssize_t co_read(int fd, void *buf, size_t cap, int64_t deadline_ns);
/* Write all n bytes of buf (borrowed); n, or -errno when some may have gone out,
 * nobody knows how many: a stream is of no more use then.  -EPIPE, -ECONNRESET. */
CO_FN CO_MUST_USE ssize_t co_write(int fd, const void *buf, size_t n, int64_t deadline_ns);
/* co_read into several blocks, at most IOV_MAX (-EINVAL). */
CO_FN CO_MUST_USE ssize_t co_readv(int fd, const struct iovec *iov, int count, int64_t deadline_ns);
/* co_write of several blocks, at most IOV_MAX (-EMSGSIZE); iov is used up (its
 * entries change). */
CO_FN CO_MUST_USE ssize_t co_writev(int fd, struct iovec *iov, int count, int64_t deadline_ns);

/* One message, as recvmsg and sendmsg: for datagrams, their addresses, and what
 * travels beside the data.  Bytes moved, on a stream perhaps fewer than asked for;
 * 0 is end of stream on a stream and an empty message on a datagram socket.
 * flags: as there; -EAGAIN waits all the same with MSG_DONTWAIT. */
CO_FN CO_MUST_USE ssize_t co_recvmsg(int fd, struct msghdr *message, int flags,
                                     int64_t deadline_ns);
CO_FN CO_MUST_USE ssize_t co_sendmsg(int fd, const struct msghdr *message, int flags,
                                     int64_t deadline_ns);
/* Copy n bytes of a file to a socket inside the kernel.  The bytes that went
 * out: fewer than n when the file ended before.  file_fd: borrowed, a regular file,
 * whose own position stays.  -EPIPE, and -errno as for co_write. */
CO_FN CO_MUST_USE ssize_t co_sendfile(int fd, int file_fd, off_t offset, size_t n,
                                      int64_t deadline_ns);

/* A new connection's fd (owned by the caller, non-blocking, close-on-exec); its
 * peer's address as accept(2) stores it, both NULL when nobody asks.  Connections
 * that died in the queue are passed over.  Out of descriptors or memory it tries
 * again after 10 ms, doubling up to 1 s, and counts (co_counts); when the deadline
 * comes before that: -EMFILE, -ENFILE, -ENOBUFS, -ENOMEM.  -EINVAL: not listening. */
CO_FN CO_MUST_USE int co_accept(int listen_fd, struct sockaddr *ret_addr, socklen_t *ret_len,
                                int64_t deadline_ns);
/* 0 when it stands.  -ECONNREFUSED, -ENETUNREACH and whatever else connect(2)
 * says.  -EAGAIN: the queue of a UNIX listener is full, which nobody tells the end
 * of: try later.  After -ETIMEDOUT (ours or the network's), -ECANCELED the attempt
 * may go on: close fd. */
CO_FN CO_MUST_USE int co_connect(int fd, const struct sockaddr *addr, socklen_t len,
                                 int64_t deadline_ns);

/* Wait until fd is ready for any of `events` (a set of enum co_io_event, not empty:
 * -EINVAL); returns those that are, both when it has an error or hung up.  Made for
 * descriptors that other code reads, writes and perhaps closes (libcurl): the loop does
 * not know whether they were drained, so each wait asks the kernel.  Closed by other
 * means than co_close it wakes nobody: give it a deadline. */
CO_FN CO_MUST_USE int co_wait_fd(int fd, unsigned events, int64_t deadline_ns);

/* Wake whoever waits on fd with -EBADF, forget it, close it.  Parked, it is taken
 * back first: fn will not run.  On a thread without a loop it is close(2); on the
 * thread of another loop than fd's it is a bug that nobody notices.
 * 0 or -errno (-EBADF, -EIO, ...): it is closed all the same. */
int co_close(int fd);

/* ---- waiting without a task ---- */

/* An idle connection needs no stack: park the descriptor alone.  When fd turns
 * readable (or has an error, or its peer hung up) a task is spawned that runs
 * fn(arg, 0); at the deadline one that runs fn(arg, -ETIMEDOUT); when the loop
 * ends first, fn(arg, -ECANCELED).  The task is detached and fn's result is lost.
 * Bytes that arrived before the call count: nothing is lost.  fn runs once: park it
 * again there.  When no task can be had then, it is tried again 10 ms later.  Does
 * not wait.  0, or -errno (fn will not run): -EPERM no loop here, or a descriptor
 * that epoll does not take (a regular file); -EBADF, -EBUSY, -ENOMEM. */
typedef int co_parked_fn(void *arg, int why);
#define co_park_fd(fd, deadline_ns, fn, arg)                                                       \
    __extension__({                                                                                \
        static struct co_site co_site_here = {__FILE__, __func__, __LINE__, 0};                    \
        co_park_fd_at(&co_site_here, fd, deadline_ns, fn, arg);                                    \
    })
CO_MUST_USE int co_park_fd_at(struct co_site *site, int fd, int64_t deadline_ns, co_parked_fn *fn,
                              void *arg);
/* Take it back: true when fn will not be called any more; false when fd was not
 * parked, or its task is on its way. */
bool co_unpark_fd(int fd);

CO_C_END
