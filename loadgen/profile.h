/* loadgen/profile.h - --profile: where the load generator's own time goes.
 *
 *   context    main thread, while no load thread runs
 *   returns    0, or -errno */
#pragma once

#include <stdio.h>

#include "coro/base/attr.h"

/* Record from now on; each load thread opens a worker (coro/prof/worker.h). */
MUST_USE int lg_profile_start(unsigned threads);
/* The call-table by cumulative time, as cProfile prints it; ends the recording. */
MUST_USE int lg_profile_print(FILE *out);
