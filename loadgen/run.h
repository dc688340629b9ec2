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
    size_t ticks;  /* how many samples that is from */
};

struct lg_result {
    struct lg_record record; /* measured */
    struct lg_record warmup;
    struct hist loop_lag;
    struct lg_rates rates;
    double seconds;        /* measured time */
    double requests_per_s; /* answers within it */
    double own_cpu;        /* share of its core that the busiest thread used */
    double own_wait;       /* ... and that it spent ready, but without a CPU */
    double own_cpu_us;     /* own CPU time per answer; NAN: there was none */
    int64_t involuntary;   /* context switches forced on the threads */
    unsigned idle_open;    /* idle connections that stood until the end */
    bool interrupted;
    int64_t server_counted; /* requests by the server's own counter; -1: it has none */
};

/* Instants of a run that somebody else may want to measure at too. */
enum lg_mark {
    LG_MARK_WARM,  /* in the middle of the warm-up: all connections stand */
    LG_MARK_START, /* measuring begins */
    LG_MARK_END,   /* ... and ends; not in a run that -n ends */
};

/* Who looks on, in the thread that called lg_run; both may be NULL. */
struct lg_watcher {
    /* about ten times a second */
    void (*progress)(void *arg, double seconds, uint64_t ok, uint64_t failed);
    void (*mark)(void *arg, enum lg_mark mark, int64_t due_ns);
    void *arg;
};

MUST_USE int lg_run(const struct lg_load *load, const bool *stop, const struct lg_watcher *watcher,
                    struct lg_result *ret_result, struct lg_why *why);
void lg_result_fini(struct lg_result *r);

/* Is there room for that many connections?  Raises the soft limit of descriptors. */
MUST_USE int lg_preflight(const struct lg_load *load, struct lg_why *why);
