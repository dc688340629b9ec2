/* server/mode/prefork_child.c - a child of prefork mode: one connection at a time.
 *
 * It waits with an epoll set of its own (EPOLLEXCLUSIVE: one child wakes for one
 * connection) and writes what it does into its line of the scoreboard.
 *
 *   TERM  leave: empty the queue, one connection after the other, then end
 *   USR2  others wait: end the connection if it is idle, or its slow client's wait
 *   HUP   load the configuration again; USR1: open the logs again */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "coro/base/cpu_share.h"
#include "coro/base/err.h"
#include "coro/base/log.h"
#include "coro/prof/prof.h"
#include "coro/prof/worker.h"
#include "server/io/access_log.h"
#include "server/metrics/metrics.h"
#include "server/mode/blocking.h"
#include "server/mode/prefork.h"

/* The kernel tells a child when its master dies.  One that has nothing to do looks itself
 * once in a while: nobody would ever end a child that was not told. */
#define ORPHAN_LOOK_MS 10000

/* What the signal handlers of a child reach. */
static struct child {
    struct prefork_mode *mode;
    struct score *score;
    struct blocking connection;
    pid_t master;
    size_t next_listener; /* each has its turn, however long the others' queues */
    int wake_fd; /* eventfd in its epoll set: signals that it is to obey make it readable */
    atomic_bool is_leaving;
    atomic_bool wants_reload;
    atomic_bool wants_logs;
    atomic_bool is_cut; /* never set: a child that is cut is killed */
} child;

/* Also a wait for a connection that is just about to begin. */
static void wake(void)
{
    int saved = errno;
    uint64_t one = 1;
    ssize_t n = write(child.wake_fd, &one, sizeof one);
    (void)n;
    errno = saved;
}

static void on_yield(int signo)
{
    (void)signo;
    int saved = errno;
    /* the connection may be another one than the master saw */
    if (atomic_load(&child.mode->server->app->draining))
        blocking_yield(&child.connection, MODE_DRAIN_IDLE_NS, HTTP_CLOSE_DRAIN);
    else
        blocking_yield(&child.connection, HTTP_CROWDED_SLICE_NS, HTTP_CLOSE_YIELDED);
    blocking_hurry(&child.connection, atomic_load(&child.mode->board->patience_ns));
    errno = saved;
}

/* Without a master nobody says USR2 any more: it says so itself, each second. */
static void on_alarm(int signo)
{
    on_yield(signo);
    alarm(1);
}

/* A child whose master was killed must not hold the listeners, which a next server may
 * want, for as long as its client likes: all of them drain. */
static void on_term(int signo)
{
    int saved = errno;
    atomic_store(&child.is_leaving, true);
    if (getppid() != child.master) {
        atomic_store(&child.mode->server->app->draining, true);
        on_alarm(signo);
    }
    wake();
    errno = saved;
}

static void on_hup(int signo)
{
    (void)signo;
    atomic_store(&child.wants_reload, true);
    wake();
}

static void on_usr1(int signo)
{
    (void)signo;
    atomic_store(&child.wants_logs, true);
    wake();
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
    bool has_asked = atomic_load_explicit(&b->has_asked, memory_order_relaxed);
    set_state(bytes != NULL ? SCORE_SERVING : has_asked ? SCORE_KEEPALIVE : SCORE_NEW);
    obey_signals(); /* also before a request, which may have been waited for long */
    if (bytes != NULL)
        score_note_request(child.score, bytes, len);
    else
        atomic_fetch_add_explicit(&child.score->turns, 1, memory_order_relaxed);
}

/* A connection, -EAGAIN when none is queued, or -errno. */
static int accept_any(const struct listen_set *listeners, bool is_leaving)
{
    int rv = -EAGAIN;
    for (size_t k = 0; k < listeners->count; k++) {
        size_t i = (child.next_listener + k) % listeners->count;
        if (is_leaving && listeners->items[i].is_inherited)
            continue; /* it lives on: its next owner takes what is queued */
        int fd = accept4(listeners->items[i].fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) {
            child.next_listener = i + 1;
            return fd;
        }
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
        int events = epoll_wait(epoll_fd, &event, 1, ORPHAN_LOOK_MS);
        prof_wait_end();
        if (events == 0 && getppid() != child.master)
            return -ESHUTDOWN;
        uint64_t count;
        ssize_t n = read(child.wake_fd, &count, sizeof count);
        (void)n; /* only to make it unreadable again */
        obey_signals();
    }
}

static int open_epoll(const struct listen_set *listeners)
{
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};
    if (epoll_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, child.wake_fd, &event) < 0)
        return -errno;
    event.events = EPOLLIN | EPOLLEXCLUSIVE;
    for (size_t i = 0; i < listeners->count; i++)
        if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listeners->items[i].fd, &event) < 0)
            return -errno;
    return epoll_fd;
}

static void tell_if_few(struct scoreboard *board, int64_t min_spare)
{
    int64_t idle = atomic_fetch_sub(&board->idle_hint, 1);
    int64_t quiet_until_ns = atomic_load_explicit(&board->quiet_until_ns, memory_order_relaxed);
    if (idle <= min_spare && (quiet_until_ns == 0 || clock_now_ns() >= quiet_until_ns))
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
        {SIGTERM, on_term},  {SIGUSR2, on_yield}, {SIGINT, SIG_IGN}, /* Ctrl-C reaches the whole
                                                                        group: the master decides */
        {SIGQUIT, SIG_IGN},  {SIGHUP, on_hup},    {SIGUSR1, on_usr1}, {SIGCHLD, SIG_DFL},
        {SIGALRM, on_alarm},
    };
    for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
        struct sigaction action = {.sa_handler = signals[i].handler, .sa_flags = SA_RESTART};
        sigaction(signals[i].signo, &action, NULL);
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

NORETURN void prefork_child_main(struct prefork_mode *m, unsigned index, pid_t master)
{
    child.mode = m;
    child.master = master;
    child.score = &m->board->scores[index];
    child.wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    atomic_store(&child.is_leaving, m->is_draining); /* one that only empties the queue */
    blocking_init(&child.connection, on_idle);
    cpu_share_give_back(m->ahead);
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
    int rv = child.wake_fd < 0 ? -errno : serve_connections(m->server);
    set_state(SCORE_ENDING);
    prof_worker_close();
    access_log_flush();
    if (rv < 0)
        log_error("a child cannot serve: %s", err_text(rv));
    /* not exit: what the master registered to run at its end is its own */
    _exit(rv < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}
