/* loadgen/versus.h - a comparison for a terminal: one table, then what it shows.
 *
 *   context    any
 *   ownership  everything is borrowed */
#pragma once

#include <stdio.h>

#include "loadgen/compare.h"

void lg_versus(FILE *out, const struct lg_comparison *c);

/* "coroutine 0.82x thread [0.80, 0.85], p=0.007", or that nothing is shown. */
void lg_pair_text(const struct lg_comparison *c, enum lg_metric metric, const struct lg_pair *pair,
                  char *text, size_t bytes);
/* 0, 4 (nothing can be said), 130. */
int lg_versus_exit_code(const struct lg_comparison *c);
