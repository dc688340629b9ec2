/* The record: the sum of outcomes, what enters which histogram, ticks that fold. */
#include "coro/base/clock.h"
#include "loadgen/record.h"
#include "suite.h"

START_TEST(outcomes_add_up)
{
    struct lg_record r;
    ck_assert_int_eq(lg_record_init(&r, 0), 0);
    for (int i = 0; i < LG_OUTCOMES; i++) {
        r.sent++;
        lg_record_end(&r, (enum lg_outcome)i, 0, 1000, 5000);
    }
    ck_assert(lg_record_is_true(&r));
    ck_assert_uint_eq(lg_record_failed(&r), LG_OUTCOMES - 1);
    /* ok, both timeouts, unfinished are latencies; a status error is one apart */
    ck_assert_uint_eq(r.latency.total, 4);
    ck_assert_uint_eq(r.errors.total, 1);
    ck_assert_int_eq(hist_percentile_ns(&r.latency, 50), 5000);
    ck_assert_int_eq(hist_percentile_ns(&r.raw, 50), 4000);
    r.sent++;
    ck_assert(!lg_record_is_true(&r));
    lg_record_fini(&r);
}
END_TEST

START_TEST(unsent_requests_are_in_the_tail)
{
    struct lg_record r;
    ck_assert_int_eq(lg_record_init(&r, 0), 0);
    lg_record_unsent(&r, 1000, 9000);
    ck_assert_uint_eq(r.unsent, 1);
    ck_assert_int_eq(r.latency.max_ns, 8000);
    ck_assert_uint_eq(r.raw.total, 0);
    ck_assert(lg_record_is_true(&r));
    lg_record_fini(&r);
}
END_TEST

/* 1,000 requests that took 1, 2, 3 ... us, the last `refused` of them in vain. */
static const struct {
    int refused;
    double percent;
    int64_t ns; /* 0: not known */
} shares[] = {
    {0, 50, 500000}, {0, 99, 990000}, {0, 99.9, 0},      {5, 99, 990000},
    {10, 99, 0},     {500, 50, 0},    {499, 50, 500000}, {1000, 50, 0},
};

START_TEST(refusals_are_beyond_every_latency)
{
    struct lg_record r;
    double ns = 0;
    ck_assert_int_eq(lg_record_init(&r, 0), 0);
    for (int i = 1; i <= 1000; i++) {
        r.sent++;
        lg_record_end(&r, i > 1000 - shares[_i].refused ? LG_STATUS : LG_OK, 0, 0, i * 1000);
    }
    ck_assert_int_eq(lg_record_latency(&r, shares[_i].percent, &ns), shares[_i].ns > 0);
    ck_assert_double_eq_tol(ns, (double)shares[_i].ns, 1 + 0.01 * (double)shares[_i].ns);
    lg_record_fini(&r);
}
END_TEST

START_TEST(long_runs_fold_their_ticks)
{
    struct lg_record r;
    ck_assert_int_eq(lg_record_init(&r, NS_PER_S), 0);
    const int64_t seconds = 200;
    for (int64_t at = 0; at < seconds * 100; at++) { /* one every 10 ms */
        int64_t end_ns = NS_PER_S + at * 10 * NS_PER_MS;
        r.sent++;
        lg_record_end(&r, LG_OK, end_ns - 1000, end_ns - 1000, end_ns);
    }
    ck_assert_int_eq(r.tick_ns, 4 * LG_TICK_FIRST_NS);
    ck_assert_uint_eq(r.n_ticks, 500);
    for (unsigned i = 0; i < r.n_ticks; i++) {
        ck_assert_uint_eq(r.ticks[i].ok, 40);
        ck_assert_uint_eq(r.ticks[i].latency.total, 40);
    }
    lg_record_fini(&r);
}
END_TEST

START_TEST(merging_adds_everything)
{
    struct lg_record a, b;
    ck_assert_int_eq(lg_record_init(&a, 0), 0);
    ck_assert_int_eq(lg_record_init(&b, 0), 0);
    for (int i = 0; i < 10; i++) {
        struct lg_record *r = i % 2 ? &a : &b;
        r->sent++;
        r->statuses[200]++;
        lg_record_end(r, LG_OK, 0, 0, (i / 2) * NS_PER_S);
    }
    /* b has folded once, a has not */
    b.sent++;
    lg_record_end(&b, LG_TIMEOUT, 0, 0, 90 * NS_PER_S);
    ck_assert_int_eq(lg_record_merge(&a, &b), 0);
    ck_assert(lg_record_is_true(&a));
    ck_assert_uint_eq(a.sent, 11);
    ck_assert_uint_eq(a.statuses[200], 10);
    ck_assert_int_eq(a.tick_ns, b.tick_ns);
    ck_assert_uint_eq(a.ticks[5].ok, 2);
    ck_assert_uint_eq(a.latency.total, 11);
    lg_record_fini(&a);
    lg_record_fini(&b);
}
END_TEST

SUITE_MAIN("record", SUITE_TEST(outcomes_add_up), SUITE_TEST(unsent_requests_are_in_the_tail),
           SUITE_LOOP(refusals_are_beyond_every_latency, shares),
           SUITE_TEST(long_runs_fold_their_ticks), SUITE_TEST(merging_adds_everything))
