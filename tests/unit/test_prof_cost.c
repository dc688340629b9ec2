/* What a scope costs: measured once, in a tree of its own, without a trace in what is recorded. */
#include <pthread.h>

#include "coro/prof/prof.h"
#include "coro/prof/worker.h"
#include "suite.h"

/* A machine that is busy may be slow, not a thousand times. */
#define MOST_NS 1e5

START_TEST(it_is_measured_once_and_leaves_no_trace)
{
    ck_assert_int_eq(prof_segment_create(1), 0);
    ck_assert_int_eq(prof_worker_open("test"), 0);
    uint32_t used = prof_slot_at(0)->used;
    double cost_ns = prof_scope_cost_ns();
    ck_assert_double_gt(cost_ns, 0);
    ck_assert_double_lt(cost_ns, MOST_NS);
    ck_assert_double_eq(prof_scope_cost_ns(), cost_ns);
    ck_assert_uint_eq(prof_slot_at(0)->used, used);
    ck_assert_ptr_eq(prof_self.slot, prof_slot_at(0));
    ck_assert_ptr_eq(prof_self.current, &prof_self.own);
    prof_worker_close();
    prof_segment_destroy();
}
END_TEST

START_TEST(a_thread_that_records_nothing_may_ask)
{
    ck_assert_ptr_null(prof_self.slot);
    double cost_ns = prof_scope_cost_ns();
    ck_assert_double_gt(cost_ns, 0);
    ck_assert_double_lt(cost_ns, MOST_NS);
    ck_assert_ptr_null(prof_self.slot);
    ck_assert_ptr_null(prof_self.current);
}
END_TEST

/* The scope that asks goes on where it was, and is counted as if nothing had been. */
static struct prof_node *ask_in_a_scope(double *ret_cost_ns)
{
    PROF_FN();
    struct prof_node *node = prof_self.current->node;
    *ret_cost_ns = prof_scope_cost_ns();
    ck_assert_ptr_eq(prof_self.current->node, node);
    return node;
}

START_TEST(a_scope_around_it_is_not_disturbed)
{
    ck_assert_int_eq(prof_segment_create(1), 0);
    ck_assert_int_eq(prof_worker_open("test"), 0);
    double first_ns, second_ns;
    const struct prof_node *node = ask_in_a_scope(&first_ns);
    ck_assert_ptr_eq(ask_in_a_scope(&second_ns), node);
    ck_assert_double_eq(first_ns, second_ns);
    ck_assert_uint_eq(node->calls, 2);
    ck_assert_int_eq(node->in_flight, 0);
    ck_assert_uint_eq(prof_slot_at(0)->abandoned, 0);
    ck_assert_ptr_eq(prof_self.current->node, &prof_slot_at(0)->nodes[PROF_NODE_ROOT]);
    prof_worker_close();
    prof_segment_destroy();
}
END_TEST

static void *ask(void *arg)
{
    *(double *)arg = prof_scope_cost_ns();
    return NULL;
}

START_TEST(every_thread_may_ask)
{
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    double costs[THREADS];
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, ask, &costs[i]), 0);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    bool is_one_of_them = false;
    for (int i = 0; i < THREADS; i++) {
        ck_assert_double_gt(costs[i], 0);
        is_one_of_them = is_one_of_them || costs[i] == prof_scope_cost_ns();
    }
    ck_assert(is_one_of_them);
}
END_TEST

SUITE_MAIN("prof_cost", SUITE_TEST(it_is_measured_once_and_leaves_no_trace),
           SUITE_TEST(a_thread_that_records_nothing_may_ask),
           SUITE_TEST(a_scope_around_it_is_not_disturbed), SUITE_TEST(every_thread_may_ask))
