#include "loadgen/compare.h"

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "coro/base/clock.h"
#include "coro/base/units.h"
#include "loadgen/block.h"
#include "loadgen/live.h"

/* Starting, warming up and stopping a server, and the pilot. */
#define BLOCK_EXTRA_S 0.6 /* a server's start and end; also its processes' */
#define OPEN_EXTRA_S  0.1
#define ROUNDS        6
/* On a machine that gives us no CPU a short pilot may see nothing at all. */
#define PILOT_TRIES 5
#define EMPTY_TRIES 3
/* Shorter parts than this say nothing. */
#define PART_LEAST_NS (200 * NS_PER_MS)
#define PART_STEP_NS  (10 * NS_PER_MS)

/* ---- who takes part ---- */

static int add_target(struct lg_candidate *c, const char *text, struct lg_why *why)
{
    const char *equals = strchr(text, '=');
    size_t n = equals == NULL ? 0 : (size_t)(equals - text);
    if (n == 0 || n >= sizeof c->name) {
        lg_why_set(why, "--target '%s': expected NAME=URL or NAME=URL,PID", text);
        return -EINVAL;
    }
    *c = (struct lg_candidate){0};
    memcpy(c->name, text, n);
    const char *url = equals + 1;
    size_t url_bytes = strlen(url);
    /* A URL may hold commas: only digits after the last one are a PID. */
    const char *comma = strrchr(url, ',');
    int64_t pid = 0;
    if (comma != NULL && units_parse_int(comma + 1, 1, INT32_MAX, &pid) == 0) {
        c->pid = (pid_t)pid;
        url_bytes = (size_t)(comma - url);
    }
    if (c->pid > 0 && kill(c->pid, 0) < 0 && errno == ESRCH) {
        lg_why_set(why, "--target '%s': there is no process %d", text, (int)c->pid);
        return -EINVAL;
    }
    if (url_bytes == 0 || url_bytes >= sizeof c->url) {
        lg_why_set(why, "--target '%s': the URL is empty or too long", text);
        return -EINVAL;
    }
    memcpy(c->url, url, url_bytes);
    return 0;
}

/* Better said before a server is started for each block. */
static bool is_mode(const char *name)
{
    static const char *const modes[] = {"coroutine", "thread", "prefork"};
    for (size_t i = 0; i < ARRAY_LEN(modes); i++)
        if (strcmp(modes[i], name) == 0)
            return true;
    return false;
}

static int add_modes(const char *list, struct lg_candidate *ret_list, size_t *n, struct lg_why *why)
{
    while (*list != '\0') {
        size_t bytes = strcspn(list, ",");
        if (bytes == 0 || bytes >= LG_NAME_BYTES - 3 || *n == LG_STATS_MAX_GROUPS) {
            lg_why_set(why, "--modes: expected 2 to %d names with commas between",
                       LG_STATS_MAX_GROUPS);
            return -EINVAL;
        }
        struct lg_candidate *c = &ret_list[(*n)++];
        *c = (struct lg_candidate){0};
        memcpy(c->mode, list, bytes);
        memcpy(c->name, list, bytes);
        if (!is_mode(c->mode)) {
            lg_why_set(why, "--modes: there is no mode '%s': coroutine, thread or prefork",
                       c->mode);
            return -EINVAL;
        }
        unsigned same = 1;
        for (size_t i = 0; i + 1 < *n; i++)
            same += strcmp(ret_list[i].mode, c->mode) == 0;
        if (same > 1) /* against itself: "coroutine#2" */
            snprintf(c->name + bytes, sizeof c->name - bytes, "#%u", same % 10);
        list += bytes + (list[bytes] == ',');
    }
    return 0;
}

int lg_candidates(const struct lg_options *o, struct lg_candidate *ret_list, size_t *ret_n,
                  struct lg_why *why)
{
    size_t n = 0;
    int rv = 0;
    if (o->n_targets > LG_STATS_MAX_GROUPS) {
        lg_why_set(why, "at most %d targets", LG_STATS_MAX_GROUPS);
        return -EINVAL;
    }
    for (; n < o->n_targets && rv == 0; n++)
        rv = add_target(&ret_list[n], o->targets[n], why);
    for (size_t i = 0; i < n && rv == 0; i++)
        for (size_t k = 0; k < i && rv == 0; k++)
            if (strcmp(ret_list[i].name, ret_list[k].name) == 0) {
                lg_why_set(why, "--target: two are named '%s'", ret_list[i].name);
                rv = -EINVAL;
            }
    if (o->n_targets == 0)
        rv = add_modes(o->modes, ret_list, &n, why);
    if (rv == 0 && n < 2) {
        lg_why_set(why, "a comparison needs two candidates");
        rv = -EINVAL;
    }
    *ret_n = n;
    return rv;
}

/* ---- the order ---- */

static size_t random_below(uint64_t *state, size_t n)
{
    *state = *state * 6364136223846793005U + 1442695040888963407U;
    return (size_t)(*state >> 33) % n;
}

void lg_latin_square(size_t n, unsigned rounds, uint64_t seed, unsigned char *ret_order)
{
    unsigned char permutation[LG_STATS_MAX_GROUPS] = {0};
    for (unsigned round = 0; round < rounds; round++) {
        if (round % n == 0) {
            for (size_t i = 0; i < n; i++)
                permutation[i] = (unsigned char)i;
            for (size_t i = n - 1; i > 0; i--) {
                size_t j = random_below(&seed, i + 1);
                unsigned char swapped = permutation[i];
                permutation[i] = permutation[j];
                permutation[j] = swapped;
            }
        }
        for (size_t place = 0; place < n; place++)
            ret_order[round * n + place] = permutation[(place + round) % n];
    }
}

double lg_compare_seconds(const struct lg_options *o, const struct lg_scenario *const *scenarios,
                          size_t n_scenarios, size_t n)
{
    double part = (double)o->load.duration_ns / 1e9, warmup = (double)o->load.warmup_ns / 1e9;
    double sum = 0;
    for (size_t i = 0; i < n_scenarios; i++) {
        double length = scenarios[i]->length > 0 ? scenarios[i]->length : 1;
        double blocks = (double)n * o->rounds;
        sum += blocks * (length * (2 * part + warmup + OPEN_EXTRA_S) + BLOCK_EXTRA_S);
        sum += (double)n * (length * (part + warmup) + BLOCK_EXTRA_S);
    }
    return sum;
}

int lg_compare_fit(struct lg_options *o, const struct lg_scenario *const *scenarios,
                   size_t n_scenarios, size_t n, struct lg_why *why)
{
    double budget = (double)o->budget_ns / 1e9;
    size_t least = lg_least_blocks(n);
    if (o->rounds == 0)
        o->rounds = least > ROUNDS ? (unsigned)least : ROUNDS;
    if (o->budget_ns == 0)
        return 0;
    while (o->rounds > least && lg_compare_seconds(o, scenarios, n_scenarios, n) > budget)
        o->rounds--;
    while (o->load.duration_ns > PART_LEAST_NS &&
           lg_compare_seconds(o, scenarios, n_scenarios, n) > budget) {
        int64_t shorter_ns =
            o->load.duration_ns - o->load.duration_ns % PART_STEP_NS - PART_STEP_NS;
        o->load.duration_ns = shorter_ns > PART_LEAST_NS ? shorter_ns : PART_LEAST_NS;
    }
    double needed = lg_compare_seconds(o, scenarios, n_scenarios, n);
    if (needed <= budget)
        return 0;
    lg_why_set(why, "--budget: %u blocks of each of %zu candidates in %zu scenario%s take %.0f s",
               o->rounds, n, n_scenarios, n_scenarios == 1 ? "" : "s", ceil(needed));
    return -ETIME;
}

/* ---- the blocks ---- */

int lg_parts_init(struct lg_parts *p)
{
    *p = (struct lg_parts){.held_rate = true};
    int rv = lg_record_init(&p->closed, 0);
    return rv < 0 ? rv : lg_record_init(&p->open, 0);
}

void lg_parts_fini(struct lg_parts *p)
{
    lg_record_fini(&p->closed);
    lg_record_fini(&p->open);
}

/* Server on the first core we may use, loadgen on the last. */
static void choose_cores(struct lg_comparison *c, const struct lg_options *o)
{
    cpu_set_t set;
    c->server_core = c->own_core = -1;
    if (!o->pin || o->n_targets > 0 || sched_getaffinity(0, sizeof set, &set) < 0 ||
        CPU_COUNT(&set) < 2)
        return;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET((unsigned)cpu, &set))
            continue;
        if (c->server_core < 0)
            c->server_core = cpu;
        c->own_core = cpu;
    }
}

static double round_down(double rate)
{
    double step = pow(10, floor(log10(rate)) - 1);
    return rate < 10 ? rate : floor(rate / step) * step;
}

static void show(const struct lg_comparison *c, const struct lg_options *o, const char *what,
                 const char *name, unsigned done, unsigned all)
{
    if (lg_live_is_wanted(o->quiet))
        lg_live_show("  %s: %s %u of %u, %s", c->scenario->name, what, done, all, name);
}

/* Every candidate once, to find the rate that all can be asked for. */
static int run_pilot(struct lg_comparison *c, struct lg_block_plan *plan, struct lg_why *why)
{
    double least = INFINITY;
    for (size_t i = 0; i < c->n; i++) {
        struct lg_block block;
        show(c, plan->options, "pilot", c->candidates[i].name, (unsigned)i + 1, (unsigned)c->n);
        plan->candidate = &c->candidates[i];
        int rv = 0;
        block.requests_per_s = 0;
        for (int try = 0; try < PILOT_TRIES && rv == 0 && !(block.requests_per_s > 0); try++)
            rv = lg_block_run(plan, NULL, &block, why);
        if (rv < 0)
            return rv;
        least = fmin(least, block.requests_per_s);
    }
    if (!(least > 0)) {
        lg_why_set(why, "nothing was answered in the pilot's %gs: use a longer -d", c->seconds);
        return -ETIMEDOUT;
    }
    c->rate = round_down(least * c->scenario->rate_factor);
    plan->rate = c->rate;
    return 0;
}

/* Another try?  A block without one answer has no value at all: it gets more of them. */
static bool is_worth_repeating(const struct lg_comparison *c, const struct lg_block *b)
{
    unsigned most = b->requests_per_s > 0 ? c->rounds : c->rounds * EMPTY_TRIES;
    return lg_is_disturbed(b) && c->repeated < most;
}

/* One block of one candidate, again while it is disturbed and that is allowed. */
static int run_block(struct lg_comparison *c, struct lg_block_plan *plan, struct lg_side *side,
                     struct lg_why *why)
{
    struct lg_block *block = &side->blocks[side->n];
    for (;;) {
        struct lg_parts parts;
        int rv = lg_parts_init(&parts);
        if (rv == 0)
            rv = lg_block_run(plan, &parts, block, why);
        if (rv == 0 && is_worth_repeating(c, block)) {
            c->repeated++;
            lg_parts_fini(&parts);
            continue;
        }
        if (rv == 0)
            rv = lg_record_merge(&side->parts.closed, &parts.closed);
        if (rv == 0)
            rv = lg_record_merge(&side->parts.open, &parts.open);
        if (rv == 0) {
            side->parts.held_rate = side->parts.held_rate && parts.held_rate;
            c->disturbed += lg_is_disturbed(block);
            c->miscounted += !block->is_counted;
            side->n++;
        }
        lg_parts_fini(&parts);
        return rv;
    }
}

static int run_blocks(struct lg_comparison *c, struct lg_block_plan *plan, struct lg_why *why)
{
    unsigned char order[LG_STATS_MAX_BLOCKS * LG_STATS_MAX_GROUPS];
    unsigned all = c->rounds * (unsigned)c->n;
    lg_latin_square(c->n, c->rounds, c->seed, order);
    for (unsigned i = 0; i < all; i++) {
        struct lg_side *side = &c->sides[order[i]];
        plan->candidate = &c->candidates[order[i]];
        show(c, plan->options, "block", plan->candidate->name, i + 1, all);
        int rv = run_block(c, plan, side, why);
        if (rv < 0)
            return rv;
        side->blocks[side->n - 1].place = i;
    }
    return 0;
}

static int comparison_init(struct lg_comparison *c, const struct lg_options *o,
                           const struct lg_scenario *scenario, struct lg_why *why)
{
    *c = (struct lg_comparison){
        .scenario = scenario,
        .rounds = o->rounds,
        .connections = scenario->connections > 0 ? scenario->connections : o->load.connections,
        .seconds =
            (double)o->load.duration_ns / 1e9 * (scenario->length > 0 ? scenario->length : 1),
        .seed = o->seed != 0 ? o->seed : (uint64_t)clock_wall_ns() / NS_PER_MS,
    };
    choose_cores(c, o);
    int rv = lg_candidates(o, c->candidates, &c->n, why);
    if (rv < 0)
        return rv;
    for (size_t i = 0; i < c->n && rv == 0; i++)
        rv = lg_parts_init(&c->sides[i].parts);
    if (rv < 0)
        lg_why_set(why, "out of memory");
    return rv;
}

int lg_compare(const struct lg_options *o, const struct lg_scenario *scenario, const bool *stop,
               struct lg_comparison *ret_comparison, struct lg_why *why)
{
    struct lg_comparison *c = ret_comparison;
    struct lg_block_plan plan = {.options = o, .scenario = scenario, .stop = stop};
    int rv = comparison_init(c, o, scenario, why);
    plan.server_core = c->server_core;
    plan.own_core = c->own_core;
    if (rv == 0)
        rv = run_pilot(c, &plan, why);
    if (rv == 0)
        rv = run_blocks(c, &plan, why);
    if (lg_live_is_wanted(o->quiet))
        lg_live_show("%s", "");
    c->interrupted = rv == -EINTR;
    if (rv < 0 && rv != -EINTR)
        lg_comparison_fini(c);
    else
        lg_conclude(c);
    return rv;
}

void lg_comparison_fini(struct lg_comparison *c)
{
    for (size_t i = 0; i < c->n; i++)
        lg_parts_fini(&c->sides[i].parts);
    c->n = 0;
}
