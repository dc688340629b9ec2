/* server/mode/thread.c - one thread for each connection.
 *
 * There is no accepting thread that hands descriptors over.  One free thread
 * leads: it waits for a connection, appoints another (a follower that waits,
 * or a new thread) and serves the connection itself, at once, on a warm stack.
 * Served, it follows or leads again.  Followers beyond SPARE_THREADS leave
 * after a while.
 *
 * When nobody can be appointed (max_threads, or the system refuses a thread),
 * the leader refuses the connection (503) and goes on leading, or, by
 * parameter, serves it, and connections wait until a thread is free.
 *
 * Draining: the leader empties the queues as ever, with new handshakes shut
 * out; when nothing is queued it sets is_closed and every free thread leaves. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "coro/base/list.h"
#include "coro/prof/prof.h"
#include "coro/prof/worker.h"
#include "server/metrics/metrics.h"
#include "server/mode/blocking.h"
#include "server/mode/mode.h"

#define STACK_BYTES   ((size_t)256 << 10) /* address space; what is touched is a few pages */
#define SPARE_THREADS 16
#define FOLLOW_NS     (5 * NS_PER_S)
#define PAUSE_MIN_MS  10
#define PAUSE_MAX_MS  1000

struct thread_mode {
    struct mode_server *server;
    pthread_attr_t attr;
    int stop_fd; /* eventfd: wakes the leader for good */
    pthread_mutex_t lock;
    pthread_cond_t may_lead;
    struct co_list serving; /* struct thread, while it has a connection */
    unsigned count;         /* threads alive */
    unsigned followers;
    unsigned appointed;   /* followers told to lead that have not woken yet */
    size_t next_listener; /* the leader's: each has its turn, however long the others' queues */
    bool has_leader;
    bool is_closed; /* no listeners any more */
    atomic_bool is_draining;
    atomic_llong settled_ns; /* while draining: when no handshake completes any more */
    atomic_bool is_cut;
};

struct thread {
    struct co_list link;
    struct thread_mode *mode;
    struct blocking connection;
    int slot; /* of metrics */
};

static void *thread_main(void *arg);

/* With the lock held.  0, or -errno: nobody new will come. */
static int start_thread(struct thread_mode *m)
{
    /* where the overflow is refused, one thread more does nothing else */
    const struct config *cfg = m->server->cfg;
    if (m->count >= (unsigned)cfg->max_threads + (cfg->thread_overflow == CFG_OVERFLOW_REFUSE))
        return -EAGAIN;
    struct thread *t = calloc(1, sizeof *t);
    if (t == NULL)
        return -ENOMEM;
    list_init(&t->link);
    t->mode = m;
    t->slot = metrics_lease();
    blocking_init(&t->connection, NULL);
    pthread_t id;
    int rv = pthread_create(&id, &m->attr, thread_main, t);
    if (rv != 0) {
        metrics_release(t->slot);
        free(t);
        return -rv;
    }
    m->count++;
    return 0;
}

/* With the lock held, by the leader: another one leads from now on.  0 or -errno. */
static int appoint(struct thread_mode *m)
{
    if (m->followers > m->appointed) {
        m->appointed++;
        pthread_cond_signal(&m->may_lead);
        return 0;
    }
    return start_thread(m);
}

/* ---- leading ---- */

static int accept_any(struct thread_mode *m, const struct pollfd *fds, size_t count)
{
    int rv = -EAGAIN;
    for (size_t k = 0; k < count; k++) {
        size_t i = (m->next_listener + k) % count;
        if (fds[i].revents == 0)
            continue;
        int fd = accept4(fds[i].fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) {
            m->next_listener = i + 1;
            return fd;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            rv = -errno;
    }
    return rv;
}

static int settle_ms(struct thread_mode *m)
{
    int64_t left_ns = atomic_load(&m->settled_ns) - clock_now_ns();
    return left_ns > 0 ? (int)((left_ns + NS_PER_MS - 1) / NS_PER_MS) : 0;
}

/* The next connection; -ESHUTDOWN when draining and none is queued. */
static int lead(struct thread_mode *m)
{
    const struct listen_set *listeners = &m->server->listeners;
    struct pollfd fds[LISTEN_MAX + 1];
    size_t n = listeners->count;
    int pause_ms = PAUSE_MIN_MS;
    for (size_t i = 0; i < n; i++)
        fds[i] = (struct pollfd){.fd = listeners->items[i].fd, .events = POLLIN};
    fds[n] = (struct pollfd){.fd = m->stop_fd, .events = POLLIN};
    for (;;) {
        bool is_draining = atomic_load(&m->is_draining);
        if (atomic_load(&m->is_cut))
            return -ESHUTDOWN;
        for (size_t i = 0; i < n && is_draining; i++)
            if (listeners->items[i].is_inherited)
                fds[i].fd = -1; /* it lives on: its next owner takes what is queued */
        PROF_WAIT_BEGIN("{poll}");
        int ready = poll(fds, is_draining ? n : n + 1, is_draining ? settle_ms(m) : -1);
        prof_wait_end();
        if (ready == 0 && is_draining && settle_ms(m) == 0)
            return -ESHUTDOWN;
        if (ready <= 0)
            continue;
        int fd = accept_any(m, fds, n);
        if (fd >= 0) {
            metrics_add(METRICS_ACCEPTED, 1);
            return fd;
        }
        if (fd == -EAGAIN)
            continue;
        /* no descriptor left: connections wait in the backlog until one is free */
        metrics_add(METRICS_ACCEPT_FAILED, 1);
        poll(&fds[n], is_draining ? 0 : 1, pause_ms);
        pause_ms = pause_ms * 2 < PAUSE_MAX_MS ? pause_ms * 2 : PAUSE_MAX_MS;
    }
}

static void refuse(int fd)
{
    static const char answer[] = "HTTP/1.1 503 Service Unavailable\r\n"
                                 "Retry-After: 1\r\n"
                                 "Content-Type: text/plain; charset=utf-8\r\n"
                                 "Content-Length: 23\r\n"
                                 "Connection: close\r\n\r\n"
                                 "every thread is in use\n";
    ssize_t n = send(fd, answer, sizeof answer - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)n; /* it is refused either way */
    metrics_add(METRICS_REFUSED, 1);
    /* take what the client has sent, or close would reset it and it would not see why */
    char sink[4096];
    shutdown(fd, SHUT_WR);
    while (recv(fd, sink, sizeof sink, MSG_DONTWAIT) > 0)
        ;
    close(fd);
}

/* ---- a thread ---- */

static void on_closing(struct blocking *b)
{
    struct thread *t = CONTAINER_OF(b, struct thread, connection);
    pthread_mutex_lock(&t->mode->lock);
    list_del(&t->link);
    pthread_mutex_unlock(&t->mode->lock);
}

/* With the lock held.  May this thread lead?  false: leave. */
static bool follow(struct thread_mode *m)
{
    while (m->has_leader && !m->is_closed) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += FOLLOW_NS / NS_PER_S;
        m->followers++;
        PROF_WAIT_BEGIN("{pthread_cond_timedwait}");
        int rv = pthread_cond_timedwait(&m->may_lead, &m->lock, &until);
        prof_wait_end();
        m->followers--;
        if (m->appointed > 0) {
            m->appointed--;
            continue; /* the leader gave way, or another was faster: look again */
        }
        if (rv == ETIMEDOUT && m->followers >= SPARE_THREADS)
            return false;
    }
    return !m->is_closed;
}

/* With the lock held on entry and return.  A connection to serve, or -errno. */
static int lead_once(struct thread_mode *m)
{
    for (;;) {
        m->has_leader = true; /* also while it refuses: a second one would stay for ever */
        pthread_mutex_unlock(&m->lock);
        int fd = lead(m);
        pthread_mutex_lock(&m->lock);
        m->has_leader = false;
        if (fd < 0) {
            m->is_closed = true;
            pthread_cond_broadcast(&m->may_lead);
            return fd;
        }
        if (appoint(m) == 0 || m->server->cfg->thread_overflow == CFG_OVERFLOW_WAIT)
            return fd;
        m->has_leader = true;
        pthread_mutex_unlock(&m->lock);
        refuse(fd);
        pthread_mutex_lock(&m->lock);
    }
}

static void *thread_main(void *arg)
{
    struct thread *t = arg;
    struct thread_mode *m = t->mode;
    metrics_enter(t->slot);
    metrics_add(METRICS_WORKERS, 1);
    metrics_add(METRICS_WORKERS_STARTED, 1);
    prof_worker_open("connection");
    pthread_mutex_lock(&m->lock);
    while (follow(m)) {
        int fd = lead_once(m);
        if (fd < 0)
            break;
        list_add_tail(&m->serving, &t->link);
        pthread_mutex_unlock(&m->lock);
        blocking_serve(&t->connection, m->server->app, fd, &m->is_cut, on_closing);
        pthread_mutex_lock(&m->lock);
    }
    prof_worker_close();
    metrics_release(t->slot);
    free(t);
    if (--m->count == 0)
        mode_wake(m->server);
    pthread_mutex_unlock(&m->lock);
    return NULL;
}

/* ---- the mode ---- */

static int start(struct mode_server *server)
{
    struct thread_mode *m = calloc(1, sizeof *m);
    if (m == NULL)
        return -ENOMEM;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&m->may_lead, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&m->lock, NULL);
    pthread_attr_init(&m->attr);
    pthread_attr_setdetachstate(&m->attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&m->attr, STACK_BYTES);
    list_init(&m->serving);
    m->server = server;
    m->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    server->state = m;
    if (m->stop_fd < 0)
        return -errno;
    pthread_mutex_lock(&m->lock);
    int rv = start_thread(m);
    pthread_mutex_unlock(&m->lock);
    return rv;
}

static void stop_leading(struct thread_mode *m)
{
    uint64_t one = 1;
    ssize_t n = write(m->stop_fd, &one, sizeof one);
    (void)n; /* full: it is readable already */
}

static void drain(struct mode_server *server)
{
    struct thread_mode *m = server->state;
    for (size_t i = 0; i < server->listeners.count; i++)
        if (!server->listeners.items[i].is_inherited)
            listen_quiesce(server->listeners.items[i].fd);
    if (!atomic_load(&m->is_draining))
        atomic_store(&m->settled_ns, clock_add_ns(clock_now_ns(), MODE_SETTLE_NS));
    atomic_store(&m->is_draining, true);
    stop_leading(m);
}

static void tick(struct mode_server *server)
{
    struct thread_mode *m = server->state;
    if (!atomic_load(&m->is_draining))
        return;
    pthread_mutex_lock(&m->lock);
    if (m->is_closed)
        listen_set_fini(&server->listeners);
    LIST_FOR_EACH(it, &m->serving)
    {
        struct thread *t = LIST_ENTRY(it, struct thread, link);
        blocking_give_up(&t->connection, MODE_DRAIN_IDLE_NS, HTTP_CLOSE_DRAIN);
    }
    pthread_mutex_unlock(&m->lock);
}

static void cut(struct mode_server *server)
{
    struct thread_mode *m = server->state;
    atomic_store(&m->is_cut, true);
    drain(server);
    pthread_mutex_lock(&m->lock);
    LIST_FOR_EACH(it, &m->serving)
    {
        struct thread *t = LIST_ENTRY(it, struct thread, link);
        blocking_cut(&t->connection);
    }
    pthread_mutex_unlock(&m->lock);
}

static void relay(struct mode_server *server, int signo)
{
    (void)server, (void)signo; /* one process: done already */
}

static bool is_healthy(struct mode_server *server)
{
    (void)server; /* a thread that hangs holds up its own connection alone */
    return true;
}

static int queue_len(struct mode_server *server)
{
    struct thread_mode *m = server->state;
    int sum = 0;
    pthread_mutex_lock(&m->lock); /* a drain closes them meanwhile */
    for (size_t i = 0; i < server->listeners.count; i++)
        sum += listen_queue_len(server->listeners.items[i].fd);
    pthread_mutex_unlock(&m->lock);
    return sum;
}

static bool is_finished(struct mode_server *server)
{
    struct thread_mode *m = server->state;
    pthread_mutex_lock(&m->lock);
    bool is_last = m->count == 0;
    pthread_mutex_unlock(&m->lock);
    return is_last;
}

static void finish(struct mode_server *server)
{
    struct thread_mode *m = server->state;
    if (m == NULL)
        return;
    if (m->stop_fd >= 0)
        close(m->stop_fd);
    pthread_attr_destroy(&m->attr);
    pthread_cond_destroy(&m->may_lead);
    pthread_mutex_destroy(&m->lock);
    free(m);
    server->state = NULL;
}

const struct mode_ops mode_thread = {
    .name = "thread",
    .start = start,
    .drain = drain,
    .tick = tick,
    .relay = relay,
    .is_healthy = is_healthy,
    .queue_len = queue_len,
    .is_finished = is_finished,
    .cut = cut,
    .finish = finish,
};
