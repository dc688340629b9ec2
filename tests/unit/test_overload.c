/* Work is refused before it starts: requests that waited too long, and those
 * beyond what may be in work. */
#include <stdio.h>
#include <string.h>

#include "pair_io.h"
#include "server/http/session.h"
#include "suite.h"

static struct http_limits limits;
static struct http_app app;
static int handled;
static long long in_work; /* app.in_flight while the handler ran */

static void work(struct http_request *req, struct http_response *res)
{
    (void)res;
    handled++;
    in_work = atomic_load(&req->app->in_flight);
}

static const struct http_route routes[] = {
    {"/work", "GET, HEAD, OPTIONS", work, 0},
    {"/health", "GET, HEAD, OPTIONS", work, HTTP_ROUTE_QUIET},
};

/* One request in a server with these limits; what it answered. */
static void ask(const char *path, int64_t queued_ns, const char *expected)
{
    char in[128];
    struct pair_io p;
    struct http_session session;
    snprintf(in, sizeof in, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path);
    pair_init(&p, in, strlen(in));
    p.at_end = -EAGAIN;
    p.queued_ns = queued_ns;
    app.routes = routes;
    app.route_count = ARRAY_LEN(routes);
    atomic_store(&app.limits, &limits);
    enum http_turn turn = http_session_init(&session, &app, &p.io, NULL, 0);
    ck_assert_int_ne(turn, HTTP_TURN_CLOSE);
    ck_assert_int_eq(http_session_turn(&session), HTTP_TURN_IDLE); /* refused, yet kept open */
    http_session_fini(&session);
    ck_assert_msg(strstr(pair_out(&p), expected) != NULL, "no %s in %s", expected, pair_out(&p));
    pair_fini(&p);
}

START_TEST(what_waited_too_long_is_refused)
{
    limits = http_limits_default;
    limits.queue_delay_max_ns = 50 * NS_PER_MS;
    ask("/work", 50 * NS_PER_MS, "200 OK");
    ck_assert_int_eq(handled, 1);
    ask("/work", 51 * NS_PER_MS, "503 Service Unavailable");
    ask("/work", 51 * NS_PER_MS, "Retry-After: 1\r\n");
    ck_assert_int_eq(handled, 1);
    ask("/health", NS_PER_S, "200 OK");
    limits.queue_delay_max_ns = 0;
    ask("/work", NS_PER_S, "200 OK");
    handled = 0;
}
END_TEST

START_TEST(beyond_what_may_be_in_work_is_refused)
{
    limits = http_limits_default;
    limits.in_flight_max = 3;
    atomic_store(&app.in_flight, 2);
    ask("/work", 0, "200 OK");
    ck_assert_int_eq(in_work, 3);
    ck_assert_int_eq(atomic_load(&app.in_flight), 2);
    atomic_store(&app.in_flight, 3);
    ask("/work", 0, "503 Service Unavailable");
    ck_assert_int_eq(atomic_load(&app.in_flight), 3);
    ask("/health", 0, "200 OK");
    atomic_store(&app.in_flight, 0);
}
END_TEST

SUITE_MAIN("overload", SUITE_TEST(what_waited_too_long_is_refused),
           SUITE_TEST(beyond_what_may_be_in_work_is_refused))
