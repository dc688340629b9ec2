/* loadgen/scenario.h - the workloads on which the modes differ. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coro/base/attr.h"

struct lg_path {
    const char *path;
    unsigned weight; /* of every sum-of-weights requests, this many */
};
#define LG_SCENARIO_PATHS 2

struct lg_scenario {
    const char *name;
    const char *shows;         /* in one sentence */
    const char *shows_targets; /* the same of servers that are not domaind; NULL: no other one */
    struct lg_path paths[LG_SCENARIO_PATHS];
    bool churn;             /* a new connection for each request */
    bool needs_test_routes; /* start domaind with --test-endpoints */
    unsigned connections;   /* 0: as many as asked for */
    unsigned idle;          /* connections that only stay open */
    int64_t trickle_ns;     /* slow senders */
    double rate_factor;     /* open part: this times what the slowest candidate can do */
    unsigned length;        /* parts are this many times longer: requests take long; 0: once */
};

extern const struct lg_scenario lg_scenarios[];
extern const size_t lg_n_scenarios;

/* NULL: there is none of that name. */
const struct lg_scenario *lg_scenario_find(const char *name, size_t bytes);
