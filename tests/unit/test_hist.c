/* The histogram: its stated error over the whole range, percentiles against a
 * sorted array, merging, and percentiles that have too few values. */
#include <math.h>
#include <string.h>

#include "coro/base/hist.h"
#include "suite.h"

START_TEST(error_stays_within_the_stated_bound)
{
    struct hist h;
    ck_assert_int_eq(hist_init(&h, HIST_FINE), 0);
    double worst = 0;
    for (int64_t v = 1; v < HIST_MAX_NS; v += 1 + v / 977) {
        unsigned index = hist_index(h.bits, (uint64_t)v);
        ck_assert_uint_lt(index, h.n_counts);
        double error = fabs((double)(hist_value_ns(&h, index) - v)) / (double)v;
        worst = error > worst ? error : worst;
    }
    ck_assert_double_le(worst, 0.001);
    ck_assert_double_gt(worst, 0.0005); /* the walk met bucket edges */
    hist_fini(&h);
}
END_TEST

START_TEST(buckets_are_contiguous)
{
    struct hist h;
    ck_assert_int_eq(hist_init(&h, HIST_COARSE), 0);
    unsigned last = 0;
    for (uint64_t v = 0; v < 100000; v++) {
        unsigned index = hist_index(h.bits, v);
        ck_assert_uint_ge(index, last);
        ck_assert_uint_le(index, last + 1);
        last = index;
    }
    ck_assert_uint_eq(hist_index(h.bits, HIST_MAX_NS), h.n_counts - 1);
    hist_fini(&h);
}
END_TEST

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

START_TEST(percentiles_agree_with_a_sorted_array)
{
    enum { N = 20000 };
    static int64_t values[N];
    struct hist h;
    ck_assert_int_eq(hist_init(&h, HIST_FINE), 0);
    uint64_t seed = 42;
    for (int i = 0; i < N; i++) {
        seed = seed * 6364136223846793005U + 1442695040888963407U;
        values[i] = (int64_t)exp(9 + 8 * (double)(seed >> 40) / (double)(1 << 24));
        hist_record(&h, values[i]);
    }
    qsort(values, N, sizeof *values, by_value);
    const double percents[] = {0, 1, 25, 50, 75, 90, 99, 99.9, 100};
    for (size_t i = 0; i < ARRAY_LEN(percents); i++) {
        int rank = (int)ceil(percents[i] / 100 * N - 1e-6);
        double want = (double)values[rank < 1 ? 0 : rank - 1];
        double got = (double)hist_percentile_ns(&h, percents[i]);
        ck_assert_msg(fabs(got - want) <= 0.001 * want, "p%g: %g, not %g", percents[i], got, want);
    }
    ck_assert_int_eq(hist_percentile_ns(&h, 100), h.max_ns);
    hist_fini(&h);
}
END_TEST

START_TEST(merging_equals_recording_in_one)
{
    struct hist all, a, b;
    ck_assert_int_eq(hist_init(&all, HIST_FINE), 0);
    ck_assert_int_eq(hist_init(&a, HIST_FINE), 0);
    ck_assert_int_eq(hist_init(&b, HIST_FINE), 0);
    for (int64_t v = 3; v < 4000000; v = v * 5 / 3) {
        hist_record(v % 2 ? &a : &b, v);
        hist_record(&all, v);
    }
    hist_merge(&a, &b);
    ck_assert_mem_eq(a.counts, all.counts, all.n_counts * sizeof *all.counts);
    ck_assert_uint_eq(a.total, all.total);
    ck_assert_uint_eq(a.sum_ns, all.sum_ns);
    ck_assert_int_eq(a.min_ns, all.min_ns);
    ck_assert_int_eq(a.max_ns, all.max_ns);
    hist_fini(&all);
    hist_fini(&a);
    hist_fini(&b);
}
END_TEST

static const struct {
    uint64_t total;
    double percent;
    bool known;
} proofs[] = {
    {10000, 99.9, true}, {9999, 99.9, false}, {1000, 99, true}, {999, 99, false},
    {20, 50, true},      {19, 50, false},     {0, 50, false},   {1000000, 100, false},
};

START_TEST(a_percentile_needs_enough_values_beyond_it)
{
    struct hist h;
    ck_assert_int_eq(hist_init(&h, HIST_COARSE), 0);
    for (uint64_t i = 0; i < proofs[_i].total; i++)
        hist_record(&h, 5);
    ck_assert_int_eq(hist_knows(&h, proofs[_i].percent), proofs[_i].known);
    hist_fini(&h);
}
END_TEST

START_TEST(moments_and_outliers)
{
    struct hist h;
    ck_assert_int_eq(hist_init(&h, HIST_FINE), 0);
    ck_assert_int_eq(hist_percentile_ns(&h, 99), 0);
    ck_assert_double_eq(hist_mean_ns(&h), 0);
    const int64_t values[] = {2, 4, 4, 4, 5, 5, 7, 9};
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        hist_record(&h, values[i]);
    ck_assert_double_eq(hist_mean_ns(&h), 5);
    ck_assert_double_eq(hist_stdev_ns(&h), 2);
    ck_assert_double_eq(hist_share_within(&h, 3, 7), 0.75);
    hist_record(&h, -3);
    ck_assert_int_eq(h.min_ns, 0);
    hist_record(&h, INT64_MAX / 2);
    ck_assert_int_eq(hist_percentile_ns(&h, 100), INT64_MAX / 2);
    hist_clear(&h);
    ck_assert_uint_eq(h.total, 0);
    ck_assert_int_eq(hist_percentile_ns(&h, 50), 0);
    hist_fini(&h);
}
END_TEST

SUITE_MAIN("hist", SUITE_TEST(error_stays_within_the_stated_bound),
           SUITE_TEST(buckets_are_contiguous), SUITE_TEST(percentiles_agree_with_a_sorted_array),
           SUITE_TEST(merging_equals_recording_in_one),
           SUITE_LOOP(a_percentile_needs_enough_values_beyond_it, proofs),
           SUITE_TEST(moments_and_outliers))
