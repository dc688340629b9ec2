/* Intended send times: spacing, ramp, shares, Poisson gaps. */
#include <math.h>

#include "coro/base/clock.h"
#include "loadgen/plan.h"
#include "suite.h"

#define START 1000000

START_TEST(even_spacing_never_drifts)
{
    struct lg_plan p;
    lg_plan_init(&p, START, 3000, 0);
    for (int64_t i = 0; i < 30000; i++) {
        int64_t want = START + i * NS_PER_S / 3000;
        ck_assert_int_le(llabs(lg_plan_due_ns(&p) - want), 1);
        lg_plan_take(&p);
    }
}
END_TEST

START_TEST(shares_together_are_the_whole)
{
    struct lg_plan whole, share[3];
    lg_plan_init(&whole, START, 1000, 0);
    for (unsigned i = 0; i < 3; i++) {
        lg_plan_init(&share[i], START, 1000, 0);
        lg_plan_share(&share[i], i, 3, false, 0);
    }
    for (int i = 0; i < 999; i++) {
        ck_assert_int_eq(lg_plan_due_ns(&whole), lg_plan_due_ns(&share[i % 3]));
        lg_plan_take(&whole);
        lg_plan_take(&share[i % 3]);
    }
}
END_TEST

START_TEST(a_ramp_grows_linearly_then_holds)
{
    struct lg_plan p;
    lg_plan_init(&p, 0, 1000, 2 * NS_PER_S);
    int in_first = 0, in_second = 0, in_third = 0;
    for (; lg_plan_due_ns(&p) < 3 * NS_PER_S; lg_plan_take(&p)) {
        int64_t due = lg_plan_due_ns(&p);
        in_first += due < NS_PER_S;
        in_second += due >= NS_PER_S && due < 2 * NS_PER_S;
        in_third += due >= 2 * NS_PER_S;
    }
    ck_assert_int_eq(in_first, 250); /* mean rate 250/s */
    ck_assert_int_eq(in_second, 750);
    ck_assert_int_eq(in_third, 1000);
}
END_TEST

START_TEST(poisson_gaps_have_the_right_mean_and_spread)
{
    enum { N = 100000 };
    struct lg_plan p;
    lg_plan_init(&p, 0, 2000, 0);
    lg_plan_share(&p, 1, 2, true, 99); /* half of 2000/s: mean gap 1 ms */
    double sum = 0, squares = 0;
    int64_t last = lg_plan_due_ns(&p);
    for (int i = 0; i < N; i++) {
        lg_plan_take(&p);
        double gap = (double)(lg_plan_due_ns(&p) - last) / 1e6;
        last = lg_plan_due_ns(&p);
        sum += gap;
        squares += gap * gap;
    }
    double mean = sum / N, stdev = sqrt(squares / N - mean * mean);
    ck_assert_double_eq_tol(mean, 1, 0.02);
    ck_assert_double_eq_tol(stdev, 1, 0.03); /* exponential: equal to the mean */
}
END_TEST

SUITE_MAIN("plan", SUITE_TEST(even_spacing_never_drifts), SUITE_TEST(shares_together_are_the_whole),
           SUITE_TEST(a_ramp_grows_linearly_then_holds),
           SUITE_TEST(poisson_gaps_have_the_right_mean_and_spread))
