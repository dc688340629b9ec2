/* The line of a run that goes on: what it says, and that it fits. */
#include <stdio.h>
#include <string.h>

#include "coro/base/clock.h"
#include "loadgen/live.h"
#include "suite.h"

static const struct {
    struct lg_load load;
    double seconds;
    uint64_t ok, failed;
    double per_s;
    const char *text;
} lines[] = {
    {{.duration_ns = 10 * NS_PER_S}, -0.25, 0, 0, 0, "  warm-up, 0.2s left"},
    {{.duration_ns = 10 * NS_PER_S},
     1.5,
     1200,
     3,
     800,
     "  1.5s of 10s  800.00/s  1200 ok  3 failed"},
    {{.requests_max = 5000}, 0.1, 20, 0, 200, "  0.1s  200.00/s  20 ok of 5000  0 failed"},
};

START_TEST(says_where_a_run_is)
{
    char text[LG_LIVE_BYTES];
    lg_live_text(&lines[_i].load, lines[_i].seconds, lines[_i].ok, lines[_i].failed,
                 lines[_i].per_s, text);
    ck_assert_str_eq(text, lines[_i].text);
}
END_TEST

static const struct {
    size_t columns;
    const char *text;
} cuts[] = {{0, "0123456789"}, {80, "0123456789"}, {11, "0123456789"}, {10, "012345678"}, {1, ""}};

START_TEST(never_wraps)
{
    char text[] = "0123456789";
    lg_live_cut(text, cuts[_i].columns);
    ck_assert_str_eq(text, cuts[_i].text);
}
END_TEST

START_TEST(only_for_a_terminal)
{
    ck_assert(!lg_live_is_wanted(true));
    ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr));
    ck_assert(!lg_live_is_wanted(false));
}
END_TEST

SUITE_MAIN("live", SUITE_LOOP(says_where_a_run_is, lines), SUITE_LOOP(never_wraps, cuts),
           SUITE_TEST(only_for_a_terminal))
