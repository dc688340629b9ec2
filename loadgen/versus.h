/* loadgen/versus.h - a comparison for a terminal: one table, then what it shows.
 *
 *   context    any
 *   ownership  everything is borrowed */
#pragma once

#include <stdio.h>

#include "loadgen/compare.h"

void lg_versus(FILE *out, const struct lg_comparison *c);

/* "coroutine 0.82x thread [0.80, 0.85], p=0.007", or that nothing is shown. */
void lg_pair_text(const struct lg_comparison *c, const struct lg_pair *pair, char *text,
                  size_t bytes);
#define LG_LEADERS_BYTES 96
/* "thread and prefork": those that nobody is shown to be better than; how many.
 * The metric is ranked. */
size_t lg_leaders(const struct lg_comparison *c, enum lg_metric metric, char *text, size_t bytes);
/* 0, 4 (nothing can be said), 130. */
int lg_versus_exit_code(const struct lg_comparison *c);

/* Of several scenarios, one line each at the end. */
struct lg_summary {
    const char *scenario;
    char leaders[LG_METRICS][LG_LEADERS_BYTES]; /* "-": no difference shown, "?": not ranked */
};
void lg_summarize(const struct lg_comparison *c, struct lg_summary *ret_summary);
void lg_print_summary(FILE *out, const struct lg_summary *list, size_t n);
