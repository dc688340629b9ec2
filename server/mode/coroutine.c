/* server/mode/coroutine.c - event loops: one thread each, tasks on it.
 *
 * Every worker (coroutine_worker.c) has its own listener on every address
 * (SO_REUSEPORT: the kernel spreads connections by hash); a listener that cannot be
 * cloned (a UNIX socket) is worker 0's. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "coro/coro.h"
#include "server/metrics/metrics.h"
#include "server/mode/coroutine.h"
#include "server/mode/cpus.h"

#define BEAT_PERIOD_NS NS_PER_S
#define HANG_NS        (10 * NS_PER_S)

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
    w->slot = w->mode->server->slot > 0 ? w->mode->server->slot : metrics_lease();
    atomic_fetch_add(&w->mode->running, 1);
    rv = pthread_create(&w->thread, NULL, coroutine_worker_main, w);
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
        pthread_mutex_init(&w->port_lock, NULL);
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
        (void)!coroutine_post(&m->workers[i], fn, &m->workers[i]);
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
        if (coroutine_post(w, on_beat, w) < 0)
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
        pthread_mutex_destroy(&w->port_lock);
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
