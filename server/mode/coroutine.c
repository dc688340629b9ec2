/* server/mode/coroutine.c - event loops: one thread each, tasks on it.
 *
 * Every worker has its own listener on every address (SO_REUSEPORT: the kernel
 * spreads connections by hash); a listener that cannot be cloned (a UNIX
 * socket) belongs to worker 0, which hands connections round.
 *
 * Life of a connection: accepted -> serve() as a task, on a stack -> idle:
 * parked by descriptor alone, without task or stack -> readable: serve() again
 * in a new task -> closed.  A struct conn is on its worker's `idle` list
 * exactly while it is parked, so draining knows which ones may be closed.
 *
 * The worker's first task (tend) stays until it is told to stop, shuts new
 * handshakes out, ends the accepting tasks, which empty their queue first, and goes when the last
 * connection has; when it returns early (cut), co_run cancels what is left. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "coro/base/cpu_share.h"
#include "coro/base/err.h"
#include "coro/base/list.h"
#include "coro/base/log.h"
#include "coro/coro.h"
#include "coro/inspect.h"
#include "coro/io.h"
#include "coro/prof/worker.h"
#include "server/http/session.h"
#include "server/io/io.h"
#include "server/metrics/metrics.h"
#include "server/mode/cpus.h"
#include "server/mode/mode.h"

#define BEAT_PERIOD_NS NS_PER_S
#define HANG_NS        (10 * NS_PER_S)

struct worker;

struct accepting {
    struct worker *worker;
    int fd;
    bool is_shared; /* the one listener of all workers */
    bool is_inherited;
    struct co_task *task;
};

struct worker {
    struct coroutine_mode *mode;
    unsigned index;
    pthread_t thread;
    bool has_thread;
    int slot; /* of metrics */
    struct accepting accepting[LISTEN_MAX];
    size_t accepting_count;
    struct co_task *gate; /* sleeps until the worker is told to stop */
    struct list idle;     /* struct conn, the longest idle first */
    size_t conn_count;
    unsigned next; /* whom the next connection of an unclonable listener goes to */
    bool is_cut;
    atomic_llong beat_sent_ns; /* 0: answered */
    struct co_counts told;     /* to the metrics already */
    pthread_mutex_t loop_lock; /* the loop lives only as long as its thread runs it */
    struct co_loop *loop;      /* NULL before and after */
};

struct coroutine_mode {
    struct mode_server *server;
    sem_t started;
    struct worker *workers;
    unsigned count;
    atomic_int start_rv;  /* the first failure of a worker to start */
    atomic_uint running;  /* workers whose thread has not ended */
    atomic_uint arriving; /* accepting tasks, and connections on their way to another worker */
    atomic_bool is_ending;
    int64_t next_beat_ns;
};

struct conn {
    struct list link;
    struct worker *worker;
    int fd;
    int64_t idle_since_ns;
    struct http_io io;
    struct http_session session;
};

/* ---- connections ---- */

static void conn_close(struct conn *c)
{
    http_session_fini(&c->session);
    if (http_session_reason(&c->session) == HTTP_CLOSE_WRITE_TIMEOUT)
        io_drop_unsent(c->fd);
    co_close(c->fd);
    c->worker->conn_count--;
    free(c);
}

static int on_readable(void *arg, int why);

static int park(struct conn *c)
{
    int rv = co_park_fd(c->fd, http_session_deadline(&c->session), on_readable, c);
    if (rv < 0)
        return rv;
    c->idle_since_ns = co_now();
    list_add_tail(&c->worker->idle, &c->link);
    metrics_add(METRICS_IDLE, 1);
    return 0;
}

static void unpark(struct conn *c)
{
    list_del(&c->link);
    metrics_sub(METRICS_IDLE, 1);
}

static void serve(struct conn *c, enum http_turn turn)
{
    while (turn == HTTP_TURN_NOW)
        turn = http_session_turn(&c->session);
    if (turn == HTTP_TURN_IDLE && park(c) == 0)
        return;
    conn_close(c);
}

static int on_readable(void *arg, int why)
{
    struct conn *c = arg;
    unpark(c);
    if (why == 0) {
        serve(c, HTTP_TURN_NOW);
        return 0;
    }
    http_session_end(&c->session, why != -ETIMEDOUT       ? HTTP_CLOSE_CANCELLED
                                  : c->session.served > 0 ? HTTP_CLOSE_IDLE
                                                          : HTTP_CLOSE_HEADER_TIMEOUT);
    conn_close(c);
    return 0;
}

static int serve_new(void *arg)
{
    struct conn *c = arg;
    struct sockaddr_storage addr;
    socklen_t len = sizeof addr;
    bool is_known = getpeername(c->fd, (struct sockaddr *)&addr, &len) == 0;
    io_coro_init(&c->io, c->fd);
    enum http_turn turn = http_session_init(&c->session, c->worker->mode->server->app, &c->io,
                                            (struct sockaddr *)&addr, is_known ? len : 0);
    if (is_known) {
        serve(c, turn);
        return 0;
    }
    /* reset while it was queued: nobody waits for an answer, and whose it was,
     * and so what it may do, is not to be known any more */
    http_session_end(&c->session, HTTP_CLOSE_ABORTED);
    conn_close(c);
    return 0;
}

/* Takes the descriptor over, on the worker's own thread. */
static void conn_start(struct worker *w, int fd)
{
    struct conn *c = malloc(sizeof *c);
    struct co_task *task = NULL;
    if (c != NULL) {
        *c = (struct conn){.worker = w, .fd = fd};
        list_init(&c->link);
        task = co_spawn(serve_new, c);
    }
    if (task == NULL) {
        metrics_add(METRICS_REFUSED, 1);
        free(c);
        close(fd);
        return;
    }
    w->conn_count++;
    co_detach(task);
}

/* ---- accepting ---- */

struct handover {
    struct worker *worker;
    int fd;
};

static void on_handover(void *arg)
{
    struct handover *h = arg;
    conn_start(h->worker, h->fd);
    atomic_fetch_sub(&h->worker->mode->arriving, 1);
    free(h);
}

/* Run fn on the worker's loop; -ESHUTDOWN when it has ended. */
static int post(struct worker *w, void (*fn)(void *arg), void *arg)
{
    pthread_mutex_lock(&w->loop_lock);
    int rv = w->loop == NULL ? -ESHUTDOWN : co_loop_post(w->loop, fn, arg);
    pthread_mutex_unlock(&w->loop_lock);
    return rv;
}

/* Round to the next worker's loop; kept when that fails. */
static void hand_over(struct worker *w, int fd)
{
    struct worker *to = &w->mode->workers[w->next++ % w->mode->count];
    struct handover *h = to == w ? NULL : malloc(sizeof *h);
    if (h != NULL) {
        *h = (struct handover){.worker = to, .fd = fd};
        atomic_fetch_add(&w->mode->arriving, 1);
        if (post(to, on_handover, h) == 0)
            return;
        atomic_fetch_sub(&w->mode->arriving, 1);
        free(h);
    }
    conn_start(w, fd);
}

static void take(const struct accepting *a, int fd)
{
    metrics_add(METRICS_ACCEPTED, 1);
    if (a->is_shared)
        hand_over(a->worker, fd);
    else
        conn_start(a->worker, fd);
}

/* Take what is queued already: closing would reset it. */
static void empty_queue(const struct accepting *a)
{
    for (;;) {
        int fd = accept4(a->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0)
            take(a, fd);
        else if (errno != EINTR && errno != ECONNABORTED)
            return;
    }
}

/* Until cancelled.  Out of descriptors, co_accept waits until it gets one. */
static int accept_loop(void *arg)
{
    const struct accepting *a = arg;
    struct coroutine_mode *m = a->worker->mode;
    int rv;
    while ((rv = co_accept(a->fd, NULL, NULL, CO_NO_DEADLINE)) >= 0)
        take(a, rv);
    if (rv != -ECANCELED) {
        log_error("cannot accept connections any more: %s", err_text(rv));
        mode_fail(m->server);
    }
    /* an inherited socket lives on: its next owner takes what is queued */
    if (!a->worker->is_cut && !a->is_inherited)
        empty_queue(a);
    co_close(a->fd);
    atomic_fetch_sub(&m->arriving, 1);
    return 0;
}

static int start_accepting(struct worker *w)
{
    for (size_t i = 0; i < w->accepting_count; i++) {
        struct accepting *a = &w->accepting[i];
        a->task = co_spawn(accept_loop, a);
        if (a->task == NULL)
            return -ENOMEM;
        atomic_fetch_add(&w->mode->arriving, 1);
    }
    return 0;
}

static void stop_accepting(struct worker *w)
{
    for (size_t i = 0; i < w->accepting_count; i++) {
        int result;
        if (w->accepting[i].task == NULL)
            continue;
        co_cancel(w->accepting[i].task);
        if (co_join(w->accepting[i].task, CO_NO_DEADLINE, &result) < 0)
            co_detach(w->accepting[i].task);
        w->accepting[i].task = NULL;
    }
}

/* ---- a worker ---- */

/* Close what has been idle for long; serve it instead when a request is there. */
static void close_idle(struct worker *w)
{
    int64_t since_ns = co_now() - MODE_DRAIN_IDLE_NS;
    LIST_FOR_EACH_SAFE(it, &w->idle)
    {
        struct conn *c = LIST_ENTRY(it, struct conn, link);
        char byte;
        if (c->idle_since_ns > since_ns)
            return;
        if (recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0 || !co_unpark_fd(c->fd))
            continue; /* on_readable is on its way */
        unpark(c);
        http_session_end(&c->session, HTTP_CLOSE_DRAIN);
        conn_close(c);
    }
}

#define DRAIN_LOOK_NS (20 * NS_PER_MS)

static int sleep_for_ever(void *arg)
{
    (void)arg;
    return co_sleep_until(CO_NO_DEADLINE);
}

/* Shut new handshakes out, and let those complete that have begun. */
static int settle(const struct worker *w)
{
    for (size_t i = 0; i < w->accepting_count; i++)
        if (!w->accepting[i].is_inherited)
            listen_quiesce(w->accepting[i].fd);
    return co_sleep(MODE_SETTLE_NS);
}

/* The worker's first task: see the head of this file. */
static int tend(void *arg)
{
    struct worker *w = arg;
    int result, rv = 0;
    w->gate = co_spawn(sleep_for_ever, NULL);
    if (w->gate == NULL || start_accepting(w) < 0)
        rv = -ENOMEM;
    if (rv == 0) {
        pthread_mutex_lock(&w->loop_lock);
        w->loop = co_loop_self();
        pthread_mutex_unlock(&w->loop_lock);
        metrics_add(METRICS_WORKERS, 1);
        metrics_add(METRICS_WORKERS_STARTED, 1);
        sem_post(&w->mode->started);
        rv = co_join(w->gate, CO_NO_DEADLINE, &result);
    }
    if (rv == 0 && !w->is_cut)
        rv = settle(w);
    stop_accepting(w);
    while (!w->is_cut && rv == 0 && (w->conn_count > 0 || atomic_load(&w->mode->arriving) > 0)) {
        close_idle(w);
        rv = co_sleep(DRAIN_LOOK_NS);
    }
    pthread_mutex_lock(&w->loop_lock);
    w->loop = NULL;
    pthread_mutex_unlock(&w->loop_lock);
    return rv;
}

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    struct coroutine_mode *m = w->mode;
    char name[16];
    snprintf(name, sizeof name, "worker-%u", w->index);
    pthread_setname_np(pthread_self(), name);
    cpu_share_prompt();
    metrics_enter(w->slot);
    prof_worker_open(name);
    int rv = co_run(tend, w, &(struct co_options){.name = name});
    prof_worker_close();
    metrics_release(w->slot);
    if (rv < 0) {
        int none = 0;
        atomic_compare_exchange_strong(&m->start_rv, &none, rv);
        sem_post(&m->started); /* when it never got so far */
    }
    atomic_fetch_sub(&m->running, 1);
    if (atomic_load(&m->is_ending))
        mode_wake(m->server);
    else
        mode_fail(m->server);
    return NULL;
}

/* ---- the mode ---- */

/* How even the kernel spread the connections.  The shape of metrics_extra_fn. */
static void export_spread(void *arg, struct metrics_report *report)
{
    const struct coroutine_mode *m = arg;
    metrics_head(report, METRICS_IS_GAUGE, "worker_connections",
                 "Connections open, by event loop.");
    for (unsigned i = 0; i < m->count; i++)
        if (m->workers[i].slot > 0)
            metrics_line(report, "domaind_worker_connections{worker=\"%u\"} %" PRIu64 "\n", i,
                         metrics_read_slot(m->workers[i].slot, METRICS_OPEN));
}

static int queue_len(struct mode_server *server)
{
    const struct coroutine_mode *m = server->state;
    int sum = 0;
    for (unsigned i = 0; i < m->count; i++)
        for (size_t k = 0; k < m->workers[i].accepting_count; k++)
            sum += listen_queue_len(m->workers[i].accepting[k].fd);
    return sum;
}

static int open_listeners(struct worker *w)
{
    struct mode_server *server = w->mode->server;
    for (size_t i = 0; i < server->listeners.count; i++) {
        struct listener *l = &server->listeners.items[i];
        bool is_shared = l->is_unix || l->is_inherited;
        if (is_shared && w->index > 0)
            continue;
        /* the first worker takes the probe's own socket */
        int fd = w->index == 0 ? fcntl(l->fd, F_DUPFD_CLOEXEC, 3)
                               : listen_take_clone(l, w->index - 1, (int)server->cfg->backlog);
        if (fd < 0)
            return w->index == 0 ? -errno : fd;
        w->accepting[w->accepting_count++] = (struct accepting){
            .worker = w, .fd = fd, .is_shared = is_shared, .is_inherited = l->is_inherited};
    }
    return 0;
}

static int start_worker(struct worker *w)
{
    int rv = open_listeners(w);
    if (rv < 0)
        return rv;
    w->slot = metrics_lease();
    atomic_fetch_add(&w->mode->running, 1);
    rv = pthread_create(&w->thread, NULL, worker_main, w);
    if (rv != 0) {
        atomic_fetch_sub(&w->mode->running, 1);
        return -rv;
    }
    w->has_thread = true;
    while (sem_wait(&w->mode->started) < 0)
        ;
    return atomic_load(&w->mode->start_rv);
}

static int start(struct mode_server *server)
{
    struct coroutine_mode *m = calloc(1, sizeof *m);
    if (m == NULL)
        return -ENOMEM;
    m->server = server;
    server->state = m;
    sem_init(&m->started, 0, 0);
    unsigned count = server->workers > 0 ? server->workers : (unsigned)server->cfg->workers;
    if (count == 0)
        count = cpus_usable();
    m->workers = calloc(count, sizeof *m->workers);
    if (m->workers == NULL)
        return -ENOMEM;
    m->count = count;
    for (unsigned i = 0; i < count; i++) {
        struct worker *w = &m->workers[i];
        *w = (struct worker){.mode = m, .index = i};
        pthread_mutex_init(&w->loop_lock, NULL);
        list_init(&w->idle);
    }
    if (server->workers == 0) /* the administrators' loop is none of these */
        metrics_extend(export_spread, m);
    int rv = 0;
    /* the first one last: what is queued on a shared listener goes round from the start */
    for (unsigned i = count; i-- > 0 && rv == 0;)
        rv = start_worker(&m->workers[i]);
    return rv;
}

static void on_stop(void *arg)
{
    struct worker *w = arg;
    co_cancel(w->gate);
}

static void on_cut(void *arg)
{
    struct worker *w = arg;
    w->is_cut = true;
    co_cancel(w->gate);
}

static void tell_all(struct mode_server *server, void (*fn)(void *arg))
{
    struct coroutine_mode *m = server->state;
    atomic_store(&m->is_ending, true);
    for (unsigned i = 0; i < m->count; i++)
        (void)post(&m->workers[i], fn, &m->workers[i]);
}

static void drain(struct mode_server *server)
{
    /* ours are only copies: the sockets close when the workers close theirs */
    listen_set_fini(&server->listeners);
    tell_all(server, on_stop);
}

static void cut(struct mode_server *server)
{
    tell_all(server, on_cut);
}

/* What the runtime has counted on this loop since the last time. */
static void tell_counts(struct worker *w)
{
    struct co_counts now, *told = &w->told;
    if (co_counts(&now) < 0)
        return;
    metrics_set(METRICS_TASKS, now.alive);
    metrics_set(METRICS_TASKS_READY, now.ready);
    metrics_add(METRICS_TASKS_SPAWNED, now.spawned - told->spawned);
    metrics_add(METRICS_TASK_SWITCHES, now.switches - told->switches);
    metrics_add(METRICS_ACCEPT_FAILED, now.accept_failures - told->accept_failures);
    *told = now;
}

/* A loop that turns answers a beat at once; how late it did is its lag. */
static void on_beat(void *arg)
{
    struct worker *w = arg;
    int64_t sent_ns = atomic_exchange(&w->beat_sent_ns, 0);
    metrics_observe(METRICS_LOOP_LAG, clock_now_ns() - sent_ns);
    tell_counts(w);
}

static void tick(struct mode_server *server)
{
    struct coroutine_mode *m = server->state;
    int64_t now_ns = clock_now_ns();
    if (now_ns < m->next_beat_ns)
        return;
    m->next_beat_ns = now_ns + BEAT_PERIOD_NS;
    for (unsigned i = 0; i < m->count; i++) {
        struct worker *w = &m->workers[i];
        if (atomic_load(&w->beat_sent_ns) != 0)
            continue;
        atomic_store(&w->beat_sent_ns, now_ns);
        if (post(w, on_beat, w) < 0)
            atomic_store(&w->beat_sent_ns, 0);
    }
}

static void relay(struct mode_server *server, int signo)
{
    (void)server, (void)signo; /* one process: done already */
}

static bool is_healthy(struct mode_server *server)
{
    const struct coroutine_mode *m = server->state;
    int64_t now_ns = clock_now_ns();
    for (unsigned i = 0; i < m->count; i++) {
        int64_t sent_ns = atomic_load(&m->workers[i].beat_sent_ns);
        if (sent_ns != 0 && now_ns - sent_ns > HANG_NS)
            return false;
    }
    return true;
}

static bool is_finished(struct mode_server *server)
{
    const struct coroutine_mode *m = server->state;
    return atomic_load(&m->running) == 0;
}

static void finish(struct mode_server *server)
{
    struct coroutine_mode *m = server->state;
    if (m == NULL)
        return;
    tell_all(server, on_cut); /* those that did start when another could not */
    for (unsigned i = 0; i < m->count; i++) {
        struct worker *w = &m->workers[i];
        if (w->has_thread)
            pthread_join(w->thread, NULL);
        else
            for (size_t k = 0; k < w->accepting_count; k++)
                close(w->accepting[k].fd);
        pthread_mutex_destroy(&w->loop_lock);
    }
    if (server->workers == 0)
        metrics_unextend(export_spread);
    sem_destroy(&m->started);
    free(m->workers);
    free(m);
    server->state = NULL;
}

const struct mode_ops mode_coroutine = {
    .name = "coroutine",
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
