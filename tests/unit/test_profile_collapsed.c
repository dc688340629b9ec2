/* Collapsed stacks: a path a line, and no character of a name can end its frame. */
#include "profile_small.h"
#include "suite.h"

static struct profile_report report;

static int make(struct buf *out)
{
    return profile_collapsed(out, &report);
}

static const char expected[] = "{unscoped} 5000000000\n"
                               "serve 1000000000\n"
                               "serve;fib,n 2000000000\n"
                               "serve;fib,n;fib,n 3000000000\n"
                               "serve;{read} 500000000\n";

START_TEST(a_path_a_line)
{
    struct buf out;
    buf_init(&out, 1 << 16);
    small_report(&report);
    ck_assert_int_eq(make(&out), 0);
    ck_assert_int_eq(buf_append_char(&out, 0), 0);
    ck_assert_str_eq(out.data, expected);
    small_check_limits(out.len - 1, make);
    buf_fini(&out);
    profile_report_fini(&report);
}
END_TEST

SUITE_MAIN("profile_collapsed", SUITE_TEST(a_path_a_line))
