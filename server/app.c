/* server/app.c - see app.h. */
#include "server/app.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "client/client.h"
#include "coro/base/clock.h"
#include "coro/coro.h"
#include "coro/offload.h"
#include "coro/prof/prof.h"
#include "server/http/throttle.h"
#include "server/io/access_log.h"
#include "server/metrics/metrics.h"
#include "server/mode/cpus.h"
#include "server/mode/mode.h"
#include "server/profile/report.h"

#define RUNNING_PER_CPU 16 /* enough that a few slow requests do not hold up the quick ones */

static const struct http_route routes[] = {
#define ROUTE(path, methods, handler, flags) {path, methods, handler, flags},
#include "server/routes.def"
#undef ROUTE
};

/* A route's time is what its handler's scope (PROF_FN) has. */
static const struct profile_endpoint profile_endpoints[] = {
#define ROUTE(path, methods, handler, flags) {path, #handler},
#include "server/routes.def"
#undef ROUTE
    {NULL, NULL},
};

/* Limits by the parameter that sets them. */
enum limit {
#define LIMIT(NAME, word) LIMIT_##NAME,
#include "server/limit.def"
#undef LIMIT
    LIMIT_COUNT,
    LIMIT_NONE
};
static const char *const limit_words[LIMIT_COUNT] = {
#define LIMIT(NAME, word) word,
#include "server/limit.def"
#undef LIMIT
};

static const int statuses[] = {
#define HTTP_CODE(code, NAME, reason) code,
#include "server/http/status.def"
#undef HTTP_CODE
};

static const char *const close_words[] = {
#define HTTP_CLOSE_REASON(NAME, word, is_fault, what) word,
#include "server/http/close_reason.def"
#undef HTTP_CLOSE_REASON
};

static const char *const refusal_words[] = {
#define HTTP_REFUSAL(NAME, word, what) word,
#include "server/http/refusal.def"
#undef HTTP_REFUSAL
};

/* ---- hooks ---- */

static enum limit limit_of_answer(const struct http_record *record)
{
    switch (record->status) {
    case HTTP_413_CONTENT_TOO_LARGE:
        return LIMIT_BODY_MAX;
    case HTTP_414_URI_TOO_LONG:
        return LIMIT_TARGET_MAX;
    case HTTP_431_HEADER_FIELDS_TOO_LARGE:
        return LIMIT_HEADER_MAX;
    case HTTP_429_TOO_MANY_REQUESTS: /* else it refused the connection, before any request */
        return record->request->target.len > 0 ? LIMIT_REQUESTS_PER_ADDRESS : LIMIT_NONE;
    default:
        return LIMIT_NONE;
    }
}

static enum limit limit_of_close(enum http_close_reason why)
{
    switch ((int)why) {
    case HTTP_CLOSE_IDLE:
        return LIMIT_IDLE_TIMEOUT;
    case HTTP_CLOSE_HEADER_TIMEOUT:
        return LIMIT_HEADER_TIMEOUT;
    case HTTP_CLOSE_BODY_TIMEOUT:
        return LIMIT_BODY_TIMEOUT;
    case HTTP_CLOSE_WRITE_TIMEOUT:
        return LIMIT_WRITE_TIMEOUT;
    case HTTP_CLOSE_SERVED:
        return LIMIT_REQUESTS_PER_CONNECTION;
    case HTTP_CLOSE_OVERLOAD:
        return LIMIT_CONNECTIONS_MAX;
    case HTTP_CLOSE_ADDRESS_LIMIT:
        return LIMIT_CONNECTIONS_PER_ADDRESS;
    default:
        return LIMIT_NONE;
    }
}

static void count_limit(enum limit limit)
{
    if (limit != LIMIT_NONE)
        metrics_add_at(METRICS_LIMIT_HIT, limit, 1);
}

static void on_request(void *arg, const struct http_record *record)
{
    (void)arg;
    size_t route = record->route == NULL ? METRICS_ROUTES : (size_t)(record->route - routes);
    metrics_request(route, record->status, record->duration_ns);
    count_limit(limit_of_answer(record));
    metrics_add(METRICS_BYTES_IN, record->bytes_in);
    metrics_add(METRICS_BYTES_OUT, record->bytes_out);
    access_log_record(record);
}

static void on_open(void *arg)
{
    (void)arg;
    metrics_add(METRICS_OPEN, 1);
}

static void on_close(void *arg, enum http_close_reason why)
{
    (void)arg;
    metrics_sub(METRICS_OPEN, 1);
    metrics_add_at(METRICS_CLOSED, why, 1);
    count_limit(limit_of_close(why));
}

/* Wait without keeping others from running, where there are others. */
static int pause_here(int64_t span_ns)
{
    if (co_self() != NULL)
        return co_sleep(span_ns);
    struct timespec span = {span_ns / NS_PER_S, span_ns % NS_PER_S};
    PROF_WAIT_BEGIN("{nanosleep}");
    while (nanosleep(&span, &span) < 0 && errno == EINTR)
        ;
    prof_wait_end();
    return 0;
}

/* Slow work for the few: on another thread where this one has others to serve. */
static int run_aside(int (*fn)(void *job), void *job, void (*drop)(void *job), int *ret_result)
{
    if (co_self() != NULL)
        return co_offload(fn, job, drop, CO_NO_DEADLINE, ret_result);
    *ret_result = fn(job);
    return 0;
}

static int give_way_here(void)
{
    return co_self() != NULL ? co_yield () : 0;
}

static void on_stage(void *arg, enum http_stage stage, bool begins)
{
    static const enum metrics_id gauges[] = {
        [HTTP_STAGE_IN_FLIGHT] = METRICS_IN_FLIGHT,
        [HTTP_STAGE_WAITING] = METRICS_WAITING,
        [HTTP_STAGE_RUNNING] = METRICS_RUNNING,
    };
    (void)arg;
    if (begins)
        metrics_add(gauges[stage], 1);
    else
        metrics_sub(gauges[stage], 1);
}

static void on_refuse(void *arg, enum http_refusal why)
{
    (void)arg;
    metrics_add_at(METRICS_REFUSED_REQUESTS, why, 1);
}

/* ---- building it ---- */

static const char *const mode_names[] = {
    [CFG_MODE_COROUTINE] = "coroutine",
    [CFG_MODE_THREAD] = "thread",
    [CFG_MODE_PREFORK] = "prefork",
};

static struct http_limits limits_of(const struct config *cfg)
{
    return (struct http_limits){
        .header_timeout_ns = cfg->header_timeout_ns,
        .body_timeout_ns = cfg->body_timeout_ns,
        .body_min_bytes_per_s = cfg->body_min_bytes_per_s,
        .idle_timeout_ns = cfg->idle_timeout_ns,
        .write_timeout_ns = cfg->write_timeout_ns,
        .linger_timeout_ns = cfg->linger_timeout_ns,
        .target_max_bytes = (size_t)cfg->target_max_bytes,
        .header_max_bytes = (size_t)cfg->header_max_bytes,
        .header_max_count = (size_t)cfg->header_max_count,
        .body_max_bytes = cfg->body_max_bytes,
        .requests_per_connection = cfg->requests_per_connection,
        .queue_delay_max_ns = cfg->queue_delay_max_ns,
        .in_flight_max = cfg->in_flight_max,
        .connections_max = cfg->connections_max,
        .connections_per_address = cfg->connections_per_address,
        .requests_per_address_per_s = cfg->requests_per_address_per_s,
    };
}

static void name_metrics(const struct config *cfg)
{
    static char build[80];
    snprintf(build, sizeof build, "version=\"%s\",mode=\"%s\"", DOMAIND_VERSION,
             mode_names[cfg->mode]);
    metrics_name_build(build);
    static const char *paths[ARRAY_LEN(routes)];
    for (size_t i = 0; i < ARRAY_LEN(routes); i++)
        paths[i] = routes[i].path;
    metrics_name_routes(paths, ARRAY_LEN(paths));
    metrics_name_statuses(statuses, ARRAY_LEN(statuses));
    metrics_name_values(METRICS_CLOSED, close_words, ARRAY_LEN(close_words));
    metrics_name_values(METRICS_REFUSED_REQUESTS, refusal_words, ARRAY_LEN(refusal_words));
    metrics_extend(endpoint_metrics_recorder, NULL);
    metrics_name_values(METRICS_LIMIT_HIT, limit_words, ARRAY_LEN(limit_words));
}

void app_set_limits(struct app *app, const struct config *cfg)
{
    struct http_limits next = limits_of(cfg);
    const struct http_limits *now = atomic_load(&app->http.limits);
    if (now != NULL && memcmp(now, &next, sizeof next) == 0)
        return; /* a storm of reloads is no reason to replace them */
    struct http_limits *limits = &app->limits[app->limits_at++ % APP_LIMITS_KEPT];
    *limits = next;
    atomic_store(&app->http.limits, limits);
    atomic_store(&app->admin_http.limits, limits);
}

int app_check(const struct config *cfg, struct cfg_error *error)
{
    const struct {
        enum cfg_id id;
        const char *text;
    } lists[] = {
        {CFG_admin_allow, cfg->admin_allow},
        {CFG_trusted_proxies, cfg->trusted_proxies},
    };
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        struct http_networks networks;
        struct http_str bad;
        int rv = http_networks_parse(lists[i].text, &networks, &bad);
        if (rv == -EINVAL)
            return cfg_blame(cfg, lists[i].id, error, "'%.*s' is no address and no network",
                             (int)bad.len, bad.data);
        if (rv < 0)
            return rv;
        http_networks_fini(&networks);
    }
    struct cl_network *reachable;
    size_t count;
    int rv = cl_networks_parse(cfg->follow_allow, &reachable, &count);
    if (rv == -EINVAL)
        return cfg_blame(cfg, CFG_follow_allow, error, "'%s' is no list of networks",
                         cfg->follow_allow);
    if (rv < 0)
        return rv;
    free(reachable);
    if (!cfg->follow)
        return 0;
    if (cl_init() < 0)
        return cfg_blame(cfg, CFG_follow, error, "libcurl (libcurl.so.4) cannot be loaded");
    cl_fini();
    return 0;
}

static int allow_following(struct app *app, const struct config *cfg)
{
    struct cl_network *reachable;
    if (!cfg->follow)
        return 0;
    int rv = cl_networks_parse(cfg->follow_allow, &reachable, &app->guard.allowed_count);
    if (rv < 0)
        return rv;
    app->guard.allowed = reachable;
    app->following = (struct endpoint_following){.guard = &app->guard,
                                                 .timeout_ns = cfg->follow_timeout_ns,
                                                 .hops_max = (int)cfg->follow_hops_max};
    app->settings.following = &app->following;
    return cl_init();
}

/* An event loop computes one request at a time as it is; where workers are threads
 * or processes by the hundred, only so many may. */
static int make_places(struct app *app, const struct config *cfg)
{
    unsigned count =
        cfg->running_max > 0 ? (unsigned)cfg->running_max : RUNNING_PER_CPU * cpus_usable();
    if (cfg->mode == CFG_MODE_COROUTINE)
        return 0;
    int rv = http_places_init(&app->places, count);
    if (rv == 0)
        app->http.places = &app->places;
    return rv;
}

/* With a listener of their own, the administrators' routes are there alone.  The
 * table has them last, and health before them. */
static void split_admin(struct app *app, const struct config *cfg)
{
    size_t health = 0, admin = 0;
    while (admin < ARRAY_LEN(routes) && (routes[admin].flags & HTTP_ROUTE_ADMIN) == 0)
        admin++;
    while (health < admin && (routes[health].flags & HTTP_ROUTE_QUIET) == 0)
        health++;
    app->admin_http.routes = routes + health;
    app->admin_http.route_count = ARRAY_LEN(routes) - health;
    app->admin_http.hooks = app->http.hooks;
    app->admin_http.server_name = app->http.server_name;
    app->admin_http.user = app->http.user;
    atomic_store(&app->admin_http.limits, atomic_load(&app->http.limits));
    if (*cfg->admin_listen != '\0')
        app->http.route_count = admin;
}

struct app *app_new(const struct config *cfg)
{
    struct http_str bad;
    struct app *app =
        mmap(NULL, sizeof *app, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (app == MAP_FAILED)
        return NULL;
    app->settings.test_endpoints = cfg->test_endpoints;
    app->settings.pause = pause_here;
    app->settings.aside = run_aside;
    app->settings.endpoints = profile_endpoints;
    app->settings.mode = mode_names[cfg->mode];
    app->settings.give_way = give_way_here;
    app->settings.list_workers = mode_list_workers;
    app->admin.hosts = cfg->admin_hosts;
    app->http.routes = routes;
    app->http.route_count = ARRAY_LEN(routes);
    app->http.hooks = (struct http_hooks){
        .arg = &app->admin,
        .on_request = on_request,
        .on_open = on_open,
        .on_close = on_close,
        .on_stage = on_stage,
        .on_refuse = on_refuse,
        .admits = endpoint_admits,
    };
    app->http.server_name = "domaind";
    app->http.cors_origin = *cfg->cors_origin != '\0' ? cfg->cors_origin : NULL;
    app->http.user = &app->settings;
    app->http.throttle = http_throttle_new();
    app_set_limits(app, cfg);
    name_metrics(cfg);
    if (app->http.throttle != NULL &&
        http_networks_parse(cfg->admin_allow, &app->admin.allow, &bad) == 0 &&
        http_networks_parse(cfg->trusted_proxies, &app->proxies, &bad) == 0 &&
        http_app_check(&app->http) == 0 && make_places(app, cfg) == 0 &&
        allow_following(app, cfg) == 0) {
        app->http.proxies = &app->proxies;
        app->http.is_proxy_protocol = cfg->proxy_protocol;
        split_admin(app, cfg);
        return app;
    }
    app_free(app);
    return NULL;
}

void app_free(struct app *app)
{
    if (app == NULL)
        return;
    http_networks_fini(&app->admin.allow);
    http_networks_fini(&app->proxies);
    http_throttle_free(app->http.throttle);
    if (app->http.places != NULL)
        http_places_fini(app->http.places);
    free((void *)app->guard.allowed);
    if (app->settings.following != NULL)
        cl_fini();
    munmap(app, sizeof *app);
}
