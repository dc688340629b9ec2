/* loadgen/options.h - the command line of both commands, as one struct.
 *
 *   context    main only: a usage error prints and exits 2, as argp does
 *   ownership  strings are borrowed from argv; lg_options_fini frees the lists */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "loadgen/load.h"
#include "loadgen/target.h"

#define LG_SAMPLE_URL                                                                              \
    "https://www.google.com/"                                                                      \
    "search?q=Enhancement&aq=f&sugexp=chrome,mod=0&sourceid=chrome&ie=UTF-8"
#define LG_DEFAULT_URL "http://localhost:8080/domain?url=" LG_SAMPLE_URL
#define LG_LIST_MAX    32

struct lg_options {
    bool is_compare;
    const char *url; /* of a run */
    const char *unix_path;
    struct lg_request_shape shape;
    struct lg_load load;
    const char *json_path; /* "-": standard output */
    const char *html_path;
    const char *gates[LG_LIST_MAX]; /* --fail-if */
    unsigned n_gates;
    bool profile;
    bool quiet;

    /* compare */
    const char *modes;
    const char *scenarios;
    const char *targets[LG_LIST_MAX]; /* NAME=URL[,PID] */
    unsigned n_targets;
    const char *domaind; /* its path; NULL: beside this program */
    const char *domaind_flags[LG_LIST_MAX];
    unsigned n_domaind_flags;
    unsigned rounds;
    int64_t budget_ns; /* for everything; 0: as long as it takes */
    uint64_t seed;
    bool pin;

    const char *headers[LG_LIST_MAX];
    char *body; /* owned */
};

void lg_options_parse(struct lg_options *o, int argc, char **argv);
void lg_options_fini(struct lg_options *o);
