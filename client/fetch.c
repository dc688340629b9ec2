/* domainc fetch - many fetches: the command line of client/fetch.h. */
#include "client/fetch.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/args.h"
#include "client/command.h"
#include "client/guard.h"
#include "coro/base/clock.h"
#include "coro/base/err.h"
#include "coro/base/std.h"
#include "coro/base/units.h"

#define FETCH_CONNECT_NS     (10 * NS_PER_S)
#define FETCH_BODY_MAX_BYTES (64UL << 20)
#define FETCH_REDIRECTS_MAX  10
#define WORKERS_DEFAULT      16
#define WORKERS_MAX          10000
#define URLS_FIRST           64
#define SHOWN_BYTES          200 /* of a line that is not fetched */

struct fetch_args {
    struct cl_fetch_plan plan;
    enum cl_fetch_mode mode;
    bool is_all; /* every mode, one after the other, and a table */
    bool is_quiet;
    struct cl_args_input input;
    struct cl_guard guard;
};

static const char *const mode_names[] = {
#define NAME(name) [CL_FETCH_##name] = #name,
    CL_FETCH_MODE(NAME)
#undef NAME
};

enum { KEY_TIMEOUT = 256, KEY_RETRY, KEY_JSON, KEY_FAIL, KEY_PUBLIC, KEY_CACERT };

static const struct argp_option options[] = {
    {"mode", 'm', "MODE", 0,
     "How to wait: serial, thread, process, coroutine (default), or all: each of them in turn, and "
     "a table that compares them",
     0},
    {"file", 'f', "FILE", 0, "Fetch every line of FILE; '-' is standard input", 0},
    {"connections", 'c', "N", 0, "Transfers at once (default 16); serial has one", 0},
    {"timeout", KEY_TIMEOUT, "TIME", 0, "For each fetch (default 30s)", 0},
    {"retry", KEY_RETRY, "N", 0, "Further attempts where that can help (default 0)", 0},
    {"json", KEY_JSON, NULL, 0, "Print JSON lines", 0},
    {"fail", KEY_FAIL, NULL, 0, "A status of 400 or more is a failure", 0},
    {"public-only", KEY_PUBLIC, NULL, 0,
     "Refuse addresses that are not of the public internet, also behind names and redirects", 0},
    {"cacert", KEY_CACERT, "FILE", 0, "Trust these certificates, not the system's", 0},
    {"quiet", 'q', NULL, 0, "No summary", 0},
    {0},
};

static void set_mode(struct argp_state *state, struct fetch_args *args, const char *arg)
{
    args->is_all = strcmp(arg, "all") == 0;
    for (size_t i = 0; i < ARRAY_LEN(mode_names); i++) {
        if (strcmp(mode_names[i], arg) == 0) {
            args->mode = (enum cl_fetch_mode)i;
            return;
        }
    }
    if (!args->is_all)
        argp_error(state, "--mode: serial, thread, process, coroutine or all, not '%s'", arg);
}

static error_t on_option(int key, char *arg, struct argp_state *state)
{
    struct fetch_args *args = state->input;
    struct cl_fetch_plan *plan = &args->plan;
    switch (key) {
    case 'm':
        set_mode(state, args, arg);
        return 0;
    case 'c':
        plan->workers = (unsigned)cl_args_count(state, "-c", arg, 1, WORKERS_MAX);
        return 0;
    case 'q':
        args->is_quiet = true;
        return 0;
    case KEY_TIMEOUT:
        plan->request.timeout_ns = cl_args_time_ns(state, "--timeout", arg);
        return 0;
    case KEY_RETRY:
        plan->retry.attempts_max = 1 + (int)cl_args_count(state, "--retry", arg, 0, 1000);
        return 0;
    case KEY_JSON:
        plan->is_json = true;
        return 0;
    case KEY_FAIL:
        plan->is_status_error = true;
        return 0;
    case KEY_PUBLIC:
        plan->request.guard = &args->guard;
        return 0;
    case KEY_CACERT:
        plan->request.ca_file = arg;
        return 0;
    default:
        return cl_args_on_input(key, arg, state, &args->input);
    }
}

static const struct argp fetch_argp = {
    .options = options,
    .parser = on_option,
    .args_doc = "-f FILE\nURL...",
    .doc =
        "Fetch every URL; print a line for each as it ends: status, bytes, milliseconds, URL, "
        "separated by tabs ('-' and the reason at the end where no reply came).\vThe exit code is "
        "0 when every URL was fetched, 1 when one was not, 2 for a wrong command line.",
};

/* ---- the URLs, all in memory: every mode is to see the same list ---- */

static void free_urls(struct cl_fetch_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        free(plan->urls[i].text);
        free(plan->urls[i].refusal);
    }
    free(plan->urls);
}

/* A line of which only a part would be fetched must not be. */
static int look_at(const struct cl_line *line, uint64_t number, char **ret_refusal)
{
    int n = 0;
    if (line->is_cut)
        n = asprintf(ret_refusal, "line %llu: longer than %d bytes", (unsigned long long)number,
                     CL_LINE_MAX_BYTES);
    else if (strlen(line->text) != line->len)
        n = asprintf(ret_refusal, "line %llu: holds a NUL byte", (unsigned long long)number);
    return n < 0 ? -ENOMEM : 0;
}

static int add_url(struct cl_fetch_plan *plan, const struct cl_line *line, uint64_t number)
{
    /* the capacity is the power of two that holds count */
    bool is_full =
        plan->count == 0 || (plan->count >= URLS_FIRST && (plan->count & (plan->count - 1)) == 0);
    if (is_full) {
        size_t cap = plan->count == 0 ? URLS_FIRST : plan->count * 2;
        struct cl_fetch_url *urls = realloc(plan->urls, cap * sizeof *urls);
        if (urls == NULL)
            return -ENOMEM;
        plan->urls = urls;
    }
    struct cl_fetch_url *url = &plan->urls[plan->count];
    url->refusal = NULL;
    int rv = look_at(line, number, &url->refusal);
    if (rv < 0)
        return rv;
    url->text = url->refusal == NULL ? strdup(line->text) : strndup(line->text, SHOWN_BYTES);
    if (url->text == NULL) {
        free(url->refusal);
        return -ENOMEM;
    }
    plan->count++;
    return 0;
}

static int read_urls(struct fetch_args *args)
{
    struct cl_lines in;
    struct cl_line line;
    int rv = cl_args_open(&args->input, &in);
    if (rv < 0)
        return rv;
    while ((rv = cl_lines_next(&in, &line)) > 0) {
        if (line.len == 0)
            continue;
        rv = add_url(&args->plan, &line, in.line);
        if (rv < 0)
            break;
    }
    cl_lines_close(&in);
    /* more workers than URLs would only come and go */
    if (args->plan.workers > args->plan.count)
        args->plan.workers = args->plan.count > 0 ? (unsigned)args->plan.count : 1;
    return rv;
}

/* ---- runs and what is said about them ---- */

static void print_summary(const struct cl_fetch_plan *plan, const struct cl_fetch_totals *totals)
{
    char took[UNITS_TEXT_BYTES];
    char bytes[UNITS_TEXT_BYTES];
    fprintf(stderr, "%zu URLs: %llu fetched, %llu failed, %s; %llu retries; %s, CPU %.0f ms\n",
            plan->count, (unsigned long long)totals->fetched, (unsigned long long)totals->failed,
            units_format_bytes((double)totals->bytes, bytes), (unsigned long long)totals->retries,
            units_format_ns((double)totals->elapsed_ns, took), (double)totals->cpu_ns / 1e6);
}

static void complain(const struct fetch_args *args, enum cl_fetch_mode mode,
                     const struct cl_fetch_totals *totals, int err)
{
    const char *who = args->is_all ? mode_names[mode] : "";
    const char *colon = args->is_all ? ": " : "";
    if (err == -ECHILD)
        cl_complain("%s%sa worker process died; %zu of %zu URLs were not fetched to the end", who,
                    colon, args->plan.count - (size_t)(totals->fetched + totals->failed),
                    args->plan.count);
    else
        cl_complain("%s%s%s%s", who, colon,
                    totals->is_output_lost ? "cannot write the output: " : "", err_text(err));
}

static int fetch(const struct fetch_args *args)
{
    struct cl_fetch_totals totals = {0};
    int rv = cl_fetch_run(args->mode, &args->plan, &totals);
    if (rv < 0)
        complain(args, args->mode, &totals, rv);
    if (!args->is_quiet)
        print_summary(&args->plan, &totals);
    return rv == 0 && totals.failed == 0 ? CL_EXIT_OK : CL_EXIT_FAILED;
}

/* The table goes to standard output: it is what was asked for. */
static int fetch_in_all_modes(struct fetch_args *args)
{
    bool is_complete = true;
    char bytes[UNITS_TEXT_BYTES];
    args->plan.is_silent = true;
    printf("%-10s %8s %8s %10s %10s %10s %10s\n", "mode", "fetched", "failed", "bytes", "seconds",
           "fetches/s", "CPU ms");
    for (size_t i = 0; i < CL_FETCH_MODE_COUNT; i++) {
        struct cl_fetch_totals totals = {0};
        (void)std_flush(stdout); /* else the processes would have it, too */
        int rv = cl_fetch_run((enum cl_fetch_mode)i, &args->plan, &totals);
        if (rv < 0)
            complain(args, (enum cl_fetch_mode)i, &totals, rv);
        double seconds = (double)totals.elapsed_ns / 1e9;
        printf("%-10s %8llu %8llu %10s %10.3f %10.1f %10.0f\n", mode_names[i],
               (unsigned long long)totals.fetched, (unsigned long long)totals.failed,
               units_format_bytes((double)totals.bytes, bytes), seconds,
               seconds > 0 ? (double)totals.fetched / seconds : 0, (double)totals.cpu_ns / 1e6);
        is_complete = is_complete && rv == 0 && totals.failed == 0;
    }
    return is_complete ? CL_EXIT_OK : CL_EXIT_FAILED;
}

/* What is open in one process at once.  A thread's own libcurl has a pair to wake it. */
static unsigned descriptors_of(const struct fetch_args *args)
{
    if (args->is_all || args->mode == CL_FETCH_thread)
        return 3 * args->plan.workers;
    return args->mode == CL_FETCH_coroutine ? args->plan.workers : 1;
}

int cl_cmd_fetch(int argc, char **argv)
{
    struct fetch_args args = {
        .mode = CL_FETCH_coroutine,
        .plan = {.workers = WORKERS_DEFAULT,
                 .request = {.connect_timeout_ns = FETCH_CONNECT_NS,
                             .timeout_ns = 30 * NS_PER_S,
                             .body_max_bytes = FETCH_BODY_MAX_BYTES,
                             .redirects_max = FETCH_REDIRECTS_MAX,
                             .flags = CL_DISCARD_BODY},
                 .retry = {.attempts_max = 1, .first_ns = NS_PER_S, .longest_ns = 60 * NS_PER_S}}};
    argp_parse(&fetch_argp, argc, argv, 0, NULL, &args);
    int status = CL_EXIT_FAILED;
    int rv = read_urls(&args);
    if (rv < 0)
        cl_complain("cannot read %s: %s", cl_args_input_name(&args.input), cl_lines_error_text(rv));
    else if (cl_args_raise_descriptors(descriptors_of(&args)))
        status = args.is_all ? fetch_in_all_modes(&args) : fetch(&args);
    free_urls(&args.plan);
    return status;
}
