/* coro/fd.c - descriptors: who waits for them, and what is known about them.
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
 *   - a reset that comes together with data makes no second edge either, and is
 *     told like plain readiness of both directions.  After such an event a short
 *     read alone clears nothing: only EAGAIN does, or a write that succeeds, both
 *     of which prove that no error was pending.  So whoever answers what it reads
 *     pays nothing, and whoever only reads one more call per event;
 *   - a closed descriptor's number is reused: co_close unwatches first, and a
 *     waiter is reached through a record on its own stack that co_close empties;
 *   - pipes and terminals report the end like plain readability: only EAGAIN
 *     clears theirs. */
#include "coro/fd.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FDS_FIRST 64

static inline struct reactor_watch *watch_of(struct co_fd *f)
{
    return (struct reactor_watch *)(void *)(f + 1);
}

static void on_event(void *arg, unsigned events)
{
    struct co_fd *f = arg;
    if (events & REACTOR_HUP)
        f->is_hup = true;
    f->is_doubtful = (events & (REACTOR_READ | REACTOR_WRITE)) == (REACTOR_READ | REACTOR_WRITE);
    if (events & REACTOR_READ) {
        f->ready |= CO_READABLE;
        f->is_read_out = false;
        if (f->parked != NULL)
            coro_fd_fire(f);
        else if (f->reader != NULL)
            coro_wake(f->reader->task, 0);
    }
    if (events & REACTOR_WRITE) {
        f->ready |= CO_WRITABLE;
        if (f->writer != NULL)
            coro_wake(f->writer->task, 0);
    }
}

/* ---- the table ---- */

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

int coro_fd_obtain(struct co_loop *loop, int fd, int is_stream, struct co_fd **ret_f)
{
    if (fd < 0)
        return -EBADF;
    struct co_fd *f = coro_fd_find(loop, fd);
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
                        .timer.fire = coro_fd_on_deadline};
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
    f->link.next = (struct co_list *)loop->fd_pool;
    loop->fd_pool = f;
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

/* ---- waiting ---- */

int coro_fd_watch(struct co_fd *f)
{
    f->ready &= (uint8_t)~CO_READABLE;
    int rv = reactor_watch(f->loop->reactor, watch_of(f), f->fd, REACTOR_READ | REACTOR_WRITE,
                           REACTOR_EDGE, on_event, f);
    if (rv == 0)
        f->is_watched = true;
    return rv;
}

static inline bool is_waited_for(const struct co_fd *f, unsigned events)
{
    return ((events & CO_READABLE) && (f->reader != NULL || f->parked != NULL)) ||
           ((events & CO_WRITABLE) && f->writer != NULL);
}

int coro_fd_await(struct co_loop *loop, struct co_fd *f, enum co_io_event direction,
                  int64_t deadline_ns)
{
    struct fd_wait **place = direction == CO_READABLE ? &f->reader : &f->writer;
    if (is_waited_for(f, direction))
        return -EBUSY;
    if (!f->is_watched) {
        f->ready &= (uint8_t)~direction;
        int rv = coro_fd_watch(f);
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

int coro_fd_await_any(struct co_loop *loop, struct co_fd *f, unsigned events, int64_t deadline_ns)
{
    if (is_waited_for(f, events))
        return -EBUSY;
    struct fd_wait self = {.f = f, .task = loop->self};
    if (events & CO_READABLE)
        f->reader = &self;
    if (events & CO_WRITABLE)
        f->writer = &self;
    loop->fd_waits++;
    int rv = coro_park(CO_WAIT_FD, (const void *)(intptr_t)f->fd, deadline_ns);
    loop->fd_waits--;
    if (self.f == NULL)
        return -EBADF;
    if (f->reader == &self)
        f->reader = NULL;
    if (f->writer == &self)
        f->writer = NULL;
    return rv;
}

int coro_fd_retry(struct co_loop *loop, int fd, enum co_io_event direction, int64_t deadline_ns,
                  int err)
{
    if (err == EINTR)
        return 0;
    if (err != EAGAIN && err != EWOULDBLOCK)
        return -err;
    struct co_fd *f;
    int rv = coro_fd_obtain(loop, fd, -1, &f);
    if (rv < 0)
        return rv;
    f->ready &= (uint8_t)~direction;
    f->is_doubtful = false;
    return coro_fd_await(loop, f, direction, deadline_ns);
}

int coro_fd_poll(int fd, unsigned events)
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

/* ---- close ---- */

static void wake_closed(struct fd_wait *wait)
{
    if (wait == NULL)
        return;
    wait->f = NULL;
    coro_wake(wait->task, -EBADF);
}

/* Those that wait for a descriptor without its record, or are in the middle of a call. */
static void close_probes(struct co_loop *loop, int fd)
{
    LIST_FOR_EACH(link, &loop->probes)
    {
        struct fd_probe *probe = LIST_ENTRY(link, struct fd_probe, link);
        if (probe->fd != fd || probe->is_closed)
            continue;
        probe->is_closed = true;
        if (probe->watch != NULL)
            reactor_unwatch(probe->watch);
        coro_wake(probe->task, -EBADF);
    }
}

int co_close(int fd)
{
    struct co_loop *loop = coro_loop_tls;
    struct co_fd *f = loop != NULL ? coro_fd_find(loop, fd) : NULL;
    if (f != NULL) {
        wake_closed(f->reader);
        wake_closed(f->writer);
        if (f->parked != NULL)
            loop->parked_fds--;
        forget(f);
    }
    if (loop != NULL && UNLIKELY(!list_is_empty(&loop->probes)))
        close_probes(loop, fd);
    return close(fd) < 0 ? -errno : 0;
}
