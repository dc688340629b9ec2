/* /livez and /readyz: one says that the process lives, the other that it wants work. */
#include "exchange.h"
#include "server/endpoint/endpoint.h"
#include "suite.h"

static const struct http_route routes[] = {
    {"/livez", "GET, HEAD", endpoint_livez, HTTP_ROUTE_QUIET},
    {"/readyz", "GET, HEAD", endpoint_readyz, HTTP_ROUTE_QUIET},
};

static const struct {
    const char *target;
    bool is_leaving, is_draining;
    int status;
    const char *body;
} cases[] = {
    {"/livez", false, false, 200, "alive\n"},    {"/livez", true, true, 200, "alive\n"},
    {"/readyz", false, false, 200, "ready\n"},   {"/readyz", true, false, 503, "draining\n"},
    {"/readyz", false, true, 503, "draining\n"},
};

START_TEST(what_machines_ask)
{
    struct http_app app = {.routes = routes, .route_count = ARRAY_LEN(routes)};
    struct pair_io p;
    atomic_store(&app.is_leaving, cases[_i].is_leaving);
    atomic_store(&app.draining, cases[_i].is_draining);
    exchange_get(&p, &app, cases[_i].target, "*/*");
    ck_assert_int_eq(exchange_status(&p), cases[_i].status);
    ck_assert_str_eq(exchange_body(&p), cases[_i].body);
    /* nobody on the way may answer for us */
    ck_assert_ptr_nonnull(strstr(p.out.data, "\r\nCache-Control: no-store\r\n"));
    pair_fini(&p);
}
END_TEST

SUITE_MAIN("health", SUITE_LOOP(what_machines_ask, cases))
