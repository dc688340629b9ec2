/* The callgrind file: costs are self, with Wait beside; calls carry what is inclusive. */
#include "profile_small.h"
#include "suite.h"

static struct profile_report report;

static int make(struct buf *out)
{
    return profile_callgrind(out, &report);
}

static const char expected[] = "# callgrind format\n"
                               "version: 1\n"
                               "creator: domaind " DOMAIND_VERSION "\n"
                               "positions: line\n"
                               "events: ns Wait\n"
                               "summary: 11500000000 4000000000\n"
                               "\n"
                               "fl=server/x.c\n"
                               "fn=serve\n"
                               "7 1000000000 4000000000\n"
                               "cfi=~\n"
                               "cfn={read}\n"
                               "calls=7 0\n"
                               "7 500000000 0\n"
                               "cfi=tests/fib.c\n"
                               "cfn=fib;n\n"
                               "calls=3 2\n"
                               "7 5000000000 0\n"
                               "\n"
                               "fl=tests/fib.c\n"
                               "fn=fib;n\n"
                               "2 5000000000 0\n"
                               "cfi=tests/fib.c\n"
                               "cfn=fib;n\n"
                               "calls=6 2\n"
                               "2 3000000000 0\n"
                               "\n"
                               "fl=~\n"
                               "fn={read}\n"
                               "0 500000000 0\n"
                               "\n"
                               "fl=~\n"
                               "fn={unscoped}\n"
                               "0 5000000000 0\n";

START_TEST(self_and_inclusive_costs)
{
    small_check(&report, make, expected);
}
END_TEST

SUITE_MAIN("profile_callgrind", SUITE_TEST(self_and_inclusive_costs))
