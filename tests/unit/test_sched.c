/* The run queue, the clock and the turns of a loop. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "coro/inspect.h"
#include "coro/internal.h"
#include "coro/io.h"
#include "suite.h"

static char log_text[64];
static size_t log_len;

static void say(char c)
{
    if (log_len + 1 < sizeof log_text)
        log_text[log_len++] = c;
    log_text[log_len] = 0;
}

static void log_clear(void)
{
    log_len = 0;
    log_text[0] = 0;
}

/* ---- order ---- */

static int says_twice(void *arg)
{
    say(*(const char *)arg);
    int rv = co_yield ();
    say(*(const char *)arg);
    return rv;
}

static int parks(void *arg)
{
    say(*(const char *)arg);
    int rv = coro_park(CO_WAIT_EVENT, NULL, CO_NO_DEADLINE);
    say(*(const char *)arg);
    return rv;
}

static int order_main(void *arg)
{
    int result;
    (void)arg;
    log_clear();
    struct co_task *a = co_spawn(parks, "a"), *b = co_spawn(says_twice, "b"),
                   *c = co_spawn(parks, "c");
    ck_assert_int_eq(co_yield (), 0);
    ck_assert_str_eq(log_text, "abc");
    /* woken in this order, behind b, which was ready before; a second wake counts for nothing */
    coro_wake(c, 5);
    coro_wake(a, 6);
    coro_wake(c, 7);
    ck_assert_int_eq(co_yield (), 0);
    ck_assert_str_eq(log_text, "abcbca");
    ck_assert_int_eq(co_join(c, CO_NO_DEADLINE, &result), 0);
    ck_assert_int_eq(result, 5);
    ck_assert_int_eq(co_join(a, CO_NO_DEADLINE, &result), 0);
    ck_assert_int_eq(result, 6);
    return co_join(b, CO_NO_DEADLINE, NULL);
}

START_TEST(first_ready_first_run)
{
    struct co_options options = {.is_unaccounted = _i == 1};
    ck_assert_int_eq(co_run(order_main, NULL, &options), 0);
}
END_TEST

/* ---- deadlines ---- */

static const int64_t in_the_past[] = {0, -1, INT64_MIN, 1};

static int past_main(void *arg)
{
    int64_t deadline_ns = in_the_past[(intptr_t)arg];
    ck_assert_int_eq(co_sleep_until(deadline_ns), 0);
    ck_assert_int_eq(coro_park(CO_WAIT_EVENT, NULL, deadline_ns), -ETIMEDOUT);
    struct co_scope scope;
    co_scope_enter(&scope, deadline_ns);
    ck_assert_int_eq(co_sleep(NS_PER_S), -ETIMEDOUT);
    ck_assert_int_eq(co_yield (), 0); /* no wait */
    ck_assert(co_scope_leave(&scope));
    return 0;
}

START_TEST(a_deadline_in_the_past_is_now)
{
    ck_assert_int_eq(co_run(past_main, (void *)(intptr_t)_i, NULL), 0);
}
END_TEST

static int clock_main(void *arg)
{
    (void)arg;
    int64_t start_ns = co_now();
    while (clock_now_ns() < start_ns + 2 * NS_PER_MS)
        ;
    ck_assert_int_eq(co_now(), start_ns); /* as old as the turn */
    int64_t deadline_ns = co_after(NS_PER_MS);
    ck_assert_int_ge(deadline_ns, start_ns + 3 * NS_PER_MS);
    ck_assert_int_eq(co_now(), deadline_ns - NS_PER_MS); /* the reading is shared */
    ck_assert_int_eq(co_after(CO_NO_DEADLINE), CO_NO_DEADLINE);
    ck_assert_int_eq(co_sleep_until(deadline_ns), 0);
    ck_assert_int_ge(co_now(), deadline_ns);
    return 0;
}

START_TEST(the_clock_is_read_when_a_deadline_is_made)
{
    ck_assert_int_eq(co_run(clock_main, NULL, NULL), 0);
    ck_assert_int_gt(co_now(), 0); /* also outside */
}
END_TEST

/* ---- busy loops ---- */

static bool is_over;

static int yields(void *arg)
{
    (void)arg;
    int rv = 0;
    while (!is_over && rv == 0)
        rv = co_yield ();
    return rv;
}

/* Reads what never runs dry: it gives way all the same. */
static int reads_on(void *arg)
{
    const int *ends = arg;
    char c;
    while (!is_over) {
        ck_assert_int_eq(write(ends[1], "xx", 2), 2);
        ck_assert_int_eq(co_read(ends[0], &c, 1, CO_NO_DEADLINE), 1);
        ck_assert_int_eq(co_read(ends[0], &c, 1, CO_NO_DEADLINE), 1);
    }
    return 0;
}

static int busy_main(void *arg)
{
    int ends[2];
    (void)arg;
    is_over = false;
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    struct co_task *a = co_spawn(yields, NULL), *b = co_spawn(reads_on, ends);
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(co_sleep(NS_PER_MS / 2), 0); /* would never end if we were starved */
    is_over = true;
    ck_assert_int_eq(co_join(a, CO_NO_DEADLINE, NULL), 0);
    ck_assert_int_eq(co_join(b, CO_NO_DEADLINE, NULL), 0);
    return co_close(ends[0]) + co_close(ends[1]);
}

START_TEST(neither_yielders_nor_readers_keep_the_clock_out)
{
    struct co_options options = {.is_unaccounted = _i == 1};
    ck_assert_int_eq(co_run(busy_main, NULL, &options), 0);
}
END_TEST

static int alone_main(void *arg)
{
    (void)arg;
    is_over = false;
    struct co_task *task = co_spawn(yields, NULL);
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(co_sleep(NS_PER_MS / 2), 0);
    is_over = true;
    return co_join(task, CO_NO_DEADLINE, NULL);
}

START_TEST(nor_does_one_that_yields_to_itself)
{
    struct co_options options = {.is_unaccounted = _i == 1};
    ck_assert_int_eq(co_run(alone_main, NULL, &options), 0);
}
END_TEST

/* ---- counters, and the loop's end ---- */

/* Longer than a turn may last: the turn ends while others are ready. */
static int says_slowly(void *arg)
{
    int64_t start_ns = clock_now_ns();
    while (clock_now_ns() < start_ns + 3 * NS_PER_MS)
        ;
    return says_twice(arg);
}

static int counts_main(void *arg)
{
    struct co_counts before, after;
    uint64_t lag[CO_LAG_BUCKETS], turns = 0;
    co_fn *fn = *(co_fn **)arg;
    ck_assert_int_eq(co_counts(&before), 0);
    ck_assert_uint_eq(before.alive, 1);
    ck_assert_uint_eq(before.spawned, 1);
    struct co_task *a = co_spawn(fn, "a"), *b = co_spawn(fn, "b");
    ck_assert_int_eq(co_counts(&after), 0);
    ck_assert_uint_eq(after.alive, 3);
    ck_assert_uint_eq(after.ready, 2);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(co_sleep(NS_PER_MS), 0);
    ck_assert_int_eq(co_join(a, CO_NO_DEADLINE, NULL), 0);
    ck_assert_int_eq(co_join(b, CO_NO_DEADLINE, NULL), 0);
    ck_assert_int_eq(co_counts(&after), 0);
    ck_assert_uint_eq(after.alive, 1);
    ck_assert_uint_eq(after.ready, 0);
    ck_assert_uint_eq(after.pooled, 2);
    ck_assert_uint_eq(after.stacks, 3);
    /* a and b ran twice each, we three times */
    ck_assert_uint_eq(after.switches - before.switches, 7);
    ck_assert_uint_ge(after.turns - before.turns, 3);
    ck_assert_int_eq(co_lag(lag), 0);
    for (int i = 0; i < CO_LAG_BUCKETS; i++)
        turns += lag[i];
    ck_assert_uint_eq(turns, after.turns);
    return 0;
}

static co_fn *counted[] = {says_twice, says_slowly};

START_TEST(switches_and_turns_are_counted)
{
    struct co_counts counts;
    uint64_t lag[CO_LAG_BUCKETS];
    ck_assert_int_eq(co_counts(&counts), -EPERM);
    ck_assert_int_eq(co_lag(lag), -EPERM);
    ck_assert_int_eq(co_run(counts_main, &counted[_i], NULL), 0);
}
END_TEST

static int yields_often(void *arg)
{
    struct co_counts before, after;
    (void)arg;
    ck_assert_int_eq(co_counts(&before), 0);
    for (unsigned i = 1; i <= 1000; i++) {
        ck_assert_int_eq(co_yield (), 0);
        ck_assert_int_eq(co_counts(&after), 0);
        ck_assert_uint_eq(after.switches - before.switches, i);
    }
    ck_assert_uint_gt(after.turns, before.turns); /* no turn is so long */
    return 0;
}

START_TEST(the_end_of_a_turn_is_no_switch)
{
    struct co_options options = {.is_unaccounted = _i == 1};
    ck_assert_int_eq(co_run(yields_often, NULL, &options), 0);
}
END_TEST

static int chain_end(void *arg)
{
    (void)arg;
    say('e');
    int rv = co_sleep(NS_PER_S);
    say(rv == -ECANCELED ? 'c' : '?');
    return rv;
}

static int spawns_at_the_end(void *arg)
{
    (void)arg;
    int rv = co_sleep(3600 * NS_PER_S);
    say(rv == -ECANCELED ? 'c' : '?');
    co_detach(co_spawn(chain_end, NULL));
    return rv;
}

static int ending_chain(void *arg)
{
    (void)arg;
    log_clear();
    co_detach(co_spawn(spawns_at_the_end, NULL));
    ck_assert_int_eq(co_yield (), 0);
    ck_assert_int_eq(co_run(ending_chain, NULL, NULL), -EBUSY);
    return 42;
}

START_TEST(the_loop_ends_when_all_have)
{
    ck_assert_int_eq(co_run(ending_chain, NULL, NULL), 42);
    ck_assert_str_eq(log_text, "cec");
    ck_assert_ptr_null(co_self());
    ck_assert_ptr_null(co_port_get());
    ck_assert_int_eq(errno, EPERM);
}
END_TEST

static const bool accounting[] = {true, false};

SUITE_MAIN("sched", SUITE_LOOP(first_ready_first_run, accounting),
           SUITE_LOOP(a_deadline_in_the_past_is_now, in_the_past),
           SUITE_TEST(the_clock_is_read_when_a_deadline_is_made),
           SUITE_LOOP(neither_yielders_nor_readers_keep_the_clock_out, accounting),
           SUITE_LOOP(nor_does_one_that_yields_to_itself, accounting),
           SUITE_LOOP(switches_and_turns_are_counted, counted),
           SUITE_LOOP(the_end_of_a_turn_is_no_switch, accounting),
           SUITE_TEST(the_loop_ends_when_all_have))
