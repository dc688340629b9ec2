/* Groups: members end before the scope does, whatever happens to who waits for them. */
#include <errno.h>

#include "coro/base/list.h"
#include "coro/sync.h"
#include "suite.h"

static int64_t soon(void)
{
    return co_after(20 * NS_PER_S);
}

/* ---- members ---- */

static int sleeper(void *arg)
{
    int *ended = arg;
    int rv = co_sleep(3600 * NS_PER_S);
    ++*ended;
    return rv;
}

static int returns(void *arg)
{
    return (int)(intptr_t)arg;
}

struct stubborn {
    int64_t span_ns;
    bool has_ended;
};

/* Does not listen to cancels before it is done. */
static int stubborn_main(void *arg)
{
    struct stubborn *stubborn = arg;
    co_cancel_disable();
    int rv = co_sleep(stubborn->span_ns);
    co_cancel_enable();
    stubborn->has_ended = true;
    return rv;
}

/* ---- the end of the scope ---- */

static int close_in_a_scope(void *arg)
{
    struct stubborn stubborn = {.span_ns = 30 * NS_PER_MS};
    struct co_group group;
    struct co_scope scope;
    (void)arg;
    co_group_init(&group, 0, 0);
    ck_assert_int_eq(co_group_spawn(&group, stubborn_main, &stubborn, soon()), 0);
    ck_assert_int_eq(co_yield (), 0);
    co_scope_enter(&scope, co_after(NS_PER_MS));
    ck_assert_int_eq(co_group_close(&group), 0);
    ck_assert(stubborn.has_ended);
    /* the scope counts for what comes next, as before */
    ck_assert_int_eq(co_sleep(NS_PER_S), -ETIMEDOUT);
    ck_assert(co_scope_leave(&scope));
    return 0;
}

START_TEST(closing_outlasts_the_deadline_around_it)
{
    ck_assert_int_eq(co_run(close_in_a_scope, NULL, NULL), 0);
}
END_TEST

static int close_cancelled(void *arg)
{
    struct stubborn *stubborn = arg;
    struct co_group group;
    co_group_init(&group, 0, 0);
    ck_assert_int_eq(co_group_spawn(&group, stubborn_main, stubborn, soon()), 0);
    ck_assert_int_eq(co_sleep(3600 * NS_PER_S), -ECANCELED);
    ck_assert_int_eq(co_group_wait(&group, soon()), -ECANCELED);
    ck_assert_int_eq(co_group_wait_count(&group, 1, soon()), -ECANCELED);
    ck_assert(!stubborn->has_ended);
    ck_assert_int_eq(co_group_close(&group), 0);
    ck_assert(stubborn->has_ended);
    ck_assert_int_eq(co_yield (), -ECANCELED); /* still cancelled */
    return 7;
}

static int cancel_the_closer(void *arg)
{
    struct stubborn stubborn = {.span_ns = 20 * NS_PER_MS};
    int result;
    (void)arg;
    struct co_task *task = co_spawn(close_cancelled, &stubborn);
    ck_assert_int_eq(co_yield (), 0);
    co_cancel(task);
    ck_assert_int_eq(co_join(task, soon(), &result), 0);
    ck_assert_int_eq(result, 7);
    return 0;
}

START_TEST(closing_outlasts_the_closers_own_cancel)
{
    ck_assert_int_eq(co_run(cancel_the_closer, NULL, NULL), 0);
}
END_TEST

/* Waits for what never comes, and tells of the deadlock. */
static int waits_for_ever(void *arg)
{
    struct co_event never;
    co_event_init(&never);
    co_cancel_disable();
    *(int *)arg = co_event_wait(&never, CO_NO_DEADLINE);
    co_cancel_enable();
    co_event_fini(&never);
    return 0;
}

static int close_deadlocked(void *arg)
{
    struct co_group group;
    int told = 0, ended = 0;
    (void)arg;
    co_group_init(&group, 0, 0);
    /* the closer is woken before the second member, and after the first */
    ck_assert_int_eq(co_group_spawn(&group, waits_for_ever, &told, soon()), 0);
    ck_assert_int_eq(co_group_spawn(&group, waits_for_ever, &ended, soon()), 0);
    ck_assert_int_eq(co_yield (), 0);
    ck_assert_int_eq(co_group_close(&group), 0);
    ck_assert_int_eq(told, -EDEADLK);
    ck_assert_int_eq(ended, -EDEADLK);
    return 0;
}

START_TEST(closing_outlasts_a_deadlock)
{
    ck_assert_int_eq(co_run(close_deadlocked, NULL, NULL), 0);
}
END_TEST

static int once_given_way(void *arg)
{
    ck_assert_int_eq(co_yield (), 0);
    return (int)(intptr_t)arg;
}

struct promised {
    struct co_group *group;
    int *ended;
};

static int spawns_when_there_is_room(void *arg)
{
    struct promised *promised = arg;
    ck_assert_int_eq(co_group_spawn(promised->group, sleeper, promised->ended, soon()), 0);
    return 0;
}

static int close_with_a_promise(void *arg)
{
    struct co_group group;
    int ended = 0;
    (void)arg;
    co_group_init(&group, 1, 0);
    ck_assert_int_eq(co_group_spawn(&group, once_given_way, NULL, soon()), 0);
    struct promised promised = {&group, &ended};
    struct co_task *late = co_spawn(spawns_when_there_is_room, &promised);
    ck_assert_int_eq(co_yield (), 0);
    ck_assert_int_eq(co_yield (), 0);
    /* nobody is a member, and `late` has been told that it may have one */
    ck_assert(list_is_empty(&group.members));
    ck_assert(list_is_empty(&group.spawners));
    ck_assert_int_eq(co_group_close(&group), 0);
    ck_assert_int_eq(ended, 1);
    ck_assert_int_eq(co_join(late, soon(), NULL), 0);
    return 0;
}

START_TEST(closing_outlasts_a_place_that_was_promised)
{
    ck_assert_int_eq(co_run(close_with_a_promise, NULL, NULL), 0);
}
END_TEST

/* ---- errors ---- */

static const struct {
    unsigned flags;
    int first, second;
    int expected;
    int cancelled; /* sleepers that were ended by it */
} errors[] = {
    {0, 0, 0, 0, 0},
    {0, 5, 6, 0, 0}, /* only negative results are errors */
    {0, -EIO, -EPERM, -EIO, 1},
    {0, 0, -EPERM, -EPERM, 1},
    {CO_GROUP_KEEP_GOING, -EIO, -EPERM, -EIO, 0},
};

static int error_main(void *arg)
{
    int i = (int)(intptr_t)arg, ended = 0;
    struct co_group group;
    co_group_init(&group, 0, errors[i].flags);
    ck_assert_int_eq(co_group_spawn(&group, sleeper, &ended, soon()), 0);
    ck_assert_int_eq(co_group_spawn(&group, returns, (void *)(intptr_t)errors[i].first, soon()), 0);
    ck_assert_int_eq(co_group_spawn(&group, returns, (void *)(intptr_t)errors[i].second, soon()),
                     0);
    if (errors[i].cancelled) {
        ck_assert_int_eq(co_group_wait(&group, soon()), errors[i].expected);
    } else {
        ck_assert_int_eq(co_group_wait(&group, co_after(5 * NS_PER_MS)), -ETIMEDOUT);
        ck_assert_uint_eq(group.ended, 2);
    }
    ck_assert_int_eq(ended, errors[i].cancelled);
    /* the sleeper that close cancels has not failed */
    ck_assert_int_eq(co_group_close(&group), errors[i].expected);
    ck_assert_int_eq(ended, 1);
    return 0;
}

START_TEST(the_first_error_counts)
{
    ck_assert_int_eq(co_run(error_main, (void *)(intptr_t)_i, NULL), 0);
}
END_TEST

static int late_member(void *arg)
{
    int ended = 0;
    struct co_group group;
    (void)arg;
    co_group_init(&group, 0, 0);
    co_group_cancel(&group);
    ck_assert_int_eq(co_group_spawn(&group, sleeper, &ended, soon()), 0);
    ck_assert_int_eq(co_group_wait(&group, soon()), -ECANCELED);
    ck_assert_int_eq(ended, 1);
    return co_group_close(&group) == -ECANCELED ? 0 : 1;
}

START_TEST(a_member_of_a_cancelled_group_starts_cancelled)
{
    ck_assert_int_eq(co_run(late_member, NULL, NULL), 0);
}
END_TEST

static int waits_for_its_own_group(void *arg)
{
    ck_assert_int_eq(co_group_wait(arg, soon()), -EDEADLK);
    ck_assert_int_eq(co_group_wait_count(arg, 1, soon()), -EDEADLK);
    ck_assert_int_eq(co_group_close(arg), -EDEADLK);
    return 0;
}

static int own_group(void *arg)
{
    struct co_group group;
    (void)arg;
    co_group_init(&group, 0, 0);
    ck_assert_int_eq(co_group_spawn(&group, waits_for_its_own_group, &group, soon()), 0);
    ck_assert_int_eq(co_group_wait(&group, soon()), 0);
    return co_group_close(&group);
}

START_TEST(a_member_may_not_wait_for_its_group)
{
    ck_assert_int_eq(co_run(own_group, NULL, NULL), 0);
}
END_TEST

/* ---- waiting ---- */

static int counts(void *arg)
{
    int ended = 0;
    struct co_group group;
    (void)arg;
    co_group_init(&group, 0, 0);
    ck_assert_int_eq(co_group_wait(&group, 0), 0); /* nobody: no wait */
    ck_assert_int_eq(co_group_spawn(&group, sleeper, &ended, soon()), 0);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(co_group_spawn(&group, returns, NULL, soon()), 0);
    ck_assert_int_eq(co_group_wait_count(&group, 2, soon()), 0);
    ck_assert_uint_ge(group.ended, 2);
    ck_assert_int_eq(co_group_wait_count(&group, 3, soon()), 0);
    ck_assert_int_eq(co_group_wait_count(&group, 4, co_after(NS_PER_MS)), -ETIMEDOUT);
    co_group_cancel(&group);
    ck_assert_int_eq(co_group_wait_count(&group, 99, soon()), 0); /* none is left */
    ck_assert_uint_eq(group.ended, 4);
    return co_group_close(&group) == -ECANCELED ? 0 : 1;
}

START_TEST(waiting_for_some)
{
    ck_assert_int_eq(co_run(counts, NULL, NULL), 0);
}
END_TEST

/* ---- bounded groups ---- */

static int running, most, order[8], order_count;

static int counted(void *arg)
{
    order[order_count++] = (int)(intptr_t)arg;
    most = ++running > most ? running : most;
    int rv = co_sleep(NS_PER_MS);
    running--;
    return rv;
}

struct spawner {
    struct co_group *group;
    int number;
    int64_t deadline_ns;
    int result;
};

static int spawner_main(void *arg)
{
    struct spawner *s = arg;
    s->result = co_group_spawn(s->group, counted, (void *)(intptr_t)s->number, s->deadline_ns);
    return 0;
}

static int bounded(void *arg)
{
    struct co_group group;
    struct co_task *tasks[4];
    struct spawner spawners[4];
    (void)arg;
    running = most = order_count = 0;
    co_group_init(&group, 2, 0);
    ck_assert_int_eq(co_group_spawn(&group, counted, (void *)0, soon()), 0);
    ck_assert_int_eq(co_group_spawn(&group, counted, (void *)1, soon()), 0);
    ck_assert_int_eq(co_group_spawn(&group, counted, (void *)9, 0), -EAGAIN);
    for (int i = 0; i < 4; i++) {
        /* the second gives up before there is a place; the third is cancelled */
        spawners[i] = (struct spawner){&group, i + 2, i == 1 ? 1 : soon(), 1};
        tasks[i] = co_spawn(spawner_main, &spawners[i]);
    }
    ck_assert_int_eq(co_yield (), 0);
    co_cancel(tasks[2]);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(co_join(tasks[i], soon(), NULL), 0);
    ck_assert_int_eq(co_group_wait(&group, soon()), 0);
    ck_assert_int_eq(spawners[0].result, 0);
    ck_assert_int_eq(spawners[1].result, -ETIMEDOUT);
    ck_assert_int_eq(spawners[2].result, -ECANCELED);
    ck_assert_int_eq(spawners[3].result, 0);
    ck_assert_int_eq(most, 2);
    ck_assert_int_eq(order_count, 4);
    static const int expected[] = {0, 1, 2, 5};
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(order[i], expected[i]);
    /* every place is free again */
    ck_assert_int_eq(co_group_spawn(&group, counted, (void *)6, 0), 0);
    ck_assert_int_eq(co_group_spawn(&group, counted, (void *)7, 0), 0);
    ck_assert_int_eq(co_group_spawn(&group, counted, (void *)8, 0), -EAGAIN);
    ck_assert_int_eq(co_group_wait(&group, soon()), 0);
    return co_group_close(&group);
}

START_TEST(a_bound_is_kept_and_places_are_handed_on_in_order)
{
    ck_assert_int_eq(co_run(bounded, NULL, NULL), 0);
}
END_TEST

static int overtaken(void *arg)
{
    struct co_group group;
    (void)arg;
    running = most = order_count = 0;
    co_group_init(&group, 1, 0);
    struct spawner waiting = {&group, 1, soon(), 1};
    ck_assert_int_eq(co_group_spawn(&group, counted, (void *)0, soon()), 0);
    struct co_task *task = co_spawn(spawner_main, &waiting);
    ck_assert_int_eq(co_yield (), 0);
    /* we wake with the member's end, when its place is promised already */
    ck_assert_int_eq(co_group_wait_count(&group, 1, soon()), 0);
    ck_assert_int_eq(co_group_spawn(&group, counted, (void *)2, 0), -EAGAIN);
    ck_assert_int_eq(co_join(task, soon(), NULL), 0);
    ck_assert_int_eq(waiting.result, 0);
    ck_assert_int_eq(co_group_wait(&group, soon()), 0);
    ck_assert_int_eq(order_count, 2);
    return co_group_close(&group);
}

START_TEST(a_late_comer_does_not_take_a_promised_place)
{
    ck_assert_int_eq(co_run(overtaken, NULL, NULL), 0);
}
END_TEST

SUITE_MAIN("group", SUITE_TEST(closing_outlasts_the_deadline_around_it),
           SUITE_TEST(closing_outlasts_the_closers_own_cancel),
           SUITE_TEST(closing_outlasts_a_deadlock),
           SUITE_TEST(closing_outlasts_a_place_that_was_promised),
           SUITE_LOOP(the_first_error_counts, errors),
           SUITE_TEST(a_member_of_a_cancelled_group_starts_cancelled),
           SUITE_TEST(a_member_may_not_wait_for_its_group), SUITE_TEST(waiting_for_some),
           SUITE_TEST(a_bound_is_kept_and_places_are_handed_on_in_order),
           SUITE_TEST(a_late_comer_does_not_take_a_promised_place))
