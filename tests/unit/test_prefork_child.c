/* A prefork child alone: when it leaves, what it takes with it, which signals it obeys. */
#include <sys/eventfd.h>

#include "mode_server.h"
#include "server/mode/prefork.h"
#include "suite.h"

static char answer[SERVED_ANSWER];

/* What the child and its master share. */
static struct {
    atomic_int reloads, reopens;
} * told;
static struct prefork_mode m;
static struct mode_server server;
static struct config cfg;
static struct served at; /* pid: the child's */
static int slots[1];

static void *shared(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert(memory != MAP_FAILED);
    return memory;
}

static void reload_child(void *arg)
{
    (void)arg;
    atomic_fetch_add(&told->reloads, 1);
}

static int reopen_logs(void *arg)
{
    (void)arg;
    atomic_fetch_add(&told->reopens, 1);
    return 0;
}

static void set_up(void)
{
    char error[LISTEN_ERROR_BYTES];
    log_init("test", LOG_ERROR);
    mode_hold_signals(true); /* as a master does */
    ck_assert_int_eq(metrics_init(4), 0);
    ck_assert_int_eq(cfg_init(&cfg), 0);
    told = shared(sizeof *told);
    struct http_app *app = shared(sizeof *app);
    app->routes = served_routes;
    app->route_count = ARRAY_LEN(served_routes);
    atomic_store(&app->limits, &http_limits_default);
    server = (struct mode_server){
        .app = app, .cfg = &cfg, .hooks = {NULL, served_nothing, reload_child, reopen_logs}};
    server.wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    ck_assert_int_eq(listen_set_open(&server.listeners, "127.0.0.1:0", 16, error), 0);
    const struct sockaddr_in *addr = (const struct sockaddr_in *)&server.listeners.items[0].addr;
    at.port = ntohs(addr->sin_port);
    m = (struct prefork_mode){.server = &server, .slots = slots, .is_listening = true};
    m.board = shared(sizeof *m.board + sizeof m.board->scores[0]);
    m.board->count = 1;
    atomic_store(&m.board->patience_ns, CLOCK_NEVER);
    slots[0] = metrics_lease();
}

static void start_of(pid_t master)
{
    at.pid = fork();
    ck_assert_int_ge(at.pid, 0);
    if (at.pid == 0)
        prefork_child_main(&m, 0, master);
}

static void start(void)
{
    start_of(getpid());
}

/* It ends by itself, and well. */
static void wait_for_end(void)
{
    int status;
    ck_assert_int_eq(waitpid(at.pid, &status, 0), at.pid);
    ck_assert_int_eq(status, 0);
}

static void tear_down(void)
{
    listen_set_fini(&server.listeners);
    close(server.wake_fd);
    munmap(m.board, sizeof *m.board + sizeof m.board->scores[0]);
    munmap(server.app, sizeof *server.app);
    munmap(told, sizeof *told);
    metrics_fini();
    cfg_fini(&cfg);
}

static struct score *score(void)
{
    return &m.board->scores[0];
}

static void wait_for_state(enum score_state state)
{
    for (int tries = 0; atomic_load(&score()->state) != (int)state; tries++) {
        ck_assert_int_lt(tries, 10000);
        usleep(2000);
    }
}

START_TEST(an_idle_child_leaves_when_told)
{
    set_up();
    start();
    wait_for_state(SCORE_IDLE);
    ck_assert_int_eq(atomic_load(&score()->pid), at.pid);
    kill(at.pid, SIGTERM);
    wait_for_end();
    ck_assert_int_eq(atomic_load(&score()->state), SCORE_ENDING);
    tear_down();
}
END_TEST

START_TEST(a_busy_child_leaves_behind_its_connection)
{
    set_up();
    start();
    int fd = served_connect(&at);
    wait_for_state(SCORE_NEW);
    ck_assert_int_eq(served_ask(fd, answer), 200);
    wait_for_state(SCORE_KEEPALIVE);
    kill(at.pid, SIGTERM);
    ck_assert_int_eq(served_ask(fd, answer), 200); /* while the mode does not drain */
    ck_assert_str_eq(score()->request, "GET /pid HTTP/1.1");
    close(fd);
    wait_for_end();
    ck_assert_uint_eq(atomic_load(&score()->connections), 1);
    tear_down();
}
END_TEST

START_TEST(a_child_without_its_master_does_not_begin)
{
    set_up();
    start_of(1); /* init is not our parent here */
    wait_for_end();
    ck_assert_int_eq(atomic_load(&score()->pid), 0);
    tear_down();
}
END_TEST

START_TEST(enough_connections_are_enough)
{
    set_up();
    cfg.child_connections = 2;
    start();
    for (int i = 0; i < 2; i++) {
        int fd = served_connect(&at);
        ck_assert_int_eq(served_ask(fd, answer), 200);
        close(fd);
    }
    wait_for_end();
    ck_assert_uint_eq(atomic_load(&score()->connections), 2);
    tear_down();
}
END_TEST

/* How often the master was woken since it was asked last. */
static uint64_t wakes(void)
{
    uint64_t count = 0;
    return read(server.wake_fd, &count, sizeof count) < 0 ? 0 : count;
}

static void ask_once(void)
{
    int fd = served_connect(&at);
    ck_assert_int_eq(served_ask(fd, answer), 200);
    close(fd);
    wait_for_state(SCORE_IDLE);
}

START_TEST(the_master_is_told_when_few_are_idle)
{
    set_up();
    cfg.min_spare = 5;
    start();
    wait_for_state(SCORE_IDLE);
    ask_once();
    ck_assert_uint_eq(wakes(), 1);
    atomic_store(&m.board->quiet_until_ns, clock_now_ns() + 600 * NS_PER_S);
    ask_once(); /* it knows */
    ck_assert_uint_eq(wakes(), 0);
    atomic_store(&m.board->quiet_until_ns, clock_now_ns());
    ask_once();
    ck_assert_uint_eq(wakes(), 1);
    atomic_store(&m.board->idle_hint, 7);
    ask_once();
    ck_assert_uint_eq(wakes(), 0);
    kill(at.pid, SIGTERM);
    wait_for_end();
    tear_down();
}
END_TEST

START_TEST(one_that_starts_while_it_drains_empties_the_queue_alone)
{
    int fds[3];
    set_up();
    m.is_draining = true;
    atomic_store(&server.app->draining, true);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        fds[i] = served_connect(&at);
        served_send(fds[i], "/pid");
    }
    start();
    wait_for_end();
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        ck_assert_int_eq(served_receive(fds[i], answer), 200);
        ck_assert_ptr_nonnull(strstr(answer, "\r\nConnection: close\r\n"));
        close(fds[i]);
    }
    tear_down();
}
END_TEST

START_TEST(what_is_queued_for_the_next_owner_stays)
{
    set_up();
    server.listeners.items[0].is_inherited = true;
    m.is_draining = true;
    int fd = served_connect(&at);
    served_send(fd, "/pid");
    start();
    wait_for_end();
    ck_assert_int_eq(listen_queue_len(server.listeners.items[0].fd), 1);
    ck_assert(served_is_quiet(fd, 0));
    close(fd);
    tear_down();
}
END_TEST

static void wait_for(atomic_int *counter, int value)
{
    for (int tries = 0; atomic_load(counter) != value; tries++) {
        ck_assert_int_lt(tries, 10000);
        usleep(2000);
    }
}

START_TEST(reloads_and_logs_before_the_next_request)
{
    set_up();
    start();
    int fd = served_connect(&at);
    ck_assert_int_eq(served_ask(fd, answer), 200);
    wait_for_state(SCORE_KEEPALIVE);
    atomic_store(&m.board->reloads, 7);
    kill(at.pid, SIGHUP);
    kill(at.pid, SIGUSR1);
    ck_assert_int_eq(served_ask(fd, answer), 200);
    ck_assert_int_eq(atomic_load(&told->reloads), 1);
    ck_assert_int_eq(atomic_load(&told->reopens), 1);
    ck_assert_uint_eq(atomic_load(&score()->reload), 7);
    close(fd);
    kill(at.pid, SIGTERM);
    wait_for_end();
    tear_down();
}
END_TEST

/* Above all when it is just about to wait. */
START_TEST(signals_are_obeyed_where_it_waits_for_a_connection)
{
    set_up();
    start();
    for (int i = 1; i <= 300; i++) {
        int fd = served_connect(&at);
        ck_assert_int_eq(served_ask(fd, answer), 200);
        close(fd);
        int64_t until_ns = clock_now_ns() + 20 * NS_PER_S;
        while (atomic_load(&score()->state) != SCORE_IDLE)
            ck_assert_int_lt(clock_now_ns(), until_ns);
        kill(at.pid, SIGHUP);
        kill(at.pid, SIGUSR1);
        wait_for(&told->reloads, i);
        wait_for(&told->reopens, i);
    }
    kill(at.pid, SIGTERM);
    wait_for_end();
    tear_down();
}
END_TEST

/* USR2 again and again, as the master does, until the connection ends. */
START_TEST(an_idle_connection_ends_for_those_that_wait)
{
    set_up();
    start();
    int fd = served_connect(&at);
    ck_assert_int_eq(served_ask(fd, answer), 200);
    for (int tries = 0; served_is_quiet(fd, 2); tries++) {
        ck_assert_int_lt(tries, 10000);
        kill(at.pid, SIGUSR2);
    }
    ck_assert_int_eq(served_receive(fd, answer), 0);
    close(fd);
    wait_for_state(SCORE_IDLE);
    kill(at.pid, SIGTERM);
    wait_for_end();
    tear_down();
}
END_TEST

START_TEST(a_drain_leaves_a_connection_its_time)
{
    set_up();
    start();
    int fd = served_connect(&at);
    int64_t asked_ns = clock_now_ns(); /* idle from a moment after that on */
    ck_assert_int_eq(served_ask(fd, answer), 200);
    wait_for_state(SCORE_KEEPALIVE);
    atomic_store(&server.app->draining, true);
    while (served_is_quiet(fd, 2))
        kill(at.pid, SIGUSR2);
    ck_assert_int_ge(clock_now_ns() - asked_ns, MODE_DRAIN_IDLE_NS);
    ck_assert_int_eq(served_receive(fd, answer), 0);
    close(fd);
    kill(at.pid, SIGTERM);
    wait_for_end();
    tear_down();
}
END_TEST

SUITE_MAIN("prefork_child", SUITE_TEST(an_idle_child_leaves_when_told),
           SUITE_TEST(a_busy_child_leaves_behind_its_connection),
           SUITE_TEST(a_child_without_its_master_does_not_begin),
           SUITE_TEST(enough_connections_are_enough),
           SUITE_TEST(the_master_is_told_when_few_are_idle),
           SUITE_TEST(one_that_starts_while_it_drains_empties_the_queue_alone),
           SUITE_TEST(what_is_queued_for_the_next_owner_stays),
           SUITE_TEST(reloads_and_logs_before_the_next_request),
           SUITE_TEST(signals_are_obeyed_where_it_waits_for_a_connection),
           SUITE_TEST(an_idle_connection_ends_for_those_that_wait),
           SUITE_TEST(a_drain_leaves_a_connection_its_time))
