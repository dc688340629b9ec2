/* domainc extract - the domains of many URLs, without a server.
 *
 * This file reads the command line; extract_run.c does the work. */
#include <argp.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/args.h"
#include "client/command.h"
#include "client/extract.h"
#include "client/output.h"
#include "coro/base/clock.h"
#include "coro/base/err.h"
#include "coro/base/units.h"
#include "coro/prof/prof.h"
#include "coro/prof/worker.h"
#include "server/profile/own.h"

enum {
    JOBS_MAX = 256,
    COUNT_TOP_DEFAULT = 20,
    PROFILE_MAX_BYTES = 16 << 20,
    KEY_FORMAT = 0x100,
    KEY_FIELDS,
    KEY_ENGINE,
    KEY_SUFFIXES,
    KEY_SUFFIX_LIST,
    KEY_ERRORS,
    KEY_COUNT,
    KEY_REPEAT,
    KEY_PROFILE,
};

static const struct argp_option options[] = {
    {"format", KEY_FORMAT, "FORMAT", 0, "text (the domain, the default), tsv or ndjson", 0},
    {"fields", KEY_FIELDS, "LIST", 0,
     "the columns of tsv, with commas between: url domain kind port subdomain registrable suffix "
     "suffix_kind unicode flags line error (default: url,domain,registrable,suffix)",
     0},
    {"engine", KEY_ENGINE, "NAME", 0,
     "scan (the default), or the sample's pattern run by regex-each, regex, pcre or pcre-jit", 0},
    {"suffixes", KEY_SUFFIXES, "WHICH", 0,
     "all (the default) or icann: without the private section", 0},
    {"suffix-list", KEY_SUFFIX_LIST, "FILE", 0,
     "the Public Suffix List to use; default: the newest of those that domainc psl knows", 0},
    {"errors", KEY_ERRORS, "HOW", 0,
     "a line without a domain: keep (an empty row, the default), skip (no row) or stop", 0},
    {"count", KEY_COUNT, "N", OPTION_ARG_OPTIONAL,
     "print the N (20) most frequent values of the first field (domain) with their counts", 0},
    {"jobs", 'j', "N", 0, "worker threads (default: one for each CPU)", 0},
    {"repeat", KEY_REPEAT, "N", 0, "instead of files: N calls on the one URL given", 0},
    {"profile", KEY_PROFILE, "SORT", OPTION_ARG_OPTIONAL,
     "print where the time went, sorted as by python -m cProfile -s (cumulative)", 0},
    {"quiet", 'q', NULL, 0, "no progress, no word about single lines", 0},
    {0},
};

struct arguments {
    struct extract_options o;
    bool has_format;
};

/* Index of text among the words, with a usage error when it is none. */
static int choose(struct argp_state *state, const char *option, const char *text,
                  const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(words[i], text) == 0)
            return (int)i;
    argp_error(state, "--%s: there is no '%s'; see --help", option, text);
    return 0;
}

static void choose_engine(struct argp_state *state, struct extract_options *o, const char *text)
{
    if (domain_engine_find_kind(text, strlen(text), &o->engine) < 0)
        argp_error(state, "--engine is one of %s, not '%s'", domain_engine_words(), text);
}

static void choose_fields(struct argp_state *state, struct extract_options *o, const char *text)
{
    char bad[64];
    if (extract_parse_fields(o, text, bad, sizeof bad) < 0)
        argp_error(state, "--fields: no field '%s', or too many; see --help", bad);
}

static error_t on_option(int key, char *arg, struct argp_state *state)
{
    static const char *const formats[] = {"text", "tsv", "ndjson"};
    static const char *const errors[] = {"keep", "skip", "stop"};
    static const char *const suffixes[] = {"all", "icann"};
    struct arguments *a = state->input;
    struct extract_options *o = &a->o;
    switch (key) {
    case KEY_FORMAT:
        o->format = (enum extract_format)choose(state, "format", arg, formats, ARRAY_LEN(formats));
        a->has_format = true;
        return 0;
    case KEY_FIELDS:
        choose_fields(state, o, arg);
        return 0;
    case KEY_ENGINE:
        choose_engine(state, o, arg);
        return 0;
    case KEY_SUFFIXES:
        o->is_icann_only = choose(state, "suffixes", arg, suffixes, ARRAY_LEN(suffixes)) == 1;
        return 0;
    case KEY_SUFFIX_LIST:
        o->suffix_list = arg;
        return 0;
    case KEY_ERRORS:
        o->errors = (enum extract_errors)choose(state, "errors", arg, errors, ARRAY_LEN(errors));
        return 0;
    case KEY_COUNT:
        o->count_top =
            arg == NULL ? COUNT_TOP_DEFAULT : cl_args_count(state, "--count", arg, 1, INT64_MAX);
        return 0;
    case 'j':
        o->jobs = (unsigned)cl_args_count(state, "-j", arg, 1, JOBS_MAX);
        return 0;
    case KEY_REPEAT:
        o->repeat = cl_args_count(state, "--repeat", arg, 1, INT64_MAX);
        return 0;
    case KEY_PROFILE:
        o->profile_sort = arg == NULL ? "cumulative" : arg;
        if (!profile_own_knows(o->profile_sort))
            argp_error(state, "--profile: there is no sort key '%s'", arg);
        return 0;
    case 'q':
        o->is_quiet = true;
        return 0;
    case ARGP_KEY_ARGS:
        o->paths = state->argv + state->next;
        o->path_count = (size_t)(state->argc - state->next);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp extract_argp = {
    .options = options,
    .parser = on_option,
    .args_doc = "[FILE...]\n--repeat=N URL",
    .doc = "Extract the domain of every line of the FILEs (or standard input), in order."
           "\vExamples:\n"
           "  domainc extract urls.txt\n"
           "  zcat urls.gz | domainc extract --format=tsv --fields=registrable,url\n"
           "  domainc extract --count=10 --fields=registrable urls.txt\n"
           "  domainc extract --repeat=900000 --engine=regex --profile=tottime URL\n\n"
           "In tsv a tab in a URL is written as \\t, a carriage return as \\r, a backslash as "
           "\\\\.  The exit code is 0 when everything was read (that a line has no domain is an "
           "answer), 1 when something failed or --errors=stop did, 2 for a wrong command line.",
};

static unsigned cpu_count(void)
{
    cpu_set_t cpus;
    if (sched_getaffinity(0, sizeof cpus, &cpus) < 0)
        return 1;
    int n = CPU_COUNT(&cpus);
    return n < 1 ? 1 : (unsigned)n;
}

/* What only all options together tell: why they cannot all be meant, or NULL. */
static const char *contradiction(const struct extract_options *o, bool has_format)
{
    if (o->repeat > 0 && o->path_count != 1)
        return "--repeat wants one URL";
    if (o->repeat > 0 && (o->count_top > 0 || o->field_count > 0 || has_format))
        return "--repeat prints the domain alone: it has no --count, --fields or --format";
    for (size_t i = 0; i < o->field_count && o->engine != DOMAIN_ENGINE_SCAN; i++)
        if (!extract_is_sample_field((enum extract_field)o->fields[i]))
            return "the engines of the sample know the domain alone, no other --fields";
    if (o->count_top > 0 && has_format)
        return "--count prints counts: it has no --format";
    if (o->field_count > 0 && has_format && o->format != EXTRACT_TSV)
        return "--fields are the columns of --format=tsv";
    return NULL;
}

/* People give a URL where a file is wanted; and wonder at a program that waits for them. */
static void give_hints(const struct extract_options *o)
{
    if (o->is_quiet || o->repeat > 0)
        return;
    for (size_t i = 0; i < o->path_count; i++) {
        if (strstr(o->paths[i], "://") != NULL && access(o->paths[i], F_OK) < 0)
            cl_complain("files are wanted, with a URL on each line; for one URL: "
                        "echo '%s' | domainc extract",
                        o->paths[i]);
        else if (strcmp(o->paths[i], "-") == 0 && isatty(STDIN_FILENO))
            cl_complain("URLs are read from the terminal, one a line; ^D ends them");
    }
}

/* What follows from all options together. */
static void complete(struct extract_options *o, bool has_format)
{
    static char *standard_input[] = {"-"};
    if (o->field_count > 0 && !has_format)
        o->format = EXTRACT_TSV;
    if (o->field_count == 0 && o->count_top > 0)
        o->fields[o->field_count++] = EXTRACT_FIELD_DOMAIN;
    if (o->field_count == 0) {
        static const uint8_t usual[] = {EXTRACT_FIELD_URL, EXTRACT_FIELD_DOMAIN,
                                        EXTRACT_FIELD_REGISTRABLE, EXTRACT_FIELD_SUFFIX};
        memcpy(o->fields, usual, sizeof usual);
        o->field_count = sizeof usual;
    }
    if (o->path_count == 0) {
        o->paths = standard_input;
        o->path_count = 1;
    }
    if (o->jobs == 0)
        o->jobs = cpu_count();
}

/* ---- the sample job ---- */

/* The loop of the sample; the last call's answer. */
static enum domain_error repeat(struct domain_engine *engine, const struct extract_options *o,
                                const char *url, struct domain_text *ret_domain)
{
    PROF_FN();
    enum domain_error error = DOMAIN_OK;
    size_t len = strlen(url);
    for (int64_t i = 0; i < o->repeat && error == DOMAIN_OK; i++)
        error = domain_engine_find(engine, o->suffixes, url, len, ret_domain);
    return error;
}

static int run_repeat(const struct extract_options *o)
{
    char why[DOMAIN_ENGINE_WHY_BYTES], took[UNITS_TEXT_BYTES];
    struct domain_engine *engine;
    struct domain_text domain = {NULL, 0};
    if (domain_engine_new(o->engine, &engine, why) < 0) {
        cl_complain("engine %s: %s", domain_engine_word(o->engine), why);
        return CL_EXIT_FAILED;
    }
    int64_t start_ns = clock_now_ns();
    enum domain_error error = repeat(engine, o, o->paths[0], &domain);
    double spent_ns = (double)(clock_now_ns() - start_ns);
    int rv = 0;
    if (error == DOMAIN_OK) {
        rv = cl_write_all(STDOUT_FILENO, domain.at, domain.len);
        if (rv == 0)
            rv = cl_write_all(STDOUT_FILENO, "\n", 1);
    }
    if (error != DOMAIN_OK)
        cl_complain("%s", domain_error_text(error));
    else if (rv < 0)
        cl_complain("standard output: %s", err_text(rv));
    else if (!o->is_quiet)
        fprintf(stderr, "%" PRId64 " calls of %s in %s: %.0f ns each\n", o->repeat,
                domain_engine_word(o->engine), units_format_ns(spent_ns, took),
                spent_ns / (double)o->repeat);
    domain_engine_free(engine);
    return error == DOMAIN_OK && rv == 0 ? CL_EXIT_OK : CL_EXIT_FAILED;
}

/* ---- the command ---- */

static int load_suffixes(struct extract_options *o, struct domain_suffixes **ret_suffixes)
{
    struct domain_load_error why;
    char own[DOMAIN_PATH_BYTES];
    const char *path = o->suffix_list;
    if (path == NULL)
        path = domain_suffixes_find(domain_suffixes_own_path(own) ? own : NULL);
    if (domain_suffixes_load(path, ret_suffixes, &why) == 0) {
        o->suffixes = *ret_suffixes;
        return 0;
    }
    if (why.line > 0)
        cl_complain("suffix list %s:%u: %s", path, why.line, why.what);
    else
        cl_complain("suffix list %s: %s%s", path, why.what,
                    o->suffix_list == NULL ? "; install the package publicsuffix or give "
                                             "--suffix-list=FILE"
                                           : "");
    return -1;
}

/* This thread is the first worker. */
static int start_profile(unsigned jobs)
{
    int rv = profile_own_start(jobs);
    return rv < 0 ? rv : prof_worker_open("extract");
}

static int print_profile(const char *sort)
{
    struct buf text;
    buf_init(&text, PROFILE_MAX_BYTES);
    prof_worker_close();
    int rv = profile_own_finish(sort, &text);
    if (rv == 0)
        rv = cl_write_all(STDOUT_FILENO, text.data, text.len);
    buf_fini(&text);
    return rv;
}

int cl_cmd_extract(int argc, char **argv)
{
    struct arguments a = {.o = {.engine = DOMAIN_ENGINE_SCAN}};
    struct domain_suffixes *suffixes = NULL;
    argp_parse(&extract_argp, argc, argv, 0, NULL, &a);
    struct extract_options *o = &a.o;
    const char *wrong = contradiction(o, a.has_format);
    if (wrong != NULL) {
        cl_complain("%s", wrong);
        return CL_EXIT_USAGE;
    }
    complete(o, a.has_format);
    /* the regex engines know no suffixes */
    if (o->engine == DOMAIN_ENGINE_SCAN && load_suffixes(o, &suffixes) < 0)
        return CL_EXIT_FAILED;
    give_hints(o);
    int rv = o->profile_sort == NULL ? 0 : start_profile(o->jobs);
    int status = CL_EXIT_FAILED;
    if (rv == 0)
        status = o->repeat > 0 ? run_repeat(o) : extract_run(o);
    if (rv == 0 && o->profile_sort != NULL)
        rv = print_profile(o->profile_sort);
    if (rv < 0) {
        cl_complain("profile: %s", err_text(rv));
        status = CL_EXIT_FAILED;
    }
    domain_suffixes_unref(suffixes);
    return status;
}
