/* loadgen/verdict.h - what a run's numbers are worth.
 *
 *   context    any; pure
 *   ownership  the caller's memory */
#pragma once

#include <stddef.h>

#include "loadgen/load.h"
#include "loadgen/run.h"

enum lg_severity {
    LG_NOTE,
    LG_WARNING, /* read the numbers with this in mind */
    LG_FAILED,  /* the server did not do its job: exit 1 */
    LG_INVALID, /* the numbers do not show the server: exit 4 */
};

struct lg_finding {
    enum lg_severity severity;
    char text[256];
};

#define LG_FINDINGS_MAX 24
struct lg_findings {
    struct lg_finding list[LG_FINDINGS_MAX];
    size_t n;
};

/* How much of an open loop's latency is loadgen's own lateness. */
struct lg_lag {
    double percent; /* of the highest percentile that is known of both */
    double lag_ns;
    double share;              /* of the latency there */
    enum lg_severity severity; /* LG_NOTE: little enough */
};
struct lg_lag lg_judge_lag(const struct lg_record *r);

void lg_judge(const struct lg_load *load, const struct lg_result *result,
              struct lg_findings *ret_findings);

/* 130 interrupted, 4 invalid, 1 failed, 0. */
int lg_exit_code(const struct lg_result *result, const struct lg_findings *findings);
