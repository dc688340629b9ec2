/* loadgen/compare.h - candidates loaded in interleaved blocks.
 *
 * A block: a fresh server (or the running one, when it is not ours), warmed up,
 * then two parts.  Closed loop: as much as it can answer; throughput and CPU
 * per request come from here.  Open loop: the same rate for all candidates, a
 * share of what the slowest can do (found by a pilot round); latency comes from
 * here, because latencies at different loads are not comparable.
 *
 * A block during which other programs took more than a tenth of either side's
 * CPU is thrown away and run again, as often as there are rounds (three times as
 * often where it answered nothing at all); that is decided by the disturbance,
 * never by a result.  Where most blocks remain disturbed only what noise hardly
 * touches is ranked: CPU per request and memory.
 *
 * The order of blocks is a Latin square over random permutations: in every run
 * of as many rounds as there are candidates, each stands once in each place, so
 * that a machine that drifts drifts for all of them.
 *
 *   context    main thread; lg_compare blocks for the whole comparison
 *   returns    0, or -errno with the reason; -EINTR is no failure: what was
 *              measured until then is in the result
 *   ownership  the comparison owns what is in it; lg_comparison_fini frees it */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "loadgen/options.h"
#include "loadgen/record.h"
#include "loadgen/scenario.h"
#include "loadgen/stats.h"

#define LG_NAME_BYTES 32
#define LG_URL_BYTES  2048

struct lg_candidate {
    char name[LG_NAME_BYTES];
    char mode[LG_NAME_BYTES]; /* of our own domaind; empty: a server that runs already */
    char url[LG_URL_BYTES];   /* of a running server */
    pid_t pid;                /* 0: not known */
};

/* Latency is ranked by the first of these that every block has enough samples for. */
#define LG_RANK_PERCENTS 3
extern const double lg_rank_percents[LG_RANK_PERCENTS]; /* 99, 90, 50 */

/* One block: one sample of everything. */
struct lg_block {
    double requests_per_s; /* closed loop */
    double cpu_us;         /* of the server, per request, closed loop; NAN: not known */
    double server_cpu;     /* cores it used, closed loop */
    double own_cpu;        /* share of its core that loadgen used, closed loop */
    /* at lg_rank_percents, corrected, at the equal rate; NAN: too few samples */
    double latency_us[LG_RANK_PERCENTS];
    double answered;  /* share of what was due in the open part that got a good answer */
    double pss_bytes; /* with all connections open; NAN: not known */
    double switches;  /* context switches per request, whole life; NAN: not known */
    double others;    /* share of its core that other programs (or the hypervisor) took */
    double lateness;  /* of our readings, as a share of the closed part */
    double own_wait;  /* share of the time that loadgen was ready without a CPU */
    bool is_late;     /* open part: too much of its latency is loadgen's own (lg_judge_lag) */
    bool is_counted;  /* the server's own counter agrees; true when it has none */
    int processes;
    int threads;
    unsigned idle_open; /* idle connections that stood until the end, the fewer of both parts */
    unsigned place;     /* in which order the blocks ran, from 0 */
};

/* What the parts of a block, or of many merged blocks, have seen. */
struct lg_parts {
    struct lg_record closed;
    struct lg_record open;
    bool held_rate; /* answered at least 99 % of the equal rate in every block */
};
MUST_USE int lg_parts_init(struct lg_parts *p);
void lg_parts_fini(struct lg_parts *p);

struct lg_side {
    struct lg_block blocks[LG_STATS_MAX_BLOCKS];
    size_t n;
    struct lg_parts parts; /* merged over the blocks */
};

/* What is ranked, and which way is better. */
enum lg_metric { LG_METRIC_CPU, LG_METRIC_RATE, LG_METRIC_LATENCY, LG_METRIC_MEMORY, LG_METRICS };
extern const bool lg_metric_less_is_better[LG_METRICS];

struct lg_comparison {
    const struct lg_scenario *scenario;
    struct lg_candidate candidates[LG_STATS_MAX_GROUPS];
    struct lg_side sides[LG_STATS_MAX_GROUPS];
    size_t n;
    unsigned rounds;
    unsigned connections;
    double seconds; /* of each part of a block */
    double rate;    /* requests a second in the open part */
    uint64_t seed;
    int server_core; /* -1: not pinned */
    int own_core;
    bool interrupted;
    bool client_limited;        /* loadgen was at its limit and the servers were not */
    double others_max;          /* the worst block's share taken by other programs */
    unsigned repeated;          /* disturbed blocks that were thrown away and run again */
    unsigned disturbed;         /* ... and that had to be kept */
    size_t percent;             /* the ranked latency, of lg_rank_percents */
    unsigned miscounted;        /* blocks where the server counted other requests than we sent */
    bool is_ranked[LG_METRICS]; /* else lg_not_ranked says why */
    struct lg_ranking rankings[LG_METRICS];
};

/* Who takes part: the modes or the targets of the options. */
MUST_USE int lg_candidates(const struct lg_options *o, struct lg_candidate *ret_list, size_t *ret_n,
                           struct lg_why *why);
/* ret_order[round * n + place] = candidate. */
void lg_latin_square(size_t n, unsigned rounds, uint64_t seed, unsigned char *ret_order);

MUST_USE int lg_compare(const struct lg_options *o, const struct lg_scenario *scenario,
                        const bool *stop, struct lg_comparison *ret_comparison, struct lg_why *why);
void lg_comparison_fini(struct lg_comparison *c);

/* Choose the rounds where the options leave them open, and make the comparisons
 * fit into the options' budget, if there is one: fewer rounds, but as many as a
 * winner needs, then shorter blocks.  -ETIME: it is too short. */
MUST_USE int lg_compare_fit(struct lg_options *o, const struct lg_scenario *const *scenarios,
                            size_t n_scenarios, size_t n_candidates, struct lg_why *why);

/* How long it will take when no block is disturbed, for all who have to wait. */
double lg_compare_seconds(const struct lg_options *o, const struct lg_scenario *const *scenarios,
                          size_t n_scenarios, size_t n_candidates);

/* ---- what the blocks show: ranking.c ---- */

/* What this comparison shows, in one sentence. */
const char *lg_shows(const struct lg_comparison *c);
/* Rank everything that can be ranked, and say what cannot. */
void lg_conclude(struct lg_comparison *c);
/* Did other programs take so much that throughput and latency show them? */
bool lg_is_disturbed(const struct lg_block *b);
/* "p90 at equal rate" */
const char *lg_metric_name(const struct lg_comparison *c, enum lg_metric metric);
/* Why it is not ranked. */
const char *lg_not_ranked(const struct lg_comparison *c, enum lg_metric metric);
/* The values of one metric of one candidate; how many. */
size_t lg_side_values(const struct lg_comparison *c, const struct lg_side *side,
                      enum lg_metric metric, double values[LG_STATS_MAX_BLOCKS]);
