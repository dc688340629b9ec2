/* loadgen - loads an HTTP server and says how it did; compares servers.
 *
 * This file is the only one of the program that exits and that touches signals. */
#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coro/base/err.h"
#include "loadgen/compare.h"
#include "loadgen/options.h"
#include "loadgen/report.h"
#include "loadgen/run.h"
#include "loadgen/scenario.h"
#include "loadgen/verdict.h"
#include "loadgen/versus.h"

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
        const struct lg_watcher live = {.progress = show_progress};
        bool is_live = !o->quiet && isatty(STDERR_FILENO);
        lg_report_head(stdout, &load, o->url);
        rv = lg_run(&load, &stop, is_live ? &live : NULL, &result, &why);
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

/* Every scenario of the list, or all; *ret_n of them. */
static int find_scenarios(const char *list, const struct lg_scenario **ret_list, size_t *ret_n)
{
    size_t n = 0;
    if (strcmp(list, "all") == 0) {
        for (; n < lg_n_scenarios; n++)
            ret_list[n] = &lg_scenarios[n];
        list = "";
    }
    while (*list != '\0') {
        size_t bytes = strcspn(list, ",");
        const struct lg_scenario *s = lg_scenario_find(list, bytes);
        if (s == NULL || n == lg_n_scenarios) {
            fprintf(stderr, "loadgen compare: no scenario '%.*s'; --scenario=list prints them\n",
                    (int)bytes, list);
            return -1;
        }
        ret_list[n++] = s;
        list += bytes + (list[bytes] == ',');
    }
    *ret_n = n;
    return 0;
}

static int compare_one(const struct lg_options *o, const struct lg_scenario *scenario)
{
    struct lg_why why = {""};
    struct lg_comparison *c = calloc(1, sizeof *c);
    if (c == NULL)
        return complain("out of memory");
    int code = EXIT_FAILURE;
    int rv = lg_compare(o, scenario, &stop, c, &why);
    if (rv == 0 || rv == -EINTR) {
        lg_versus(stdout, c);
        code = lg_versus_exit_code(c);
        lg_comparison_fini(c);
    } else {
        complain(why.text);
    }
    free(c);
    return code;
}

static int compare(const struct lg_options *o)
{
    const struct lg_scenario **list = calloc(lg_n_scenarios, sizeof *list);
    struct lg_candidate candidates[LG_STATS_MAX_GROUPS];
    struct lg_why why;
    size_t n = 0, n_candidates = 0;
    int code = 2;
    if (list == NULL)
        return complain("out of memory");
    if (strcmp(o->scenarios, "list") == 0) {
        for (size_t i = 0; i < lg_n_scenarios; i++)
            printf("%-10s %s\n", lg_scenarios[i].name, lg_scenarios[i].shows);
        code = EXIT_SUCCESS;
    } else if (find_scenarios(o->scenarios, list, &n) == 0) {
        if (lg_candidates(o, candidates, &n_candidates, &why) < 0) {
            complain(why.text);
            n = 0;
        } else {
            printf("%zu scenario%s, about %.0f s\n", n, n == 1 ? "" : "s",
                   (double)n * lg_compare_seconds(o, n_candidates));
            fflush(stdout);
            code = EXIT_SUCCESS;
        }
    }
    for (size_t i = 0; i < n && code == EXIT_SUCCESS; i++)
        code = compare_one(o, list[i]);
    free(list);
    return code;
}

int main(int argc, char **argv)
{
    struct lg_options options;
    argp_program_version_hook = print_version;
    lg_options_parse(&options, argc, argv);
    set_signals();
    int code = options.is_compare ? compare(&options) : run(&options);
    lg_options_fini(&options);
    return code;
}
