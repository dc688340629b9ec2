/* The recorder's clock, in both its forms, and what a scope costs by it. */
#include "coro/prof/prof.h"
#include "coro/prof/worker.h"
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

START_TEST(the_cost_is_measured_once_and_leaves_no_trace)
{
    ck_assert_int_eq(prof_segment_create(1), 0);
    ck_assert_int_eq(prof_worker_open("test"), 0);
    uint32_t used = prof_slot_at(0)->used;
    double cost_ns = prof_scope_cost_ns();
    ck_assert_double_gt(cost_ns, 0);
    ck_assert_double_lt(cost_ns, 1e5);
    ck_assert_double_eq(prof_scope_cost_ns(), cost_ns);
    ck_assert_uint_eq(prof_slot_at(0)->used, used);
    ck_assert_ptr_eq(prof_self.current, &prof_self.own);
    prof_worker_close();
    prof_segment_destroy();
}
END_TEST

SUITE_MAIN("prof_ticks", SUITE_LOOP(ticks_are_time, kinds),
           SUITE_TEST(the_cost_is_measured_once_and_leaves_no_trace))
