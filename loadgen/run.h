/* loadgen/run.h - one run: threads started, watched, joined, merged.
 *
 *   context    lg_run blocks for the length of the run; signals are the caller's
 *              business: it sets *stop to end the run early
 *   returns    0, or -errno with the reason
 *   ownership  the result owns its records; lg_result_fini frees them */
#pragma once

#include <stdbool.h>

#include "loadgen/load.h"
#include "loadgen/record.h"
#include "loadgen/why.h"

/* How requests per second spread over the run, per thread, as wrk shows it. */
struct lg_rates {
    double mean, stdev, max;
    double within; /* share of the samples within one stdev of the mean */
};

struct lg_result {
    struct lg_record record; /* measured */
    struct lg_record warmup;
    struct hist loop_lag;
    struct lg_rates rates;
    double seconds;        /* measured time */
    double requests_per_s; /* answers within it */
    double own_cpu;        /* share of its core that the busiest thread used */
    double own_cpu_us;     /* own CPU time per answer */
    int64_t involuntary;   /* context switches forced on the threads */
    unsigned idle_open;    /* idle connections that stood until the end */
    bool interrupted;
    int64_t server_counted; /* requests by the server's own counter; -1: it has none */
};

/* Called about ten times a second while the run goes on. */
typedef void lg_progress_fn(void *arg, double seconds, uint64_t ok, uint64_t failed);

MUST_USE int lg_run(const struct lg_load *load, const bool *stop, lg_progress_fn *progress,
                    void *arg, struct lg_result *ret_result, struct lg_why *why);
void lg_result_fini(struct lg_result *r);

/* Make room for that many connections (raises the soft limit of descriptors). */
MUST_USE int lg_preflight(const struct lg_load *load, struct lg_why *why);
