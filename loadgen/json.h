/* loadgen/json.h - results as JSON; the HTML report is drawn from the same text.
 *
 *   returns    0, or -ENOMEM / -EMSGSIZE of the buffer
 *   ownership  everything is borrowed; text is appended to the buffer */
#pragma once

#include <stddef.h>

#include "coro/base/buf.h"
#include "loadgen/compare.h"
#include "loadgen/gate.h"
#include "loadgen/verdict.h"

/* Where and how: what makes a result repeatable. */
struct lg_setting {
    int argc;
    char *const *argv;
    int64_t start_wall_ns;
};

/* Everything that is known about one run. */
struct lg_run_report {
    const struct lg_setting *setting;
    const struct lg_load *load;
    const char *url;
    const struct lg_result *result;
    const struct lg_findings *findings;
    const struct lg_gate_result *gates;
    size_t n_gates;
    int exit_code;
};
MUST_USE int lg_json_run(struct buf *out, const struct lg_run_report *report);

/* Comparisons: begin, each, end. */
MUST_USE int lg_json_compare_begin(struct buf *out, const struct lg_setting *setting);
MUST_USE int lg_json_comparison(struct buf *out, const struct lg_comparison *c, bool is_first);
MUST_USE int lg_json_compare_end(struct buf *out, int exit_code);
