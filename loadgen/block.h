/* loadgen/block.h - one block of a comparison: a fresh server, two parts.
 *
 *   context    main thread; blocks
 *   returns    0, or -errno with the reason; -EINTR when *stop was set
 *   ownership  everything is borrowed */
#pragma once

#include "loadgen/compare.h"
#include "loadgen/run.h"

struct lg_block_plan {
    const struct lg_options *options;
    const struct lg_scenario *scenario;
    const struct lg_candidate *candidate;
    const bool *stop;
    int server_core;
    int own_core;
    double rate; /* of the open part; 0: there is none (the pilot) */
};

/* Runs it; the records of both parts are merged into *parts (NULL: nobody wants them). */
MUST_USE int lg_block_run(const struct lg_block_plan *plan, struct lg_parts *parts,
                          struct lg_block *ret_block, struct lg_why *why);
