/* loadgen/gate.h - conditions on a result: --fail-if 'p99>5ms'.
 *
 *   NAME OP VALUE    NAME  p50 p75 p90 p99 p99.9 p99.99 (any pNN), mean, max, raw_p99
 *                          (raw_pNN), errors (share of what was sent: 0.01, 1%),
 *                          failed (count), unsent (count), rps
 *                    OP    > >= < <=
 *                    VALUE a time for latencies (5ms), else a number
 *
 *   context    any; pure
 *   returns    0, or -EINVAL with the reason */
#pragma once

#include "loadgen/run.h"
#include "loadgen/why.h"

struct lg_gate {
    char name[16];
    bool is_greater; /* > or >= */
    bool or_equal;
    double limit;     /* ns for latencies */
    const char *text; /* as written; borrowed */
};

MUST_USE int lg_gate_parse(const char *text, struct lg_gate *ret_gate, struct lg_why *why);
/* Does it hold?  *ret_known false: too few samples to say (then it does not). */
bool lg_gate_holds(const struct lg_gate *g, const struct lg_result *r, bool *ret_known,
                   double *ret_value);

struct lg_gate_result {
    struct lg_gate gate;
    bool is_known;
    bool holds;
    double value;
};
/* What became of it, in one line: "p99>5ms: breached, it is 7.31ms". */
void lg_gate_describe(const struct lg_gate_result *g, char *text, size_t bytes);
