/* coro/io.c - the calls: each tries the system call and parks when it would have
 * blocked, or before it when fd.c knows that it would. */
#include "coro/io.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "coro/base/iov.h"
#include "coro/fd.h"

#define ACCEPT_PAUSE_FIRST_NS (10 * NS_PER_MS)
#define ACCEPT_PAUSE_MAX_NS   NS_PER_S

/* ---- a call that gives way in its middle ---- */

/* Others may close fd meanwhile, and its number may be another's when we go on. */
static void hold(struct co_loop *loop, int fd, struct fd_probe *probe)
{
    *probe = (struct fd_probe){.fd = fd, .task = loop->self};
    list_add_head(&loop->probes, &probe->link);
}

/* 0, or -EBADF: it was closed. */
static int release(struct fd_probe *probe)
{
    list_del(&probe->link);
    return probe->is_closed ? -EBADF : 0;
}

static int count_io_holding(struct co_loop *loop, int fd)
{
    struct fd_probe probe;
    hold(loop, fd, &probe);
    coro_count_io(loop);
    return release(&probe);
}

/* ---- read and write ---- */

/* recv and send are the shorter way into the kernel, but only sockets take them;
 * of a descriptor that we have waited for we know whether it is one.  Our sockets
 * do not block, so neither call need be the cancellation point of a thread that the
 * C library makes of it, with two locked instructions each.  Sanitizers watch the
 * library's. */
static inline ssize_t receive_some(int fd, const struct co_fd *f, void *buf, size_t cap)
{
    if (f == NULL || !f->is_stream)
        return read(fd, buf, cap);
#if defined(CO_ASAN) || defined(CO_TSAN)
    return recv(fd, buf, cap, 0);
#else
    return syscall(SYS_recvfrom, fd, buf, cap, 0, NULL, NULL);
#endif
}

static inline ssize_t send_block(int fd, const void *bytes, size_t n)
{
#if defined(CO_ASAN) || defined(CO_TSAN)
    return send(fd, bytes, n, MSG_NOSIGNAL);
#else
    return syscall(SYS_sendto, fd, bytes, n, MSG_NOSIGNAL, NULL, 0);
#endif
}

ssize_t co_read(int fd, void *buf, size_t cap, int64_t deadline_ns)
{
    struct co_loop *loop = coro_self_or_die("co_read")->loop;
    int rv = coro_fd_before(loop, fd, CO_READABLE, deadline_ns);
    while (rv == 0) {
        ssize_t n = receive_some(fd, coro_fd_find(loop, fd), buf, cap);
        if (LIKELY(n >= 0)) {
            if (LIKELY(n > 0 && (size_t)n < cap))
                coro_fd_read_out(loop, fd);
            coro_count_io(loop);
            return n;
        }
        rv = coro_fd_retry(loop, fd, CO_READABLE, deadline_ns, errno);
    }
    return rv;
}

ssize_t co_readv(int fd, const struct iovec *iov, int count, int64_t deadline_ns)
{
    struct co_loop *loop = coro_self_or_die("co_readv")->loop;
    int rv = coro_fd_before(loop, fd, CO_READABLE, deadline_ns);
    while (rv == 0) {
        ssize_t n = readv(fd, iov, count);
        if (LIKELY(n >= 0)) {
            if (n > 0 && (size_t)n < iov_bytes(iov, count))
                coro_fd_read_out(loop, fd);
            coro_count_io(loop);
            return n;
        }
        rv = coro_fd_retry(loop, fd, CO_READABLE, deadline_ns, errno);
    }
    return rv;
}

/* One system call; a peer that is gone is -EPIPE, never a signal, on sockets. */
static ssize_t send_some(int fd, const struct iovec *iov, int count)
{
    if (count == 1) {
        ssize_t n = send_block(fd, iov->iov_base, iov->iov_len);
        return UNLIKELY(n < 0 && errno == ENOTSOCK) ? write(fd, iov->iov_base, iov->iov_len) : n;
    }
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)iov,
                             .msg_iovlen = (size_t)count};
    ssize_t n = sendmsg(fd, &message, MSG_NOSIGNAL);
    if (UNLIKELY(n < 0 && errno == ENOTSOCK))
        n = writev(fd, iov, count);
    return n;
}

ssize_t co_writev(int fd, struct iovec *iov, int count, int64_t deadline_ns)
{
    struct co_loop *loop = coro_self_or_die("co_writev")->loop;
    size_t total = iov_bytes(iov, count);
    size_t left = total;
    int rv = coro_fd_before(loop, fd, CO_WRITABLE, deadline_ns);
    while (rv == 0) {
        ssize_t n = send_some(fd, iov, count);
        if (UNLIKELY(n < 0)) {
            rv = coro_fd_retry(loop, fd, CO_WRITABLE, deadline_ns, errno);
            continue;
        }
        left -= (size_t)n;
        if (LIKELY(n > 0))
            coro_fd_written(loop, fd, left == 0);
        if (LIKELY(left == 0)) {
            coro_count_io(loop);
            return (ssize_t)total;
        }
        iov_advance(&iov, &count, (size_t)n);
        rv = count_io_holding(loop, fd);
        if (rv == 0)
            rv = coro_fd_before(loop, fd, CO_WRITABLE, deadline_ns);
    }
    return rv;
}

ssize_t co_write(int fd, const void *buf, size_t n, int64_t deadline_ns)
{
    struct iovec iov = {.iov_base = (void *)(uintptr_t)buf, .iov_len = n};
    return co_writev(fd, &iov, 1, deadline_ns);
}

/* ---- messages and files ---- */

ssize_t co_recvmsg(int fd, struct msghdr *message, int flags, int64_t deadline_ns)
{
    struct co_loop *loop = coro_self_or_die("co_recvmsg")->loop;
    int rv = coro_fd_before(loop, fd, CO_READABLE, deadline_ns);
    while (rv == 0) {
        ssize_t n = recvmsg(fd, message, flags);
        if (LIKELY(n >= 0)) {
            coro_count_io(loop);
            return n;
        }
        rv = coro_fd_retry(loop, fd, CO_READABLE, deadline_ns, errno);
    }
    return rv;
}

ssize_t co_sendmsg(int fd, const struct msghdr *message, int flags, int64_t deadline_ns)
{
    struct co_loop *loop = coro_self_or_die("co_sendmsg")->loop;
    int rv = coro_fd_before(loop, fd, CO_WRITABLE, deadline_ns);
    while (rv == 0) {
        ssize_t n = sendmsg(fd, message, flags | MSG_NOSIGNAL);
        if (LIKELY(n >= 0)) {
            coro_fd_written(loop, fd, true);
            coro_count_io(loop);
            return n;
        }
        rv = coro_fd_retry(loop, fd, CO_WRITABLE, deadline_ns, errno);
    }
    return rv;
}

/* Unlike send it knows no MSG_NOSIGNAL: a SIGPIPE of its own is taken back. */
static ssize_t sendfile_quietly(int fd, int file_fd, off_t *offset, size_t n)
{
    sigset_t pipe_alone, before, pending;
    sigemptyset(&pipe_alone);
    sigaddset(&pipe_alone, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &pipe_alone, &before);
    ssize_t sent = sendfile(fd, file_fd, offset, n);
    int err = errno;
    if (sent < 0 && err == EPIPE && !sigismember(&pending, SIGPIPE))
        (void)sigtimedwait(&pipe_alone, NULL, &(struct timespec){0});
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = err;
    return sent;
}

ssize_t co_sendfile(int fd, int file_fd, off_t offset, size_t n, int64_t deadline_ns)
{
    struct co_loop *loop = coro_self_or_die("co_sendfile")->loop;
    size_t left = n;
    int rv = coro_fd_before(loop, fd, CO_WRITABLE, deadline_ns);
    while (rv == 0 && left > 0) {
        ssize_t sent = sendfile_quietly(fd, file_fd, &offset, left);
        if (sent == 0) /* the file has become shorter */
            break;
        if (sent < 0) {
            rv = coro_fd_retry(loop, fd, CO_WRITABLE, deadline_ns, errno);
            continue;
        }
        coro_fd_written(loop, fd, true);
        left -= (size_t)sent;
        if (left == 0) {
            coro_count_io(loop);
            break;
        }
        rv = count_io_holding(loop, fd);
        if (rv == 0)
            rv = coro_fd_before(loop, fd, CO_WRITABLE, deadline_ns);
    }
    return rv < 0 ? rv : (ssize_t)(n - left);
}

/* ---- accept and connect ---- */

/* Out of descriptors or memory: the listener's edge is used up, and no new one
 * comes for connections that wait already.  Only time can help. */
static bool is_exhausted(int err)
{
    return err == EMFILE || err == ENFILE || err == ENOBUFS || err == ENOMEM;
}

/* The connection died before we took it, or its network did: take the next. */
static bool is_lost(int err)
{
    return err == EINTR || err == ECONNABORTED || err == EPROTO || err == ENETDOWN ||
           err == EHOSTDOWN || err == EHOSTUNREACH || err == ENETUNREACH || err == ENOPROTOOPT ||
           err == ENONET; /* EOPNOTSUPP, in that list of accept(2), is no listener: for ever */
}

int co_accept(int listen_fd, struct sockaddr *ret_addr, socklen_t *ret_len, int64_t deadline_ns)
{
    struct co_loop *loop = coro_self_or_die("co_accept")->loop;
    int64_t pause_ns = ACCEPT_PAUSE_FIRST_NS;
    socklen_t len = ret_len != NULL ? *ret_len : 0;
    int rv = coro_fd_before(loop, listen_fd, CO_READABLE, deadline_ns);
    while (rv == 0) {
        if (ret_len != NULL)
            *ret_len = len;
        int fd = accept4(listen_fd, ret_addr, ret_len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (LIKELY(fd >= 0)) {
            /* What the listener is, this is, too.  No memory now: its first wait asks again. */
            struct co_fd *listener = coro_fd_find(loop, listen_fd), *f;
            (void)!coro_fd_obtain(loop, fd, listener != NULL ? listener->is_stream : -1, &f);
            coro_count_io(loop);
            return fd;
        }
        if (is_exhausted(errno)) {
            int64_t until_ns = co_after(pause_ns);
            loop->accept_failures++;
            if (until_ns >= deadline_ns)
                return -errno;
            struct fd_probe probe;
            hold(loop, listen_fd, &probe);
            rv = co_sleep_until(until_ns);
            if (release(&probe) < 0)
                rv = -EBADF;
            pause_ns = pause_ns * 2 < ACCEPT_PAUSE_MAX_NS ? pause_ns * 2 : ACCEPT_PAUSE_MAX_NS;
        } else if (!is_lost(errno)) {
            rv = coro_fd_retry(loop, listen_fd, CO_READABLE, deadline_ns, errno);
        }
    }
    return rv;
}

int co_connect(int fd, const struct sockaddr *addr, socklen_t len, int64_t deadline_ns)
{
    struct co_loop *loop = coro_self_or_die("co_connect")->loop;
    if (loop->self->is_cancelled)
        return -ECANCELED;
    if (connect(fd, addr, len) == 0)
        return 0;
    /* EINTR: the attempt goes on all the same. */
    if (errno != EINPROGRESS && errno != EINTR)
        return -errno;
    /* Writable or refused: both are an edge on this direction. */
    int rv = coro_fd_retry(loop, fd, CO_WRITABLE, deadline_ns, EAGAIN);
    if (rv < 0)
        return rv;
    int err = 0;
    socklen_t err_len = sizeof(err);
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &err_len) < 0)
        return -errno;
    return -err;
}

/* ---- any descriptor ---- */

static void on_probe(void *arg, unsigned events)
{
    (void)events;
    const struct fd_probe *probe = arg;
    coro_wake(probe->task, 0);
}

static bool is_probed(const struct co_loop *loop, int fd, unsigned events)
{
    LIST_FOR_EACH(link, &loop->probes)
    {
        const struct fd_probe *probe = LIST_ENTRY(link, struct fd_probe, link);
        if (probe->fd == fd && !probe->is_closed && (probe->events & events) != 0)
            return true;
    }
    return false;
}

/* Watched only while we wait: its owner may close it without telling us. */
static int wait_probing(struct co_loop *loop, int fd, unsigned events, int64_t deadline_ns)
{
    if (is_probed(loop, fd, events))
        return -EBUSY;
    struct reactor_watch *watch = malloc(reactor_watch_bytes());
    if (watch == NULL)
        return -ENOMEM;
    struct fd_probe probe = {.fd = fd, .events = events, .task = loop->self, .watch = watch};
    unsigned what = ((events & CO_READABLE) ? REACTOR_READ : 0U) |
                    ((events & CO_WRITABLE) ? REACTOR_WRITE : 0U);
    int rv = reactor_watch(loop->reactor, watch, fd, what, REACTOR_LEVEL, on_probe, &probe);
    if (rv == 0) {
        list_add_head(&loop->probes, &probe.link);
        loop->fd_waits++;
        rv = coro_park(CO_WAIT_FD, (const void *)(intptr_t)fd, deadline_ns);
        loop->fd_waits--;
        list_del(&probe.link);
        if (probe.is_closed)
            rv = -EBADF;
        else
            reactor_unwatch(watch);
    }
    free(watch);
    return rv;
}

int co_wait_fd(int fd, unsigned events, int64_t deadline_ns)
{
    struct co_loop *loop = coro_self_or_die("co_wait_fd")->loop;
    if (loop->self->is_cancelled)
        return -ECANCELED;
    if ((events & (CO_READABLE | CO_WRITABLE)) == 0)
        return -EINVAL;
    int got;
    while ((got = coro_fd_poll(fd, events)) == 0) {
        struct co_fd *f = coro_fd_find(loop, fd);
        int rv = f != NULL && f->is_watched ? coro_fd_await_any(loop, f, events, deadline_ns)
                                            : wait_probing(loop, fd, events, deadline_ns);
        if (rv < 0)
            return rv;
    }
    coro_count_io(loop);
    return got;
}
