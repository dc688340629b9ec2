#include "client/args.h"

#include <stddef.h>
#include <sys/resource.h>

#include "client/command.h"
#include "coro/base/units.h"

#define DESCRIPTORS_AT_LEAST 64 /* for everything but the transfers */

int64_t cl_args_count(struct argp_state *state, const char *name, const char *arg, int64_t min,
                      int64_t max)
{
    int64_t value = min;
    if (units_parse_int(arg, min, max, &value) < 0)
        argp_error(state, "%s: not a number from %lld to %lld: '%s'", name, (long long)min,
                   (long long)max, arg);
    return value;
}

int64_t cl_args_time_ns(struct argp_state *state, const char *name, const char *arg)
{
    int64_t span_ns = 0;
    if (units_parse_ns(arg, &span_ns) < 0 || span_ns <= 0)
        argp_error(state, "%s: not a time such as 10s or 250ms: '%s'", name, arg);
    return span_ns;
}

bool cl_args_raise_descriptors(unsigned descriptors)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return true; /* who runs out of them will say so */
    if (limit.rlim_max < (rlim_t)descriptors + DESCRIPTORS_AT_LEAST) {
        cl_complain("so many transfers at once take %ju open files, and the limit is %ju: lower "
                    "-c, or raise it (ulimit -n)",
                    (uintmax_t)descriptors + DESCRIPTORS_AT_LEAST, (uintmax_t)limit.rlim_max);
        return false;
    }
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit); /* no more than was allowed: not refused */
    return true;
}

error_t cl_args_on_input(int key, char *arg, struct argp_state *state, struct cl_args_input *input)
{
    switch (key) {
    case 'f':
        input->file = arg;
        return 0;
    case ARGP_KEY_ARGS:
        input->urls = state->argv + state->next;
        input->url_count = state->argc - state->next;
        return 0;
    case ARGP_KEY_END:
        if (input->file != NULL && input->url_count > 0)
            argp_error(state, "either -f FILE or URL..., not both");
        if (input->file == NULL && input->url_count == 0)
            argp_error(state, "which URLs? -f FILE (- is standard input), or URL...");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const char *cl_args_input_name(const struct cl_args_input *input)
{
    return input->file != NULL ? input->file : "URL";
}

int cl_args_open(const struct cl_args_input *input, struct cl_lines *in)
{
    return input->file != NULL ? cl_lines_open(in, input->file)
                               : cl_lines_of(in, input->urls, input->url_count);
}
