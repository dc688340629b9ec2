/* client/fetch.h - one list of URLs, four ways to wait for many servers.
 *
 *   serial      one after the other
 *   thread      N threads, each blocks in its transfer
 *   process     N processes, each blocks in its transfer
 *   coroutine   N tasks on one loop, each parks in its transfer
 *
 * Each worker takes the next URL until none is left; nothing but the waiting
 * differs.
 *
 *   ownership  the plan and what it points to are borrowed for the run */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/client.h"
#include "client/retry.h"

#define CL_FETCH_MODE(X) X(serial) X(thread) X(process) X(coroutine)

enum cl_fetch_mode {
#define ENUM(name) CL_FETCH_##name,
    CL_FETCH_MODE(ENUM)
#undef ENUM
        CL_FETCH_MODE_COUNT
};

struct cl_fetch_url {
    char *text;
    char *refusal; /* why it is not even tried, or NULL */
};

struct cl_fetch_plan {
    struct cl_fetch_url *urls;
    size_t count;
    unsigned workers;
    struct cl_request request; /* its url is filled in */
    struct cl_retry retry;
    bool is_json;
    bool is_silent;       /* print no line for each URL */
    bool is_status_error; /* a status of 400 or more is a failure */
};

struct cl_fetch_totals {
    uint64_t fetched;
    uint64_t failed;
    uint64_t bytes;
    uint64_t retries;
    int64_t elapsed_ns;
    int64_t cpu_ns;      /* user and system, of all threads and processes */
    bool is_output_lost; /* the run ended because nobody takes its lines */
};

/* Fetch and print each as it ends.  0, also when some failed; -errno when the
 * run could not be made or its output could not be written. */
int cl_fetch_run(enum cl_fetch_mode mode, const struct cl_fetch_plan *plan,
                 struct cl_fetch_totals *ret_totals);
