/* server/mode/scoreboard.h - what every prefork child is doing, in shared memory.
 *
 * A line is written by its child, and by the master while there is no child in
 * it; anybody may read. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "coro/base/buf.h"
#include "server/http/throttle.h"

enum score_state {
#define SCORE_STATE(NAME, word, what) SCORE_##NAME,
#include "server/mode/score_state.def"
#undef SCORE_STATE
    SCORE_STATE_COUNT
};

struct score {
    atomic_int pid; /* 0: none */
    atomic_int state;
    atomic_llong since_ns; /* of this state */
    int64_t started_ns;
    atomic_uint reload; /* the last one it has obeyed */
    atomic_ullong connections;
    struct http_held held; /* to be given back when it dies */
    atomic_ullong turns;   /* how often it became idle: requests, when not pipelined */
} __attribute__((aligned(64)));

struct scoreboard {
    unsigned count;
    atomic_uint reloads;    /* the last one there was */
    atomic_llong idle_hint; /* about how many children are idle; set right every tick */
    struct score scores[];
};

/* Metrics: children by state, and how long the longest request is in work.  The
 * shape of metrics_extra_fn; arg is the scoreboard. */
int scoreboard_export(void *arg, struct buf *out);
