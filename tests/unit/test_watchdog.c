/* Who is reported for blocking a loop, how often, and who is not. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "child.h"
#include "coro/inspect.h"
#include "suite.h"

#define LIMIT_NS (60 * NS_PER_MS)
/* Where nothing may be told: hardly a machine stands still for so long. */
#define PATIENT_NS (NS_PER_S / 2)

static struct {
    int count; /* atomic */
    char task[40], loop[40], function[40];
    int64_t busy_ns;
    bool names_the_blocker;
} told;

static void on_blocked(const struct co_blocked *blocked, void *arg)
{
    ck_assert_ptr_eq(arg, &told);
    snprintf(told.task, sizeof told.task, "%s", blocked->task);
    snprintf(told.loop, sizeof told.loop, "%s", blocked->loop);
    snprintf(told.function, sizeof told.function, "%s", blocked->site->function);
    told.busy_ns = blocked->busy_ns;
    told.names_the_blocker = strstr(blocked->stack, "block_until_told") != NULL;
    __atomic_add_fetch(&told.count, 1, __ATOMIC_RELEASE);
}

static int told_count(void)
{
    return __atomic_load_n(&told.count, __ATOMIC_ACQUIRE);
}

/* Blocks the thread until there are `count` reports, or for `most_ns`. */
static NOINLINE void block_until_told(int count, int64_t most_ns)
{
    int64_t until_ns = clock_now_ns() + most_ns;
    while (told_count() < count && clock_now_ns() < until_ns)
        ;
    __asm__ volatile("");
}

static void run(co_fn *fn, int64_t limit_ns)
{
    struct co_options options = {.name = "watched", .watchdog_ns = limit_ns};
    memset(&told, 0, sizeof told);
    co_on_blocked(on_blocked, &told);
    ck_assert_int_eq(co_run(fn, NULL, &options), 0);
    co_on_blocked(NULL, NULL);
}

/* The same, until there are `count` reports, the last one of `task` (NULL: any): on a busy
 * machine a loop that was kept from running for so long is told, too. */
static void run_until(co_fn *fn, int64_t limit_ns, int count, const char *task)
{
    for (int tries = 0; tries < 20; tries++) {
        run(fn, limit_ns);
        if (told.count == count && (task == NULL || strcmp(told.task, task) == 0))
            break;
    }
    ck_assert_int_eq(told.count, count);
}

static int blocks(void *arg)
{
    (void)arg;
    block_until_told(1, 20 * NS_PER_S);
    block_until_told(2, 4 * LIMIT_NS); /* the same stretch: nothing more */
    return 0;
}

static int one_stretch(void *arg)
{
    (void)arg;
    ck_assert_int_eq(co_join(co_spawn_named("hog", blocks, NULL), CO_NO_DEADLINE, NULL), 0);
    return 0;
}

START_TEST(a_stretch_is_told_once_with_all_that_is_known)
{
    run_until(one_stretch, LIMIT_NS, 1, "hog");
    ck_assert_str_eq(told.task, "hog");
    ck_assert_str_eq(told.loop, "watched");
    ck_assert_str_eq(told.function, "one_stretch");
    ck_assert_int_ge(told.busy_ns, LIMIT_NS);
    ck_assert(told.names_the_blocker);
}
END_TEST

static int two_stretches(void *arg)
{
    (void)arg;
    block_until_told(1, 20 * NS_PER_S);
    ck_assert_int_eq(co_sleep(4 * LIMIT_NS), 0); /* the loop lives again */
    block_until_told(2, 20 * NS_PER_S);
    return 0;
}

START_TEST(the_next_stretch_is_told_too)
{
    run_until(two_stretches, LIMIT_NS, 2, NULL);
}
END_TEST

static int ignored_task(void *arg)
{
    (void)arg;
    co_watchdog_ignore(true);
    int before = told_count(); /* of what came before */
    block_until_told(before + 1, 4 * LIMIT_NS);
    ck_assert_int_eq(told_count(), before);
    co_watchdog_ignore(false);
    ck_assert_int_eq(co_sleep(LIMIT_NS), 0);
    block_until_told(before + 1, 20 * NS_PER_S);
    return 0;
}

START_TEST(a_task_may_ask_to_be_left_alone)
{
    run_until(ignored_task, LIMIT_NS, 1, NULL);
}
END_TEST

static int sleeps(void *arg)
{
    (void)arg;
    return co_sleep(3 * PATIENT_NS);
}

static int busy_but_fair(void *arg)
{
    (void)arg;
    int64_t until_ns = clock_now_ns() + 3 * PATIENT_NS;
    while (clock_now_ns() < until_ns)
        ck_assert_int_eq(co_yield (), 0);
    return 0;
}

static co_fn *const innocent[] = {sleeps, busy_but_fair};

START_TEST(waiting_and_yielding_are_no_blocking)
{
    run_until(innocent[_i], PATIENT_NS, 0, NULL);
}
END_TEST

static int blocks_for_a_while(void *arg)
{
    (void)arg;
    block_until_told(1, 4 * LIMIT_NS);
    return 0;
}

START_TEST(a_loop_may_go_unwatched)
{
    struct co_options options = {.watchdog_ns = -1};
    memset(&told, 0, sizeof told);
    co_on_blocked(on_blocked, &told);
    ck_assert_int_eq(co_run(blocks_for_a_while, NULL, &options), 0);
    co_on_blocked(NULL, NULL);
    ck_assert_int_eq(told.count, 0);
}
END_TEST

static int ends_at_once(void *arg)
{
    (void)arg;
    return 0;
}

/* Many loops, so that the watchdog finds some before their first turn. */
START_TEST(no_loop_is_blocked_for_longer_than_it_exists)
{
    int64_t start_ns = clock_now_ns();
    while (clock_now_ns() < start_ns + NS_PER_S / 2) {
        run(ends_at_once, 10 * NS_PER_MS);
        ck_assert_int_le(told.busy_ns, clock_now_ns() - start_ns);
    }
}
END_TEST

/* ---- a program that has taken the signal ---- */

static volatile sig_atomic_t urgent;

static void on_urgent(int signo)
{
    (void)signo;
    urgent++;
}

static int blocks_in_vain(void *arg)
{
    (void)arg;
    block_until_told(1, 4 * LIMIT_NS);
    return 0;
}

static void taken_child(void)
{
    struct sigaction after;
    if (signal(SIGURG, on_urgent) == SIG_ERR)
        _exit(1);
    run(blocks_in_vain, LIMIT_NS);
    if (sigaction(SIGURG, NULL, &after) < 0 || after.sa_handler != on_urgent)
        _exit(2);
    _exit(urgent > 0 ? 3 : told_count() > 0 ? 4 : 0);
}

START_TEST(a_programs_own_handler_stays)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    ck_assert_int_eq(in_child(taken_child, &text), 0);
    buf_fini(&text);
}
END_TEST

/* Takes what is in the pipe, and all that follows, when the loop has waited for long. */
static void *read_late(void *arg)
{
    char block[4096];
    usleep(6 * LIMIT_NS / NS_PER_US);
    while (read(*(int *)arg, block, sizeof block) > 0)
        ;
    return NULL;
}

static int asks_for_a_report(void *arg)
{
    (void)arg;
    ck_assert_int_gt(co_dump_request(), 0);
    return co_sleep(NS_PER_MS);
}

/* It names frames and writes on the loop itself, which takes its time. */
START_TEST(a_report_that_was_asked_for_is_no_blocking)
{
    for (int tries = 0; tries < 20 && (tries == 0 || told.count > 0); tries++) {
        int ends[2], kept = dup(STDERR_FILENO);
        pthread_t reader;
        ck_assert_int_eq(pipe(ends), 0);
        ck_assert_int_eq(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
        while (write(ends[1], "", 1) == 1)
            ;
        ck_assert_int_eq(fcntl(ends[1], F_SETFL, 0), 0);
        ck_assert_int_eq(pthread_create(&reader, NULL, read_late, &ends[0]), 0);
        ck_assert_int_ge(dup2(ends[1], STDERR_FILENO), 0);
        close(ends[1]);
        run(asks_for_a_report, LIMIT_NS);
        ck_assert_int_ge(dup2(kept, STDERR_FILENO), 0);
        close(kept);
        ck_assert_int_eq(pthread_join(reader, NULL), 0);
        close(ends[0]);
    }
    ck_assert_msg(told.count == 0, "%s", told.task);
}
END_TEST

/* The first: in its child no loop has been watched yet. */
SUITE_MAIN("watchdog", SUITE_TEST(a_programs_own_handler_stays),
           SUITE_TEST(a_stretch_is_told_once_with_all_that_is_known),
           SUITE_TEST(the_next_stretch_is_told_too), SUITE_TEST(a_task_may_ask_to_be_left_alone),
           SUITE_LOOP(waiting_and_yielding_are_no_blocking, innocent),
           SUITE_TEST(a_loop_may_go_unwatched),
           SUITE_TEST(no_loop_is_blocked_for_longer_than_it_exists),
           SUITE_TEST(a_report_that_was_asked_for_is_no_blocking))
