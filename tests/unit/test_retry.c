/* Trying again: what is worth it, how long to wait. */
#include <errno.h>

#include "client/retry.h"
#include "coro/base/clock.h"
#include "suite.h"

static const struct {
    int rv;
    int status;
    bool is_worth;
    bool is_unreachable;
} cases[] = {
    {0, 200, false, false},         {0, 404, false, false},       {0, 422, false, false},
    {0, 429, true, false},          {0, 503, true, false},        {0, 501, false, false},
    {-ECONNRESET, 0, true, false},  {-ETIMEDOUT, 0, true, false}, {-ECONNREFUSED, 0, true, true},
    {-EHOSTUNREACH, 0, true, true}, {-EINVAL, 0, false, false},   {-EMSGSIZE, 200, false, false},
    {-ECANCELED, 0, false, false},
};

START_TEST(what_is_worth_another_attempt)
{
    ck_assert_int_eq(cl_retry_is_worth(cases[_i].rv, cases[_i].status), cases[_i].is_worth);
    ck_assert_int_eq(cl_retry_is_unreachable(cases[_i].rv), cases[_i].is_unreachable);
}
END_TEST

static const struct cl_retry retry = {
    .attempts_max = 5, .first_ns = 100 * NS_PER_MS, .longest_ns = 2 * NS_PER_S};

START_TEST(waits_double_and_are_spread)
{
    int64_t bound_ns = 100 * NS_PER_MS;
    for (int attempt = 1; attempt <= 200; attempt++) {
        ck_assert_int_eq(cl_retry_delay_ns(&retry, attempt, 0, 0), 0);
        int64_t longest_ns = cl_retry_delay_ns(&retry, attempt, 0, (uint64_t)bound_ns - 1);
        ck_assert_int_eq(longest_ns, bound_ns - 1);
        bound_ns = bound_ns * 2 > retry.longest_ns ? retry.longest_ns : bound_ns * 2;
    }
}
END_TEST

START_TEST(the_server_may_ask_for_more_within_reason)
{
    ck_assert_int_eq(cl_retry_delay_ns(&retry, 1, 1, 5), NS_PER_S + 5);
    ck_assert_int_eq(cl_retry_delay_ns(&retry, 1, 3600, 5), retry.longest_ns);
    ck_assert_int_eq(cl_retry_delay_ns(&retry, 1, INT64_MAX, 5), retry.longest_ns);
    ck_assert_int_eq(cl_retry_delay_ns(&retry, 1, -7, 5), 5);
}
END_TEST

SUITE_MAIN("retry", SUITE_LOOP(what_is_worth_another_attempt, cases),
           SUITE_TEST(waits_double_and_are_spread),
           SUITE_TEST(the_server_may_ask_for_more_within_reason))
