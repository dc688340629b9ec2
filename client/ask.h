/* client/ask.h - ask a domaind about every line of an input, many at once,
 * answers out in input order, in bounded memory.
 *
 *   context   cl_ask_run() makes the calling thread a loop until it returns
 *   ownership options, input and output are borrowed for the run */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "client/answer.h"
#include "client/client.h"
#include "client/lines.h"
#include "client/output.h"
#include "client/retry.h"

struct cl_ask_options {
    const char *server;    /* "http://localhost:8080": no slash at the end */
    const char *unix_path; /* NULL: none */
    const char *ca_file;   /* NULL: the system's */
    const char *suffixes;  /* passed on; NULL: the server's default */
    const char *input_name;
    unsigned transfers;
    bool is_text; /* bare domains instead of JSON */
    bool is_quiet;
    int64_t timeout_ns;
    struct cl_retry retry;
};

struct cl_ask_result {
    uint64_t lines; /* that were printed */
    uint64_t answers[CL_ANSWER_COUNT];
    uint64_t retries;
    int64_t elapsed_ns;
    int signal;             /* that stopped the run; 0: none */
    char why[CL_WHY_BYTES]; /* what stopped the run; empty: it reached the end */
};

/* Blank lines are not asked.  0 when every line was asked and printed, also
 * when some got no answer; else -errno and ret_result->why, or signal. */
int cl_ask_run(const struct cl_ask_options *options, struct cl_lines *in, struct cl_output *out,
               struct cl_ask_result *ret_result);
