#include "loadgen/options.h"

#include <argp.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coro/base/clock.h"
#include "coro/base/units.h"

#define CONNECTIONS_MAX 1000000
#define THREADS_MAX     256
#define BODY_MAX_BYTES  (64 << 20)

enum {
    OPT_WARMUP = 0x100,
    OPT_RAMP,
    OPT_TIMEOUT,
    OPT_PIPELINE,
    OPT_NO_KEEPALIVE,
    OPT_POISSON,
    OPT_URL_PARAM,
    OPT_UNIX,
    OPT_IDLE,
    OPT_TRICKLE,
    OPT_JSON,
    OPT_HTML,
    OPT_FAIL_IF,
    OPT_PROFILE,
    OPT_MODES,
    OPT_SCENARIO,
    OPT_TARGET,
    OPT_ROUNDS,
    OPT_BUDGET,
    OPT_SEED,
    OPT_NO_PIN,
    OPT_DOMAIND,
    OPT_SERVER_FLAG,
};

/* What both commands take. */
static const struct argp_option load_options[] = {
    {0, 0, 0, 0, "Load:", 1},
    {"connections", 'c', "N", 0, "Connections kept busy (default 10)", 0},
    {"threads", 't', "N", 0, "Threads, each with an event loop (default 1)", 0},
    {"duration", 'd', "TIME", 0,
     "Measured time: 10s, 500ms, 2m (default 10s; compare: for each part of a block)", 0},
    {"warmup", OPT_WARMUP, "TIME", 0,
     "Load before measuring, not counted (default 0; compare 300ms)", 0},
    {"timeout", OPT_TIMEOUT, "TIME", 0, "Give up on an answer after this (default 2s)", 0},
    {"pipeline", OPT_PIPELINE, "N", 0,
     "Requests written at once on a connection (closed loop only)", 0},
    {"no-keepalive", OPT_NO_KEEPALIVE, 0, 0, "A new connection for each request", 0},

    {0, 0, 0, 0, "Requests:", 2},
    {"method", 'X', "NAME", 0, "Request method (default GET, with a body POST)", 0},
    {"header", 'H', "FIELD", 0, "Add a header field: 'Name: value'; may be repeated", 0},
    {"body", 'b', "TEXT|@FILE", 0, "Send a body", 0},
    {"file", 'f', "FILE", 0,
     "One URL or path a line, sent in turn; lines that begin with # are left out (not with "
     "--url-param)",
     0},
    {"url-param", OPT_URL_PARAM, "NAME", 0,
     "Put each line of the file, percent-encoded, into this query parameter of URL", 0},

    {0, 0, 0, 0, "Results:", 3},
    {"json", OPT_JSON, "FILE", 0, "Write the result as JSON; - is standard output", 0},
    {"html", OPT_HTML, "FILE", 0, "Write a report with plots, one self-contained file", 0},
    {"quiet", 'q', 0, 0, "No progress line", 0},
    {0},
};

/* Into the groups above: a heading of their own would stand there twice. */
static const struct argp_option run_options[] = {
    {"requests", 'n', "N", 0, "Stop after N requests", 1},
    {"rate", 'R', "N", 0,
     "Open loop: N requests a second are due whatever the server does; latency counts from the "
     "instant a request was due",
     0},
    {"poisson", OPT_POISSON, 0, 0, "Open loop: random gaps, like many independent users", 0},
    {"ramp", OPT_RAMP, "TIME", 0, "Let rate or connections grow from zero first, not counted", 0},
    {"idle", OPT_IDLE, "N", 0, "Further connections that ask once and then only stay open", 0},
    {"trickle", OPT_TRICKLE, "TIME", 0, "Send requests 16 bytes at a time, with this pause between",
     0},
    {"unix", OPT_UNIX, "PATH", 0, "Connect to this unix socket", 0},

    {"fail-if", OPT_FAIL_IF, "CONDITION", 0,
     "Exit 3 when it holds: 'p99>5ms', 'errors>0', 'rps<1000'; may be repeated", 3},
    {"profile", OPT_PROFILE, 0, 0, "Print the load generator's own call-table", 0},
    {0},
};

static const struct argp_option compare_options[] = {
    {0, 0, 0, 0, "Comparison:", 4},
    {"modes", OPT_MODES, "LIST", 0,
     "Modes of domaind (default coroutine,thread,prefork; a mode named twice is compared with "
     "itself)",
     0},
    {"target", OPT_TARGET, "NAME=URL[,PID]", 0,
     "Compare running servers instead; with PID their CPU and memory too; may be repeated", 0},
    {"scenario", OPT_SCENARIO, "LIST|all", 0, "Workloads (default tiny); 'list' prints them", 0},
    {"rounds", OPT_ROUNDS, "N", 0,
     "Blocks for each candidate (default 6, more for 8 candidates; no winner below 5)", 0},
    {"budget", OPT_BUDGET, "TIME", 0,
     "Make rounds and blocks fit into this time; refused when too short for a result", 0},
    {"seed", OPT_SEED, "N", 0, "Of the order of blocks (default: from the clock, printed)", 0},
    {"no-pin", OPT_NO_PIN, 0, 0, "Let server and load generator share all cores", 0},
    {"domaind", OPT_DOMAIND, "PATH", 0, "The server (default: beside this program)", 0},
    {"server-flag", OPT_SERVER_FLAG, "FLAG", 0, "Hand FLAG to domaind; may be repeated", 0},
    {0},
};

static int64_t parse_count(struct argp_state *state, const char *what, const char *text,
                           int64_t min, int64_t max)
{
    int64_t value = min;
    if (units_parse_int(text, min, max, &value) < 0)
        argp_error(state, "%s: '%s' is not a number from %jd to %jd", what, text, (intmax_t)min,
                   (intmax_t)max);
    return value;
}

static int64_t parse_time(struct argp_state *state, const char *what, const char *text)
{
    int64_t ns = 0;
    if (units_parse_ns(text, &ns) < 0)
        argp_error(state, "%s: '%s' is not a time (10s, 500ms, 2m)", what, text);
    return ns;
}

static double parse_rate(struct argp_state *state, const char *text)
{
    char *end;
    double rate = strtod(text, &end);
    if (strcmp(end, "k") == 0)
        rate *= 1000;
    else if (end == text || *end != '\0')
        rate = -1;
    if (!(rate > 0 && rate <= 1e8))
        argp_error(state, "--rate: '%s' is not a rate (2000, 0.5, 50k)", text);
    return rate;
}

static void add_to(struct argp_state *state, const char *what, const char **list, unsigned *n,
                   const char *text)
{
    if (*n == LG_LIST_MAX)
        argp_error(state, "%s: at most %d of them", what, LG_LIST_MAX);
    else
        list[(*n)++] = text;
}

/* The whole file, or why not. */
static const char *read_body(const char *path, char *body, size_t *ret_bytes)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return strerror(errno);
    const char *problem = NULL;
    *ret_bytes = fread(body, 1, BODY_MAX_BYTES, file);
    if (ferror(file) != 0)
        problem = strerror(errno);
    else if (*ret_bytes == BODY_MAX_BYTES && fgetc(file) != EOF)
        problem = "it is larger than 64 MB";
    fclose(file);
    return problem;
}

static void take_body(struct argp_state *state, struct lg_options *o, const char *text)
{
    free(o->body);
    o->body = text[0] == '@' ? malloc(BODY_MAX_BYTES) : strdup(text);
    if (o->body == NULL) {
        argp_error(state, "--body: out of memory");
        return;
    }
    o->shape.body_bytes = strlen(text);
    const char *problem =
        text[0] == '@' ? read_body(text + 1, o->body, &o->shape.body_bytes) : NULL;
    if (problem != NULL)
        argp_error(state, "--body: cannot read %s: %s", text + 1, problem);
    o->shape.body = o->body;
}

static void check_header(struct argp_state *state, const char *text)
{
    if (strchr(text, ':') == NULL || text[0] == ':' || strpbrk(text, "\r\n") != NULL)
        argp_error(state, "--header: '%s' is not 'Name: value'", text);
}

static error_t on_request_option(int key, char *arg, struct argp_state *state, struct lg_options *o)
{
    unsigned n_headers = (unsigned)o->shape.n_headers;
    switch (key) {
    case 'X':
        if (*arg == '\0' || strpbrk(arg, " \t\r\n") != NULL)
            argp_error(state, "--method: '%s' is not a method", arg);
        o->shape.method = arg;
        return 0;
    case 'H':
        check_header(state, arg);
        add_to(state, "--header", o->headers, &n_headers, arg);
        o->shape.n_headers = n_headers;
        return 0;
    case 'b':
        take_body(state, o, arg);
        return 0;
    case 'f':
        o->shape.url_file = arg;
        return 0;
    case OPT_URL_PARAM:
        o->shape.url_param = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t on_load_option(int key, char *arg, struct argp_state *state)
{
    struct lg_options *o = state->input;
    switch (key) {
    case 'c':
        o->load.connections = (unsigned)parse_count(state, "-c", arg, 1, CONNECTIONS_MAX);
        return 0;
    case 't':
        o->load.threads = (unsigned)parse_count(state, "-t", arg, 1, THREADS_MAX);
        return 0;
    case 'd':
        o->load.duration_ns = parse_time(state, "-d", arg);
        return 0;
    case OPT_WARMUP:
        o->load.warmup_ns = parse_time(state, "--warmup", arg);
        return 0;
    case OPT_TIMEOUT:
        o->load.timeout_ns = parse_time(state, "--timeout", arg);
        return 0;
    case OPT_PIPELINE:
        o->load.pipeline = (unsigned)parse_count(state, "--pipeline", arg, 1, LG_PIPELINE_MAX);
        return 0;
    case OPT_NO_KEEPALIVE:
        o->load.keepalive = false;
        return 0;
    case OPT_JSON:
        o->json_path = arg;
        return 0;
    case OPT_HTML:
        o->html_path = arg;
        return 0;
    case 'q':
        o->quiet = true;
        return 0;
    default:
        return on_request_option(key, arg, state, o);
    }
}

static error_t on_run_option(int key, char *arg, struct argp_state *state)
{
    struct lg_options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = o;
        return 0;
    case 'n':
        o->load.requests_max = (uint64_t)parse_count(state, "-n", arg, 1, INT64_MAX);
        return 0;
    case 'R':
        o->load.rate_per_s = parse_rate(state, arg);
        return 0;
    case OPT_POISSON:
        o->load.poisson = true;
        return 0;
    case OPT_RAMP:
        o->load.ramp_ns = parse_time(state, "--ramp", arg);
        return 0;
    case OPT_IDLE:
        o->load.idle = (unsigned)parse_count(state, "--idle", arg, 0, CONNECTIONS_MAX);
        return 0;
    case OPT_TRICKLE:
        o->load.trickle_ns = parse_time(state, "--trickle", arg);
        return 0;
    case OPT_UNIX:
        o->unix_path = arg;
        return 0;
    case OPT_FAIL_IF:
        add_to(state, "--fail-if", o->gates, &o->n_gates, arg);
        return 0;
    case OPT_PROFILE:
        o->profile = true;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0)
            argp_error(state, "one URL only; to send many use --file");
        o->url = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t on_compare_option(int key, char *arg, struct argp_state *state)
{
    struct lg_options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = o;
        return 0;
    case OPT_MODES:
        o->modes = arg;
        return 0;
    case OPT_TARGET:
        add_to(state, "--target", o->targets, &o->n_targets, arg);
        return 0;
    case OPT_SCENARIO:
        o->scenarios = arg;
        return 0;
    case OPT_ROUNDS:
        o->rounds = (unsigned)parse_count(state, "--rounds", arg, 1, 64);
        return 0;
    case OPT_BUDGET:
        o->budget_ns = parse_time(state, "--budget", arg);
        if (o->budget_ns == 0)
            argp_error(state, "--budget must be longer than nothing");
        return 0;
    case OPT_SEED:
        o->seed = (uint64_t)parse_count(state, "--seed", arg, 0, INT64_MAX);
        return 0;
    case OPT_NO_PIN:
        o->pin = false;
        return 0;
    case OPT_DOMAIND:
        o->domaind = arg;
        return 0;
    case OPT_SERVER_FLAG:
        add_to(state, "--server-flag", o->domaind_flags, &o->n_domaind_flags, arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp load_argp = {.options = load_options, .parser = on_load_option};
static const struct argp_child children[] = {{&load_argp, 0, NULL, 0}, {0}};
static const struct argp run_argp = {
    .options = run_options,
    .parser = on_run_option,
    .args_doc = "[URL]",
    .doc = "Load an HTTP server and say how it did.  Without URL: domaind on this machine, "
           "extracting the domain of a sample URL.\v"
           "'loadgen compare' compares the modes of domaind, or any servers; see loadgen compare "
           "--help.\n\n"
           "Exit: 0 ok, 1 failed, 2 usage, 3 a --fail-if held, 4 the measurement is invalid, 130 "
           "interrupted.",
    .children = children,
};
static const struct argp compare_argp = {
    .options = compare_options,
    .parser = on_compare_option,
    .doc = "Start domaind in each mode, load it in interleaved blocks, and say what the blocks "
           "show: server CPU per request, throughput, latency at one and the same rate, memory.\v"
           "A block is a fresh server, warmed up, then measured: as many requests as it can "
           "answer, then an equal rate for all.  A winner is named only when exact tests over "
           "the blocks show one.\n\n"
           "Exit: 0 ok, 1 failed, 2 usage, 4 invalid, 130 interrupted.",
    .children = children,
};

static void set_defaults(struct lg_options *o)
{
    *o = (struct lg_options){
        .url = LG_DEFAULT_URL,
        .shape = {.method = NULL, .keepalive = true},
        .load = {.connections = 10,
                 .threads = 1,
                 .pipeline = 1,
                 .keepalive = true,
                 .duration_ns = -1,
                 .warmup_ns = -1,
                 .timeout_ns = 2 * NS_PER_S,
                 .core = -1},
        .modes = "coroutine,thread,prefork",
        .scenarios = "tiny",
        .pin = true,
    };
}

/* What only makes sense together; usage errors like any other. */
static void settle(struct lg_options *o, const struct argp *argp, char *name)
{
    const char *wrong = NULL;
    struct lg_load *load = &o->load;
    if (load->duration_ns < 0)
        load->duration_ns = o->is_compare            ? 500 * NS_PER_MS
                            : load->requests_max > 0 ? 0
                                                     : 10 * NS_PER_S;
    else if (load->duration_ns == 0)
        wrong = "-d must be longer than nothing";
    if (load->warmup_ns < 0)
        load->warmup_ns = o->is_compare ? 300 * NS_PER_MS : 0;
    if (load->timeout_ns <= 0)
        wrong = "--timeout must be longer than nothing";
    if (!o->is_compare && load->requests_max > 0 && load->requests_max < load->connections)
        load->connections = (unsigned)load->requests_max;
    if (load->threads > load->connections)
        load->threads = load->connections;
    if (!load->keepalive && load->pipeline > 1)
        wrong = "--pipeline needs connections that are kept, not --no-keepalive";
    if (load->rate_per_s > 0 && load->pipeline > 1)
        wrong = "--pipeline works in the closed loop only, not with --rate";
    if (o->is_compare && load->pipeline > 1)
        wrong = "--pipeline is for a single run: a comparison has open-loop parts, too";
    if (load->trickle_ns > 0 && load->pipeline > 1)
        wrong = "--trickle and --pipeline exclude each other";
    if (load->poisson && load->rate_per_s <= 0)
        wrong = "--poisson needs --rate";
    if (o->shape.url_param != NULL && o->shape.url_file == NULL)
        wrong = "--url-param needs --file";
    o->shape.keepalive = load->keepalive;
    o->shape.headers = o->headers;
    if (o->shape.method == NULL)
        o->shape.method = o->shape.body != NULL ? "POST" : "GET";
    if (wrong != NULL) {
        fprintf(stderr, "%s: %s\n", name, wrong);
        argp_help(argp, stderr, ARGP_HELP_STD_USAGE, name);
        exit(2);
    }
}

void lg_options_parse(struct lg_options *o, int argc, char **argv)
{
    static char compare_name[] = "loadgen compare", word[] = "compare";
    argp_err_exit_status = 2;
    set_defaults(o);
    o->is_compare = argc > 1 && strcmp(argv[1], "compare") == 0;
    const struct argp *argp = o->is_compare ? &compare_argp : &run_argp;
    if (o->is_compare) {
        argv++;
        argc--;
        argv[0] = compare_name; /* what messages and --help say */
    }
    argp_parse(argp, argc, argv, 0, NULL, o);
    settle(o, argp, argv[0]);
    if (o->is_compare)
        argv[0] = word;
}

void lg_options_fini(struct lg_options *o)
{
    free(o->body);
    o->body = NULL;
}
