/* domainc query - the command line around client/ask.c. */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/args.h"
#include "client/ask.h"
#include "client/command.h"
#include "coro/base/clock.h"
#include "coro/base/err.h"
#include "coro/base/units.h"

#define SERVER_MAX_BYTES  512
#define TRANSFERS_DEFAULT 32
#define TRANSFERS_MAX     10000

struct query_args {
    struct cl_ask_options ask;
    struct cl_args_input input;
    char server[SERVER_MAX_BYTES];
};

enum { KEY_FORMAT = 256, KEY_SUFFIXES, KEY_TIMEOUT, KEY_RETRY, KEY_CACERT };

static const struct argp_option options[] = {
    {"server", 's', "URL", 0,
     "The domaind to ask: http://HOST:PORT (the default is "
     "http://localhost:8080) or unix:PATH",
     0},
    {"file", 'f', "FILE", 0, "Ask for every line of FILE; '-' is standard input", 0},
    {"connections", 'c', "N", 0, "Transfers at once (default 32)", 0},
    {"format", KEY_FORMAT, "json|text", 0,
     "A line is the server's JSON answer (default), or the bare domain, empty where there is none",
     0},
    {"suffixes", KEY_SUFFIXES, "all|icann", 0, "icann leaves the private suffixes out", 0},
    {"timeout", KEY_TIMEOUT, "TIME", 0, "For each answer (default 10s)", 0},
    {"retry", KEY_RETRY, "N", 0, "Further attempts where that can help (default 4)", 0},
    {"cacert", KEY_CACERT, "FILE", 0, "For https: trust these certificates, not the system's", 0},
    {"quiet", 'q', NULL, 0, "No summary, and no line for each URL without an answer", 0},
    {0},
};

/* "HOST:PORT" -> "http://HOST:PORT"; no slash at the end. */
static void set_server(struct argp_state *state, struct query_args *args, const char *arg)
{
    args->ask.unix_path = NULL;
    if (strncmp(arg, "unix:", 5) == 0) {
        args->ask.unix_path = arg + 5;
        arg = "localhost";
    }
    const char *scheme = strstr(arg, "://") != NULL ? "" : "http://";
    bool is_web = scheme[0] != '\0' || strncasecmp(arg, "http://", 7) == 0 ||
                  strncasecmp(arg, "https://", 8) == 0;
    if (!is_web)
        argp_error(state, "--server: http://HOST:PORT, https://HOST:PORT or unix:PATH, not '%s'",
                   arg);
    int n = snprintf(args->server, sizeof args->server, "%s%s", scheme, arg);
    if (n >= (int)sizeof args->server || arg[0] == '\0' || strpbrk(arg, "?# ") != NULL)
        argp_error(state, "--server: not the address of a server: '%s'", arg);
    for (; n > 0 && args->server[n - 1] == '/'; n--)
        args->server[n - 1] = '\0';
}

static error_t on_option(int key, char *arg, struct argp_state *state)
{
    struct query_args *args = state->input;
    switch (key) {
    case 's':
        set_server(state, args, arg);
        return 0;
    case 'c':
        args->ask.transfers = (unsigned)cl_args_count(state, "-c", arg, 1, TRANSFERS_MAX);
        return 0;
    case 'q':
        args->ask.is_quiet = true;
        return 0;
    case KEY_FORMAT:
        args->ask.is_text = strcmp(arg, "text") == 0;
        /* extract calls the same thing by its other name */
        if (!args->ask.is_text && strcmp(arg, "json") != 0 && strcmp(arg, "ndjson") != 0)
            argp_error(state, "--format: json or text, not '%s'", arg);
        return 0;
    case KEY_SUFFIXES:
        args->ask.suffixes = arg;
        if (strcmp(arg, "all") != 0 && strcmp(arg, "icann") != 0)
            argp_error(state, "--suffixes: all or icann, not '%s'", arg);
        return 0;
    case KEY_TIMEOUT:
        args->ask.timeout_ns = cl_args_time_ns(state, "--timeout", arg);
        return 0;
    case KEY_RETRY:
        args->ask.retry.attempts_max = 1 + (int)cl_args_count(state, "--retry", arg, 0, 1000);
        return 0;
    case KEY_CACERT:
        args->ask.ca_file = arg;
        return 0;
    default:
        return cl_args_on_input(key, arg, state, &args->input);
    }
}

static const struct argp query_argp = {
    .options = options,
    .parser = on_option,
    .args_doc = "-f FILE\nURL...",
    .doc = "Ask a running domaind for the domain of every URL; one line for each, in the order of "
           "the input.\vThe exit code is 0 when every URL got an answer (that it is not a URL is "
           "an answer), 1 when one did not, 2 for a wrong command line, 130 when interrupted.",
};

static void print_summary(const struct cl_ask_result *result)
{
    char took[UNITS_TEXT_BYTES];
    double seconds = (double)result->elapsed_ns / 1e9;
    fprintf(stderr,
            "%llu URLs: %llu domains, %llu refused, %llu without an answer; %llu retries; %s, "
            "%.0f/s\n",
            (unsigned long long)result->lines,
            (unsigned long long)result->answers[CL_ANSWER_DOMAIN],
            (unsigned long long)result->answers[CL_ANSWER_REFUSED],
            (unsigned long long)result->answers[CL_ANSWER_NONE],
            (unsigned long long)result->retries, units_format_ns((double)result->elapsed_ns, took),
            seconds > 0 ? (double)result->lines / seconds : 0);
}

static int query(const struct query_args *args, struct cl_lines *in)
{
    struct cl_output out;
    struct cl_ask_result result;
    cl_output_init(&out, STDOUT_FILENO);
    int rv = cl_ask_run(&args->ask, in, &out, &result);
    int closed = cl_output_close(&out);
    cl_output_fini(&out);
    if (rv < 0)
        cl_complain("%s", result.why);
    else if (closed < 0)
        cl_complain("cannot write the output: %s", err_text(closed));
    if (cl_retry_is_unreachable(rv))
        cl_complain("is domaind running there? --server=URL names another");
    if (!args->ask.is_quiet && (rv == 0 || result.lines > 0))
        print_summary(&result);
    if (result.signal != 0)
        return CL_EXIT_INTERRUPTED;
    bool is_complete = rv == 0 && closed == 0 && result.answers[CL_ANSWER_NONE] == 0;
    return is_complete ? CL_EXIT_OK : CL_EXIT_FAILED;
}

int cl_cmd_query(int argc, char **argv)
{
    struct query_args args = {.ask = {.server = args.server,
                                      .transfers = TRANSFERS_DEFAULT,
                                      .timeout_ns = 10 * NS_PER_S,
                                      .retry = {.attempts_max = 5,
                                                .first_ns = 100 * NS_PER_MS,
                                                .longest_ns = 5 * NS_PER_S}},
                              .server = "http://localhost:8080"};
    struct cl_lines in;
    argp_parse(&query_argp, argc, argv, 0, NULL, &args);
    if (!cl_args_raise_descriptors(args.ask.transfers))
        return CL_EXIT_FAILED;
    args.ask.input_name = cl_args_input_name(&args.input);
    int rv = cl_args_open(&args.input, &in);
    if (rv < 0) {
        cl_complain("cannot open %s: %s", args.ask.input_name, cl_lines_error_text(rv));
        return CL_EXIT_FAILED;
    }
    int status = query(&args, &in);
    cl_lines_close(&in);
    return status;
}
