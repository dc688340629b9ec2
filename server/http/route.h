/* server/http/route.h - the application as the HTTP layer sees it.
 *
 * main.c builds one struct http_app: the routes, the limits, and the hooks by
 * which the layers above (metrics, admin check, drain) look in without http
 * knowing them.  It is shared, and read-only while sessions run, but for
 * `limits` and the two flags, which another thread may change. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coro/base/clock.h"
#include "server/http/limits.h"
#include "server/http/request.h"
#include "server/http/response.h"

/* Answer one request; called in the mode's blocking style (may park or block). */
typedef void http_handler(struct http_request *req, struct http_response *res);

enum http_route_flag {
    HTTP_ROUTE_ADMIN = 1,  /* answers only whom hooks.admits lets in (403 otherwise) */
    HTTP_ROUTE_STREAM = 2, /* reads its body as it comes: body_max_bytes does not apply */
    HTTP_ROUTE_GZIP = 4,   /* a report: compressed when the client asks for it */
    HTTP_ROUTE_QUIET = 8,  /* not in the access log (probes) */
};

struct http_route {
    const char
        *path; /* exact match; a trailing slash star ("/debug/" then "*") matches what follows */
    const char *methods; /* "GET, HEAD, OPTIONS": the Allow header as it is; HEAD with every GET,
                            OPTIONS always */
    http_handler *handler;
    unsigned flags; /* set of enum http_route_flag */
};

/* One answered request, as told to hooks.on_request.  Borrowed for the call. */
struct http_record {
    const struct http_request *request; /* its fields may be empty when the head was refused */
    const struct http_route *route;     /* NULL: none matched, or refused before routing */
    int status;
    int64_t duration_ns; /* from the head complete to the answer in the output buffer */
    uint64_t bytes_in;   /* head and body, as on the wire */
    uint64_t bytes_out;
};

enum http_stage {
    HTTP_STAGE_IN_FLIGHT, /* in its handler, under in_flight_max */
    HTTP_STAGE_WAITING,   /* for a place */
    HTTP_STAGE_RUNNING,   /* has a place */
};

enum http_refusal {
#define HTTP_REFUSAL(NAME, word, what) HTTP_REFUSAL_##NAME,
#include "server/http/refusal.def"
#undef HTTP_REFUSAL
    HTTP_REFUSAL_COUNT
};

struct http_places;

struct http_hooks {
    void *arg; /* handed to each */
    /* After every answer; on the hot path: no lock, no system call. */
    void (*on_request)(void *arg, const struct http_record *record);
    void (*on_open)(void *arg);
    void (*on_close)(void *arg, enum http_close_reason why);
    /* A request begins (true) or ends a stage; of all requests only where a limit
     * makes the stage count. */
    void (*on_stage)(void *arg, enum http_stage stage, bool begins);
    /* A request was refused before its handler ran. */
    void (*on_refuse)(void *arg, enum http_refusal why);
    /* May this request use an admin route?  false: 403.  NULL: nobody. */
    bool (*admits)(void *arg, const struct http_request *req);
};

/* While others wait for a worker a connection may keep its for so long: ending it
 * after each answer would make all work accepting connections. */
#define HTTP_CROWDED_SLICE_NS (20 * NS_PER_MS)

struct http_app {
    const struct http_route *routes;
    size_t route_count;
    /* Owned by whoever built the app; a reload puts another in its place, and a turn
     * goes by the one it began with: the old one must outlive it. */
    _Atomic(const struct http_limits *) limits;
    struct http_hooks hooks;
    const char *server_name;        /* Server header; NULL: none */
    const char *cors_origin;        /* Access-Control-Allow-Origin: "*" or one origin; NULL: off */
    struct http_throttle *throttle; /* shared; NULL: connections and requests are not limited */
    const struct http_networks *proxies; /* whom we believe about addresses; NULL: nobody */
    bool is_proxy_protocol;              /* trusted proxies begin with a PROXY header */
    void *user;                          /* what handlers need: http_request.app->user */
    atomic_bool is_leaving;              /* /readyz says 503; everything is served as before */
    struct http_places *places;          /* shared (overload.h); NULL: any number computes */
    atomic_llong in_flight;              /* requests in handlers, while in_flight_max is on */
    atomic_bool is_crowded;              /* others wait for a worker: connections take turns */
    atomic_bool draining;                /* answer what comes with Connection: close */
    atomic_bool is_cut;                  /* the drain time is over: long work gives up */
};

/* Routes whose table is wrong (no handler, bad methods) are our bug: found at start.
 * 0 or -EINVAL. */
MUST_USE int http_app_check(const struct http_app *app);

struct http_route_match {
    const struct http_route *route; /* NULL: 404 */
    bool is_allowed;                /* false with a route: 405 */
};
struct http_route_match http_route_find(const struct http_app *app, const struct http_request *req);
