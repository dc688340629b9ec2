/* server/mode/scoreboard.h - what every prefork child is doing, in shared memory.
 *
 * A line is written by its child, and by the master while there is no child in
 * it; anybody may read. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum score_state {
    SCORE_FREE, /* no child */
    SCORE_STARTING,
    SCORE_IDLE,      /* waits for a connection */
    SCORE_SERVING,   /* has a request, or reads one */
    SCORE_KEEPALIVE, /* has a connection that is between requests */
    SCORE_ENDING,
};

struct score {
    atomic_int pid; /* 0: none */
    atomic_int state;
    atomic_llong since_ns; /* of this state */
    int64_t started_ns;
    atomic_ullong connections;
    atomic_ullong turns; /* how often it became idle: requests, when not pipelined */
} __attribute__((aligned(64)));

struct scoreboard {
    unsigned count;
    atomic_llong idle_hint; /* about how many children are idle; set right every tick */
    struct score scores[];
};
