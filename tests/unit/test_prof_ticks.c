/* The recorder's clock, in both its forms. */
#include "coro/prof/ticks.h"
#include "suite.h"

static const bool kinds[] = {false, true};

START_TEST(ticks_are_time)
{
    if (kinds[_i] && !prof_ticks_are_tsc)
        return; /* this machine's counter is not to be trusted */
    bool was_tsc = prof_ticks_are_tsc;
    prof_ticks_are_tsc = kinds[_i];
    /* a span of ticks between a shorter and a longer span of the other clock */
    int64_t outer_ns = clock_now_ns();
    uint64_t start = prof_ticks();
    int64_t inner_ns = clock_now_ns(), inner_span_ns;
    while ((inner_span_ns = clock_now_ns() - inner_ns) < 20 * NS_PER_MS)
        ;
    uint64_t end = prof_ticks();
    int64_t outer_span_ns = clock_now_ns() - outer_ns;
    double measured_ns = (double)(end - start) * prof_tick_ns();
    ck_assert_double_ge(measured_ns, (double)inner_span_ns * 0.99);
    ck_assert_double_le(measured_ns, (double)outer_span_ns * 1.01);
    if (!kinds[_i])
        ck_assert_double_eq(prof_tick_ns(), 1.0);
    prof_ticks_are_tsc = was_tsc;
}
END_TEST

SUITE_MAIN("prof_ticks", SUITE_LOOP(ticks_are_time, kinds))
