/* The test routes: closed unless allowed, numbers checked, work of the size asked for. */
#include <stdio.h>

#include "coro/base/clock.h"
#include "exchange.h"
#include "server/endpoint/endpoint.h"
#include "suite.h"

static const struct http_route routes[] = {
    {"/test/cpu", "GET, HEAD", endpoint_test_cpu, 0},
    {"/test/wait", "GET, HEAD", endpoint_test_wait, 0},
    {"/test/block", "GET, HEAD", endpoint_test_block, 0},
    {"/test/body", "GET, HEAD", endpoint_test_body, 0},
};

static int64_t paused_ns;
static int pause_result;

static int fake_pause(int64_t span_ns)
{
    paused_ns = span_ns;
    return pause_result;
}

/* The whole answer to one GET, in p.out. */
static void get(struct pair_io *p, const char *target, bool allowed)
{
    struct endpoint_settings settings = {.test_endpoints = allowed, .pause = fake_pause};
    struct http_app app = {.routes = routes, .route_count = ARRAY_LEN(routes), .user = &settings};
    exchange_get(p, &app, target, "*/*");
}

static const struct {
    const char *target;
    bool allowed;
    int status;
} cases[] = {
    {"/test/cpu?ms=0", true, 200},      {"/test/cpu?ms=0", false, 404},
    {"/test/cpu", true, 400},           {"/test/cpu?ms=-1", true, 400},
    {"/test/cpu?ms=1x", true, 400},     {"/test/cpu?ms=60001", true, 400},
    {"/test/wait?ms=1", true, 200},     {"/test/wait?ms=1", false, 404},
    {"/test/block?ms=1", true, 200},    {"/test/block?ms=1", false, 404},
    {"/test/body?bytes=1", true, 200},  {"/test/body?bytes=1", false, 404},
    {"/test/body?bytes=1k", true, 400},
};

START_TEST(routes_check_what_is_asked)
{
    struct pair_io p;
    pause_result = 0;
    get(&p, cases[_i].target, cases[_i].allowed);
    ck_assert_int_eq(atoi(pair_out(&p) + strlen("HTTP/1.1 ")), cases[_i].status);
    pair_fini(&p);
}
END_TEST

START_TEST(waiting_is_left_to_the_mode)
{
    struct pair_io p;
    get(&p, "/test/wait?ms=250", true);
    ck_assert_int_eq(paused_ns, 250 * NS_PER_MS);
    pair_fini(&p);
    pause_result = -ECANCELED;
    get(&p, "/test/wait?ms=250", true);
    ck_assert_int_eq(atoi(pair_out(&p) + strlen("HTTP/1.1 ")), 503);
    pair_fini(&p);
}
END_TEST

START_TEST(computing_takes_the_cpu_time_asked_for)
{
    struct pair_io p;
    int64_t before_ns = clock_read_ns(CLOCK_THREAD_CPUTIME_ID);
    get(&p, "/test/cpu?ms=20", true);
    ck_assert_int_ge(clock_read_ns(CLOCK_THREAD_CPUTIME_ID) - before_ns, 20 * NS_PER_MS);
    pair_fini(&p);
}
END_TEST

START_TEST(a_big_body_has_every_byte)
{
    struct pair_io p;
    get(&p, "/test/body?bytes=100000", true);
    size_t zeros = 0;
    for (size_t i = 0; i < p.out.len; i++)
        zeros += p.out.data[i] == 0;
    ck_assert_uint_ge(zeros, 100000);
    ck_assert_uint_le(zeros, 100001); /* pair_out may end the text with one */
    pair_fini(&p);
}
END_TEST

SUITE_MAIN("workload", SUITE_LOOP(routes_check_what_is_asked, cases),
           SUITE_TEST(waiting_is_left_to_the_mode),
           SUITE_TEST(computing_takes_the_cpu_time_asked_for),
           SUITE_TEST(a_big_body_has_every_byte))
