/* What prefork's master does about its children: how many, how soon, and for whom. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "coro/base/log.h"
#include "server/http/limits.h"
#include "server/http/overload.h"
#include "server/metrics/metrics.h"
#include "server/mode/prefork.h"
#include "suite.h"

#define LINES 8

static struct mode_server server;
static struct http_app *app; /* shared, as ever */
static struct config cfg;
static struct prefork_mode m;
static int slots[LINES];
static const size_t board_bytes = sizeof(struct scoreboard) + LINES * sizeof(struct score);

static void *shared(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert(at != MAP_FAILED);
    return at;
}

/* A master without children; those it starts have no listener and so are idle. */
static void set_up(void)
{
    static struct http_limits limits;
    log_init("test", LOG_ERROR);
    mode_hold_signals(true); /* as a master does: children take them when they are ready */
    ck_assert_int_eq(cfg_init(&cfg), 0);
    ck_assert_int_eq(metrics_init(LINES + 1), 0);
    cfg.min_spare = 2;
    cfg.max_spare = 4;
    limits = http_limits_default;
    limits.header_timeout_ns = 10 * NS_PER_S;
    app = shared(sizeof *app);
    atomic_store(&app->limits, &limits);
    server = (struct mode_server){.app = app, .cfg = &cfg};
    server.wake_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    m = (struct prefork_mode){.server = &server, .slots = slots, .is_listening = true};
    m.board = shared(board_bytes);
    m.board->count = LINES;
}

static void tear_down(void)
{
    prefork_signal_all(&m, SIGKILL);
    m.is_cut = true; /* that was us */
    for (int tries = 0; prefork_census(&m).alive > 0; tries++) {
        ck_assert_int_lt(tries, 5000);
        usleep(2000);
        prefork_reap(&m);
    }
    listen_set_fini(&server.listeners);
    close(server.wake_fd);
    munmap(m.board, board_bytes);
    munmap(app, sizeof *app);
    metrics_fini();
    cfg_fini(&cfg);
}

static void wait_for_state(unsigned i, enum score_state state)
{
    for (int tries = 0; atomic_load(&m.board->scores[i].state) != (int)state; tries++) {
        ck_assert_int_lt(tries, 5000);
        usleep(2000);
        prefork_reap(&m);
    }
}

static unsigned count(enum score_state state)
{
    unsigned n = 0;
    for (unsigned i = 0; i < LINES; i++)
        n += atomic_load(&m.board->scores[i].state) == (int)state;
    return n;
}

START_TEST(as_many_as_are_to_be_idle)
{
    set_up();
    prefork_keep_spares(&m, prefork_census(&m));
    struct census census = prefork_census(&m);
    ck_assert_uint_eq(census.alive, 2);
    ck_assert_uint_eq(census.idle, 2); /* or about to be */
    prefork_keep_spares(&m, census);
    ck_assert_uint_eq(prefork_census(&m).alive, 2);
    wait_for_state(0, SCORE_IDLE);
    wait_for_state(1, SCORE_IDLE);
    tear_down();
}
END_TEST

START_TEST(more_at_a_time_while_that_is_not_enough)
{
    static const unsigned alive[] = {1, 3, 7, 8, 8};
    set_up();
    for (size_t i = 0; i < ARRAY_LEN(alive); i++) {
        /* as if those there were taken at once */
        prefork_keep_spares(&m, (struct census){.idle = 1});
        ck_assert_uint_eq(prefork_census(&m).alive, alive[i]);
    }
    /* enough for once: it begins anew */
    prefork_keep_spares(&m, (struct census){.idle = 3});
    kill(atomic_load(&m.board->scores[0].pid), SIGTERM);
    kill(atomic_load(&m.board->scores[1].pid), SIGTERM);
    wait_for_state(0, SCORE_FREE);
    wait_for_state(1, SCORE_FREE);
    prefork_keep_spares(&m, (struct census){.idle = 1});
    ck_assert_uint_eq(prefork_census(&m).alive, 7);
    tear_down();
}
END_TEST

START_TEST(with_all_children_there_is_less_to_be_told)
{
    const struct census nearly = {.alive = LINES - 1, .idle = 3}, all = {.alive = LINES, .idle = 3};
    set_up();
    prefork_keep_spares(&m, all);
    ck_assert_int_gt(atomic_load(&m.board->quiet_until_ns), clock_now_ns() - NS_PER_S);
    prefork_keep_spares(&m, nearly);
    ck_assert_int_eq(atomic_load(&m.board->quiet_until_ns), 0);
    tear_down();
}
END_TEST

START_TEST(one_a_second_leaves_when_too_many_are_idle)
{
    set_up();
    prefork_start_some(&m, 6);
    for (unsigned i = 0; i < 6; i++)
        wait_for_state(i, SCORE_IDLE);
    int64_t began_ns = clock_now_ns();
    prefork_keep_spares(&m, prefork_census(&m));
    wait_for_state(5, SCORE_FREE); /* the youngest */
    prefork_keep_spares(&m, prefork_census(&m));
    if (clock_now_ns() - began_ns < NS_PER_S)
        ck_assert_uint_eq(count(SCORE_IDLE), 5);
    m.next_reduce_ns = 0; /* a second later */
    prefork_keep_spares(&m, prefork_census(&m));
    wait_for_state(4, SCORE_FREE);
    m.next_reduce_ns = 0;
    prefork_keep_spares(&m, prefork_census(&m)); /* four may be */
    ck_assert_uint_eq(count(SCORE_IDLE), 4);
    ck_assert_uint_eq(metrics_read(METRICS_WORKERS_DIED), 0); /* they were asked to */
    tear_down();
}
END_TEST

START_TEST(young_deaths_put_starts_off)
{
    set_up();
    prefork_start_some(&m, 3);
    /* all of them young, on however slow a machine */
    for (unsigned i = 0; i < 3; i++)
        m.board->scores[i].started_ns = clock_now_ns() + 60 * NS_PER_S;
    kill(atomic_load(&m.board->scores[0].pid), SIGKILL);
    kill(atomic_load(&m.board->scores[1].pid), SIGKILL);
    int64_t before_ns = clock_now_ns();
    wait_for_state(0, SCORE_FREE);
    wait_for_state(1, SCORE_FREE);
    ck_assert_uint_eq(metrics_read(METRICS_WORKERS_DIED), 2);
    ck_assert_int_eq(m.backoff_ns, 200 * NS_PER_MS); /* once for both */
    ck_assert_int_ge(m.next_spawn_ns, before_ns + m.backoff_ns);
    m.next_spawn_ns = clock_now_ns() + 60 * NS_PER_S;
    prefork_start_some(&m, 1);
    ck_assert_uint_eq(prefork_census(&m).alive, 1);
    m.next_spawn_ns = 0; /* the time has passed */
    kill(atomic_load(&m.board->scores[2].pid), SIGKILL);
    wait_for_state(2, SCORE_FREE);
    ck_assert_int_eq(m.backoff_ns, 400 * NS_PER_MS);
    m.next_spawn_ns = 0;
    prefork_start_some(&m, 1);
    m.board->scores[0].started_ns = clock_now_ns() - 60 * NS_PER_S;
    kill(atomic_load(&m.board->scores[0].pid), SIGKILL);
    wait_for_state(0, SCORE_FREE);
    ck_assert_int_eq(m.backoff_ns, 0); /* one that had lived */
    tear_down();
}
END_TEST

START_TEST(what_a_dead_child_had_in_work_is_given_back)
{
    set_up();
    prefork_start_some(&m, 1);
    wait_for_state(0, SCORE_IDLE);
    struct http_places places;
    int free_places;
    ck_assert_int_eq(http_places_init(&places, 0), 0);
    atomic_store(&places.waiting, 2);
    app->places = &places;
    atomic_store(&app->in_flight, 5);
    metrics_enter(slots[0]); /* as the child would */
    metrics_add(METRICS_IN_FLIGHT, 2);
    metrics_add(METRICS_RUNNING, 1);
    metrics_add(METRICS_WAITING, 1);
    metrics_self = NULL;
    kill(atomic_load(&m.board->scores[0].pid), SIGKILL);
    wait_for_state(0, SCORE_FREE);
    ck_assert_int_eq(atomic_load(&app->in_flight), 3);
    ck_assert_int_eq((int64_t)metrics_read(METRICS_IN_FLIGHT), 0);
    ck_assert_int_eq(sem_getvalue(&places.free, &free_places), 0);
    ck_assert_int_eq(free_places, 1);
    ck_assert_int_eq(atomic_load(&places.waiting), 1);
    app->places = NULL;
    http_places_fini(&places);
    tear_down();
}
END_TEST

/* ---- signals to those that hold on ---- */

static void dummy(unsigned i, enum score_state state, int64_t age_ns)
{
    sigset_t usr2, none;
    sigemptyset(&none);
    sigemptyset(&usr2);
    sigaddset(&usr2, SIGUSR2);
    sigprocmask(SIG_BLOCK, &usr2, NULL);
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGUSR2, SIG_DFL);
        signal(SIGTERM, SIG_DFL); /* the runner's would end the test with it */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        sigprocmask(SIG_SETMASK, &none, NULL);
        for (;;)
            pause();
    }
    sigprocmask(SIG_UNBLOCK, &usr2, NULL);
    ck_assert_int_gt(pid, 0);
    atomic_store(&m.board->scores[i].pid, pid);
    atomic_store(&m.board->scores[i].state, (int)state);
    atomic_store(&m.board->scores[i].since_ns, clock_now_ns() - age_ns);
}

/* Was it told?  Ends it. */
static bool was_prodded(unsigned i)
{
    int status;
    pid_t pid = atomic_exchange(&m.board->scores[i].pid, 0);
    kill(pid, SIGTERM); /* pending signals come lowest first: USR2 is 12, TERM 15 */
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status));
    atomic_store(&m.board->scores[i].state, SCORE_FREE);
    return WTERMSIG(status) == SIGUSR2;
}

START_TEST(those_that_are_in_a_state_for_long_are_told)
{
    set_up();
    dummy(0, SCORE_SERVING, 100 * NS_PER_S);
    dummy(1, SCORE_KEEPALIVE, 0);
    dummy(2, SCORE_KEEPALIVE, 100 * NS_PER_S);
    dummy(3, SCORE_IDLE, 100 * NS_PER_S);
    dummy(4, SCORE_KEEPALIVE, 100 * NS_PER_S);
    dummy(5, SCORE_KEEPALIVE, 100 * NS_PER_S);
    ck_assert_uint_eq(prefork_prod(&m, SCORE_KEEPALIVE, 50 * NS_PER_S, 2), 2);
    for (unsigned i = 0; i < 6; i++)
        ck_assert_int_eq(was_prodded(i), i == 2 || i == 4);
    tear_down();
}
END_TEST

/* Who has just connected is about to ask: told of it, its child could do nothing. */
START_TEST(those_that_never_asked_are_told_later_but_first)
{
    set_up();
    dummy(0, SCORE_KEEPALIVE, 100 * NS_PER_MS);
    dummy(1, SCORE_NEW, 100 * NS_PER_MS);
    dummy(2, SCORE_NEW, 2 * NS_PER_S);
    dummy(3, SCORE_KEEPALIVE, 100 * NS_PER_MS);
    prefork_prod_idle(&m, 50 * NS_PER_MS, 2);
    for (unsigned i = 0; i < 4; i++)
        ck_assert_int_eq(was_prodded(i), i == 0 || i == 2);
    tear_down();
}
END_TEST

/* ---- connections that wait ---- */

static int clients[16];

/* A listener with so many in its queue. */
static void queue(size_t n)
{
    char error[LISTEN_ERROR_BYTES];
    ck_assert_int_eq(listen_set_open(&server.listeners, "127.0.0.1:0", 16, error), 0);
    const struct listener *l = &server.listeners.items[0];
    for (size_t i = 0; i < n; i++) {
        clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ck_assert_int_eq(connect(clients[i], (const struct sockaddr *)&l->addr, l->len), 0);
    }
    for (int tries = 0; listen_queue_len(l->fd) < (int)n; tries++) {
        ck_assert_int_lt(tries, 5000);
        usleep(2000);
    }
}

static const struct {
    struct census census;
    size_t queued;
    int64_t patience_ns;
} crowds[] = {
    {{LINES, 0}, 0, CLOCK_NEVER},        {{LINES, 4}, 4, CLOCK_NEVER},
    {{LINES - 1, 0}, 4, CLOCK_NEVER}, /* more can be started */
    {{LINES, 3}, 4, 10 * NS_PER_S},   /* they are about to take three */
    {{LINES, 0}, 1, 10 * NS_PER_S},      {{LINES, 0}, 4, 10 * NS_PER_S / 3},
    {{LINES, 0}, 16, 10 * NS_PER_S / 9},
};

START_TEST(while_connections_wait_children_are_started_beside_the_spare_ones)
{
    const struct census some = {.alive = LINES - 1, .idle = 2}, all = {.alive = LINES, .idle = 2};
    set_up();
    prefork_keep_spares(&m, some);
    ck_assert_uint_eq(prefork_census(&m).alive, 0);
    queue(5);
    m.next_spawn_ns = clock_now_ns() + 60 * NS_PER_S; /* none that would take one of them */
    prefork_keep_spares(&m, some);
    prefork_keep_spares(&m, some);
    ck_assert_uint_eq(m.burst, 2);
    m.next_spawn_ns = 0;
    prefork_keep_spares(&m, all); /* no more can be */
    ck_assert_uint_eq(prefork_census(&m).alive, 0);
    prefork_keep_spares(&m, some);
    ck_assert_uint_eq(prefork_census(&m).alive, 1);
    for (size_t i = 0; i < 5; i++)
        close(clients[i]);
    tear_down();
}
END_TEST

START_TEST(patience_shrinks_with_the_queue)
{
    set_up();
    queue(crowds[_i].queued);
    dummy(0, SCORE_KEEPALIVE, NS_PER_S);
    dummy(1, SCORE_SERVING, 6 * NS_PER_S);
    prefork_relieve_queue(&m, crowds[_i].census);
    bool is_crowded = crowds[_i].patience_ns != CLOCK_NEVER;
    ck_assert_int_eq(atomic_load(&app->is_crowded), is_crowded);
    ck_assert_int_eq(atomic_load(&m.board->patience_ns), crowds[_i].patience_ns);
    ck_assert_int_eq(was_prodded(0), is_crowded);
    ck_assert_int_eq(was_prodded(1), crowds[_i].patience_ns <= 5 * NS_PER_S);
    for (size_t i = 0; i < crowds[_i].queued; i++)
        close(clients[i]);
    tear_down();
}
END_TEST

START_TEST(what_waits_for_the_next_owner_does_not_wait_for_us)
{
    set_up();
    queue(3);
    ck_assert_int_eq(prefork_queued(&m), 3);
    server.listeners.items[0].is_inherited = true;
    ck_assert_int_eq(prefork_queued(&m), 3);
    m.is_draining = true;
    ck_assert_int_eq(prefork_queued(&m), 0);
    server.listeners.items[0].is_inherited = false;
    ck_assert_int_eq(prefork_queued(&m), 3);
    m.is_listening = false;
    ck_assert_int_eq(prefork_queued(&m), 0);
    for (size_t i = 0; i < 3; i++)
        close(clients[i]);
    tear_down();
}
END_TEST

SUITE_MAIN("prefork_upkeep", SUITE_TEST(as_many_as_are_to_be_idle),
           SUITE_TEST(more_at_a_time_while_that_is_not_enough),
           SUITE_TEST(with_all_children_there_is_less_to_be_told),
           SUITE_TEST(one_a_second_leaves_when_too_many_are_idle),
           SUITE_TEST(young_deaths_put_starts_off),
           SUITE_TEST(what_a_dead_child_had_in_work_is_given_back),
           SUITE_TEST(those_that_are_in_a_state_for_long_are_told),
           SUITE_TEST(those_that_never_asked_are_told_later_but_first),
           SUITE_TEST(while_connections_wait_children_are_started_beside_the_spare_ones),
           SUITE_LOOP(patience_shrinks_with_the_queue, crowds),
           SUITE_TEST(what_waits_for_the_next_owner_does_not_wait_for_us))
