/* loadgen - loads an HTTP server and says how it did; compares servers.
 *
 * This file is the only one of the program that exits and that touches signals. */
#include <argp.h>
#include <errno.h>
#include <gnu/libc-version.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coro/base/clock.h"
#include "coro/base/err.h"
#include "coro/base/std.h"
#include "loadgen/compare.h"
#include "loadgen/gate.h"
#include "loadgen/html.h"
#include "loadgen/json.h"
#include "loadgen/live.h"
#include "loadgen/options.h"
#include "loadgen/reply.h"
#include "loadgen/report.h"
#include "loadgen/run.h"
#include "loadgen/scenario.h"
#include "loadgen/scrape.h"
#include "loadgen/verdict.h"
#include "loadgen/versus.h"
#include "server/profile/own.h"

#define JSON_MAX_BYTES    (256 << 20)
#define PROFILE_MAX_BYTES (4 << 20)
#define SAME_SIGNAL_NS    (200 * NS_PER_MS)
#define EXIT_USAGE        2
#define EXIT_BREACHED     3
#define EXIT_INVALID      4
#define EXIT_INTERRUPTED  130

static bool stop;
static struct lg_setting setting;

/* JSON or HTML go to standard output: the text then goes to stderr. */
static bool is_stdout_taken(const struct lg_options *o)
{
    return (o->json_path != NULL && strcmp(o->json_path, "-") == 0) ||
           (o->html_path != NULL && strcmp(o->html_path, "-") == 0);
}

/* The first asks for the partial result, a second one ends at once.  timeout(1)
 * sends its signal to the program and to the group: that is one request. */
static void on_signal(int number)
{
    static int64_t first_ns;
    int64_t now_ns = clock_now_ns();
    if (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        first_ns = now_ns;
        __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
    } else if (now_ns - first_ns > SAME_SIGNAL_NS) {
        signal(number, SIG_DFL);
        raise(number);
    }
}

static void print_version(FILE *out, struct argp_state *state)
{
    (void)state;
    char parser[16];
    fprintf(out, "loadgen %s\nbuilt with libevent %s; http-parser %s, glibc %s\n", DOMAIND_VERSION,
            LIBEVENT_VERSION, lg_reply_parser_version(parser), gnu_get_libc_version());
}

static void set_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaddset(&action.sa_mask, SIGINT);
    sigaddset(&action.sa_mask, SIGTERM);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
}

/* What the line showed last, for the rate. */
struct progress {
    const struct lg_load *load;
    double seconds;
    uint64_t done;
};

static void show_progress(void *arg, double seconds, uint64_t ok, uint64_t failed)
{
    struct progress *p = arg;
    char text[LG_LIVE_BYTES];
    double span = seconds - (p->seconds < 0 ? 0 : p->seconds);
    double per_s = span > 0 ? (double)(ok + failed - p->done) / span : 0;
    lg_live_text(p->load, seconds, ok, failed, per_s, text);
    lg_live_show("%s", text);
    p->seconds = seconds;
    p->done = ok + failed;
}

static int complain(const char *text)
{
    fprintf(stderr, "loadgen: %s\n", text);
    return EXIT_FAILURE;
}

static int parse_gates(const struct lg_options *o, struct lg_gate_result gates[LG_LIST_MAX])
{
    struct lg_why why;
    for (unsigned i = 0; i < o->n_gates; i++)
        if (lg_gate_parse(o->gates[i], &gates[i].gate, &why) < 0) {
            complain(why.text);
            return -EINVAL;
        }
    return 0;
}

/* Not evaluated on a partial result.  A condition that nobody can judge is no
 * success: the measurement is not good for what it was made for. */
static int judge_gates(FILE *out, const struct lg_options *o, const struct lg_result *r, int code,
                       struct lg_gate_result gates[LG_LIST_MAX])
{
    bool is_breached = false, is_unknown = false;
    for (unsigned i = 0; i < o->n_gates && !r->interrupted; i++) {
        char text[256];
        struct lg_gate_result *g = &gates[i];
        g->holds = lg_gate_holds(&g->gate, r, &g->is_known, &g->value);
        lg_gate_describe(g, text, sizeof text);
        fprintf(out, "  --fail-if %s\n", text);
        is_breached |= g->holds;
        is_unknown |= !g->is_known;
    }
    if (code != EXIT_SUCCESS)
        return code;
    return is_breached ? EXIT_BREACHED : is_unknown ? EXIT_INVALID : EXIT_SUCCESS;
}

/* Write the files that were asked for. */
static int write_files(const struct lg_options *o, const struct buf *json, int rv, int code)
{
    const char *failed = o->json_path;
    if (rv == 0 && o->json_path != NULL)
        rv = lg_file_write(o->json_path, json->data, json->len);
    if (rv == 0 && o->html_path != NULL) {
        failed = o->html_path;
        rv = lg_html_write(o->html_path, json->data, json->len);
    }
    if (rv == 0)
        return code;
    fprintf(stderr, "loadgen: cannot write %s: %s\n", failed, err_text(rv));
    return code == EXIT_SUCCESS ? EXIT_FAILURE : code;
}

static bool wants_files(const struct lg_options *o)
{
    return o->json_path != NULL || o->html_path != NULL;
}

static int report(const struct lg_options *o, const struct lg_load *load, struct lg_result *result,
                  struct lg_gate_result gates[LG_LIST_MAX])
{
    struct lg_findings findings;
    lg_judge(load, result, &findings);
    FILE *out = is_stdout_taken(o) ? stderr : stdout;
    lg_report(out, load, result, &findings);
    int code = judge_gates(out, o, result, lg_exit_code(result, &findings), gates);
    if (!wants_files(o))
        return code;
    struct buf json;
    buf_init(&json, JSON_MAX_BYTES);
    int rv = lg_json_run(&json, &(struct lg_run_report){.setting = &setting,
                                                        .load = load,
                                                        .url = o->url,
                                                        .result = result,
                                                        .findings = &findings,
                                                        .gates = gates,
                                                        .n_gates = o->n_gates,
                                                        .exit_code = code});
    code = write_files(o, &json, rv, code);
    buf_fini(&json);
    return code;
}

/* Only a domaind is asked for its counter: others do not expect the question. */
static bool is_domaind_path(const char *path)
{
    return strncmp(path, "/domain", 7) == 0 || strncmp(path, "/test/", 6) == 0;
}

static int measure(const struct lg_options *o, const struct lg_load *load,
                   struct lg_result *ret_result, struct lg_why *why)
{
    struct progress progress = {.load = load};
    const struct lg_watcher live = {.progress = show_progress, .arg = &progress};
    bool is_live = lg_live_is_wanted(o->quiet);
    uint64_t before = 0, after = 0;
    bool counts = is_domaind_path(load->target->path) && lg_scrape(load->target, &before) == 0;
    lg_report_head(is_stdout_taken(o) ? stderr : stdout, load, o->url);
    int rv = lg_run(load, &stop, is_live ? &live : NULL, ret_result, why);
    if (is_live)
        lg_live_show("%s", "");
    if (rv == 0 && counts && lg_scrape(load->target, &after) == 0)
        ret_result->server_counted = (int64_t)(after - before);
    return rv;
}

static void print_profile(FILE *out)
{
    struct buf text;
    buf_init(&text, PROFILE_MAX_BYTES);
    int rv = profile_own_finish("cumulative", &text);
    if (rv == 0)
        (void)std_write(out, text.data, text.len);
    else
        fprintf(stderr, "loadgen: --profile: %s\n", err_text(rv));
    buf_fini(&text);
}

static int run(const struct lg_options *o)
{
    struct lg_why why = {""};
    struct lg_target target;
    struct lg_requests requests = {0};
    struct lg_result result = {0};
    struct lg_gate_result gates[LG_LIST_MAX] = {0};
    struct lg_load load = o->load;
    int code = EXIT_FAILURE;
    if (parse_gates(o, gates) < 0)
        return EXIT_USAGE;
    int rv = lg_target_init(&target, o->url, o->unix_path, &why);
    if (rv < 0) {
        complain(why.text);
        return EXIT_USAGE;
    }
    load.target = &target;
    load.requests = &requests;
    rv = lg_requests_init(&requests, &target, &o->shape, &why);
    if (rv == 0)
        rv = lg_preflight(&load, &why);
    if (rv == 0)
        rv = lg_target_reach(&target, load.timeout_ns, &why);
    if (rv == 0 && o->profile && (rv = profile_own_start(load.threads)) < 0)
        lg_why_set(&why, "--profile: %s", err_text(rv));
    if (rv == 0)
        rv = measure(o, &load, &result, &why);
    if (rv == 0) {
        code = report(o, &load, &result, gates);
        lg_result_fini(&result);
        if (o->profile)
            print_profile(is_stdout_taken(o) ? stderr : stdout);
    } else {
        complain(rv == -EINTR ? "interrupted before the first request" : why.text);
        code = rv == -EINTR ? EXIT_INTERRUPTED : EXIT_FAILURE;
    }
    lg_requests_fini(&requests);
    lg_target_fini(&target);
    return code;
}

/* Every scenario of the list, or all that the candidates can be asked for; *ret_n of them. */
static int find_scenarios(const struct lg_options *o, const struct lg_scenario **ret_list,
                          size_t *ret_n)
{
    const char *list = o->scenarios;
    bool has_test_routes = o->n_targets == 0;
    size_t n = 0;
    if (strcmp(list, "all") == 0) {
        for (size_t i = 0; i < lg_n_scenarios; i++)
            if (has_test_routes || !lg_scenarios[i].needs_test_routes)
                ret_list[n++] = &lg_scenarios[i];
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
        if (s->needs_test_routes && !has_test_routes) {
            fprintf(stderr,
                    "loadgen compare: scenario %s needs domaind's test routes: it cannot be run on "
                    "--target\n",
                    s->name);
            return -1;
        }
        ret_list[n++] = s;
        list += bytes + (list[bytes] == ',');
    }
    if (n == 0)
        fputs("loadgen compare: no scenario given; --scenario=list prints them\n", stderr);
    *ret_n = n;
    return n == 0 ? -1 : 0;
}

/* What the comparisons leave behind, while each makes room for the next. */
struct outcome {
    struct buf json;
    int json_rv;
    struct lg_summary *summaries;
    size_t n;
};

static int compare_one(const struct lg_options *o, const struct lg_scenario *scenario,
                       struct outcome *all)
{
    struct lg_why why = {""};
    struct lg_comparison *c = calloc(1, sizeof *c);
    if (c == NULL)
        return complain("out of memory");
    int code = EXIT_FAILURE;
    int rv = lg_compare(o, scenario, &stop, c, &why);
    if (rv == 0 || rv == -EINTR) {
        lg_versus(is_stdout_taken(o) ? stderr : stdout, c);
        code = lg_versus_exit_code(c);
        if (wants_files(o) && all->json_rv == 0)
            all->json_rv = lg_json_comparison(&all->json, c, all->n == 0);
        lg_summarize(c, &all->summaries[all->n++]);
        lg_comparison_fini(c);
    } else {
        complain(why.text);
    }
    free(c);
    return code;
}

static int compare_all(const struct lg_options *o, const struct lg_scenario *const *list, size_t n)
{
    struct outcome all = {.summaries = calloc(n, sizeof *all.summaries)};
    if (all.summaries == NULL)
        return complain("out of memory");
    buf_init(&all.json, JSON_MAX_BYTES);
    int code = EXIT_SUCCESS;
    all.json_rv = lg_json_compare_begin(&all.json, &setting);
    /* One that shows nothing says nothing about the next. */
    size_t i = 0;
    for (; i < n && (code == EXIT_SUCCESS || code == EXIT_INVALID); i++) {
        int one = compare_one(o, list[i], &all);
        code = one != EXIT_SUCCESS ? one : code;
    }
    if (i < n)
        fprintf(stderr, "loadgen: %zu of %zu scenarios were not run\n", n - i, n);
    if (all.n > 1)
        lg_print_summary(is_stdout_taken(o) ? stderr : stdout, all.summaries, all.n);
    if (all.json_rv == 0)
        all.json_rv = lg_json_compare_end(&all.json, code);
    if (wants_files(o))
        code = write_files(o, &all.json, all.json_rv, code);
    buf_fini(&all.json);
    free(all.summaries);
    return code;
}

static int compare(struct lg_options *o)
{
    const struct lg_scenario **list = calloc(lg_n_scenarios, sizeof *list);
    struct lg_candidate candidates[LG_STATS_MAX_GROUPS];
    struct lg_why why;
    size_t n = 0, n_candidates = 0;
    int code = EXIT_USAGE;
    if (list == NULL)
        return complain("out of memory");
    if (strcmp(o->scenarios, "list") == 0) {
        for (size_t i = 0; i < lg_n_scenarios; i++)
            printf("%-10s %s\n", lg_scenarios[i].name, lg_scenarios[i].shows);
        code = EXIT_SUCCESS;
    } else if (find_scenarios(o, list, &n) == 0) {
        if (lg_candidates(o, candidates, &n_candidates, &why) < 0 ||
            lg_compare_fit(o, list, n, n_candidates, &why) < 0) {
            complain(why.text);
        } else {
            double seconds = lg_compare_seconds(o, list, n, n_candidates);
            double again = seconds / (double)n_candidates;
            fprintf(is_stdout_taken(o) ? stderr : stdout,
                    "%zu scenario%s, about %.0f s; up to %.0f s when blocks are disturbed and run "
                    "again\n",
                    n, n == 1 ? "" : "s", seconds, seconds + again);
            (void)std_flush(stdout);
            code = compare_all(o, list, n);
        }
    }
    free(list);
    return code;
}

/* Better said now than when the measurement is over. */
static bool can_write(const char *path)
{
    int rv = path == NULL ? 0 : lg_file_probe(path);
    if (rv < 0)
        fprintf(stderr, "loadgen: cannot write %s: %s\n", path, err_text(rv));
    return rv == 0;
}

int main(int argc, char **argv)
{
    struct lg_options options;
    if (std_hold() < 0)
        return EXIT_FAILURE;
    std_check_at_exit("loadgen");
    argp_program_version_hook = print_version;
    lg_options_parse(&options, argc, argv);
    set_signals();
    setting = (struct lg_setting){argc, argv, clock_wall_ns()};
    int code = EXIT_FAILURE;
    if (can_write(options.json_path) && can_write(options.html_path))
        code = options.is_compare ? compare(&options) : run(&options);
    lg_options_fini(&options);
    return code;
}
