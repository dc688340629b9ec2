/* loadgen - loads an HTTP server and says how it did; compares servers.
 *
 * This file is the only one of the program that exits and that touches signals. */
#include <argp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coro/base/err.h"
#include "loadgen/options.h"
#include "loadgen/report.h"
#include "loadgen/run.h"
#include "loadgen/verdict.h"

static bool stop;

static void on_signal(int number)
{
    (void)number;
    __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
}

static void print_version(FILE *out, struct argp_state *state)
{
    (void)state;
    fprintf(out, "loadgen %s\n", DOMAIND_VERSION);
}

static void set_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &action, NULL); /* a second one ends at once */
    sigaction(SIGTERM, &action, NULL);
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
}

static void show_progress(void *arg, double seconds, uint64_t ok, uint64_t failed)
{
    (void)arg;
    fprintf(stderr, "\r  %6.1fs  %ju ok  %ju failed ", seconds, (uintmax_t)ok, (uintmax_t)failed);
}

static int complain(const char *text)
{
    fprintf(stderr, "loadgen: %s\n", text);
    return EXIT_FAILURE;
}

static int run(const struct lg_options *o)
{
    struct lg_why why = {""};
    struct lg_target target;
    struct lg_requests requests = {0};
    struct lg_result result = {0};
    struct lg_findings findings;
    struct lg_load load = o->load;
    int code = EXIT_FAILURE;
    int rv = lg_target_init(&target, o->url, o->unix_path, &why);
    if (rv < 0) {
        complain(why.text);
        return 2;
    }
    load.target = &target;
    load.requests = &requests;
    rv = lg_requests_init(&requests, &target, &o->shape, &why);
    if (rv == 0)
        rv = lg_preflight(&load, &why);
    if (rv == 0)
        rv = lg_target_reach(&target, load.timeout_ns, &why);
    if (rv == 0) {
        bool is_live = !o->quiet && isatty(STDERR_FILENO);
        lg_report_head(stdout, &load, o->url);
        rv = lg_run(&load, &stop, is_live ? show_progress : NULL, NULL, &result, &why);
        if (is_live)
            fputs("\r\033[K", stderr);
    }
    if (rv == 0) {
        lg_judge(&load, &result, &findings);
        lg_report(stdout, &load, &result, &findings);
        code = lg_exit_code(&result, &findings);
        lg_result_fini(&result);
    } else {
        complain(why.text);
    }
    lg_requests_fini(&requests);
    lg_target_fini(&target);
    return code;
}

int main(int argc, char **argv)
{
    struct lg_options options;
    argp_program_version_hook = print_version;
    lg_options_parse(&options, argc, argv);
    set_signals();
    int code = run(&options);
    lg_options_fini(&options);
    return code;
}
