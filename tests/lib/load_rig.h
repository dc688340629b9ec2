/* tests/lib/load_rig.h - a load on a scripted server, ready to be run by a test. */
#pragma once

#include "coro/base/clock.h"
#include "loadgen/load.h"
#include "loadgen/target.h"
#include "scripted_server.h"

struct load_rig {
    struct scripted_server server;
    struct lg_target target;
    struct lg_requests requests;
    struct lg_load load;
};

/* One connection, one thread, closed loop; the test changes rig->load before it runs. */
static inline void rig_begin(struct load_rig *rig, scripted_serve *serve,
                             const struct lg_request_shape *shape)
{
    static const struct lg_request_shape plain = {.method = "GET", .keepalive = true};
    struct lg_why why = {""};
    char url[64];
    scripted_start(&rig->server, serve, true);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/x", rig->server.port);
    ck_assert_int_eq(lg_target_init(&rig->target, url, NULL, &why), 0);
    ck_assert_int_eq(lg_target_reach(&rig->target, NS_PER_S, &why), 0);
    shape = shape != NULL ? shape : &plain;
    ck_assert_int_eq(lg_requests_init(&rig->requests, &rig->target, shape, &why), 0);
    rig->load = (struct lg_load){.target = &rig->target,
                                 .requests = &rig->requests,
                                 .connections = 1,
                                 .threads = 1,
                                 .pipeline = 1,
                                 .keepalive = true,
                                 .timeout_ns = 60 * NS_PER_S, /* no answer is late */
                                 .core = -1};
}

static inline void rig_end(struct load_rig *rig)
{
    scripted_stop(&rig->server);
    lg_requests_fini(&rig->requests);
    lg_target_fini(&rig->target);
}
