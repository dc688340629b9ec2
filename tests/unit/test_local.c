/* Task-local values: each task's own, destroyed at its end, whatever way it ends. */
#include <errno.h>

#include "coro/coro.h"
#include "suite.h"

static int destroyed[8], destroyed_count;

static void note(void *value)
{
    destroyed[destroyed_count++] = (int)(intptr_t)value;
}

static struct co_local first = {note}, second = {note}, plain = {NULL};

static int sets_some(void *arg)
{
    ck_assert_ptr_null(co_local_get(&first));
    ck_assert_int_eq(co_local_set(&first, arg), 0);
    ck_assert_int_eq(co_local_set(&plain, arg), 0);
    int rv = co_yield ();
    ck_assert_ptr_eq(co_local_get(&first), arg);
    ck_assert_ptr_eq(co_local_get(&plain), arg);
    ck_assert_ptr_null(co_local_get(&second));
    return rv < 0 ? rv : co_sleep(3600 * NS_PER_S);
}

static int each_has_its_own(void *arg)
{
    struct co_task *tasks[3];
    (void)arg;
    destroyed_count = 0;
    for (intptr_t i = 0; i < 3; i++)
        tasks[i] = co_spawn(sets_some, (void *)(i + 1));
    ck_assert_int_eq(co_sleep(NS_PER_MS), 0);
    ck_assert_int_eq(destroyed_count, 0);
    ck_assert_ptr_null(co_local_get(&first));
    /* ended by a cancel, in an order that is not that of their start */
    static const int order[] = {1, 0, 2};
    for (int i = 0; i < 3; i++) {
        co_cancel(tasks[order[i]]);
        ck_assert_int_eq(co_join(tasks[order[i]], CO_NO_DEADLINE, NULL), 0);
        ck_assert_int_eq(destroyed_count, i + 1);
        ck_assert_int_eq(destroyed[i], order[i] + 1);
    }
    return 0;
}

START_TEST(each_task_has_its_own)
{
    ck_assert_int_eq(co_run(each_has_its_own, NULL, NULL), 0);
}
END_TEST

static int replaces(void *arg)
{
    (void)arg;
    ck_assert_int_eq(co_local_set(&first, (void *)1), 0);
    ck_assert_int_eq(co_local_set(&first, (void *)2), 0); /* 1 is not destroyed */
    ck_assert_int_eq(co_local_set(&second, (void *)3), 0);
    ck_assert_int_eq(co_local_set(&second, NULL), 0); /* nor 3, nor NULL at the end */
    return 0;
}

static int stack_is_reused(void *arg)
{
    (void)arg;
    ck_assert_ptr_null(co_local_get(&first));
    ck_assert_ptr_null(co_local_get(&second));
    return 0;
}

static int replacing(void *arg)
{
    (void)arg;
    destroyed_count = 0;
    ck_assert_int_eq(co_join(co_spawn(replaces, NULL), CO_NO_DEADLINE, NULL), 0);
    ck_assert_int_eq(destroyed_count, 1);
    ck_assert_int_eq(destroyed[0], 2);
    return co_join(co_spawn(stack_is_reused, NULL), CO_NO_DEADLINE, NULL);
}

START_TEST(a_value_that_is_replaced_is_not_destroyed)
{
    ck_assert_int_eq(co_run(replacing, NULL, NULL), 0);
}
END_TEST

/* A destructor that uses other values, and may wait. */
static struct co_local chained;

static void destroy_chained(void *value)
{
    note(value);
    if ((intptr_t)value > 1)
        ck_assert_int_eq(co_local_set(&chained, (void *)((intptr_t)value - 1)), 0);
    ck_assert_int_eq(co_yield (), 0);
    ck_assert_ptr_nonnull(co_self());
}

static int sets_chained(void *arg)
{
    chained.destroy = destroy_chained;
    return co_local_set(&chained, arg);
}

static int chain_main(void *arg)
{
    (void)arg;
    destroyed_count = 0;
    ck_assert_int_eq(co_join(co_spawn(sets_chained, (void *)3), CO_NO_DEADLINE, NULL), 0);
    ck_assert_int_eq(destroyed_count, 3);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(destroyed[i], 3 - i);
    return 0;
}

START_TEST(destructors_may_set_and_wait)
{
    ck_assert_int_eq(co_run(chain_main, NULL, NULL), 0);
}
END_TEST

START_TEST(outside_tasks_there_is_nothing)
{
    ck_assert_ptr_null(co_local_get(&first));
}
END_TEST

SUITE_MAIN("local", SUITE_TEST(each_task_has_its_own),
           SUITE_TEST(a_value_that_is_replaced_is_not_destroyed),
           SUITE_TEST(destructors_may_set_and_wait), SUITE_TEST(outside_tasks_there_is_nothing))
