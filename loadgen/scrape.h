/* loadgen/scrape.h - asks a domaind how many requests it has answered.
 *
 *   context    main thread; blocks, two seconds at most
 *   returns    0, or -errno: nobody there, or not a domaind */
#pragma once

#include <stdint.h>

#include "coro/base/attr.h"
#include "loadgen/target.h"

/* The sum of domaind_requests_total over all routes but /metrics itself. */
MUST_USE int lg_scrape(const struct lg_target *t, uint64_t *ret_requests);
/* The same, from the text of /metrics; -ENOENT: no such counter in it. */
MUST_USE int lg_scrape_text(const char *text, uint64_t *ret_requests);
