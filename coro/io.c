/* coro/io.c - descriptors: who waits for them, and what is known about them.
 *
 * A descriptor that somebody had to wait for has a struct co_fd, found by its
 * number, and one persistent edge-triggered watch for both directions: one
 * epoll_ctl in its life.  `ready` remembers per direction whether the kernel
 * may have something: an event sets it, EAGAIN clears it, and on a stream
 * socket a read or write that moved less than it was asked to clears it too,
 * so that the next wait parks without asking the kernel.  Whatever arrives
 * after that is a new edge.
 *
 * What would be lost and how it is not:
 *   - an end of stream reported together with data makes no second edge: the
 *     event says so (REACTOR_HUP), and from then on a short read clears nothing;
 *   - a closed descriptor's number is reused: co_close unwatches first, and a
 *     waiter is reached through a record on its own stack that co_close empties;
 *   - pipes and terminals report the end like plain readability: only EAGAIN
 *     clears theirs.
 *
 * A parked descriptor's deadline is lazy: a timer that is armed too early is
 * left alone and looks at the true deadline when it fires, so a busy
 * connection with an idle deadline arms one timer per deadline span. */
#include "coro/io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "coro/internal.h"

/* A parked descriptor fired and no task could be had: try again after this. */
#define RESPAWN_NS            (10 * NS_PER_MS)
#define FDS_FIRST             64
#define ACCEPT_PAUSE_FIRST_NS (10 * NS_PER_MS)
#define ACCEPT_PAUSE_MAX_NS   NS_PER_S

/* A task that waits; on its stack. */
struct fd_wait {
    struct co_fd *f; /* NULL: closed meanwhile */
    struct co_task *task;
};

struct co_fd {
    int fd;
    uint8_t ready; /* set of enum co_io_event: the kernel may have something */
    bool is_stream;
    bool is_hup; /* the peer closed: reads end, no new edge comes */
    bool is_watched;
    int parked_why; /* what fn gets, when its task could not be spawned yet */
    struct co_loop *loop;
    struct fd_wait *reader;
    struct fd_wait *writer;
    co_parked_fn *parked; /* NULL: not parked */
    void *arg;
    struct co_site *site;
    int64_t deadline_ns; /* while parked */
    struct co_timer timer;
    struct list link; /* among the fired, or in the pool */
    /* the reactor's watch follows */
};

static inline struct reactor_watch *watch_of(struct co_fd *f)
{
    return (struct reactor_watch *)(void *)(f + 1);
}

/* ---- events ---- */

/* Turn a parked descriptor into a task. */
static void unpark(struct co_fd *f, int why)
{
    struct co_loop *loop = f->loop;
    list_del(&f->link);
    struct co_task *task = coro_spawn(loop, f->site, NULL, (co_fn *)(void *)f->parked, f->arg);
    if (UNLIKELY(task == NULL)) {
        /* The edge is gone: the timer has to bring us back. */
        f->parked_why = why;
        f->deadline_ns = 0;
        coro_timer_disarm(&loop->timers, &f->timer);
        (void)!coro_timer_arm(&loop->timers, &f->timer, loop->now_ns + RESPAWN_NS);
        return;
    }
    task->is_parked_fd = true;
    task->is_detached = true;
    task->why = why;
    f->parked = NULL;
    loop->parked_fds--;
}

/* Its task is made when nothing else is ready: then one that ended lends the next
 * its stack, warm, and a burst of events does not take a stack each. */
static void fire(struct co_fd *f)
{
    if (list_is_empty(&f->link))
        list_add_tail(&f->loop->fired, &f->link);
}

void coro_fds_start(struct co_loop *loop)
{
    unpark(LIST_ENTRY(loop->fired.next, struct co_fd, link), 0);
}

static void on_event(void *arg, unsigned events)
{
    struct co_fd *f = arg;
    if (events & REACTOR_HUP)
        f->is_hup = true;
    if (events & REACTOR_READ) {
        f->ready |= CO_READABLE;
        if (f->parked != NULL)
            fire(f);
        else if (f->reader != NULL)
            coro_wake(f->reader->task, 0);
    }
    if (events & REACTOR_WRITE) {
        f->ready |= CO_WRITABLE;
        if (f->writer != NULL)
            coro_wake(f->writer->task, 0);
    }
}

static void on_deadline(struct co_timer *timer)
{
    struct co_fd *f = CONTAINER_OF(timer, struct co_fd, timer);
    struct co_loop *loop = f->loop;
    if (f->parked == NULL || !list_is_empty(&f->link)) /* busy, or about to be */
        return;
    if (f->deadline_ns > loop->now_ns) {
        /* Parked anew since this was armed.  No memory: its heap slot is still ours. */
        if (f->deadline_ns != CO_NO_DEADLINE)
            (void)!coro_timer_arm(&loop->timers, timer, f->deadline_ns);
        return;
    }
    unpark(f, f->deadline_ns == 0 ? f->parked_why : -ETIMEDOUT);
}

/* ---- the table ---- */

static inline struct co_fd *find(const struct co_loop *loop, int fd)
{
    return LIKELY((size_t)fd < loop->fds_cap) ? loop->fds[fd] : NULL;
}

static int grow_table(struct co_loop *loop, int fd)
{
    size_t cap = loop->fds_cap == 0 ? FDS_FIRST : loop->fds_cap;
    while (cap <= (size_t)fd)
        cap *= 2;
    struct co_fd **fds = realloc(loop->fds, cap * sizeof(struct co_fd *));
    if (fds == NULL)
        return -ENOMEM;
    memset(fds + loop->fds_cap, 0, (cap - loop->fds_cap) * sizeof(struct co_fd *));
    loop->fds = fds;
    loop->fds_cap = cap;
    return 0;
}

static bool is_stream_socket(int fd)
{
    int type = 0;
    socklen_t len = sizeof(type);
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM;
}

/* The record of fd, made when it has none; is_stream < 0: ask the kernel. */
static int obtain(struct co_loop *loop, int fd, int is_stream, struct co_fd **ret_f)
{
    if (fd < 0)
        return -EBADF;
    struct co_fd *f = find(loop, fd);
    if (f != NULL) {
        *ret_f = f;
        return 0;
    }
    if ((size_t)fd >= loop->fds_cap && grow_table(loop, fd) < 0)
        return -ENOMEM;
    f = loop->fd_pool;
    if (f != NULL)
        loop->fd_pool = (struct co_fd *)f->link.next;
    else if ((f = malloc(sizeof(*f) + reactor_watch_bytes())) == NULL)
        return -ENOMEM;
    *f = (struct co_fd){.fd = fd,
                        .loop = loop,
                        .is_stream = is_stream < 0 ? is_stream_socket(fd) : is_stream != 0,
                        .ready = CO_READABLE | CO_WRITABLE,
                        .timer.fire = on_deadline};
    list_init(&f->link);
    loop->fds[fd] = f;
    *ret_f = f;
    return 0;
}

static void forget(struct co_fd *f)
{
    struct co_loop *loop = f->loop;
    if (f->is_watched)
        reactor_unwatch(watch_of(f));
    coro_timer_disarm(&loop->timers, &f->timer);
    loop->fds[f->fd] = NULL;
    list_del(&f->link);
    f->link.next = (struct list *)loop->fd_pool;
    loop->fd_pool = f;
}

/* Watch from now on.  Epoll reports what is already there as a first edge, so
 * nothing is known to be readable until it comes. */
static int watch(struct co_fd *f)
{
    f->ready &= (uint8_t)~CO_READABLE;
    int rv = reactor_watch(f->loop->reactor, watch_of(f), f->fd, REACTOR_READ | REACTOR_WRITE,
                           REACTOR_EDGE, on_event, f);
    if (rv == 0)
        f->is_watched = true;
    return rv;
}

/* ---- waiting ---- */

/* Park until the direction is ready.  When it returns 0, fd may be tried
 * again; f is valid after 0, -ETIMEDOUT and -ECANCELED only if still in the
 * table: look it up again. */
static int await(struct co_loop *loop, struct co_fd *f, enum co_io_event direction,
                 int64_t deadline_ns)
{
    struct fd_wait **place = direction == CO_READABLE ? &f->reader : &f->writer;
    if (*place != NULL || (direction == CO_READABLE && f->parked != NULL))
        return -EBUSY;
    if (!f->is_watched) {
        f->ready &= (uint8_t)~direction;
        int rv = watch(f);
        if (rv < 0)
            return rv;
    }
    struct fd_wait self = {.f = f, .task = loop->self};
    *place = &self;
    loop->fd_waits++;
    int rv = coro_park(direction == CO_READABLE ? CO_WAIT_READ : CO_WAIT_WRITE,
                       (const void *)(intptr_t)f->fd, deadline_ns);
    loop->fd_waits--;
    if (self.f == NULL)
        return -EBADF;
    *place = NULL;
    return rv;
}

/* Before a call: park when the direction is known to be empty; refuse when
 * cancelled.  1: nothing known, call. */
static inline int before(struct co_loop *loop, struct co_fd *f, enum co_io_event direction,
                         int64_t deadline_ns)
{
    if (UNLIKELY(loop->self->is_cancelled))
        return -ECANCELED;
    if (f == NULL || (f->ready & direction))
        return 0;
    return await(loop, f, direction, deadline_ns);
}

/* After EAGAIN: park. */
static int after_again(struct co_loop *loop, int fd, enum co_io_event direction,
                       int64_t deadline_ns)
{
    struct co_fd *f;
    int rv = obtain(loop, fd, -1, &f);
    if (rv < 0)
        return rv;
    f->ready &= (uint8_t)~direction;
    return await(loop, f, direction, deadline_ns);
}

static inline void mark_drained(struct co_fd *f, enum co_io_event direction)
{
    if (f != NULL && f->is_stream && !(f->is_hup && direction == CO_READABLE))
        f->ready &= (uint8_t)~direction;
}

static inline bool would_block(int err)
{
    return err == EAGAIN || err == EWOULDBLOCK;
}

/* ---- read and write ---- */

/* recv and send are the shorter way into the kernel, but only sockets take them;
 * of a descriptor that we have waited for we know whether it is one. */
static inline ssize_t receive_some(int fd, const struct co_fd *f, void *buf, size_t cap)
{
    return f != NULL && f->is_stream ? recv(fd, buf, cap, 0) : read(fd, buf, cap);
}

ssize_t co_read(int fd, void *buf, size_t cap, int64_t deadline_ns)
{
    struct co_loop *loop = coro_self_or_die("co_read")->loop;
    int rv = before(loop, find(loop, fd), CO_READABLE, deadline_ns);
    while (rv == 0) {
        struct co_fd *f = find(loop, fd);
        ssize_t n = receive_some(fd, f, buf, cap);
        if (LIKELY(n >= 0)) {
            if (LIKELY(n > 0 && (size_t)n < cap))
                mark_drained(f, CO_READABLE);
            coro_count_io(loop);
            return n;
        }
        if (would_block(errno))
            rv = after_again(loop, fd, CO_READABLE, deadline_ns);
        else if (errno != EINTR)
            rv = -errno;
    }
    return rv;
}

static size_t iov_bytes(const struct iovec *iov, int count)
{
    size_t bytes = 0;
    for (int i = 0; i < count; i++)
        bytes += iov[i].iov_len;
    return bytes;
}

ssize_t co_readv(int fd, const struct iovec *iov, int count, int64_t deadline_ns)
{
    struct co_loop *loop = coro_self_or_die("co_readv")->loop;
    int rv = before(loop, find(loop, fd), CO_READABLE, deadline_ns);
    while (rv == 0) {
        ssize_t n = readv(fd, iov, count);
        if (LIKELY(n >= 0)) {
            if (n > 0 && (size_t)n < iov_bytes(iov, count))
                mark_drained(find(loop, fd), CO_READABLE);
            coro_count_io(loop);
            return n;
        }
        if (would_block(errno))
            rv = after_again(loop, fd, CO_READABLE, deadline_ns);
        else if (errno != EINTR)
            rv = -errno;
    }
    return rv;
}

/* Drop n written bytes from the front of *iov. */
static void iov_advance(struct iovec **iov, int *count, size_t n)
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

/* One system call; a peer that is gone is -EPIPE, never a signal, on sockets. */
static ssize_t send_some(int fd, const struct iovec *iov, int count)
{
    if (count == 1) {
        ssize_t n = send(fd, iov->iov_base, iov->iov_len, MSG_NOSIGNAL);
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
    int rv = before(loop, find(loop, fd), CO_WRITABLE, deadline_ns);
    while (rv == 0) {
        ssize_t n = send_some(fd, iov, count);
        if (LIKELY(n >= 0)) {
            coro_count_io(loop);
            left -= (size_t)n;
            if (LIKELY(left == 0))
                return (ssize_t)total;
            iov_advance(&iov, &count, (size_t)n);
            if (n > 0)
                mark_drained(find(loop, fd), CO_WRITABLE);
            rv = before(loop, find(loop, fd), CO_WRITABLE, deadline_ns);
        } else if (would_block(errno)) {
            rv = after_again(loop, fd, CO_WRITABLE, deadline_ns);
        } else if (errno != EINTR) {
            rv = -errno;
        }
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
    int rv = before(loop, find(loop, fd), CO_READABLE, deadline_ns);
    while (rv == 0) {
        ssize_t n = recvmsg(fd, message, flags);
        if (LIKELY(n >= 0)) {
            coro_count_io(loop);
            return n;
        }
        if (would_block(errno))
            rv = after_again(loop, fd, CO_READABLE, deadline_ns);
        else if (errno != EINTR)
            rv = -errno;
    }
    return rv;
}

ssize_t co_sendmsg(int fd, const struct msghdr *message, int flags, int64_t deadline_ns)
{
    struct co_loop *loop = coro_self_or_die("co_sendmsg")->loop;
    int rv = before(loop, find(loop, fd), CO_WRITABLE, deadline_ns);
    while (rv == 0) {
        ssize_t n = sendmsg(fd, message, flags | MSG_NOSIGNAL);
        if (LIKELY(n >= 0)) {
            coro_count_io(loop);
            return n;
        }
        if (would_block(errno))
            rv = after_again(loop, fd, CO_WRITABLE, deadline_ns);
        else if (errno != EINTR)
            rv = -errno;
    }
    return rv;
}

ssize_t co_sendfile(int fd, int file_fd, off_t offset, size_t n, int64_t deadline_ns)
{
    struct co_loop *loop = coro_self_or_die("co_sendfile")->loop;
    size_t left = n;
    int rv = before(loop, find(loop, fd), CO_WRITABLE, deadline_ns);
    while (rv == 0 && left > 0) {
        ssize_t sent = sendfile(fd, file_fd, &offset, left);
        if (sent == 0) /* the file has become shorter */
            break;
        if (sent > 0) {
            coro_count_io(loop);
            left -= (size_t)sent;
            rv = before(loop, find(loop, fd), CO_WRITABLE, deadline_ns);
        } else if (would_block(errno)) {
            rv = after_again(loop, fd, CO_WRITABLE, deadline_ns);
        } else if (errno != EINTR) {
            rv = -errno;
        }
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
           err == EOPNOTSUPP || err == ENONET;
}

int co_accept(int listen_fd, struct sockaddr *ret_addr, socklen_t *ret_len, int64_t deadline_ns)
{
    struct co_loop *loop = coro_self_or_die("co_accept")->loop;
    int64_t pause_ns = ACCEPT_PAUSE_FIRST_NS;
    socklen_t len = ret_len != NULL ? *ret_len : 0;
    int rv = before(loop, find(loop, listen_fd), CO_READABLE, deadline_ns);
    while (rv == 0) {
        if (ret_len != NULL)
            *ret_len = len;
        int fd = accept4(listen_fd, ret_addr, ret_len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (LIKELY(fd >= 0)) {
            coro_count_io(loop);
            struct co_fd *f; /* no memory now: its first wait asks again */
            (void)!obtain(loop, fd, true, &f);
            return fd;
        }
        if (would_block(errno)) {
            rv = after_again(loop, listen_fd, CO_READABLE, deadline_ns);
        } else if (is_exhausted(errno)) {
            int64_t until_ns = co_after(pause_ns);
            if (until_ns >= deadline_ns)
                return -errno;
            rv = co_sleep_until(until_ns);
            pause_ns = pause_ns * 2 < ACCEPT_PAUSE_MAX_NS ? pause_ns * 2 : ACCEPT_PAUSE_MAX_NS;
        } else if (!is_lost(errno)) {
            rv = -errno;
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
    int rv = after_again(loop, fd, CO_WRITABLE, deadline_ns);
    if (rv < 0)
        return rv;
    int err = 0;
    socklen_t err_len = sizeof(err);
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &err_len) < 0)
        return -errno;
    return -err;
}

/* ---- any descriptor ---- */

static int poll_now(int fd, unsigned events)
{
    struct pollfd p = {.fd = fd};
    if (events & CO_READABLE)
        p.events |= POLLIN;
    if (events & CO_WRITABLE)
        p.events |= POLLOUT;
    int n;
    do {
        n = poll(&p, 1, 0);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    if (p.revents & POLLNVAL)
        return -EBADF;
    unsigned got = 0;
    if (p.revents & (POLLIN | POLLHUP | POLLERR))
        got |= CO_READABLE;
    if (p.revents & (POLLOUT | POLLHUP | POLLERR))
        got |= CO_WRITABLE;
    return (int)(got & events);
}

struct fd_probe {
    struct co_task *task;
};

static void on_probe(void *arg, unsigned events)
{
    (void)events;
    const struct fd_probe *probe = arg;
    coro_wake(probe->task, 0);
}

int co_wait_fd(int fd, unsigned events, int64_t deadline_ns)
{
    struct co_loop *loop = coro_self_or_die("co_wait_fd")->loop;
    if (loop->self->is_cancelled)
        return -ECANCELED;
    int got = poll_now(fd, events);
    if (got != 0) {
        coro_count_io(loop);
        return got;
    }
    if (find(loop, fd) != NULL && find(loop, fd)->is_watched)
        return -EBUSY;
    /* Watched only while we wait: its owner may close it without telling us. */
    struct reactor_watch *probe_watch = malloc(reactor_watch_bytes());
    if (probe_watch == NULL)
        return -ENOMEM;
    struct fd_probe probe = {.task = loop->self};
    unsigned what = ((events & CO_READABLE) ? REACTOR_READ : 0U) |
                    ((events & CO_WRITABLE) ? REACTOR_WRITE : 0U);
    int rv = reactor_watch(loop->reactor, probe_watch, fd, what, REACTOR_LEVEL, on_probe, &probe);
    if (rv == 0) {
        loop->fd_waits++;
        rv = coro_park(CO_WAIT_FD, (const void *)(intptr_t)fd, deadline_ns);
        loop->fd_waits--;
        reactor_unwatch(probe_watch);
    }
    free(probe_watch);
    if (rv < 0)
        return rv;
    got = poll_now(fd, events);
    return got != 0 ? got : (int)events;
}

/* ---- close ---- */

static void wake_closed(struct fd_wait *wait)
{
    if (wait == NULL)
        return;
    wait->f = NULL;
    coro_wake(wait->task, -EBADF);
}

int co_close(int fd)
{
    struct co_loop *loop = coro_loop_tls;
    struct co_fd *f = loop != NULL && fd >= 0 ? find(loop, fd) : NULL;
    if (f != NULL) {
        wake_closed(f->reader);
        wake_closed(f->writer);
        if (f->parked != NULL)
            loop->parked_fds--;
        forget(f);
    }
    return close(fd) < 0 ? -errno : 0;
}

/* ---- parked descriptors ---- */

int co_park_fd_at(struct co_site *site, int fd, int64_t deadline_ns, co_parked_fn *fn, void *arg)
{
    struct co_loop *loop = coro_loop_tls;
    if (loop == NULL)
        return -EPERM;
    struct co_fd *f;
    int rv = obtain(loop, fd, -1, &f);
    if (rv < 0)
        return rv;
    if (f->parked != NULL || f->reader != NULL)
        return -EBUSY;
    bool ask = f->is_watched && (f->ready & CO_READABLE);
    if (!f->is_watched) {
        rv = watch(f);
        if (rv < 0)
            return rv;
    }
    if (deadline_ns != CO_NO_DEADLINE) {
        if (f->timer.place != 0 && coro_timer_when(&loop->timers, &f->timer) > deadline_ns)
            coro_timer_disarm(&loop->timers, &f->timer);
        if (f->timer.place == 0 && coro_timer_arm(&loop->timers, &f->timer, deadline_ns) < 0)
            return -ENOMEM;
    }
    f->parked = fn;
    f->arg = arg;
    f->site = site;
    f->deadline_ns = deadline_ns;
    loop->parked_fds++;
    if (loop->is_ending)
        unpark(f, -ECANCELED);
    else if (ask && poll_now(fd, CO_READABLE) != 0)
        unpark(f, 0);
    return 0;
}

bool co_unpark_fd(int fd)
{
    struct co_loop *loop = coro_loop_tls;
    struct co_fd *f = loop != NULL && fd >= 0 ? find(loop, fd) : NULL;
    if (f == NULL || f->parked == NULL)
        return false;
    f->parked = NULL;
    list_del(&f->link);
    loop->parked_fds--;
    return true;
}

void coro_fds_cancel(struct co_loop *loop)
{
    for (size_t i = 0; i < loop->fds_cap; i++)
        if (loop->fds[i] != NULL && loop->fds[i]->parked != NULL)
            unpark(loop->fds[i], -ECANCELED);
}

void coro_fds_fini(struct co_loop *loop)
{
    for (size_t i = 0; i < loop->fds_cap; i++)
        if (loop->fds[i] != NULL)
            forget(loop->fds[i]);
    while (loop->fd_pool != NULL) {
        struct co_fd *f = loop->fd_pool;
        loop->fd_pool = (struct co_fd *)f->link.next;
        free(f);
    }
    free(loop->fds);
}
