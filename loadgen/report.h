/* loadgen/report.h - a run's result for a terminal, in wrk's layout.
 *
 *   context    any
 *   ownership  everything is borrowed */
#pragma once

#include <stdio.h>
#include <string.h>

#include "loadgen/load.h"
#include "loadgen/run.h"
#include "loadgen/verdict.h"

/* The percentiles that reports show. */
extern const double lg_percents[];
extern const size_t lg_n_percents;

void lg_report_head(FILE *out, const struct lg_load *load, const char *url);
void lg_report(FILE *out, const struct lg_load *load, const struct lg_result *result,
               const struct lg_findings *findings);
