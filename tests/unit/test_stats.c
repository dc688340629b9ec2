/* The statistics, against figures of scipy 1.10.1 (the call stands beside each). */
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "loadgen/stats.h"
#include "suite.h"

static const double A[] = {12.1, 11.8, 12.4, 12.0, 11.9, 12.3};
static const double B[] = {13.5, 13.1, 14.2, 13.3, 13.9, 12.2};
static const double C[] = {12.05, 13.0, 11.7, 13.4, 12.6, 12.15};
static const double D[] = {9.0, 9.5, 8.8, 9.2, 9.1};
static const double T1[] = {3, 3, 4, 5, 5, 7};
static const double T2[] = {5, 6, 7, 7, 8, 9};
static const double S1[] = {1, 1, 1, 2};
static const double S2[] = {1, 2, 2, 2};

/* Drawings in the tests by chance; under TSan each takes ten times as long. */
#if defined(__SANITIZE_THREAD__)
enum { ROUNDS = 200 };
#else
enum { ROUNDS = 1000 };
#endif

#define SIDE(x) x, ARRAY_LEN(x)

static const struct {
    const double *a;
    size_t na;
    const double *b;
    size_t nb;
    double p;
} tests[] = {
    /* stats.mannwhitneyu(x, y, method='exact').pvalue */
    {SIDE(A), SIDE(B), 0.008658008658008658},
    {SIDE(A), SIDE(C), 0.30952380952380953},
    {SIDE(A), SIDE(D), 0.004329004329004329},
    {SIDE(D), SIDE(B), 0.004329004329004329},
    /* ties: stats.permutation_test((x, y), sum of rankdata of x,
     * permutation_type='independent', n_resamples=inf).pvalue */
    {SIDE(T1), SIDE(T2), 0.030303030303030304},
    {SIDE(S1), SIDE(S2), 0.4857142857142857},
    {SIDE(A), SIDE(A), 1},
};

START_TEST(mann_whitney_is_exact)
{
    double p = -1;
    ck_assert_int_eq(lg_mann_whitney(tests[_i].a, tests[_i].na, tests[_i].b, tests[_i].nb, &p), 0);
    ck_assert_double_eq_tol(p, tests[_i].p, 1e-12);
    ck_assert_int_eq(lg_mann_whitney(tests[_i].b, tests[_i].nb, tests[_i].a, tests[_i].na, &p), 0);
    ck_assert_double_eq_tol(p, tests[_i].p, 1e-12);
}
END_TEST

static const struct {
    const double *a;
    size_t na;
    const double *b;
    size_t nb;
    struct lg_effect effect;
} effects[] = {
    /* exp(np.median(log x_i - log y_j)); the interval by inverting
     * mannwhitneyu(log x - shift, log y, method='exact') at 0.05 */
    {SIDE(A), SIDE(B), {0.898527051519705, 0.8561151079136691, 0.9672131147540985}},
    {SIDE(A), SIDE(C), {0.977720594928168, 0.9153846153846155, 1.020746887966805}},
    {SIDE(A), SIDE(D), {1.3259410462458951, 1.2736842105263162, 1.3749999999999998}},
    {SIDE(D), SIDE(B), {0.6790823824879524, 0.6408450704225352, 0.7377049180327868}},
};

START_TEST(ratio_effect_has_its_exact_interval)
{
    struct lg_effect e;
    ck_assert_int_eq(
        lg_ratio_effect(effects[_i].a, effects[_i].na, effects[_i].b, effects[_i].nb, &e), 0);
    ck_assert_double_eq_tol(e.ratio, effects[_i].effect.ratio, 1e-12);
    ck_assert_double_eq_tol(e.low, effects[_i].effect.low, 1e-12);
    ck_assert_double_eq_tol(e.high, effects[_i].effect.high, 1e-12);
}
END_TEST

START_TEST(holm_adjusts_in_place)
{
    /* as R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm") */
    double p[] = {0.01, 0.04, 0.03, 0.005};
    const double want[] = {0.03, 0.06, 0.06, 0.02};
    lg_holm(p, ARRAY_LEN(p));
    for (size_t i = 0; i < ARRAY_LEN(p); i++)
        ck_assert_double_eq_tol(p[i], want[i], 1e-12);
}
END_TEST

static const struct {
    size_t n;
    size_t cut; /* smallest k with stats.binom.cdf(k, n, 0.5) > 0.025 */
} intervals[] = {{5, 0}, {6, 1}, {8, 1}, {9, 2}, {12, 3}, {20, 6}};

START_TEST(median_interval_by_order_statistics)
{
    double values[20], low = -1, high = -1;
    size_t n = intervals[_i].n, cut = intervals[_i].cut;
    for (size_t i = 0; i < n; i++)
        values[i] = (double)((i * 7) % n) + 1; /* 1..n, shuffled */
    ck_assert_int_eq(lg_median_interval(values, n, &low, &high), cut > 0);
    if (cut > 0) {
        ck_assert_double_eq(low, (double)cut);
        ck_assert_double_eq(high, (double)(n + 1 - cut));
    }
}
END_TEST

START_TEST(medians)
{
    const double odd[] = {3, 1, 2}, even[] = {4, 1, 3, 2};
    ck_assert_double_eq(lg_median(odd, 3), 2);
    ck_assert_double_eq(lg_median(even, 4), 2.5);
    ck_assert(isnan(lg_median(even, 0)));
}
END_TEST

START_TEST(nonsense_is_refused)
{
    double p, many[LG_STATS_MAX_BLOCKS + 1] = {0};
    struct lg_effect e;
    const double with_zero[] = {1, 0, 2};
    ck_assert_int_eq(lg_mann_whitney(A, 0, B, 6, &p), -EINVAL);
    ck_assert_int_eq(lg_mann_whitney(many, ARRAY_LEN(many), B, 6, &p), -EINVAL);
    ck_assert_int_eq(lg_ratio_effect(SIDE(with_zero), SIDE(B), &e), -EINVAL);
    ck_assert_int_eq(lg_ratio_effect(A, 0, SIDE(B), &e), -EINVAL);
}
END_TEST

START_TEST(the_floor_is_what_equal_blocks_differ_by)
{
    /* halves of {1, 1, 1, 2}: {1,1}|{1,2} always; median log ratio = log(2)/2 */
    const double values[] = {1, 1, 1, 2};
    const struct lg_group group = {SIDE(values)};
    double floor_ratio = 0;
    ck_assert_int_eq(lg_noise_floor(&group, 1, &floor_ratio), 0);
    ck_assert_double_eq_tol(floor_ratio, sqrt(2), 1e-12);
}
END_TEST

START_TEST(a_clear_winner_is_named)
{
    const double E[] = {10.0, 10.2, 9.9, 10.1, 10.3, 9.8}; /* between D and A */
    const struct lg_group groups[] = {{SIDE(A)}, {SIDE(D)}, {SIDE(E)}};
    struct lg_ranking r;
    ck_assert_int_eq(lg_rank(groups, 3, true, &r), 0);
    ck_assert_uint_eq(r.n_pairs, 3);
    ck_assert_int_eq(r.winner, 1);
    ck_assert_int_eq(lg_rank(groups, 3, false, &r), 0);
    ck_assert_int_eq(r.winner, 0);
}
END_TEST

START_TEST(overlapping_groups_have_no_winner)
{
    const struct lg_group groups[] = {{SIDE(A)}, {SIDE(B)}, {SIDE(C)}};
    struct lg_ranking r;
    ck_assert_int_eq(lg_rank(groups, 3, true, &r), 0);
    ck_assert_int_eq(r.winner, -1);
    ck_assert(!r.pairs[1].shown); /* A against C */
}
END_TEST

START_TEST(four_blocks_never_make_a_winner)
{
    const struct lg_group groups[] = {{A, 4}, {D, 4}};
    struct lg_ranking r;
    ck_assert_int_eq(lg_rank(groups, 2, true, &r), 0);
    ck_assert_double_eq_tol(r.pairs[0].p, 0.02857142857142857, 1e-12);
    ck_assert(!r.pairs[0].shown);
    ck_assert_int_eq(r.winner, -1);
}
END_TEST

/* Eight groups are 28 pairs: six blocks each cannot give a p that survives them. */
static const struct {
    size_t groups, blocks;
} least[] = {{2, 5}, {3, 5}, {4, 5}, {5, 6}, {7, 6}, {8, 7}};

START_TEST(the_least_blocks_that_can_show_a_difference)
{
    double values[LG_STATS_MAX_GROUPS][8];
    struct lg_group groups[LG_STATS_MAX_GROUPS];
    size_t n = least[_i].groups;
    ck_assert_uint_eq(lg_least_blocks(n), least[_i].blocks);
    for (size_t blocks = least[_i].blocks - 1; blocks <= least[_i].blocks; blocks++) {
        for (size_t g = 0; g < n; g++) {
            for (size_t k = 0; k < blocks; k++)
                values[g][k] = (double)(g + 1) * (1 + 0.001 * (double)k);
            groups[g] = (struct lg_group){values[g], blocks};
        }
        struct lg_ranking r;
        ck_assert_int_eq(lg_rank(groups, n, true, &r), 0);
        ck_assert_int_eq(r.winner, blocks == least[_i].blocks ? 0 : -1);
    }
}
END_TEST

static void swap(double *x, size_t i, size_t j)
{
    double t = x[i];
    x[i] = x[j];
    x[j] = t;
}

START_TEST(null_data_name_a_winner_in_five_percent_at_most)
{
    /* one skewed population dealt to three candidates of six blocks */
    double values[18];
    int winners = 0;
    uint64_t seed = 7;
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        values[i] = 10 + exp((double)((i * 11) % 18) / 9);
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t i = ARRAY_LEN(values) - 1; i > 0; i--) {
            seed = seed * 6364136223846793005U + 1442695040888963407U;
            swap(values, i, (seed >> 33) % (i + 1));
        }
        const struct lg_group groups[] = {{values, 6}, {values + 6, 6}, {values + 12, 6}};
        struct lg_ranking r;
        ck_assert_int_eq(lg_rank(groups, 3, true, &r), 0);
        winners += r.winner >= 0;
    }
    ck_assert_int_le(winners, ROUNDS / 20);
}
END_TEST

/* Recorded A/A blocks: coroutine mode against itself, c=100, in the order they ran
 * (loadgen compare --modes=coroutine,coroutine --rounds 12 -d 300ms; the --json
 * has them).  Real blocks drift and have outliers, as the first six show. */
enum { RECORDED = 24 };
static const double recorded[][RECORDED] = {
    /* server CPU per request, us */
    {8.761, 6.854, 6.978, 6.809, 7.364, 9.426, 8.894, 8.71,  8.629, 8.707, 8.591, 8.776,
     8.432, 8.419, 8.55,  7.603, 8.674, 8.704, 8.777, 8.742, 8.72,  9.029, 8.694, 8.825},
    /* requests a second */
    {113003, 144333, 138327, 145697, 134167, 101470, 103690, 107573,
     106273, 107300, 110407, 109720, 115700, 117160, 112150, 112863,
     112123, 111483, 110677, 110817, 110897, 105717, 113430, 108343},
    /* p99 at an equal rate, us */
    {1092.608, 2934.784, 1528.832, 3090.432, 1604.608, 5730.304, 1991.68,  3004.416,
     3688.448, 2693.12,  4730.88,  3749.888, 4134.912, 2312.192, 2492.416, 1731.584,
     3213.312, 3397.632, 5271.552, 3667.968, 4288.512, 2824.192, 2312.192, 2508.8},
};

static int winners_of_random_splits(const double *blocks, size_t n_groups, size_t n_each)
{
    double values[RECORDED];
    struct lg_group groups[3];
    int winners = 0;
    uint64_t seed = 11;
    memcpy(values, blocks, sizeof values);
    for (size_t g = 0; g < n_groups; g++)
        groups[g] = (struct lg_group){values + g * n_each, n_each};
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t i = RECORDED - 1; i > 0; i--) {
            seed = seed * 6364136223846793005U + 1442695040888963407U;
            swap(values, i, (seed >> 33) % (i + 1));
        }
        struct lg_ranking r;
        ck_assert_int_eq(lg_rank(groups, n_groups, true, &r), 0);
        winners += r.winner >= 0;
    }
    return winners;
}

START_TEST(recorded_equal_blocks_name_a_winner_in_five_percent_at_most)
{
    ck_assert_int_le(winners_of_random_splits(recorded[_i], 2, 12), ROUNDS / 20);
    ck_assert_int_le(winners_of_random_splits(recorded[_i], 3, 6), ROUNDS / 20);
}
END_TEST

SUITE_MAIN("stats", SUITE_LOOP(mann_whitney_is_exact, tests),
           SUITE_LOOP(ratio_effect_has_its_exact_interval, effects),
           SUITE_TEST(holm_adjusts_in_place),
           SUITE_LOOP(median_interval_by_order_statistics, intervals), SUITE_TEST(medians),
           SUITE_TEST(nonsense_is_refused), SUITE_TEST(the_floor_is_what_equal_blocks_differ_by),
           SUITE_TEST(a_clear_winner_is_named), SUITE_TEST(overlapping_groups_have_no_winner),
           SUITE_TEST(four_blocks_never_make_a_winner),
           SUITE_LOOP(the_least_blocks_that_can_show_a_difference, least),
           SUITE_TEST(null_data_name_a_winner_in_five_percent_at_most),
           SUITE_LOOP(recorded_equal_blocks_name_a_winner_in_five_percent_at_most, recorded))
