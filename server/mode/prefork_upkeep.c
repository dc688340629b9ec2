/* server/mode/prefork_upkeep.c - what prefork's master does about its children.
 *
 * Children are started while fewer than min_spare are idle or more connections wait, 1,
 * 2, 4 ... at a time; one a second is ended while more than max_spare are.  A child that
 * dies within a second of its start puts starts off, for longer each time.
 *
 * More keep-alive connections than children would starve the rest: when every
 * child is taken and connections are queued (http_app.is_crowded), a connection
 * that has had its slice of time, or is refused, gets Connection: close with that
 * answer, and children whose connection has been idle that long are told to end it
 * (SIGUSR2).  No sooner: the next request may be on its way, and would be lost.
 * Children that wait for a slow client in mid-request are told so too, the sooner the
 * more others wait: a few hundred clients that send a byte now and then, or do not read, must
 * not hold every child for as long as the timeouts would allow.  (The signal may
 * come a moment before the wait it is to end; it is repeated every tick.) */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "coro/base/err.h"
#include "coro/base/log.h"
#include "coro/prof/worker.h"
#include "server/http/overload.h"
#include "server/metrics/metrics.h"
#include "server/mode/admin.h"
#include "server/mode/blocking.h"
#include "server/mode/prefork.h"

#define SPAWN_BURST_MAX   32
#define SHORT_LIFE_NS     NS_PER_S
#define BACKOFF_MIN_NS    (200 * NS_PER_MS)
#define BACKOFF_MAX_NS    (10 * NS_PER_S)
#define SURPLUS_PERIOD_NS NS_PER_S
#define PATIENCE_MIN_NS   (NS_PER_S / 2)
/* With every child there can be, all that can be done is to make room: no more often. */
#define FULL_QUIET_NS (10 * NS_PER_MS)

static int spawn(struct prefork_mode *m, unsigned index)
{
    struct score *score = &m->board->scores[index];
    pid_t master = getpid();
    m->slots[index] = metrics_lease();
    *score = (struct score){
        .state = SCORE_STARTING, .since_ns = clock_now_ns(), .reload = m->server->reloads};
    score->started_ns = score->since_ns;
    pid_t pid = fork();
    if (pid == 0)
        prefork_child_main(m, index, master);
    if (pid < 0) {
        int err = -errno;
        atomic_store(&score->state, SCORE_FREE);
        metrics_release(m->slots[index]);
        return err;
    }
    atomic_store(&score->pid, pid);
    return 0;
}

/* Once for what goes wrong together, and for what follows while starts are put off. */
static void put_off(struct prefork_mode *m)
{
    if (clock_now_ns() < m->next_spawn_ns)
        return;
    m->backoff_ns = m->backoff_ns == 0 ? BACKOFF_MIN_NS : m->backoff_ns * 2;
    if (m->backoff_ns > BACKOFF_MAX_NS)
        m->backoff_ns = BACKOFF_MAX_NS;
    m->next_spawn_ns = clock_add_ns(clock_now_ns(), m->backoff_ns);
}

static void bury(struct prefork_mode *m, unsigned index, int status)
{
    struct score *score = &m->board->scores[index];
    bool was_asked = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    int64_t age_ns = clock_now_ns() - score->started_ns;
    prof_worker_died(score->pid);
    /* what it held open and had in work is no more */
    struct http_app *app = m->server->app;
    if (app->throttle != NULL)
        http_throttle_give_back(app->throttle, &score->held);
    if (m->slots[index] > 0) {
        atomic_fetch_sub(&app->in_flight,
                         (long long)metrics_read_slot(m->slots[index], METRICS_IN_FLIGHT));
        if (app->places != NULL)
            http_places_restore(app->places,
                                (unsigned)metrics_read_slot(m->slots[index], METRICS_RUNNING),
                                metrics_read_slot(m->slots[index], METRICS_WAITING) > 0);
    }
    metrics_release(m->slots[index]);
    if (!was_asked && !m->is_cut) {
        metrics_add(METRICS_WORKERS_DIED, 1);
        if (WIFSIGNALED(status))
            log_warn("child %d died of signal %d", (int)score->pid, WTERMSIG(status));
        else
            log_warn("child %d ended with %d", (int)score->pid, WEXITSTATUS(status));
    }
    if (!was_asked && age_ns < SHORT_LIFE_NS)
        put_off(m);
    else if (age_ns >= SHORT_LIFE_NS)
        m->backoff_ns = 0;
    atomic_store(&score->pid, 0);
    atomic_store(&score->state, SCORE_FREE);
}

void prefork_reap(struct prefork_mode *m)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (unsigned i = 0; i < m->board->count; i++)
            if (atomic_load(&m->board->scores[i].pid) == pid)
                bury(m, i, status);
        if (admin_ended(m->server, pid))
            prof_worker_died(pid);
    }
}

struct census prefork_census(const struct prefork_mode *m)
{
    struct census census = {0};
    for (unsigned i = 0; i < m->board->count; i++) {
        int state = atomic_load(&m->board->scores[i].state);
        census.alive += state != SCORE_FREE;
        census.idle += state == SCORE_IDLE || state == SCORE_STARTING;
    }
    return census;
}

int prefork_queued(const struct prefork_mode *m)
{
    int sum = 0;
    const struct listen_set *listeners = &m->server->listeners;
    for (size_t i = 0; m->is_listening && i < listeners->count; i++)
        if (!m->is_draining || !listeners->items[i].is_inherited)
            sum += listen_queue_len(listeners->items[i].fd);
    return sum;
}

/* Start up to `want` children, as back-off and room allow. */
void prefork_start_some(struct prefork_mode *m, unsigned want)
{
    if (clock_now_ns() < m->next_spawn_ns)
        return;
    for (unsigned i = 0; i < m->board->count && want > 0; i++) {
        if (atomic_load(&m->board->scores[i].state) != SCORE_FREE)
            continue;
        int rv = spawn(m, i);
        if (rv < 0) {
            log_warn("cannot start a child: %s", err_text(rv));
            put_off(m);
            return;
        }
        want--;
    }
}

/* The most recently started idle child leaves. */
static void end_one_idle(struct prefork_mode *m)
{
    for (unsigned i = m->board->count; i-- > 0;) {
        struct score *score = &m->board->scores[i];
        if (atomic_load(&score->state) != SCORE_IDLE)
            continue;
        kill(atomic_load(&score->pid), SIGTERM);
        return;
    }
}

/* Do more connections wait than idle children can take, and can there be more?  Where CPUs
 * are short, children that are idle, or starting, take long to come to them. */
static bool is_one_wanted(const struct prefork_mode *m, struct census census)
{
    return census.alive < m->board->count && prefork_queued(m) > (int)census.idle;
}

void prefork_keep_spares(struct prefork_mode *m, struct census census)
{
    const struct config *cfg = m->server->cfg;
    int64_t now_ns = clock_now_ns();
    atomic_store(&m->board->quiet_until_ns,
                 census.alive < m->board->count ? 0 : now_ns + FULL_QUIET_NS);
    if (census.idle < cfg->min_spare || is_one_wanted(m, census)) {
        unsigned want = census.idle < cfg->min_spare ? (unsigned)cfg->min_spare - census.idle : 1;
        m->burst = m->burst == 0 ? 1 : m->burst * 2;
        if (m->burst > SPAWN_BURST_MAX)
            m->burst = SPAWN_BURST_MAX;
        prefork_start_some(m, m->burst > want ? m->burst : want);
        return;
    }
    m->burst = 0;
    if (census.idle > cfg->max_spare && now_ns >= m->next_reduce_ns) {
        end_one_idle(m);
        m->next_reduce_ns = now_ns + SURPLUS_PERIOD_NS;
    }
}

unsigned prefork_prod(struct prefork_mode *m, enum score_state state, int64_t since_ns,
                      unsigned count)
{
    int64_t now_ns = clock_now_ns();
    unsigned told = 0;
    for (unsigned i = 0; i < m->board->count && told < count; i++) {
        struct score *score = &m->board->scores[i];
        if (atomic_load(&score->state) != (int)state ||
            now_ns - atomic_load_explicit(&score->since_ns, memory_order_relaxed) < since_ns)
            continue;
        kill(atomic_load(&score->pid), SIGUSR2);
        told++;
    }
    return told;
}

void prefork_prod_idle(struct prefork_mode *m, int64_t idle_ns, unsigned count)
{
    count -= prefork_prod(m, SCORE_NEW, BLOCKING_FIRST_NS, count);
    (void)prefork_prod(m, SCORE_KEEPALIVE, idle_ns, count);
}

/* So much that those who wait, when they are slow as well, are through within about one
 * header_timeout together. */
static int64_t patience_ns(const struct prefork_mode *m, unsigned waiting)
{
    int64_t most_ns = atomic_load(&m->server->app->limits)->header_timeout_ns;
    int64_t ns = most_ns / (1 + 4 * (int64_t)waiting / (m->board->count > 0 ? m->board->count : 1));
    if (ns < PATIENCE_MIN_NS)
        ns = PATIENCE_MIN_NS;
    return ns < most_ns ? ns : most_ns;
}

void prefork_relieve_queue(struct prefork_mode *m, struct census census)
{
    /* who is idle is about to take one: it may have no CPU to do so just now */
    int waiting = census.alive == m->board->count ? prefork_queued(m) - (int)census.idle : 0;
    atomic_store(&m->server->app->is_crowded, waiting > 0);
    if (waiting <= 0) {
        atomic_store(&m->board->patience_ns, CLOCK_NEVER);
        return;
    }
    int64_t most_ns = patience_ns(m, (unsigned)waiting);
    atomic_store(&m->board->patience_ns, most_ns);
    prefork_prod_idle(m, HTTP_CROWDED_SLICE_NS, (unsigned)waiting);
    (void)prefork_prod(m, SCORE_SERVING, most_ns, m->board->count);
}

void prefork_signal_all(const struct prefork_mode *m, int signo)
{
    for (unsigned i = 0; i < m->board->count; i++) {
        pid_t pid = atomic_load(&m->board->scores[i].pid);
        if (pid > 0)
            kill(pid, signo);
    }
}
