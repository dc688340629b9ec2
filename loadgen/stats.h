/* loadgen/stats.h - what may be said about a few repeated blocks.
 *
 * A block (a fresh server, warmed up and measured) is one sample; requests
 * within a block are not independent, so their number proves nothing.  With six
 * blocks a side only rank statistics are honest: the exact Mann-Whitney test,
 * ties included (the permutation distribution of the observed midranks), Holm's
 * correction over all pairs, the Hodges-Lehmann estimate on logarithms, which
 * is a ratio, with its exact confidence interval; and a noise floor from
 * comparing each candidate with itself (A/A).
 *
 *   context    any; pure functions
 *   returns    0, or -EINVAL (empty, too many, or not positive where a ratio is
 *              asked for), -ENOMEM
 *   ownership  everything is borrowed for the call */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "coro/base/attr.h"

#define LG_STATS_MAX_BLOCKS 64
#define LG_STATS_MAX_GROUPS 8
#define LG_STATS_MIN_BLOCKS 5 /* below, no winner can survive Holm over three pairs */
#define LG_ALPHA            0.05

double lg_median(const double *values, size_t n);

/* A confidence interval of at least 95 % for the median; false below 6 values:
 * then even (min, max) does not reach 95 %. */
bool lg_median_interval(const double *values, size_t n, double *ret_low, double *ret_high);

/* Two-sided exact p of "a and b come from one distribution". */
MUST_USE int lg_mann_whitney(const double *a, size_t na, const double *b, size_t nb, double *ret_p);

/* p[] becomes Holm's adjusted p, in place. */
void lg_holm(double *p, size_t n);

struct lg_effect {
    double ratio; /* a / b: median of all pairwise ratios */
    /* Its confidence interval: 95 % or the next above that exists; below four
     * values a side no such interval exists, and this is the whole range. */
    double low;
    double high;
};
MUST_USE int lg_ratio_effect(const double *a, size_t na, const double *b, size_t nb,
                             struct lg_effect *ret_effect);

struct lg_group {
    const double *values;
    size_t n;
};

/* The ratio (>= 1) that halves of one and the same candidate's blocks reach
 * against each other in 95 of 100 splits, over all groups: effects below it are
 * what this machine makes of nothing. */
MUST_USE int lg_noise_floor(const struct lg_group *groups, size_t n_groups, double *ret_ratio);

struct lg_pair {
    size_t a, b;
    double p; /* after Holm */
    struct lg_effect effect;
    bool shown; /* p <= LG_ALPHA, and the effect lies above the noise floor */
};
#define LG_STATS_MAX_PAIRS (LG_STATS_MAX_GROUPS * (LG_STATS_MAX_GROUPS - 1) / 2)

struct lg_ranking {
    struct lg_pair pairs[LG_STATS_MAX_PAIRS];
    size_t n_pairs;
    double floor_ratio;
    int winner; /* the group shown to be better than every other one; -1: none is */
    /* Groups that no other one is shown to be better than: the winner, or several
     * that share the lead; all of them when no difference is shown. */
    bool leads[LG_STATS_MAX_GROUPS];
};
/* So many blocks of each group are needed that a difference can be shown at all:
 * the more pairs, the smaller the p that Holm's correction asks for. */
size_t lg_least_blocks(size_t n_groups);

/* Test every pair of groups. */
MUST_USE int lg_rank(const struct lg_group *groups, size_t n_groups, bool less_is_better,
                     struct lg_ranking *ret_ranking);
