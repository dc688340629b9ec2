/* server/profile/own.h - --profile of a program: the call-table of its own process,
 * recorded from a start to an end and rendered as cProfile prints it.
 *
 *   context    main thread, while no worker runs
 *   returns    0, or -errno */
#pragma once

#include <stdbool.h>

#include "coro/base/attr.h"
#include "coro/base/buf.h"

/* Is there such a sort key ("cumulative", "tottime"...)? */
bool profile_own_knows(const char *sort);
/* Record from now on; each of so many threads opens a worker (coro/prof/worker.h). */
MUST_USE int profile_own_start(unsigned workers);
/* End the recording and append its table to out. */
MUST_USE int profile_own_finish(const char *sort, struct buf *out);
