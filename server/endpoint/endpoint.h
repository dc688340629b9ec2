/* server/endpoint/endpoint.h - the handlers that main.c puts into its routes.
 *
 *   context    the mode's blocking style (server/http/route.h)
 *   settings   http_app.user points to a struct endpoint_settings, shared and
 *              read-only while requests run */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "server/http/route.h"

struct metrics_report;
struct profile_endpoint;

struct cl_guard;

/* How redirects are followed. */
struct endpoint_following {
    const struct cl_guard *guard;
    int64_t timeout_ns; /* of all hops together */
    int hops_max;
};

struct endpoint_settings {
    bool test_endpoints; /* what may burn CPU on request is allowed */
    /* Wait in the mode's own way (a task parks, a thread sleeps); 0 or -errno.  For
     * the test routes. */
    int (*pause)(int64_t span_ns);
    /* Run fn(job) where it keeps nobody from being served (another thread, or here);
     * 0 and fn's result.  After -errno the job is given up: dropped by `drop`. */
    int (*aside)(int (*fn)(void *job), void *job, void (*drop)(void *job), int *ret_result);
    const struct profile_endpoint *endpoints;   /* routes and their functions; a NULL path ends */
    const struct endpoint_following *following; /* NULL: not allowed */
    const char *mode;                           /* "coroutine", ...: a label in reports */
    /* Let other requests run, where a handler that never waits would keep them from
     * it; 0 or -errno. */
    int (*give_way)(void);
    /* What each process that serves is doing: a table of text, or JSON objects with
     * commas between.  1: told; 0: nothing to tell in this mode; or -errno. */
    int (*list_workers)(struct buf *out, bool as_json);
};

/* GET /domain?url=U: the domain of one URL, as JSON or text.  POST /domain: of
 * many, streamed both ways. */
http_handler endpoint_domain;

/* GET /livez, /readyz: is the process alive; does it want new work. */
http_handler endpoint_livez;
http_handler endpoint_readyz;

/* GET /: what there is, for people; GET /openapi.json: the same for machines. */
http_handler endpoint_index;
http_handler endpoint_openapi;

/* GET /metrics: Prometheus text, or OpenMetrics by Accept. */
http_handler endpoint_metrics;
/* What the recorder of the call-table costs; the shape of metrics_extra_fn. */
void endpoint_metrics_recorder(void *arg, struct metrics_report *report);

/* GET /tasks: every live task, as text or JSON (by Accept or format=). */
http_handler endpoint_tasks;

/* GET /test/...: work of a known size (workload.c); 404 without --test-endpoints. */
http_handler endpoint_test_cpu;
http_handler endpoint_test_wait;
http_handler endpoint_test_block;
http_handler endpoint_test_body;

/* GET /profile: the live call-table in many formats; POST /profile/start, stop,
 * reset: recording.  /debug/pprof/...: the same for pprof and its kin. */
http_handler endpoint_profile;
http_handler endpoint_profile_start;
http_handler endpoint_profile_stop;
http_handler endpoint_profile_reset;
http_handler endpoint_pprof;
/* GET /profile/web/...: what the live page loads. */
http_handler endpoint_profile_web;
