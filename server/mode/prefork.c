/* server/mode/prefork.c - a master and children that serve one connection at a time.
 *
 * The master owns the listeners and a scoreboard in shared memory with a line
 * for each child; it never touches a connection.  Children (prefork_child.c) wait
 * for one themselves and write what they do into their line, which the master and
 * reports read.  There is no lock anywhere that a dying child could hold: only its
 * own connection is lost, its counters stay (metrics.h).
 *
 * Every tick, and whenever a child tells that few are idle, the master looks after
 * them (prefork_upkeep.c).
 *
 * Draining: new handshakes are shut out, children get TERM: each empties the
 * queue, one connection after the other, and leaves when nothing is queued.
 * The listeners are shut down when the queues are empty. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "coro/base/cpu_share.h"
#include "server/metrics/metrics.h"
#include "server/mode/prefork.h"

static void close_listeners(struct prefork_mode *m)
{
    struct listen_set *listeners = &m->server->listeners;
    if (!m->is_listening)
        return;
    for (size_t i = 0; i < listeners->count; i++)
        if (!listeners->items[i].is_inherited)
            shutdown(listeners->items[i].fd, SHUT_RDWR); /* for the children's copies too */
    listen_set_fini(listeners);
    m->is_listening = false;
}

static void tick(struct mode_server *server)
{
    struct prefork_mode *m = server->state;
    prefork_reap(m);
    struct census census = prefork_census(m);
    atomic_store(&m->board->idle_hint, (int64_t)census.idle);
    if (!m->is_draining) {
        prefork_keep_spares(m, census);
        prefork_relieve_queue(m, census);
        return;
    }
    prefork_prod_idle(m, MODE_DRAIN_IDLE_NS, m->board->count);
    int waiting = prefork_queued(m);
    if (waiting == 0 && clock_now_ns() >= m->settled_ns)
        close_listeners(m);
    else if (waiting > 0 && census.idle == 0 && !m->is_cut)
        prefork_start_some(m, 1); /* who had nothing to do has left, and others may take long */
}

static void drain(struct mode_server *server)
{
    struct prefork_mode *m = server->state;
    for (size_t i = 0; i < server->listeners.count; i++)
        if (!server->listeners.items[i].is_inherited)
            listen_quiesce(server->listeners.items[i].fd);
    m->is_draining = true;
    m->settled_ns = clock_add_ns(clock_now_ns(), MODE_SETTLE_NS);
    prefork_signal_all(m, SIGTERM);
}

static void cut(struct mode_server *server)
{
    struct prefork_mode *m = server->state;
    m->is_draining = m->is_cut = true;
    close_listeners(m);
    prefork_signal_all(m, SIGKILL);
}

static void relay(struct mode_server *server, int signo)
{
    struct prefork_mode *m = server->state;
    if (signo == SIGHUP)
        atomic_store(&m->board->reloads, server->reloads);
    prefork_signal_all(m, signo);
}

static int list_workers(struct mode_server *server, struct buf *out, bool as_json)
{
    const struct prefork_mode *m = server->state;
    return scoreboard_list(m->board, out, as_json);
}

static int queue_len(struct mode_server *server)
{
    return prefork_queued(server->state);
}

static unsigned oldest_reload(struct mode_server *server)
{
    const struct prefork_mode *m = server->state;
    unsigned oldest = server->reloads;
    for (unsigned i = 0; i < m->board->count; i++) {
        const struct score *score = &m->board->scores[i];
        unsigned reload = atomic_load(&score->reload);
        if (atomic_load(&score->state) != SCORE_FREE && reload < oldest)
            oldest = reload;
    }
    return oldest;
}

static bool is_healthy(struct mode_server *server)
{
    (void)server; /* a child that hangs holds up its own connection alone */
    return true;
}

static bool is_finished(struct mode_server *server)
{
    const struct prefork_mode *m = server->state;
    return prefork_census(m).alive == 0 && !m->is_listening;
}

static int start(struct mode_server *server)
{
    struct prefork_mode *m = calloc(1, sizeof *m);
    if (m == NULL)
        return -ENOMEM;
    unsigned count = (unsigned)server->cfg->children;
    m->server = server;
    m->is_listening = true;
    server->state = m;
    m->slots = calloc(count, sizeof *m->slots);
    m->board_bytes = sizeof *m->board + count * sizeof m->board->scores[0];
    void *board =
        mmap(NULL, m->board_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (m->slots == NULL || board == MAP_FAILED)
        return -ENOMEM;
    m->board = board;
    m->board->count = count;
    atomic_store(&m->board->patience_ns, CLOCK_NEVER);
    metrics_extend(scoreboard_export, m->board);
    /* else, while every child is busy, the next one would be long in coming */
    m->ahead = cpu_share_ahead();
    tick(server);
    return 0;
}

static void finish(struct mode_server *server)
{
    struct prefork_mode *m = server->state;
    if (m == NULL)
        return;
    if (m->board != NULL) {
        prefork_signal_all(m, SIGKILL); /* when start failed half-way */
        metrics_unextend(scoreboard_export);
        munmap(m->board, m->board_bytes);
    }
    free(m->slots);
    free(m);
    server->state = NULL;
}

const struct mode_ops mode_prefork = {
    .name = "prefork",
    .has_processes = true,
    .start = start,
    .drain = drain,
    .tick = tick,
    .relay = relay,
    .is_healthy = is_healthy,
    .oldest_reload = oldest_reload,
    .list_workers = list_workers,
    .queue_len = queue_len,
    .is_finished = is_finished,
    .cut = cut,
    .finish = finish,
};
