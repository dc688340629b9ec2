/* Descriptors that wait without a task: they fire, time out, take turns. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "coro/inspect.h"
#include "coro/io.h"
#include "suite.h"

static int64_t soon(void)
{
    return co_after(5 * NS_PER_S);
}

static void make_pair(int pair[2])
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
}

static void run(co_fn *fn)
{
    ck_assert_int_eq(co_run(fn, NULL, NULL), 0);
}

/* A task that is always ready. */
static int busy(void *arg)
{
    bool *is_over = arg;
    while (!*is_over)
        co_yield ();
    return 0;
}

static int parked_calls, parked_why;

static int on_parked(void *arg, int why)
{
    int fd = (int)(intptr_t)arg;
    parked_calls++;
    parked_why = why;
    if (why < 0)
        return 0;
    char buf[16];
    ck_assert_int_gt(co_read(fd, buf, sizeof(buf), soon()), 0);
    ck_assert_int_eq(co_write(fd, "pong", 4, soon()), 4);
    /* after the last ping nothing comes any more */
    return co_park_fd(fd, parked_calls < 6 ? soon() : co_after(20 * NS_PER_MS), on_parked, arg);
}

static int park_main(void *arg)
{
    (void)arg;
    int pair[2];
    char buf[16];
    make_pair(pair);
    parked_calls = 0;
    void *fd = (void *)(intptr_t)pair[0];
    ck_assert_int_eq(co_write(pair[1], "early", 5, soon()), 5);
    ck_assert_int_eq(co_park_fd(pair[0], soon(), on_parked, fd), 0);
    ck_assert_int_eq(co_park_fd(pair[0], soon(), on_parked, fd), -EBUSY);
    ck_assert_int_eq(co_read(pair[0], buf, sizeof(buf), soon()), -EBUSY);
    for (int i = 1; i <= 5; i++) {
        ck_assert_int_eq(co_read(pair[1], buf, sizeof(buf), soon()), 4);
        ck_assert_int_eq(parked_calls, i);
        ck_assert_int_eq(co_write(pair[1], "ping", 4, soon()), 4);
    }
    ck_assert_int_eq(co_read(pair[1], buf, sizeof(buf), soon()), 4);
    while (parked_calls < 7)
        ck_assert_int_eq(co_sleep(NS_PER_MS), 0);
    ck_assert_int_eq(parked_why, -ETIMEDOUT);

    ck_assert_int_eq(co_park_fd(pair[0], CO_NO_DEADLINE, on_parked, fd), 0);
    ck_assert(co_unpark_fd(pair[0]));
    ck_assert(!co_unpark_fd(pair[0]));
    ck_assert_int_eq(co_park_fd(pair[0], CO_NO_DEADLINE, on_parked, fd), 0);
    return 0; /* the loop ends: the parked descriptor is told */
}

START_TEST(a_parked_descriptor_fires_and_times_out)
{
    run(park_main);
    ck_assert_int_eq(parked_calls, 8);
    ck_assert_int_eq(parked_why, -ECANCELED);
}
END_TEST

#define BURST 8

static int64_t slow_now_ns[BURST];
static int slow_count;

static int on_slow(void *arg, int why)
{
    (void)arg;
    ck_assert_int_eq(why, 0);
    slow_now_ns[slow_count++] = co_now();
    for (int64_t until_ns = clock_now_ns() + 3 * NS_PER_MS; clock_now_ns() < until_ns;)
        ;
    return 0;
}

static int slow_main(void *arg)
{
    int pairs[BURST][2];
    (void)arg;
    for (int i = 0; i < BURST; i++) {
        make_pair(pairs[i]);
        ck_assert_int_eq(co_write(pairs[i][1], "x", 1, soon()), 1);
        ck_assert_int_eq(co_park_fd(pairs[i][0], soon(), on_slow, NULL), 0);
    }
    while (slow_count < BURST)
        ck_assert_int_eq(co_sleep(NS_PER_MS), 0);
    for (int i = 0; i < BURST; i++) {
        co_close(pairs[i][0]);
        co_close(pairs[i][1]);
    }
    return 0;
}

START_TEST(slow_tasks_of_parked_descriptors_let_the_loop_look_up)
{
    run(slow_main);
    /* The clock goes on, so timers and I/O were looked at; a turn ends when the task
     * after the one that took too long is done. */
    for (int i = 2; i < BURST; i++)
        ck_assert_int_gt(slow_now_ns[i], slow_now_ns[i - 2]);
}
END_TEST

static const char *burst_stack[BURST];
static int burst_count;

/* Notes where its stack is; a task that has not parked lends it to the next. */
static int on_burst(void *arg, int why)
{
    const volatile char here = 0;
    (void)arg;
    ck_assert_int_eq(why, 0);
    burst_stack[burst_count++] = (const char *)&here;
    return 0;
}

/* On how many stacks one burst is handled. */
static int stacks_of_a_burst(void)
{
    int pair[BURST][2], stacks = 0;
    burst_count = 0;
    for (int i = 0; i < BURST; i++) {
        make_pair(pair[i]);
        ck_assert_int_eq(co_park_fd(pair[i][0], soon(), on_burst, NULL), 0);
    }
    for (int i = 0; i < BURST; i++)
        ck_assert_int_eq(co_write(pair[i][1], "x", 1, soon()), 1);
    while (burst_count < BURST)
        ck_assert_int_eq(co_sleep(NS_PER_MS), 0);
    for (int i = 0; i < BURST; i++) {
        int earlier = 0;
        while (earlier < i && burst_stack[earlier] != burst_stack[i])
            earlier++;
        stacks += earlier == i;
        co_close(pair[i][0]), co_close(pair[i][1]);
    }
    return stacks;
}

static int burst_main(void *arg)
{
    (void)arg;
    /* One stack, unless the machine was so busy that the loop looked in between. */
    int stacks = BURST;
    for (int i = 0; i < 100 && stacks >= BURST / 2; i++)
        stacks = stacks_of_a_burst();
    ck_assert_int_lt(stacks, BURST / 2);
    return 0;
}

START_TEST(a_burst_of_parked_descriptors_shares_a_stack)
{
    run(burst_main);
}
END_TEST

static int parked_busy_main(void *arg)
{
    (void)arg;
    int pair[2];
    bool is_over = false;
    make_pair(pair);
    burst_count = 0;
    ck_assert_int_eq(co_park_fd(pair[0], soon(), on_burst, NULL), 0);
    struct co_task *task = co_spawn(busy, &is_over);
    ck_assert_int_eq(co_write(pair[1], "x", 1, soon()), 1);
    while (burst_count == 0)
        ck_assert_int_eq(co_yield (), 0);
    is_over = true;
    co_close(pair[0]), co_close(pair[1]);
    int result;
    return co_join(task, soon(), &result);
}

START_TEST(a_parked_descriptor_gets_its_turn_on_a_busy_loop)
{
    run(parked_busy_main);
}
END_TEST

static int told_why(void *arg, int why)
{
    *(int *)arg = why;
    return 0;
}

static int past_deadline_main(void *arg)
{
    (void)arg;
    static const int64_t past[] = {0, 1, -1};
    for (size_t i = 0; i < ARRAY_LEN(past); i++) {
        int pair[2], why = 1;
        make_pair(pair);
        ck_assert_int_eq(co_park_fd(pair[0], past[i], told_why, &why), 0);
        for (int turn = 0; turn < 1000 && why == 1; turn++)
            ck_assert_int_eq(co_sleep(NS_PER_MS), 0);
        ck_assert_int_eq(why, -ETIMEDOUT);
        ck_assert_int_eq(co_close(pair[0]) + co_close(pair[1]), 0);
    }
    return 0;
}

START_TEST(a_deadline_that_has_passed_is_a_deadline)
{
    run(past_deadline_main);
}
END_TEST

SUITE_MAIN("park", SUITE_TEST(a_deadline_that_has_passed_is_a_deadline),
           SUITE_TEST(a_parked_descriptor_fires_and_times_out),
           SUITE_TEST(slow_tasks_of_parked_descriptors_let_the_loop_look_up),
           SUITE_TEST(a_burst_of_parked_descriptors_shares_a_stack),
           SUITE_TEST(a_parked_descriptor_gets_its_turn_on_a_busy_loop))
