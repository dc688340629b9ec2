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
#include "server/metrics/metrics.h"

enum score_state {
#define SCORE_STATE(NAME, word, what) SCORE_##NAME,
#include "server/mode/score_state.def"
#undef SCORE_STATE
    SCORE_STATE_COUNT
};

#define SCORE_REQUEST_BYTES 80

struct score {
    atomic_int pid; /* 0: none */
    atomic_int state;
    atomic_llong since_ns; /* of this state */
    int64_t started_ns;
    atomic_uint reload; /* the last one it has obeyed */
    atomic_ullong connections;
    struct http_held held;             /* to be given back when it dies */
    atomic_ullong turns;               /* how often it became idle: requests, when not pipelined */
    char request[SCORE_REQUEST_BYTES]; /* how the last one begins; may be torn while it changes */
} __attribute__((aligned(64)));

struct scoreboard {
    unsigned count;
    atomic_uint reloads; /* the last one there was */
    /* A client in mid-request that keeps its child waiting longer is given up; CLOCK_NEVER
     * while nobody else waits for a child. */
    atomic_llong patience_ns;
    atomic_llong idle_hint; /* about how many children are idle; set right every tick */
    /* The master needs not be told that few are idle before; 0: at once. */
    atomic_llong quiet_until_ns;
    struct score scores[];
};

/* Keep the beginning of a request, as far as it is printable. */
void score_note_request(struct score *score, const char *bytes, size_t len);

/* Metrics: children by state, and how long the longest request is in work.  The
 * shape of metrics_extra_fn; arg is the scoreboard. */
void scoreboard_export(void *arg, struct metrics_report *report);
/* Every child: a table of text, or JSON objects with commas between.  0 or -errno. */
MUST_USE int scoreboard_list(const struct scoreboard *board, struct buf *out, bool as_json);
