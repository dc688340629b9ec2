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
    small_check(&report, make, expected);
}
END_TEST

SUITE_MAIN("profile_collapsed", SUITE_TEST(a_path_a_line))
