/* server/mode/life.c - the life of a server, the same for every mode (mode.h
 * draws it): one loop on the main thread that waits for signals, for news from
 * workers and for time to pass.
 *
 * Signals are blocked in every thread and read from a descriptor here, so no
 * handler interrupts anything. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "coro/base/err.h"
#include "coro/base/log.h"
#include "coro/inspect.h"
#include "server/metrics/metrics.h"
#include "server/mode/admin.h"
#include "server/mode/mode.h"

/* For workers to notice that they were cut; one that computes on cannot be waited for. */
#define CUT_TIMEOUT_NS (3 * NS_PER_S)

enum life_state { LIFE_RUN, LIFE_DELAY, LIFE_DRAIN, LIFE_CUT };

struct life {
    struct mode_server *server;
    enum life_state state;
    int64_t state_ends_ns; /* when the next state is due; CLOCK_NEVER in RUN */
    int signal_fd;
    int64_t watchdog_ns; /* systemd wants to hear from us in this time; 0: it does not */
    int64_t next_feed_ns;
    bool is_stuck; /* workers outlived CUT */
};

void mode_wake(struct mode_server *server)
{
    uint64_t one = 1;
    ssize_t n = write(server->wake_fd, &one, sizeof one);
    (void)n; /* full: the main thread is awake anyway */
}

void mode_fail(struct mode_server *server)
{
    __atomic_store_n(&server->has_failed, true, __ATOMIC_RELAXED);
    mode_wake(server);
}

static bool has_failed(const struct life *life)
{
    return __atomic_load_n(&life->server->has_failed, __ATOMIC_RELAXED);
}

static void enter_cut(struct life *life)
{
    listen_set_unlink(&life->server->listeners);
    life->state = LIFE_CUT;
    atomic_store(&life->server->app->is_cut, true);
    life->state_ends_ns = clock_add_ns(clock_now_ns(), CUT_TIMEOUT_NS);
    life->server->ops->cut(life->server);
}

static void enter_drain(struct life *life)
{
    life->state = LIFE_DRAIN;
    life->state_ends_ns = clock_add_ns(clock_now_ns(), life->server->cfg->drain_timeout_ns);
    atomic_store(&life->server->app->draining, true);
    listen_set_unlink(&life->server->listeners);
    life->server->ops->drain(life->server);
}

static void enter_delay(struct life *life)
{
    life->state = LIFE_DELAY;
    life->state_ends_ns = clock_add_ns(clock_now_ns(), life->server->cfg->drain_delay_ns);
    atomic_store(&life->server->app->is_leaving, true);
    if (life->server->admin != NULL)
        atomic_store(&life->server->admin->app->is_leaving, true);
    log_info("draining");
    sd_notify(0, "STOPPING=1");
}

static void stop(struct life *life, int signo)
{
    if (life->server->ended_by == 0)
        life->server->ended_by = signo;
    if (life->state == LIFE_RUN) {
        enter_delay(life);
    } else if (life->state != LIFE_CUT) {
        log_warn("told twice to stop: cutting what is in flight");
        enter_cut(life);
    }
}

static void reload(struct life *life)
{
    struct mode_server *server = life->server;
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, clock_now_ns() / NS_PER_US);
    server->hooks.reload(server->hooks.arg);
    server->reloads++;
    server->ops->relay(server, SIGHUP);
    metrics_add(METRICS_RELOADS, 1);
    sd_notify(0, "READY=1");
}

static void reopen_logs(struct mode_server *server)
{
    int rv = server->hooks.reopen_logs(server->hooks.arg);
    if (rv < 0)
        log_error("cannot open the access log again: %s; the old one goes on", err_text(rv));
    if (server->admin_pid > 0)
        kill(server->admin_pid, SIGUSR1);
    server->ops->relay(server, SIGUSR1);
}

/* ---- what it tells about itself ---- */

static struct mode_server *running; /* this process's, children's too; NULL: none */

int mode_list_workers(struct buf *out, bool as_json)
{
    if (running == NULL || running->ops->list_workers == NULL)
        return 0;
    int rv = running->ops->list_workers(running, out, as_json);
    return rv < 0 ? rv : 1;
}

/* The shape of metrics_extra_fn. */
static void export_connections(void *arg, struct metrics_report *report)
{
    struct mode_server *server = arg;
    int64_t idle = (int64_t)metrics_read(METRICS_IDLE);
    int64_t serving = (int64_t)metrics_read(METRICS_OPEN) - idle;
    bool is_draining = atomic_load(&server->app->draining); /* listeners come and go */
    metrics_head(report, METRICS_IS_GAUGE, "connections", "Connections by state.");
    metrics_line(report, "domaind_connections{state=\"queued\"} %d\n",
                 is_draining ? 0 : server->ops->queue_len(server));
    metrics_line(report, "domaind_connections{state=\"serving\"} %" PRId64 "\n",
                 serving > 0 ? serving : 0); /* two sums, taken one after the other */
    metrics_line(report, "domaind_connections{state=\"idle\"} %" PRId64 "\n", idle);
}

static void introduce(struct mode_server *server)
{
    running = server;
    metrics_extend(export_connections, server);
}

static void forget(void)
{
    metrics_unextend(export_connections);
    running = NULL;
}

/* ---- events ---- */

unsigned mode_oldest_reload(struct mode_server *server)
{
    return server->ops->oldest_reload != NULL ? server->ops->oldest_reload(server)
                                              : server->reloads;
}

static void take_signals(struct life *life)
{
    struct signalfd_siginfo info;
    while (read(life->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        switch (info.ssi_signo) {
        case SIGHUP:
            reload(life);
            break;
        case SIGUSR1:
            reopen_logs(life->server);
            break;
        case SIGTERM:
        case SIGINT:
            stop(life, (int)info.ssi_signo);
            break;
        case SIGQUIT:
            if (co_dump_request() == 0)
                log_info("QUIT reports tasks, and this mode has none; TERM stops");
            break;
        default:
            break; /* SIGCHLD: the tick that follows reaps */
        }
    }
}

static void take_time(struct life *life)
{
    if (clock_now_ns() < life->state_ends_ns)
        return;
    if (life->state == LIFE_DELAY) {
        enter_drain(life);
    } else if (life->state == LIFE_DRAIN) {
        log_warn("drain timeout: cutting what is in flight");
        enter_cut(life);
    } else if (life->state == LIFE_CUT) {
        log_error("workers do not end: leaving without them");
        life->is_stuck = true;
    }
}

/* Tell systemd that all is well, at twice the rate it wants to hear it; silence
 * when a worker hangs makes it restart us. */
static void feed_watchdog(struct life *life)
{
    int64_t now_ns = clock_now_ns();
    if (life->watchdog_ns == 0 || now_ns < life->next_feed_ns)
        return;
    if (life->server->ops->is_healthy(life->server))
        sd_notify(0, "WATCHDOG=1");
    life->next_feed_ns = now_ns + life->watchdog_ns / 2;
}

static int wait_ms(const struct life *life)
{
    int64_t span_ns = life->state_ends_ns - clock_now_ns();
    if (life->state_ends_ns == CLOCK_NEVER || span_ns > MODE_TICK_NS)
        span_ns = MODE_TICK_NS;
    return span_ns > 0 ? (int)((span_ns + NS_PER_MS - 1) / NS_PER_MS) : 0;
}

static void live(struct life *life)
{
    struct mode_server *server = life->server;
    struct pollfd fds[] = {
        {.fd = life->signal_fd, .events = POLLIN},
        {.fd = server->wake_fd, .events = POLLIN},
    };
    while (!(life->state >= LIFE_DRAIN && server->ops->is_finished(server)) && !life->is_stuck) {
        if (poll(fds, ARRAY_LEN(fds), wait_ms(life)) > 0) {
            uint64_t count;
            ssize_t n = read(server->wake_fd, &count, sizeof count);
            (void)n; /* only to make it unreadable again */
            take_signals(life);
        }
        server->ops->tick(server);
        admin_tick(server);
        if (server->on_tick != NULL)
            server->on_tick();
        take_time(life);
        feed_watchdog(life);
        if (has_failed(life) && life->state != LIFE_CUT) {
            log_error("a worker was lost: ending, to be started again");
            enter_cut(life);
        }
    }
}

static void fill_signals(sigset_t *set, bool stops_too)
{
    static const int taken[] = {SIGHUP, SIGUSR1, SIGQUIT, SIGTERM, SIGINT, SIGCHLD};
    enum { FIRST_STOP = 3 };
    sigemptyset(set);
    for (size_t i = 0; i < (stops_too ? ARRAY_LEN(taken) : FIRST_STOP); i++)
        sigaddset(set, taken[i]);
}

void mode_hold_signals(bool stops_too)
{
    sigset_t set;
    fill_signals(&set, stops_too);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

/* They stay blocked to the end: a second TERM that comes while we leave changes nothing. */
static int open_signals(void)
{
    sigset_t set;
    fill_signals(&set, true);
    /* a peer that went away is -EPIPE, not the end of the process */
    signal(SIGPIPE, SIG_IGN);
    /* a starter that ignored it hands that down, and nobody would hear of a dead child */
    signal(SIGCHLD, SIG_DFL);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static void announce(const struct mode_server *server)
{
    for (size_t i = 0; i < server->listeners.count; i++)
        log_info("listening on %s", server->listeners.items[i].text);
    for (size_t i = 0; server->admin != NULL && i < server->admin->listeners.count; i++)
        log_info("for administrators: listening on %s", server->admin->listeners.items[i].text);
    sd_notifyf(0, "READY=1\nMAINPID=%d\nSTATUS=mode %s", (int)getpid(), server->ops->name);
    log_info("ready (mode %s, pid %d)", server->ops->name, (int)getpid());
}

int mode_run(struct mode_server *server)
{
    struct life life = {.server = server, .state_ends_ns = CLOCK_NEVER};
    int rv = life.signal_fd = open_signals();
    if (rv < 0)
        return rv;
    rv = server->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (rv < 0) {
        rv = -errno;
        goto out_signals;
    }
    introduce(server); /* before workers are forked, who tell too */
    rv = server->ops->start(server);
    /* a process for administrators is forked last: it has to know what start has made */
    if (rv == 0)
        rv = admin_start(server);
    if (rv < 0) {
        log_error("cannot start: %s", err_text(rv));
        goto out;
    }
    uint64_t watchdog_us = 0;
    if (sd_watchdog_enabled(0, &watchdog_us) > 0)
        life.watchdog_ns = (int64_t)watchdog_us * NS_PER_US;
    announce(server);
    live(&life);
    if (has_failed(&life) || life.is_stuck)
        rv = -ESRCH;
out:
    admin_stop(server);
    forget();
    if (!life.is_stuck) /* they still use what finish frees */
        server->ops->finish(server);
    close(server->wake_fd);
out_signals:
    close(life.signal_fd);
    return rv;
}
