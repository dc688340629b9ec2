/* server/mode/prefork.c - a master and children that serve one connection at a time.
 *
 * The master owns the listeners and a scoreboard in shared memory with a line
 * for each child; it never touches a connection.  Children wait for one with
 * their own epoll set (EPOLLEXCLUSIVE: one child wakes for one connection),
 * and write what they do into their line, which the master and reports read.
 * There is no lock anywhere that a dying child could hold.
 *
 * Upkeep, every tick and whenever a child tells that few are idle: reap; start
 * children while fewer than min_spare are idle, 1, 2, 4 ... at a time; end one
 * a second while more than max_spare are.  A child that dies within a second
 * of its start puts starts off, for longer each time.
 *
 * More keep-alive connections than children would starve the rest: when every
 * child is taken and connections are queued (http_app.is_crowded), a connection
 * that has had its slice of time gets Connection: close with the next answer, and
 * children whose connection has been idle that long are told to end it (SIGUSR2).
 * No sooner: the next request may be on its way, and would be lost.  Children that wait for a slow
 * client in mid-request are told so too, the sooner the more others wait: a few hundred clients
 * that send a byte now and then, or do not read, must not hold every child for as long as the
 * timeouts would allow.  (The signal may come a moment before the wait it is to end; it is repeated
 * every tick.)
 *
 * Draining: new handshakes are shut out, children get TERM: each empties the
 * queue, one connection after the other, and leaves when nothing is queued.
 * The listeners are shut down when the queues are empty.  If a child dies: only
 * its own connection is lost, its counters stay (metrics.h). */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "coro/base/err.h"
#include "coro/base/log.h"
#include "coro/prof/prof.h"
#include "coro/prof/worker.h"
#include "server/http/overload.h"
#include "server/io/access_log.h"
#include "server/metrics/metrics.h"
#include "server/mode/admin.h"
#include "server/mode/blocking.h"
#include "server/mode/mode.h"
#include "server/mode/scoreboard.h"

#define SPAWN_BURST_MAX   32
#define SHORT_LIFE_NS     NS_PER_S
#define BACKOFF_MIN_NS    (200 * NS_PER_MS)
#define BACKOFF_MAX_NS    (10 * NS_PER_S)
#define SURPLUS_PERIOD_NS NS_PER_S
#define PATIENCE_MIN_NS   NS_PER_S

struct prefork_mode {
    struct mode_server *server;
    struct scoreboard *board; /* shared */
    size_t board_bytes;
    int *slots; /* of metrics, for each line */
    unsigned burst;
    int64_t next_spawn_ns;  /* back-off after short lives */
    int64_t next_reduce_ns; /* when the next surplus child may be ended */
    int64_t backoff_ns;
    bool is_draining;
    int64_t settled_ns; /* while draining: when no handshake completes any more */
    bool is_cut;
    bool is_listening;
};

/* ---- the child ---- */

/* What the signal handlers of a child reach. */
static struct child {
    struct prefork_mode *mode;
    struct score *score;
    struct blocking connection;
    int stop_fd; /* eventfd in its epoll set: TERM makes it readable */
    atomic_bool is_leaving;
    atomic_bool wants_reload;
    atomic_bool wants_logs;
    atomic_bool is_cut; /* never set: a child that is cut is killed */
} child;

static void on_term(int signo)
{
    (void)signo;
    int saved = errno;
    uint64_t one = 1;
    atomic_store(&child.is_leaving, true);
    ssize_t n = write(child.stop_fd, &one, sizeof one);
    (void)n;
    errno = saved;
}

static void on_hup(int signo)
{
    (void)signo;
    atomic_store(&child.wants_reload, true);
}

static void on_usr1(int signo)
{
    (void)signo;
    atomic_store(&child.wants_logs, true);
}

static void on_yield(int signo)
{
    (void)signo;
    int saved = errno;
    bool is_draining = atomic_load(&child.mode->server->app->draining);
    blocking_give_up(&child.connection, 0, is_draining ? HTTP_CLOSE_DRAIN : HTTP_CLOSE_YIELDED);
    blocking_hurry(&child.connection, atomic_load(&child.mode->board->patience_ns));
    errno = saved;
}

static void set_state(enum score_state state)
{
    atomic_store_explicit(&child.score->since_ns, clock_now_ns(), memory_order_relaxed);
    atomic_store(&child.score->state, state);
}

/* While no request is in work: what a handler may not do itself. */
static void obey_signals(void)
{
    const struct mode_hooks *hooks = &child.mode->server->hooks;
    if (atomic_exchange(&child.wants_reload, false)) {
        /* first: a reload that comes meanwhile is obeyed once more */
        unsigned reload = atomic_load(&child.mode->board->reloads);
        hooks->reload_child(hooks->arg);
        atomic_store(&child.score->reload, reload);
    }
    if (atomic_exchange(&child.wants_logs, false))
        (void)hooks->reopen_logs(hooks->arg); /* the master says so */
}

static void on_idle(struct blocking *b, const char *bytes, size_t len)
{
    set_state(bytes == NULL ? SCORE_KEEPALIVE : SCORE_SERVING);
    obey_signals(); /* also before a request, which may have been waited for long */
    if (bytes != NULL)
        score_note_request(child.score, bytes, len);
    else
        atomic_fetch_add_explicit(&child.score->turns, 1, memory_order_relaxed);
    (void)b;
}

/* A connection, -EAGAIN when none is queued, or -errno. */
static int accept_any(const struct listen_set *listeners, bool is_leaving)
{
    int rv = -EAGAIN;
    for (size_t i = 0; i < listeners->count; i++) {
        if (is_leaving && listeners->items[i].is_inherited)
            continue; /* it lives on: its next owner takes what is queued */
        int fd = accept4(listeners->items[i].fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
            return fd;
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            rv = -errno;
    }
    return rv;
}

/* The next connection; -ESHUTDOWN: leave. */
static int next_connection(int epoll_fd)
{
    const struct listen_set *listeners = &child.mode->server->listeners;
    for (;;) {
        bool is_leaving = atomic_load(&child.is_leaving);
        int fd = accept_any(listeners, is_leaving);
        if (fd >= 0)
            return fd;
        if (is_leaving)
            return -ESHUTDOWN;
        if (fd != -EAGAIN) {
            metrics_add(METRICS_ACCEPT_FAILED, 1);
            usleep(50000); /* this child has one descriptor open: the system is short */
            continue;
        }
        struct epoll_event event;
        PROF_WAIT_BEGIN("{epoll_wait}");
        epoll_wait(epoll_fd, &event, 1, -1);
        prof_wait_end();
        obey_signals(); /* EINTR brought us here, or something that comes first */
    }
}

static int open_epoll(const struct listen_set *listeners)
{
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};
    if (epoll_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, child.stop_fd, &event) < 0)
        return -errno;
    event.events = EPOLLIN | EPOLLEXCLUSIVE;
    for (size_t i = 0; i < listeners->count; i++)
        if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listeners->items[i].fd, &event) < 0)
            return -errno;
    return epoll_fd;
}

static void tell_if_few(struct scoreboard *board, int64_t min_spare)
{
    if (atomic_fetch_sub(&board->idle_hint, 1) <= min_spare)
        mode_wake(child.mode->server);
}

static int serve_connections(struct mode_server *server)
{
    struct scoreboard *board = child.mode->board;
    int epoll_fd = open_epoll(&server->listeners);
    if (epoll_fd < 0)
        return epoll_fd;
    int64_t left = server->cfg->child_connections;
    for (;;) {
        set_state(SCORE_IDLE);
        atomic_fetch_add(&board->idle_hint, 1);
        int fd = next_connection(epoll_fd);
        tell_if_few(board, server->cfg->min_spare);
        if (fd < 0)
            return 0;
        metrics_add(METRICS_ACCEPTED, 1);
        atomic_fetch_add_explicit(&child.score->connections, 1, memory_order_relaxed);
        set_state(SCORE_SERVING);
        blocking_serve(&child.connection, server->app, fd, &child.is_cut, NULL);
        if (left > 0 && --left == 0)
            return 0;
    }
}

static void take_signals(void)
{
    static const struct {
        int signo;
        void (*handler)(int signo);
    } signals[] = {
        {SIGTERM, on_term}, {SIGUSR2, on_yield}, {SIGINT, SIG_IGN}, /* Ctrl-C reaches the whole
                                                                       group: the master decides */
        {SIGQUIT, SIG_IGN}, {SIGHUP, on_hup},    {SIGUSR1, on_usr1}, {SIGCHLD, SIG_DFL},
    };
    for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
        struct sigaction action = {.sa_handler = signals[i].handler, .sa_flags = SA_RESTART};
        sigaction(signals[i].signo, &action, NULL);
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static NORETURN void child_main(struct prefork_mode *m, unsigned index, pid_t master)
{
    child.mode = m;
    child.score = &m->board->scores[index];
    child.stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    atomic_store(&child.is_leaving, m->is_draining); /* one that only empties the queue */
    blocking_init(&child.connection, on_idle);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    take_signals();
    if (getppid() != master)
        _exit(EXIT_SUCCESS); /* it died before prctl */
    atomic_store(&child.score->pid, getpid());
    metrics_enter(m->slots[index]);
    http_throttle_note_in(&child.score->held);
    metrics_add(METRICS_WORKERS, 1);
    metrics_add(METRICS_WORKERS_STARTED, 1);
    prof_worker_open("child");
    int rv = child.stop_fd < 0 ? -errno : serve_connections(m->server);
    set_state(SCORE_ENDING);
    prof_worker_close();
    access_log_flush();
    if (rv < 0)
        log_error("a child cannot serve: %s", err_text(rv));
    /* not exit: what the master registered to run at its end is its own */
    _exit(rv < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}

/* ---- the master ---- */

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
        child_main(m, index, master);
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
                                (unsigned)metrics_read_slot(m->slots[index], METRICS_RUNNING));
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

static void reap(struct prefork_mode *m)
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

struct census {
    unsigned alive;
    unsigned idle; /* or about to be */
};

static struct census count_children(const struct prefork_mode *m)
{
    struct census census = {0};
    for (unsigned i = 0; i < m->board->count; i++) {
        int state = atomic_load(&m->board->scores[i].state);
        census.alive += state != SCORE_FREE;
        census.idle += state == SCORE_IDLE || state == SCORE_STARTING;
    }
    return census;
}

static int queued(const struct prefork_mode *m)
{
    int sum = 0;
    const struct listen_set *listeners = &m->server->listeners;
    for (size_t i = 0; m->is_listening && i < listeners->count; i++)
        if (!m->is_draining || !listeners->items[i].is_inherited)
            sum += listen_queue_len(listeners->items[i].fd);
    return sum;
}

/* Start up to `want` children, as back-off and room allow. */
static void spawn_some(struct prefork_mode *m, unsigned want)
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

static void keep_spares(struct prefork_mode *m, struct census census)
{
    const struct config *cfg = m->server->cfg;
    int64_t now_ns = clock_now_ns();
    if (census.idle < cfg->min_spare) {
        unsigned want = (unsigned)cfg->min_spare - census.idle;
        m->burst = m->burst == 0 ? 1 : m->burst * 2;
        if (m->burst > SPAWN_BURST_MAX)
            m->burst = SPAWN_BURST_MAX;
        spawn_some(m, m->burst > want ? m->burst : want);
        return;
    }
    m->burst = 0;
    if (census.idle > cfg->max_spare && now_ns >= m->next_reduce_ns) {
        end_one_idle(m);
        m->next_reduce_ns = now_ns + SURPLUS_PERIOD_NS;
    }
}

/* To at most `count` children that have been in the state for so long: SIGUSR2. */
static void prod(struct prefork_mode *m, enum score_state state, int64_t since_ns, unsigned count)
{
    int64_t now_ns = clock_now_ns();
    for (unsigned i = 0; i < m->board->count && count > 0; i++) {
        struct score *score = &m->board->scores[i];
        if (atomic_load(&score->state) != (int)state ||
            now_ns - atomic_load_explicit(&score->since_ns, memory_order_relaxed) < since_ns)
            continue;
        kill(atomic_load(&score->pid), SIGUSR2);
        count--;
    }
}

/* So much that those who wait, when they are slow as well, are through within about one
 * header_timeout together. */
static int64_t patience_ns(const struct prefork_mode *m, unsigned waiting)
{
    int64_t most_ns = atomic_load(&m->server->app->limits)->header_timeout_ns;
    int64_t ns = most_ns / (1 + 2 * (int64_t)waiting / (m->board->count > 0 ? m->board->count : 1));
    if (ns < PATIENCE_MIN_NS)
        ns = PATIENCE_MIN_NS;
    return ns < most_ns ? ns : most_ns;
}

static void relieve_queue(struct prefork_mode *m, struct census census)
{
    int waiting = census.alive == m->board->count && census.idle == 0 ? queued(m) : 0;
    atomic_store(&m->server->app->is_crowded, waiting > 0);
    if (waiting == 0) {
        atomic_store(&m->board->patience_ns, CLOCK_NEVER);
        return;
    }
    int64_t most_ns = patience_ns(m, (unsigned)waiting);
    atomic_store(&m->board->patience_ns, most_ns);
    prod(m, SCORE_KEEPALIVE, HTTP_CROWDED_SLICE_NS, (unsigned)waiting);
    prod(m, SCORE_SERVING, most_ns, m->board->count);
}

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
    reap(m);
    struct census census = count_children(m);
    atomic_store(&m->board->idle_hint, (int64_t)census.idle);
    if (!m->is_draining) {
        keep_spares(m, census);
        relieve_queue(m, census);
        return;
    }
    prod(m, SCORE_KEEPALIVE, MODE_DRAIN_IDLE_NS, m->board->count);
    int waiting = queued(m);
    if (waiting == 0 && clock_now_ns() >= m->settled_ns)
        close_listeners(m);
    else if (waiting > 0 && census.alive == 0 && !m->is_cut)
        spawn_some(m, 1); /* the last child looked a moment too early */
}

static void signal_all(const struct prefork_mode *m, int signo)
{
    for (unsigned i = 0; i < m->board->count; i++) {
        pid_t pid = atomic_load(&m->board->scores[i].pid);
        if (pid > 0)
            kill(pid, signo);
    }
}

static void drain(struct mode_server *server)
{
    struct prefork_mode *m = server->state;
    for (size_t i = 0; i < server->listeners.count; i++)
        if (!server->listeners.items[i].is_inherited)
            listen_quiesce(server->listeners.items[i].fd);
    m->is_draining = true;
    m->settled_ns = clock_add_ns(clock_now_ns(), MODE_SETTLE_NS);
    signal_all(m, SIGTERM);
}

static void cut(struct mode_server *server)
{
    struct prefork_mode *m = server->state;
    m->is_draining = m->is_cut = true;
    close_listeners(m);
    signal_all(m, SIGKILL);
}

static void relay(struct mode_server *server, int signo)
{
    struct prefork_mode *m = server->state;
    if (signo == SIGHUP)
        atomic_store(&m->board->reloads, server->reloads);
    signal_all(m, signo);
}

static int list_workers(struct mode_server *server, struct buf *out, bool as_json)
{
    const struct prefork_mode *m = server->state;
    return scoreboard_list(m->board, out, as_json);
}

static int queue_len(struct mode_server *server)
{
    return queued(server->state);
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
    return count_children(m).alive == 0 && !m->is_listening;
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
    tick(server);
    return 0;
}

static void finish(struct mode_server *server)
{
    struct prefork_mode *m = server->state;
    if (m == NULL)
        return;
    if (m->board != NULL) {
        signal_all(m, SIGKILL); /* when start failed half-way */
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
