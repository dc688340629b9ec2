/* loadgen/plan.h - open loop: the instants at which requests are due.
 *
 * The k-th request of the whole run is due when the integral of the rate
 * reaches k: evenly spaced, or as a Poisson process (exponential gaps, what
 * many independent users look like); with a ramp the rate grows linearly from
 * zero.  Each of several worker threads takes every n-th request, so that no
 * thread waits for another.  Due times depend on nothing that the server does.
 *
 *   context    any; pure
 *   ownership  the caller's memory */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct lg_plan {
    int64_t start_ns;
    double rate_per_s; /* of the whole run */
    int64_t ramp_ns;   /* the rate grows from zero this long; 0: no ramp */
    bool poisson;      /* random gaps; else even ones */
    unsigned share;    /* which of ... */
    unsigned shares;   /* ... this many workers this is */
    double position;   /* integral of the rate at the next request */
    uint64_t random;   /* state of the generator */
};

void lg_plan_init(struct lg_plan *p, int64_t start_ns, double rate_per_s, int64_t ramp_ns);
/* Make it one of several; poisson needs a seed. */
void lg_plan_share(struct lg_plan *p, unsigned share, unsigned shares, bool poisson, uint64_t seed);

/* When the next request is due, absolute; lg_plan_take moves on. */
int64_t lg_plan_due_ns(const struct lg_plan *p);
void lg_plan_take(struct lg_plan *p);
