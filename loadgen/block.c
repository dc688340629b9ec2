#include "loadgen/block.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <string.h>

#include "coro/base/clock.h"
#include "coro/base/err.h"
#include "loadgen/scrape.h"
#include "loadgen/server.h"
#include "loadgen/target.h"
#include "loadgen/usage.h"
#include "loadgen/verdict.h"

#define OPEN_WARMUP_NS (100 * NS_PER_MS)
#define RATE_HELD      0.99
#define SETTLE_NS      (200 * NS_PER_MS)
#define SETTLE_END_NS  (50 * NS_PER_MS)
#define SETTLE_MOST    12 /* times */
#define ARGS_MAX       (LG_LIST_MAX + 8)

/* ---- the server ---- */

static int start_own(const struct lg_block_plan *plan, struct lg_server *server, struct lg_why *why)
{
    const struct lg_options *o = plan->options;
    char path[PATH_MAX], mode[LG_NAME_BYTES + 8];
    if (o->domaind != NULL)
        snprintf(path, sizeof path, "%s", o->domaind);
    else if (lg_server_beside("domaind", path, sizeof path) < 0)
        return -ENOENT;
    snprintf(mode, sizeof mode, "--mode=%s", plan->candidate->mode);
    const char *argv[ARGS_MAX] = {path, mode, "--listen=127.0.0.1:0"};
    size_t n = 3;
    if (plan->scenario->needs_test_routes)
        argv[n++] = "--test-endpoints";
    for (unsigned i = 0; i < o->n_domaind_flags; i++)
        argv[n++] = o->domaind_flags[i];
    return lg_server_start(server, argv, plan->server_core, plan->stop, why);
}

/* ---- what is sent ---- */

/* One request of each path by its weight; the slow ones spread evenly. */
static int build_requests(const struct lg_block_plan *plan, struct lg_target *target,
                          struct lg_requests *ret_requests, struct lg_why *why)
{
    struct lg_request_shape shape = plan->options->shape;
    const struct lg_scenario *s = plan->scenario;
    shape.keepalive = plan->options->load.keepalive && !s->churn;
    if (plan->candidate->mode[0] == '\0' || shape.url_file != NULL)
        return lg_requests_init(ret_requests, target, &shape, why);
    return lg_requests_init_paths(ret_requests, target, &shape, s->paths, LG_SCENARIO_PATHS, why);
}

/* ---- measuring the server while the load runs ---- */

struct gauge {
    pid_t pid;
    struct lg_memory memory;
    int64_t cpu_ns[2]; /* at start and end */
    int64_t at_ns[2];
    struct lg_machine machine[2];
    int64_t machine_ns[2];
    int64_t late_ns;      /* how late the readings were taken, at worst */
    int cpu;              /* whose core to look at; -1: none */
    uint64_t sent;        /* requests in both parts, warm-up included */
    uint64_t least, most; /* what the server's counter may show for them */
    double own_wait;
};

static void on_mark(void *arg, enum lg_mark mark, int64_t due_ns)
{
    struct gauge *g = arg;
    if (mark == LG_MARK_WARM) {
        if (g->pid == 0 || lg_usage_memory(g->pid, &g->memory) < 0)
            g->memory = (struct lg_memory){0};
        return;
    }
    int i = mark == LG_MARK_END;
    g->at_ns[i] = clock_now_ns();
    if (g->pid == 0 || lg_usage_cpu_ns(g->pid, &g->cpu_ns[i]) < 0)
        g->cpu_ns[i] = -1;
    g->machine_ns[i] = clock_now_ns();
    if (lg_usage_machine(g->cpu, &g->machine[i]) < 0)
        g->machine[i] = (struct lg_machine){0};
    int64_t late_ns = clock_now_ns() - due_ns;
    g->late_ns = late_ns > g->late_ns ? late_ns : g->late_ns;
}

/* A refusal is quickly given: only good answers count as throughput. */
static double good_share(const struct lg_record *r)
{
    double ok = (double)r->outcomes[LG_OK];
    double answers = ok + (double)r->outcomes[LG_STATUS];
    return answers > 0 ? ok / answers : 1;
}

static void take_closed(const struct gauge *g, const struct lg_result *r, struct lg_block *b)
{
    double span_ns = (double)(g->at_ns[1] - g->at_ns[0]);
    b->requests_per_s = r->requests_per_s * good_share(&r->record);
    b->own_cpu = r->own_cpu;
    b->cpu_us = b->server_cpu = b->pss_bytes = NAN;
    bool has_cpu = g->cpu_ns[0] >= 0 && g->cpu_ns[1] >= 0 && span_ns > 0;
    if (has_cpu) {
        double used_ns = (double)(g->cpu_ns[1] - g->cpu_ns[0]);
        b->server_cpu = used_ns / span_ns;
        if (b->requests_per_s > 0)
            b->cpu_us = b->server_cpu * 1e6 / b->requests_per_s;
    }
    /* What ran on the server's core and was neither idle nor the server. */
    double busy_ns = (double)(g->machine[1].busy_ns - g->machine[0].busy_ns);
    double stolen_ns = (double)(g->machine[1].stolen_ns - g->machine[0].stolen_ns);
    double machine_span_ns = (double)(g->machine_ns[1] - g->machine_ns[0]);
    if (has_cpu && g->cpu >= 0 && machine_span_ns > 0)
        b->others = fmax(0, fmin(1, (busy_ns + stolen_ns) / machine_span_ns) - b->server_cpu);
    b->lateness = span_ns > 0 ? (double)g->late_ns / span_ns : 1;
}

/* The larger of the two parts' readings: by the second all workers are there. */
static void take_memory(const struct gauge *g, struct lg_block *b)
{
    if (g->memory.pss_bytes == 0 || b->pss_bytes >= (double)g->memory.pss_bytes)
        return;
    b->pss_bytes = (double)g->memory.pss_bytes;
    b->processes = g->memory.processes;
    b->threads = g->memory.threads;
}

static void take_idle(const struct lg_load *load, const struct lg_result *r, struct lg_block *b)
{
    if (load->idle > 0 && r->idle_open < b->idle_open)
        b->idle_open = r->idle_open;
}

static double percentile_us(const struct lg_record *r, double percent)
{
    double ns;
    return lg_record_latency(r, percent, &ns) ? ns / 1e3 : NAN;
}

/* ---- the two parts ---- */

/* Slow and failing servers are measured all the same; this one is not there. */
static bool is_gone(const struct lg_record *r)
{
    return r->sent > 0 && r->outcomes[LG_OK] == 0 &&
           r->outcomes[LG_CONNECT] + r->outcomes[LG_CONNECT_TIMEOUT] > 0;
}

static int run_part(const struct lg_block_plan *plan, const struct lg_load *load,
                    struct gauge *gauge, struct lg_record *into, struct lg_result *ret_result,
                    struct lg_why *why)
{
    const struct lg_watcher watcher = {.mark = on_mark, .arg = gauge};
    int rv = lg_run(load, plan->stop, &watcher, ret_result, why);
    if (rv < 0)
        return rv;
    gauge->sent += ret_result->record.sent + ret_result->warmup.sent;
    gauge->own_wait = fmax(gauge->own_wait, ret_result->own_wait);
    lg_countable(&ret_result->record, &gauge->least, &gauge->most);
    lg_countable(&ret_result->warmup, &gauge->least, &gauge->most);
    if (ret_result->interrupted)
        rv = -EINTR;
    else if (is_gone(&ret_result->record)) {
        lg_why_set(why, "%s: the server went away in the middle of a block", plan->candidate->name);
        rv = -ECONNREFUSED;
    } else if (into != NULL) {
        rv = lg_record_merge(into, &ret_result->record);
    }
    if (rv < 0)
        lg_result_fini(ret_result);
    return rv;
}

/* A server that starts processes as the load wants them is not measured before they are
 * there: what they cost is its start's, not a request's. */
static int settle(const struct lg_block_plan *plan, const struct lg_load *measured,
                  struct gauge *gauge, struct lg_why *why)
{
    struct lg_load load = *measured;
    struct lg_memory before;
    if (gauge->pid == 0 || lg_usage_memory(gauge->pid, &before) < 0 || before.processes < 2)
        return 0;
    load.warmup_ns = SETTLE_NS;
    load.duration_ns = SETTLE_END_NS;
    for (int times = 0; times < SETTLE_MOST; times++) {
        struct lg_result result = {0};
        int rv = run_part(plan, &load, gauge, NULL, &result, why);
        if (rv < 0)
            return rv;
        lg_result_fini(&result);
        if (gauge->memory.processes <= before.processes)
            break;
        before = gauge->memory;
    }
    gauge->memory = (struct lg_memory){0};
    gauge->late_ns = 0;
    gauge->own_wait = 0;
    return 0;
}

static int run_parts(const struct lg_block_plan *plan, const struct lg_target *target,
                     const struct lg_requests *requests, struct gauge *gauge,
                     struct lg_parts *parts, struct lg_block *block, struct lg_why *why)
{
    const struct lg_scenario *s = plan->scenario;
    struct lg_load load = plan->options->load;
    struct lg_result result = {0};
    load.target = target;
    load.requests = requests;
    load.core = plan->own_core;
    load.keepalive = load.keepalive && !s->churn;
    load.idle = s->idle;
    load.trickle_ns = s->trickle_ns;
    int64_t length = s->length > 0 ? s->length : 1;
    load.duration_ns *= length;
    load.warmup_ns *= length;
    if (s->connections > 0)
        load.connections = s->connections;
    if (load.threads > load.connections)
        load.threads = load.connections;
    int rv = lg_preflight(&load, why);
    if (rv == 0)
        rv = settle(plan, &load, gauge, why);
    if (rv == 0)
        rv = run_part(plan, &load, gauge, parts != NULL ? &parts->closed : NULL, &result, why);
    if (rv < 0)
        return rv;
    take_closed(gauge, &result, block);
    take_memory(gauge, block);
    take_idle(&load, &result, block);
    lg_result_fini(&result);
    if (plan->rate <= 0)
        return 0;
    load.rate_per_s = plan->rate;
    load.warmup_ns = OPEN_WARMUP_NS * length;
    rv = run_part(plan, &load, gauge, parts != NULL ? &parts->open : NULL, &result, why);
    if (rv < 0)
        return rv;
    take_memory(gauge, block);
    take_idle(&load, &result, block);
    for (size_t i = 0; i < LG_RANK_PERCENTS; i++)
        block->latency_us[i] = percentile_us(&result.record, lg_rank_percents[i]);
    block->is_late = lg_judge_lag(&result.record).severity == LG_INVALID;
    /* two requests of slack: where few are due, the edges of the window count */
    double due = plan->rate * result.seconds;
    double good = result.requests_per_s * result.seconds * good_share(&result.record);
    block->answered = due > 0 ? fmin(1, good / due) : 1;
    if (parts != NULL && good < due * RATE_HELD - 2)
        parts->held_rate = false;
    lg_result_fini(&result);
    return 0;
}

/* Does the server's own counter agree with what was sent? */
static bool is_counted(const struct lg_target *target, const struct gauge *g)
{
    uint64_t counted;
    return lg_scrape(target, &counted) < 0 || (counted >= g->least && counted <= g->most);
}

int lg_block_run(const struct lg_block_plan *plan, struct lg_parts *parts,
                 struct lg_block *ret_block, struct lg_why *why)
{
    const struct lg_candidate *candidate = plan->candidate;
    struct lg_server server = {.log_fd = -1};
    struct lg_target target = {0};
    struct lg_requests requests = {0};
    struct lg_block block = {
        .answered = 1, .switches = NAN, .is_counted = true, .idle_open = plan->scenario->idle};
    struct gauge gauge = {.pid = candidate->pid, .cpu = plan->server_core};
    char url[128];
    int rv = 0;
    bool is_own = candidate->mode[0] != '\0';
    for (size_t i = 0; i < LG_RANK_PERCENTS; i++)
        block.latency_us[i] = NAN;
    if (is_own) {
        rv = start_own(plan, &server, why);
        gauge.pid = server.pid;
    }
    if (rv == 0) {
        snprintf(url, sizeof url, "http://%s/domain", server.address);
        rv = lg_target_init(&target, is_own ? url : candidate->url, NULL, why);
    }
    if (rv == 0)
        rv = build_requests(plan, &target, &requests, why);
    if (rv == 0)
        rv = lg_target_reach(&target, plan->options->load.timeout_ns, why);
    if (rv == 0)
        rv = run_parts(plan, &target, &requests, &gauge, parts, &block, why);
    block.own_wait = gauge.own_wait;
    if (rv == 0 && is_own)
        block.is_counted = is_counted(&target, &gauge);
    lg_server_stop(&server);
    if (rv == 0 && is_own)
        block.switches = (double)server.switches / (double)gauge.sent;
    lg_requests_fini(&requests);
    lg_target_fini(&target);
    if (rv == 0)
        *ret_block = block;
    return rv;
}
