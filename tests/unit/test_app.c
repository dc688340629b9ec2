/* The application: what is checked, which routes are where, what the hooks count. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "server/app.h"
#include "server/http/session.h"
#include "server/metrics/metrics.h"
#include "suite.h"

static struct config cfg;
static struct cfg_error error;

static void set(enum cfg_id id, const char *text)
{
    struct cfg_origin flag = {.source = CFG_FROM_FLAG};
    ck_assert_int_eq(cfg_set(&cfg, id, text, flag, &error), 0);
}

static const struct {
    enum cfg_id id;
    const char *text;
    const char *message; /* NULL: it is right */
} settings[] = {
    {CFG_admin_allow, "10.0.0.0/8, ::1,unix", NULL},
    {CFG_admin_allow, "10.0.0.0/8, moon", "--admin-allow: 'moon' is no address and no network"},
    {CFG_trusted_proxies, "10.0.0.0/33",
     "--trusted-proxies: '10.0.0.0/33' is no address and no network"},
    {CFG_follow_allow, "127.0.0.1/8", NULL},
    {CFG_follow_allow, "here", "--follow-allow: 'here' is no list of networks"},
};

START_TEST(addresses_are_checked)
{
    ck_assert_int_eq(cfg_init(&cfg), 0);
    set(settings[_i].id, settings[_i].text);
    int rv = app_check(&cfg, &error);
    ck_assert_int_eq(rv, settings[_i].message == NULL ? 0 : -EINVAL);
    if (rv < 0)
        ck_assert_str_eq(error.text, settings[_i].message);
    cfg_fini(&cfg);
}
END_TEST

static struct app *make(void)
{
    ck_assert_int_eq(metrics_init(2), 0);
    struct app *app = app_new(&cfg);
    ck_assert_ptr_nonnull(app);
    return app;
}

static bool has_route(const struct http_app *app, const char *path)
{
    for (size_t i = 0; i < app->route_count; i++)
        if (strcmp(app->routes[i].path, path) == 0)
            return true;
    return false;
}

static const struct {
    const char *path;
    bool is_public, is_admin; /* with a listener for administrators */
} places[] = {
    {"/domain", true, false},  {"/", true, false},
    {"/livez", true, true},    {"/readyz", true, true},
    {"/metrics", false, true}, {"/profile", false, true},
    {"/tasks", false, true},   {"/debug/pprof/*", false, true},
};

START_TEST(administrators_routes_move_to_their_own_listener)
{
    ck_assert_int_eq(cfg_init(&cfg), 0);
    struct app *app = make();
    ck_assert(has_route(&app->http, places[_i].path));
    app_free(app);
    metrics_fini();
    set(CFG_admin_listen, "127.0.0.1:0");
    app = make();
    ck_assert_int_eq(has_route(&app->http, places[_i].path), places[_i].is_public);
    ck_assert_int_eq(has_route(&app->admin_http, places[_i].path), places[_i].is_admin);
    app_free(app);
    metrics_fini();
    cfg_fini(&cfg);
}
END_TEST

START_TEST(limits_are_replaced_and_the_old_ones_stay_readable)
{
    ck_assert_int_eq(cfg_init(&cfg), 0);
    set(CFG_body_max_bytes, "1k");
    struct app *app = make();
    const struct http_limits *first = atomic_load(&app->http.limits);
    ck_assert_int_eq(first->body_max_bytes, 1024);
    app_set_limits(app, &cfg); /* nothing changed: nothing is replaced */
    ck_assert_ptr_eq(atomic_load(&app->http.limits), first);
    set(CFG_body_max_bytes, "2k");
    app_set_limits(app, &cfg);
    ck_assert_int_eq(atomic_load(&app->http.limits)->body_max_bytes, 2048);
    ck_assert_ptr_eq(atomic_load(&app->admin_http.limits), atomic_load(&app->http.limits));
    ck_assert_int_eq(first->body_max_bytes, 1024);
    app_free(app);
    metrics_fini();
    cfg_fini(&cfg);
}
END_TEST

/* The value of one line of the report. */
static long value_of(const char *line)
{
    struct buf out;
    long value = -1;
    buf_init(&out, 1 << 20);
    ck_assert_int_eq(metrics_export(&out, METRICS_PROMETHEUS), 0);
    ck_assert_int_eq(buf_append_char(&out, '\0'), 0);
    const char *at = strstr(out.data, line);
    if (at != NULL)
        ck_assert_int_eq(sscanf(at + strlen(line), " %ld", &value), 1);
    buf_fini(&out);
    return value;
}

static const struct {
    int status; /* of an answer; 0: a connection ends */
    bool has_target;
    enum http_close_reason why;
    const char *limit;
} hits[] = {
    {413, true, 0, "body-max"},
    {414, true, 0, "target-max"},
    {431, true, 0, "header-max"},
    {429, true, 0, "requests-per-address"},
    {0, false, HTTP_CLOSE_IDLE, "idle-timeout"},
    {0, false, HTTP_CLOSE_HEADER_TIMEOUT, "header-timeout"},
    {0, false, HTTP_CLOSE_BODY_TIMEOUT, "body-timeout"},
    {0, false, HTTP_CLOSE_WRITE_TIMEOUT, "write-timeout"},
    {0, false, HTTP_CLOSE_SERVED, "requests-per-connection"},
    {0, false, HTTP_CLOSE_OVERLOAD, "connections-max"},
    {0, false, HTTP_CLOSE_ADDRESS_LIMIT, "connections-per-address"},
    {200, true, 0, NULL},
    {408, true, 0, NULL},  /* the connection's end says which */
    {429, false, 0, NULL}, /* a connection that was refused: counted when it ends */
    {0, false, HTTP_CLOSE_PEER, NULL},
};

static void hit(struct app *app, int i)
{
    const struct http_hooks *hooks = &app->http.hooks;
    struct http_request request = {.target = {"/x", hits[i].has_target ? 2 : 0}};
    struct http_record record = {
        .request = &request, .route = app->http.routes, .status = hits[i].status};
    if (hits[i].status != 0) {
        hooks->on_request(hooks->arg, &record);
    } else {
        hooks->on_open(hooks->arg);
        hooks->on_close(hooks->arg, hits[i].why);
    }
}

START_TEST(a_limit_that_is_hit_is_counted_by_its_parameter)
{
    ck_assert_int_eq(cfg_init(&cfg), 0);
    struct app *app = make();
    hit(app, _i);
    long sum = 0;
    for (size_t i = 0; i < ARRAY_LEN(hits); i++) {
        char line[120];
        if (hits[i].limit == NULL)
            continue;
        ck_assert_int_ge(cfg_find(hits[i].limit, strlen(hits[i].limit)), 0);
        snprintf(line, sizeof line, "domaind_limits_hit_total{limit=\"%s\"}", hits[i].limit);
        long value = value_of(line);
        bool is_mine = hits[_i].limit != NULL && strcmp(hits[_i].limit, hits[i].limit) == 0;
        ck_assert_int_eq(value, is_mine);
        sum += value;
    }
    ck_assert_int_eq(sum, hits[_i].limit != NULL);
    ck_assert_int_eq(value_of("\ndomaind_connections_open"), 0);
    app_free(app);
    metrics_fini();
    cfg_fini(&cfg);
}
END_TEST

START_TEST(answers_are_counted_by_route)
{
    ck_assert_int_eq(cfg_init(&cfg), 0);
    struct app *app = make();
    const struct http_hooks *hooks = &app->http.hooks;
    struct http_request request = {.target = {"/x", 2}};
    struct http_record record = {.request = &request,
                                 .route = app->http.routes,
                                 .status = 200,
                                 .duration_ns = 1000,
                                 .bytes_in = 30,
                                 .bytes_out = 400};
    hooks->on_request(hooks->arg, &record);
    record.route = NULL; /* none of ours */
    record.status = 404;
    hooks->on_request(hooks->arg, &record);
    ck_assert_int_eq(value_of("domaind_requests_total{route=\"/domain\",status=\"200\"}"), 1);
    ck_assert_int_eq(value_of("domaind_requests_total{route=\"other\",status=\"404\"}"), 1);
    ck_assert_int_eq(value_of("\ndomaind_received_bytes_total"), 60);
    ck_assert_int_eq(value_of("\ndomaind_sent_bytes_total"), 800);
    ck_assert_int_eq(
        value_of("domaind_build_info{version=\"" DOMAIND_VERSION "\",mode=\"coroutine\"}"), 1);
    app_free(app);
    metrics_fini();
    cfg_fini(&cfg);
}
END_TEST

SUITE_MAIN("app", SUITE_LOOP(addresses_are_checked, settings),
           SUITE_LOOP(administrators_routes_move_to_their_own_listener, places),
           SUITE_TEST(limits_are_replaced_and_the_old_ones_stay_readable),
           SUITE_LOOP(a_limit_that_is_hit_is_counted_by_its_parameter, hits),
           SUITE_TEST(answers_are_counted_by_route))
