/* The table that cProfile prints: columns, recursion, ways to say nothing. */
#include "profile_small.h"
#include "suite.h"

static struct profile_report report;

static int make(struct buf *out)
{
    struct profile_view view;
    profile_view_init(&view);
    int rv = profile_text(out, &report, &view);
    profile_view_fini(&view);
    return rv;
}

static const char expected[] =
    "         18 function calls (12 primitive calls) in 11.500 seconds\n"
    "\n"
    "   Random listing order was used\n"
    "\n"
    "   ncalls  tottime  percall  cumtime  percall filename:lineno(function)\n"
    "        2    1.000    0.500    6.500    3.250 server/x.c:7(serve)\n"
    "      9/3    5.000    0.556    5.000    1.667 tests/fib.c:2(fib;n)\n"
    "        7    0.500    0.071    0.500    0.071 {read}\n"
    "        0    5.000             5.000          {unscoped}\n"
    "\n"
    "\n";

START_TEST(columns_are_those_of_pstats)
{
    small_check(&report, make, expected);
}
END_TEST

SUITE_MAIN("profile_text", SUITE_TEST(columns_are_those_of_pstats))
