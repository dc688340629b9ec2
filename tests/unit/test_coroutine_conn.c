/* The connections of a worker: served, parked, ended when a drain finds them idle. */
#include <sys/socket.h>
#include <unistd.h>

#include "coro/io.h"
#include "server/metrics/metrics.h"
#include "server/mode/coroutine.h"
#include "suite.h"
#include "test_app.h"

static struct http_app app;
static struct http_limits limits;
static struct mode_server server;
static struct coroutine_mode mode;
static struct worker worker;
static int client;

static void serve_one(void)
{
    int pair[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    client = pair[0];
    coroutine_serve(&worker, pair[1]);
}

static void with_worker(co_fn *fn)
{
    test_app_init(&app, &limits);
    server = (struct mode_server){.app = &app};
    mode = (struct coroutine_mode){.server = &server};
    worker = (struct worker){.mode = &mode};
    list_init(&worker.idle);
    ck_assert_int_eq(metrics_init(1), 0);
    ck_assert_int_eq(co_run(fn, NULL, NULL), 0);
    ck_assert_uint_eq(worker.conn_count, 0);
    ck_assert(list_is_empty(&worker.idle));
    ck_assert_int_eq((int64_t)metrics_read(METRICS_IDLE), 0);
    metrics_fini();
}

static void ask(void)
{
    static const char request[] = "GET /livez HTTP/1.1\r\nHost: h\r\n\r\n";
    ck_assert_int_eq(co_write(client, request, sizeof request - 1, co_after(20 * NS_PER_S)),
                     sizeof request - 1);
}

/* Is it answered?  false: the connection ended. */
static bool is_answered(void)
{
    char answer[1000];
    ssize_t n = co_read(client, answer, sizeof answer, co_after(20 * NS_PER_S));
    ck_assert_int_ge(n, 0);
    if (n > 0)
        ck_assert_int_eq(memcmp(answer, "HTTP/1.1 200 ", 13), 0);
    return n > 0;
}

/* Others run, until the worker has so many and all are idle. */
static void wait_for(size_t count)
{
    for (int tries = 0; worker.conn_count != count || metrics_read(METRICS_IDLE) != count;
         tries++) {
        ck_assert_int_lt(tries, 10000);
        ck_assert_int_eq(co_sleep(2 * NS_PER_MS), 0);
    }
}

static int keep_alive(void *arg)
{
    (void)arg;
    serve_one();
    for (int i = 0; i < 3; i++) {
        ask();
        ck_assert(is_answered());
        wait_for(1);
    }
    co_close(client);
    wait_for(0);
    ck_assert_int_eq(test_seen.requests, 3);
    ck_assert_int_eq(test_seen.why, HTTP_CLOSE_PEER);
    return 0;
}

START_TEST(it_is_idle_between_requests)
{
    with_worker(keep_alive);
}
END_TEST

static int never_ask(void *arg)
{
    (void)arg;
    limits.header_timeout_ns = 30 * NS_PER_MS;
    serve_one();
    ck_assert(!is_answered());
    wait_for(0);
    ck_assert_int_eq(test_seen.why, HTTP_CLOSE_HEADER_TIMEOUT);
    co_close(client);
    return 0;
}

START_TEST(one_that_never_asks_is_ended)
{
    with_worker(never_ask);
}
END_TEST

static int drain(void *arg)
{
    (void)arg;
    serve_one();
    ask();
    ck_assert(is_answered());
    wait_for(1);
    coroutine_close_idle(&worker); /* a moment ago it asked */
    ck_assert_uint_eq(worker.conn_count, 1);
    ck_assert_int_eq(co_sleep(MODE_DRAIN_IDLE_NS), 0);
    ask(); /* it is there, though nobody has seen it yet */
    coroutine_close_idle(&worker);
    ck_assert(is_answered());
    wait_for(1);
    ck_assert_int_eq(co_sleep(MODE_DRAIN_IDLE_NS), 0);
    coroutine_close_idle(&worker);
    ck_assert_uint_eq(worker.conn_count, 0);
    ck_assert(!is_answered());
    ck_assert_int_eq(test_seen.why, HTTP_CLOSE_DRAIN);
    co_close(client);
    return 0;
}

START_TEST(a_drain_ends_what_is_idle_and_nothing_else)
{
    with_worker(drain);
}
END_TEST

static int leave(void *arg)
{
    (void)arg;
    serve_one();
    ask();
    ck_assert(is_answered());
    wait_for(1);
    return 0; /* the loop ends with a parked connection */
}

START_TEST(what_is_parked_is_closed_with_the_loop)
{
    with_worker(leave);
    ck_assert_int_eq(test_seen.why, HTTP_CLOSE_CANCELLED);
    close(client);
}
END_TEST

SUITE_MAIN("coroutine_conn", SUITE_TEST(it_is_idle_between_requests),
           SUITE_TEST(one_that_never_asks_is_ended),
           SUITE_TEST(a_drain_ends_what_is_idle_and_nothing_else),
           SUITE_TEST(what_is_parked_is_closed_with_the_loop))
