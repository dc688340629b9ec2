/* Cases of scheduling, ending and deadlines that other runtimes got wrong.  A
 * test's number is that of the case in their common list; 14 and 17 to 24 are in
 * test_sync.c, 29 and the overflow of 30 in test_inspect.c. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "coro/io.h"
#include "coro/sync.h"
#include "suite.h"

static char trace[256];

static void mark(const char *what)
{
    strcat(trace, what);
}

static int64_t in_ms(int64_t ms)
{
    return co_after(ms * NS_PER_MS);
}

static int64_t soon(void)
{
    return in_ms(20000);
}

static void run(co_fn *fn)
{
    trace[0] = 0;
    ck_assert_int_eq(co_run(fn, NULL, NULL), 0);
}

static int result_of(struct co_task *task)
{
    int result = 0;
    ck_assert_int_eq(co_join(task, soon(), &result), 0);
    return result;
}

/* ---- scheduling ---- */

static int two_steps(void *arg)
{
    mark("1"), mark(arg), mark(" ");
    ck_assert_int_eq(co_yield (), 0);
    mark("2"), mark(arg), mark(" ");
    return 0;
}

static int main_1(void *arg)
{
    (void)arg;
    struct co_task *a = co_spawn(two_steps, "A"), *b = co_spawn(two_steps, "B");
    return result_of(a) + result_of(b);
}

START_TEST(scenario_1_two_tasks_take_turns)
{
    run(main_1);
    ck_assert_str_eq(trace, "1A 1B 2A 2B ");
}
END_TEST

#define LINKS 1000

static int links_run;
static struct co_event over;

static int link_task(void *arg)
{
    ck_assert_int_eq(co_event_wait(&over, soon()), 0);
    ck_assert_int_eq((intptr_t)arg, links_run++);
    return 0;
}

static int main_2(void *arg)
{
    (void)arg;
    struct co_group group;
    links_run = 0;
    co_event_init(&over);
    co_group_init(&group, 0, 0);
    for (intptr_t i = 0; i < LINKS; i++)
        ck_assert_int_eq(co_group_spawn(&group, link_task, (void *)i, soon()), 0);
    ck_assert_int_eq(co_yield (), 0);
    co_event_set(&over);
    ck_assert_int_eq(co_group_wait(&group, soon()), 0);
    ck_assert_int_eq(links_run, LINKS);
    return co_group_close(&group);
}

START_TEST(scenario_2_a_thousand_waiters_run_in_order)
{
    run(main_2);
}
END_TEST

static bool is_over;

static int yielder(void *arg)
{
    (void)arg;
    while (!is_over && co_yield () == 0)
        ;
    return 0;
}

static int main_3(void *arg)
{
    int ends[2];
    char c;
    is_over = false;
    ck_assert_int_eq(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    struct co_task *yielders[3];
    for (int i = 0; i < 3; i++)
        yielders[i] = co_spawn(yielder, NULL);
    int64_t late_ns = INT64_MAX; /* the bound is 5 ms; the machine may be busy, but not each time */
    for (int tries = 0; tries < 20 && late_ns >= 500 * NS_PER_MS; tries++) {
        int64_t due_ns = in_ms(10);
        ck_assert_int_eq(co_read(ends[0], &c, 1, due_ns), -ETIMEDOUT);
        late_ns = clock_now_ns() - due_ns;
    }
    ck_assert_int_lt(late_ns, 500 * NS_PER_MS);
    struct co_task *writer = co_spawn(yielder, NULL);
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    ck_assert_int_eq(co_read(ends[0], &c, 1, soon()), 1);
    is_over = true;
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(result_of(yielders[i]), 0);
    ck_assert_int_eq(result_of(writer), 0);
    (void)arg;
    return co_close(ends[0]) + co_close(ends[1]);
}

START_TEST(scenario_3_yielders_starve_neither_timers_nor_io)
{
    run(main_3);
    struct co_options unaccounted = {.is_unaccounted = true};
    ck_assert_int_eq(co_run(main_3, NULL, &unaccounted), 0);
}
END_TEST

static int64_t sleep_base_ns;
static bool is_late; /* one was kept from going to sleep before another was due */

static int sleeper(void *arg)
{
    char digit[2] = {(char)('0' + (intptr_t)arg / 10), 0};
    is_late |= clock_now_ns() > sleep_base_ns;
    ck_assert_int_eq(co_sleep_until(sleep_base_ns + (intptr_t)arg * NS_PER_MS), 0);
    mark(digit);
    return 0;
}

static int main_4(void *arg)
{
    (void)arg;
    static const intptr_t spans_ms[] = {30, 40, 10, 20};
    struct co_task *tasks[4];
    is_late = true;
    for (int ahead_ms = 50; is_late; ahead_ms *= 2) { /* until the machine lets all sleep in time */
        trace[0] = '\0';
        is_late = false;
        sleep_base_ns = in_ms(ahead_ms);
        for (int i = 0; i < 4; i++)
            tasks[i] = co_spawn(sleeper, (void *)spans_ms[i]);
        for (int i = 0; i < 4; i++)
            ck_assert_int_eq(result_of(tasks[i]), 0);
    }
    return 0;
}

START_TEST(scenario_4_sleeps_end_in_order)
{
    run(main_4);
    ck_assert_str_eq(trace, "1234");
}
END_TEST

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int main_5(void *arg)
{
    (void)arg;
    struct co_event event;
    co_event_init(&event);
    co_event_set(&event); /* wakes that meet nobody leave nothing behind */
    co_event_clear(&event);
    int64_t start_ns = clock_now_ns();
    ck_assert_int_eq(co_sleep(NS_PER_MS), 0);
    ck_assert_int_ge(clock_now_ns() - start_ns, NS_PER_MS);
    struct co_task *dead = co_spawn(nothing, NULL);
    ck_assert_int_eq(co_yield (), 0);
    co_cancel(dead);
    co_cancel(dead);
    ck_assert_int_eq(result_of(dead), 0);
    return 0;
}

START_TEST(scenario_5_waking_the_dead_and_oneself_does_no_harm)
{
    run(main_5);
}
END_TEST

static int fail_after(void *arg)
{
    int rv = 0;
    for (intptr_t turn = 0; turn < (intptr_t)arg && rv == 0; turn++)
        rv = co_yield ();
    return rv < 0 ? rv : -(int)(intptr_t)arg;
}

static int main_6(void *arg)
{
    (void)arg;
    struct co_group group;
    co_group_init(&group, 0, CO_GROUP_KEEP_GOING);
    static const intptr_t turns[] = {30, 10, 20};
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(co_group_spawn(&group, fail_after, (void *)turns[i], soon()), 0);
    ck_assert_int_eq(co_group_wait_count(&group, 1, soon()), 0);
    ck_assert_uint_ge(group.ended, 1);
    ck_assert_int_eq(co_group_wait(&group, soon()), -10); /* the earliest error */
    ck_assert_uint_eq(group.ended, 3);
    ck_assert_int_eq(co_group_wait(&group, soon()), -10); /* again: nothing to wait for */
    struct co_task *task = co_spawn(nothing, NULL);
    ck_assert_int_eq(result_of(task), 0);
    ck_assert_int_eq(co_join(task, soon(), NULL), -EINVAL); /* joined already */
    return co_group_close(&group) == -10 ? 0 : 1;
}

START_TEST(scenario_6_joining_all_gives_the_earliest_error)
{
    run(main_6);
}
END_TEST

static struct co_task *listeners[3];

static int listener(void *arg)
{
    intptr_t index = (intptr_t)arg;
    int rv = co_event_wait(&over, soon());
    if (rv < 0)
        return rv;
    mark("x");
    co_cancel(listeners[1]); /* too late: it has been woken */
    return index == 0 ? -EIO : 0;
}

static int main_7(void *arg)
{
    (void)arg;
    co_event_init(&over);
    for (intptr_t i = 0; i < 3; i++)
        listeners[i] = co_spawn(listener, (void *)i);
    ck_assert_int_eq(co_yield (), 0);
    co_event_set(&over);
    ck_assert_int_eq(result_of(listeners[0]), -EIO); /* does not stop the others */
    ck_assert_int_eq(result_of(listeners[1]), 0);
    ck_assert_int_eq(result_of(listeners[2]), 0);
    /* one that is taken off before the notification does not run */
    co_event_clear(&over);
    trace[0] = 0;
    for (intptr_t i = 1; i < 3; i++)
        listeners[i] = co_spawn(listener, (void *)i);
    ck_assert_int_eq(co_yield (), 0);
    co_cancel(listeners[1]);
    co_event_set(&over);
    ck_assert_int_eq(result_of(listeners[1]), -ECANCELED);
    ck_assert_int_eq(result_of(listeners[2]), 0);
    ck_assert_str_eq(trace, "x");
    return 0;
}

START_TEST(scenario_7_a_failing_listener_stops_nobody)
{
    run(main_7);
}
END_TEST

/* ---- cancel ---- */

static int marker(void *arg)
{
    int rv = co_sleep(0);
    if (rv == 0)
        mark(arg);
    return rv;
}

static int main_8(void *arg)
{
    (void)arg;
    struct co_task *task = co_spawn(marker, "ran");
    co_cancel(task); /* before its first run: its first wait fails */
    co_cancel(task);
    ck_assert_int_eq(result_of(task), -ECANCELED);
    ck_assert_str_eq(trace, "");
    return 0;
}

START_TEST(scenario_8_cancel_before_the_first_run)
{
    run(main_8);
}
END_TEST

static int long_sleeper(void *arg)
{
    (void)arg;
    int rv = co_sleep(3600 * NS_PER_S);
    if (rv < 0)
        return rv;
    mark("next line");
    return 0;
}

static int main_9(void *arg)
{
    (void)arg;
    struct co_task *task = co_spawn(long_sleeper, NULL);
    ck_assert_int_eq(co_yield (), 0);
    int64_t start_ns = clock_now_ns();
    co_cancel(task);
    ck_assert_int_eq(result_of(task), -ECANCELED);
    ck_assert_int_lt(clock_now_ns() - start_ns, 600 * NS_PER_S);
    ck_assert_str_eq(trace, "");
    return 0;
}

START_TEST(scenario_9_cancel_in_a_sleep)
{
    run(main_9);
}
END_TEST

static int every_wait(void *arg)
{
    (void)arg;
    int ends[2];
    char c;
    struct co_sem sem;
    struct co_event event;
    struct co_mutex mutex;
    struct co_chan *chan = co_chan_new(1, 0);
    struct co_queue *queue = co_queue_new(1);
    void *item;
    struct iovec iov = {&c, 1};
    struct co_select clause = {CO_CHAN_RECV, chan, &c, 0};
    ck_assert_int_eq(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    co_sem_init(&sem, 5);
    co_event_init(&event);
    co_mutex_init(&mutex);
    ck_assert_int_eq(co_sleep_until(CO_NO_DEADLINE), -ECANCELED);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(co_yield (), -ECANCELED);
        ck_assert_int_eq(co_sleep(0), -ECANCELED);
        ck_assert_int_eq(co_read(ends[0], &c, 1, soon()), -ECANCELED);
        ck_assert_int_eq(co_write(ends[1], &c, 1, soon()), -ECANCELED);
        ck_assert_int_eq(co_readv(ends[0], &iov, 1, soon()), -ECANCELED);
        ck_assert_int_eq(co_wait_fd(ends[1], CO_WRITABLE, soon()), -ECANCELED);
        ck_assert_int_eq(co_accept(ends[0], NULL, NULL, soon()), -ECANCELED);
        ck_assert_int_eq(co_sem_acquire(&sem, soon()), -ECANCELED);
        ck_assert_int_eq(co_event_wait(&event, soon()), -ECANCELED);
        ck_assert_int_eq(co_mutex_lock(&mutex, soon()), -ECANCELED);
        ck_assert_int_eq(co_chan_send(chan, &c, soon()), -ECANCELED);
        ck_assert_int_eq(co_chan_recv(chan, &c, soon()), -ECANCELED);
        ck_assert_int_eq(co_select(&clause, 1, soon()), -ECANCELED);
        ck_assert_int_eq(co_queue_put(queue, NULL, soon()), -ECANCELED);
        ck_assert_int_eq(co_queue_get(queue, &item, soon()), -ECANCELED);
        ck_assert_int_eq(co_queue_join(queue, soon()), -ECANCELED);
    }
    co_chan_free(chan);
    co_queue_free(queue);
    return co_close(ends[0]) + co_close(ends[1]);
}

static int main_10(void *arg)
{
    (void)arg;
    struct co_task *task = co_spawn(every_wait, NULL);
    ck_assert_int_eq(co_yield (), 0);
    co_cancel(task);
    return result_of(task);
}

START_TEST(scenario_10_after_a_cancel_every_wait_fails)
{
    run(main_10);
}
END_TEST

static int stubborn(void *arg)
{
    (void)arg;
    co_cancel_disable();
    ck_assert_int_eq(co_event_wait(&over, CO_NO_DEADLINE), 0);
    co_cancel_enable();
    return co_sleep(0);
}

static int canceller(void *arg)
{
    int result;
    co_cancel(arg);
    return co_join(arg, soon(), &result);
}

static int main_11(void *arg)
{
    (void)arg;
    int result;
    co_event_init(&over);
    struct co_task *task = co_spawn(stubborn, NULL);
    ck_assert_int_eq(co_yield (), 0);
    struct co_task *first = co_spawn(canceller, task);
    ck_assert_int_eq(co_yield (), 0);
    co_cancel(first); /* the canceller is cancelled itself */
    ck_assert_int_eq(result_of(first), -ECANCELED);
    ck_assert_int_eq(co_join(task, co_after(20 * NS_PER_MS), &result), -ETIMEDOUT);
    co_event_set(&over);
    ck_assert_int_eq(result_of(task), -ECANCELED);
    co_event_fini(&over);
    return 0;
}

START_TEST(scenario_11_a_section_that_may_not_be_cancelled)
{
    run(main_11);
}
END_TEST

static int cleaned;

static void add(const int *value)
{
    cleaned += *value;
}

static int four_cleanups(void *arg)
{
    __attribute__((cleanup(add))) int one = 1;
    __attribute__((cleanup(add))) int two = 2;
    __attribute__((cleanup(add))) int four = 4;
    __attribute__((cleanup(add))) int eight = 8;
    (void)arg;
    int rv = co_sleep(3600 * NS_PER_S);
    if (rv == 0)
        two = 0; /* the normal way: 13 */
    return rv;
}

static int main_12(void *arg)
{
    (void)arg;
    cleaned = 0;
    struct co_task *task = co_spawn(four_cleanups, NULL);
    ck_assert_int_eq(co_yield (), 0);
    co_cancel(task);
    ck_assert_int_eq(result_of(task), -ECANCELED);
    ck_assert_int_eq(cleaned, 15);
    return 0;
}

START_TEST(scenario_12_cleanups_run_when_cancelled)
{
    run(main_12);
}
END_TEST

static int main_13(void *arg)
{
    (void)arg;
    struct co_group group;
    co_group_init(&group, 0, 0);
    ck_assert_int_eq(co_group_wait(&group, soon()), 0); /* empty */
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(co_group_spawn(&group, long_sleeper, NULL, soon()), 0);
    ck_assert_int_eq(co_group_wait(&group, in_ms(50)), -ETIMEDOUT);
    ck_assert_uint_eq(group.alive, 3);
    ck_assert_int_eq(co_group_close(&group), 0); /* whom it cancels has not failed */
    ck_assert_uint_eq(group.alive, 0);
    ck_assert_uint_eq(group.ended, 3);
    /* the first error cancels the rest */
    co_group_init(&group, 0, 0);
    ck_assert_int_eq(co_group_spawn(&group, long_sleeper, NULL, soon()), 0);
    ck_assert_int_eq(co_group_spawn(&group, fail_after, (void *)5, soon()), 0);
    ck_assert_int_eq(co_group_wait(&group, soon()), -5);
    ck_assert_str_eq(trace, "");
    return co_group_close(&group) == -5 ? 0 : 1;
}

START_TEST(scenario_13_a_group_ends_before_its_scope)
{
    run(main_13);
}
END_TEST

/* ---- deadlines ---- */

static int main_15(void *arg)
{
    (void)arg;
    struct co_scope outer, inner;
    co_scope_enter(&outer, in_ms(10));
    co_scope_enter(&inner, in_ms(10000));
    ck_assert_int_eq(co_sleep(NS_PER_S * 20), -ETIMEDOUT);
    ck_assert(!co_scope_leave(&inner)); /* it was the outer one's */
    ck_assert_int_eq(co_sleep(NS_PER_S), -ETIMEDOUT);
    co_scope_restart(&outer, in_ms(10000));
    ck_assert_int_eq(co_sleep(NS_PER_MS), 0);
    co_scope_enter(&inner, in_ms(5));
    ck_assert_int_eq(co_sleep(NS_PER_S * 20), -ETIMEDOUT);
    ck_assert(co_scope_leave(&inner));
    ck_assert(!co_scope_leave(&outer));
    co_scope_enter(&inner, in_ms(1));
    ck_assert(!co_scope_leave(&inner)); /* left in time: it never fires */
    return co_sleep(5 * NS_PER_MS);
}

START_TEST(scenario_15_nested_deadlines_are_told_apart)
{
    run(main_15);
}
END_TEST

static int main_16(void *arg)
{
    (void)arg;
    int64_t start_ns = clock_now_ns();
    while (clock_now_ns() - start_ns < 8 * NS_PER_MS)
        ;
    start_ns = clock_now_ns();
    ck_assert_int_eq(co_sleep(10 * NS_PER_MS), 0);
    ck_assert_int_ge(clock_now_ns() - start_ns, 10 * NS_PER_MS);
    return 0;
}

START_TEST(scenario_16_a_stale_clock_fires_nothing_early)
{
    run(main_16);
}
END_TEST

/* ---- task-local values ---- */

static int destroyed;

static void destroy(void *value)
{
    destroyed += (int)(intptr_t)value;
}

static const struct co_local local = {destroy};

static int local_user(void *arg)
{
    ck_assert_ptr_null(co_local_get(&local));
    ck_assert_int_eq(co_local_set(&local, arg), 0);
    ck_assert_int_eq(co_yield (), 0);
    ck_assert_ptr_eq(co_local_get(&local), arg);
    return 0;
}

static int local_main(void *arg)
{
    (void)arg;
    destroyed = 0;
    struct co_task *a = co_spawn(local_user, (void *)3), *b = co_spawn(local_user, (void *)4);
    ck_assert_int_eq(result_of(a) + result_of(b), 0);
    ck_assert_int_eq(destroyed, 7);
    return 0;
}

START_TEST(values_belong_to_their_task)
{
    run(local_main);
}
END_TEST

SUITE_MAIN("scenario", SUITE_TEST(scenario_1_two_tasks_take_turns),
           SUITE_TEST(scenario_2_a_thousand_waiters_run_in_order),
           SUITE_TEST(scenario_3_yielders_starve_neither_timers_nor_io),
           SUITE_TEST(scenario_4_sleeps_end_in_order),
           SUITE_TEST(scenario_5_waking_the_dead_and_oneself_does_no_harm),
           SUITE_TEST(scenario_6_joining_all_gives_the_earliest_error),
           SUITE_TEST(scenario_7_a_failing_listener_stops_nobody),
           SUITE_TEST(scenario_8_cancel_before_the_first_run),
           SUITE_TEST(scenario_9_cancel_in_a_sleep),
           SUITE_TEST(scenario_10_after_a_cancel_every_wait_fails),
           SUITE_TEST(scenario_11_a_section_that_may_not_be_cancelled),
           SUITE_TEST(scenario_12_cleanups_run_when_cancelled),
           SUITE_TEST(scenario_13_a_group_ends_before_its_scope),
           SUITE_TEST(scenario_15_nested_deadlines_are_told_apart),
           SUITE_TEST(scenario_16_a_stale_clock_fires_nothing_early),
           SUITE_TEST(values_belong_to_their_task))
