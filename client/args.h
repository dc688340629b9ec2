/* client/args.h - what the command lines of domainc's subcommands have alike.
 *
 *   context    inside argp's parser: a wrong value ends the program (argp_error)
 *   ownership  texts are borrowed from argv */
#pragma once

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/lines.h"
#include "coro/base/attr.h"

/* Where the URLs come from: a file, or the command line. */
struct cl_args_input {
    const char *file; /* "-": standard input; NULL: urls */
    char **urls;
    int url_count;
};

/* A whole number from min to max. */
int64_t cl_args_count(struct argp_state *state, const char *name, const char *arg, int64_t min,
                      int64_t max);
/* A time above zero, such as 10s. */
int64_t cl_args_time_ns(struct argp_state *state, const char *name, const char *arg);

/* Take as many descriptors as the hard limit gives.  false: fewer than this and a few more,
 * which -c asks for; it was complained about. */
MUST_USE bool cl_args_raise_descriptors(unsigned descriptors);

/* The keys of that (-f FILE, the URLs), of which one source must be given; what a
 * parser of options returns for any key that is not its own. */
error_t cl_args_on_input(int key, char *arg, struct argp_state *state, struct cl_args_input *input);

/* The file's name, or a word for the command line; static or borrowed. */
const char *cl_args_input_name(const struct cl_args_input *input);
/* 0 or -errno; cl_lines_close ends it. */
MUST_USE int cl_args_open(const struct cl_args_input *input, struct cl_lines *in);
