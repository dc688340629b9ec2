/* What the runtime tells about itself: reports, the watchdog, deadlocks, overflows. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "coro/inspect.h"
#include "coro/io.h"
#include "coro/sync.h"
#include "dump.h"
#include "suite.h"

static int64_t soon(void)
{
    return co_after(20 * NS_PER_S);
}

/* ---- reports ---- */

static struct co_mutex mutex;

static NOINLINE int lock_in_a_static_function(void)
{
    int rv = co_mutex_lock(&mutex, CO_NO_DEADLINE);
    __asm__ volatile(""); /* no tail call: the frame is looked for */
    return rv;
}

static int locker(void *arg)
{
    (void)arg;
    return lock_in_a_static_function();
}

static int reader(void *arg)
{
    char c;
    return (int)co_read((int)(intptr_t)arg, &c, 1, CO_NO_DEADLINE);
}

static int dump_main(void *arg)
{
    (void)arg;
    int ends[2];
    struct buf text;
    char fd_text[32];
    ck_assert_int_eq(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    buf_init(&text, 1 << 20);
    co_mutex_init(&mutex);
    ck_assert_int_eq(co_mutex_lock(&mutex, soon()), 0);
    co_detach(co_spawn_named("waits for main", locker, NULL));
    co_detach(co_spawn(reader, (void *)(intptr_t)ends[0]));
    ck_assert_int_eq(co_yield (), 0);
    ck_assert_int_eq(dump_one(&text, CO_DUMP_TEXT), 0);
    contains(&text, "waits for main: parked, mutex");
    contains(&text, "held by main");
    contains(&text, "lock_in_a_static_function at");
    contains(&text, "test_inspect.c:");
    contains(&text, "(dump_main)"); /* the spawn site */
    snprintf(fd_text, sizeof(fd_text), "parked, read %d", ends[0]);
    contains(&text, fd_text);
    contains(&text, "main: running");
    buf_clear(&text);
    ck_assert_int_eq(dump_all(&text, CO_DUMP_JSON, soon()), 0);
    contains(&text, "\"wait\":\"mutex\"");
    contains(&text, "\"holder\":\"main\"");
    contains(&text, "\"function\":\"lock_in_a_static_function\"");
    buf_fini(&text);
    return co_close(ends[0]) + co_close(ends[1]);
}

START_TEST(a_report_names_tasks_waits_and_static_functions)
{
    ck_assert_int_eq(co_run(dump_main, NULL, NULL), 0);
    struct buf text;
    buf_init(&text, 1 << 20);
    ck_assert_int_eq(dump_one(&text, CO_DUMP_TEXT), -EPERM);
    buf_fini(&text);
}
END_TEST

/* ---- parked descriptors ---- */

static int on_parked(void *arg, int why)
{
    (void)arg;
    (void)why;
    return 0;
}

#define PARKED (CO_DUMP_FDS_MAX + 7)

static int parked_main(void *arg)
{
    (void)arg;
    static int pairs[PARKED][2];
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    int listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(listen_fd, (struct sockaddr *)&addr, len), 0);
    ck_assert_int_eq(listen(listen_fd, 1), 0);
    ck_assert_int_eq(getsockname(listen_fd, (struct sockaddr *)&addr, &len), 0);
    ck_assert_int_eq(co_connect(client, (struct sockaddr *)&addr, len, soon()), 0);
    int fd = co_accept(listen_fd, NULL, NULL, soon());
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(co_park_fd(client, soon(), on_parked, NULL), 0);

    struct buf text;
    char want[80];
    buf_init(&text, 8 << 20);
    ck_assert_int_eq(dump_one(&text, CO_DUMP_TEXT), 0);
    snprintf(want, sizeof(want), "descriptor %d: parked, peer 127.0.0.1:%d, age 0.", client,
             ntohs(addr.sin_port));
    contains(&text, want);
    contains(&text, "(parked_main)");
    buf_clear(&text);
    ck_assert_int_eq(dump_all(&text, CO_DUMP_JSON, soon()), 0);
    snprintf(want, sizeof(want),
             "\"parked\":[{\"fd\":%d,\"peer\":\"127.0.0.1:%d\",\"age_ns\":", client,
             ntohs(addr.sin_port));
    contains(&text, want);
    contains(&text, "\"parked_unlisted\":0");

    for (size_t i = 0; i < PARKED; i++) {
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pairs[i]), 0);
        ck_assert_int_eq(co_park_fd(pairs[i][0], CO_NO_DEADLINE, on_parked, NULL), 0);
    }
    buf_clear(&text);
    ck_assert_int_eq(dump_one(&text, CO_DUMP_TEXT), 0);
    contains(&text, ": parked, peer unix, age ");
    contains(&text, "\nand 8 more parked descriptors\n");
    buf_clear(&text);
    ck_assert_int_eq(dump_one(&text, CO_DUMP_JSON), 0);
    contains(&text, "\"parked_unlisted\":8");
    buf_fini(&text);
    for (size_t i = 0; i < PARKED; i++)
        co_close(pairs[i][0]), co_close(pairs[i][1]);
    return co_close(client) + co_close(fd) + co_close(listen_fd);
}

START_TEST(parked_descriptors_are_listed)
{
    ck_assert_int_eq(co_run(parked_main, NULL, NULL), 0);
}
END_TEST

static bool may_end; /* atomic */

static int stuck(void *arg)
{
    (void)arg;
    while (!__atomic_load_n(&may_end, __ATOMIC_ACQUIRE))
        usleep(1000);
    return 0;
}

static int ready_fds[2];

static int other_loop_main(void *arg)
{
    (void)arg;
    ck_assert_int_eq(write(ready_fds[1], "x", 1), 1);
    return stuck(NULL);
}

static void *other_loop(void *arg)
{
    (void)arg;
    struct co_options options = {.name = "other", .watchdog_ns = -1};
    co_run(other_loop_main, NULL, &options);
    return NULL;
}

static int dump_all_main(void *arg)
{
    (void)arg;
    char c;
    struct buf text;
    buf_init(&text, 1 << 20);
    ck_assert_int_eq(co_read(ready_fds[0], &c, 1, soon()), 1);
    ck_assert_int_eq(dump_all(&text, CO_DUMP_TEXT, co_after(20 * NS_PER_MS)), 0);
    contains(&text, "loop other: busy");
    contains(&text, "loop main: ");
    buf_fini(&text);
    __atomic_store_n(&may_end, true, __ATOMIC_RELEASE);
    return 0;
}

START_TEST(a_busy_loop_is_listed_as_busy)
{
    pthread_t thread;
    may_end = false;
    ck_assert_int_eq(pipe2(ready_fds, O_NONBLOCK | O_CLOEXEC), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, other_loop, NULL), 0);
    ck_assert_int_eq(co_run(dump_all_main, NULL, NULL), 0);
    pthread_join(thread, NULL);
    close(ready_fds[0]), close(ready_fds[1]);
}
END_TEST

/* ---- the watchdog ---- */

static int reports; /* atomic */
static char report_task[64], report_function[64], report_stack[16384];

static void on_blocked(const struct co_blocked *blocked, void *arg)
{
    (void)arg;
    snprintf(report_task, sizeof(report_task), "%s", blocked->task);
    snprintf(report_function, sizeof(report_function), "%s", blocked->site->function);
    snprintf(report_stack, sizeof(report_stack), "%s", blocked->stack);
    __atomic_add_fetch(&reports, 1, __ATOMIC_RELEASE);
}

static void wait_for_reports(int wanted, int most_ms)
{
    for (int i = 0; i < most_ms && __atomic_load_n(&reports, __ATOMIC_ACQUIRE) < wanted; i++)
        usleep(1000);
}

static NOINLINE int block_in_a_static_function(void)
{
    wait_for_reports(1, 20000);
    __asm__ volatile("");
    return 0;
}

static int blocker(void *arg)
{
    (void)arg;
    block_in_a_static_function();
    wait_for_reports(2, 300); /* the same stretch is not reported again */
    return 0;
}

static int ignored_blocker(void *arg)
{
    (void)arg;
    co_watchdog_ignore(true);
    wait_for_reports(2, 300);
    return 0;
}

static bool is_as_expected;

static int watched_main(void *arg)
{
    (void)arg;
    for (int i = 0; i < 20; i++) /* switches: no report */
        ck_assert_int_eq(co_sleep(5 * NS_PER_MS), 0);
    is_as_expected = __atomic_load_n(&reports, __ATOMIC_ACQUIRE) == 0;
    ck_assert_int_eq(co_join(co_spawn_named("blocker", blocker, NULL), soon(), NULL), 0);
    is_as_expected &= __atomic_load_n(&reports, __ATOMIC_ACQUIRE) == 1;
    ck_assert_int_eq(co_join(co_spawn(ignored_blocker, NULL), soon(), NULL), 0);
    return 0;
}

START_TEST(scenario_29_the_watchdog_reports_a_blocked_loop_once)
{
    struct co_options options = {.watchdog_ns = 50 * NS_PER_MS};
    is_as_expected = false;
    /* a busy machine keeps the loop from running for so long now and then: that is told, too */
    for (int tries = 0; tries < 20 && !is_as_expected; tries++) {
        reports = 0;
        co_on_blocked(on_blocked, NULL);
        ck_assert_int_eq(co_run(watched_main, NULL, &options), 0);
        co_on_blocked(NULL, NULL);
        is_as_expected &= reports == 1;
    }
    ck_assert(is_as_expected);
    ck_assert_str_eq(report_task, "blocker");
    ck_assert_str_eq(report_function, "watched_main");
    ck_assert_ptr_nonnull(strstr(report_stack, "block_in_a_static_function"));
}
END_TEST

/* ---- deadlock ---- */

static struct co_mutex left, right;

static int takes_both(void *arg)
{
    bool is_left = arg != NULL;
    struct co_mutex *first = is_left ? &left : &right, *second = is_left ? &right : &left;
    ck_assert_int_eq(co_mutex_lock(first, CO_NO_DEADLINE), 0);
    ck_assert_int_eq(co_yield (), 0);
    int rv = co_mutex_lock(second, CO_NO_DEADLINE);
    if (rv == 0)
        co_mutex_unlock(second);
    co_mutex_unlock(first);
    return rv;
}

static int deadlock_main(void *arg)
{
    (void)arg;
    int a_result, b_result;
    co_mutex_init(&left);
    co_mutex_init(&right);
    struct co_task *a = co_spawn_named("takes left", takes_both, &left);
    struct co_task *b = co_spawn_named("takes right", takes_both, NULL);
    ck_assert_int_eq(co_join(a, CO_NO_DEADLINE, &a_result), -EDEADLK);
    ck_assert_int_eq(co_join(a, soon(), &a_result), 0);
    ck_assert_int_eq(co_join(b, soon(), &b_result), 0);
    ck_assert_int_eq(a_result, -EDEADLK);
    ck_assert_int_eq(b_result, -EDEADLK);
    return 0;
}

/* A child of a process with threads starts none of its own (ThreadSanitizer). */
static const struct co_options unwatched = {.watchdog_ns = -1};

static void deadlock_child(void)
{
    if (co_run(deadlock_main, NULL, &unwatched) != 0)
        _exit(1);
}

START_TEST(scenario_29_a_deadlock_is_an_error_that_says_who_waits_on_what)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    int status = in_child(deadlock_child, &text);
    contains(&text, "deadlock");
    contains(&text, "held by takes right");
    contains(&text, "held by takes left");
    contains(&text, "join of task");
    ck_assert_int_eq(status, 0);
    buf_fini(&text);
}
END_TEST

/* ---- overflow ---- */

static NOINLINE int eat(volatile char *last, int depth)
{
    volatile char block[512];
    block[0] = (char)depth;
    return depth > 1 << 20 ? *last : eat(block, depth + 1) + block[0];
}

static int eater(void *arg)
{
    return eat(arg, 0);
}

static int overflow_main(void *arg)
{
    (void)arg;
    char seed = 0;
    return co_join(co_spawn_named("eater", eater, &seed), soon(), NULL);
}

static void overflow_child(void)
{
    co_run(overflow_main, NULL, &unwatched);
}

START_TEST(scenario_30_an_overflow_is_named_and_then_fatal)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    int status = in_child(overflow_child, &text);
    contains(&text, "coro: task eater overflowed its stack, spawned at tests/unit/test_inspect.c:");
    contains(&text, "(overflow_main)");
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    buf_fini(&text);
}
END_TEST

/* ---- the signal ---- */

static int signalled_main(void *arg)
{
    (void)arg;
    ck_assert_int_eq(co_dump_on_signal(SIGQUIT), 0);
    raise(SIGQUIT);
    return co_sleep(NS_PER_S / 2); /* a sanitizer may deliver it late */
}

static void signalled_child(void)
{
    _exit(co_run(signalled_main, NULL, &unwatched) == 0 ? 0 : 1);
}

START_TEST(a_signal_prints_the_report)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    ck_assert_int_eq(in_child(signalled_child, &text), 0);
    contains(&text, "main: parked, sleep");
    contains(&text, "signalled_main");
    buf_fini(&text);
}
END_TEST

/* ---- stacks ---- */

static int goes_deep(void *arg)
{
    volatile char block[100000];
    for (size_t i = 0; i < sizeof(block); i++)
        block[i] = 1;
    (void)arg;
    return block[99840];
}

static int high_main(void *arg)
{
    (void)arg;
    struct co_counts counts;
    struct buf text;
    buf_init(&text, 1 << 20);
    ck_assert_int_eq(co_join(co_spawn(goes_deep, NULL), soon(), NULL), 0);
    ck_assert_int_eq(co_counts(&counts), 0);
    ck_assert_uint_eq(counts.trimmed, 1);
    ck_assert_uint_eq(counts.unguarded, 0);
    ck_assert_uint_gt(counts.switches, 0);
    ck_assert_int_eq(dump_one(&text, CO_DUMP_TEXT), 0);
    /* "  0  1  cpu  longest  10xxxx  file:line (high_main)" */
    char *line = strstr(text.data, "(high_main)");
    ck_assert_ptr_nonnull(line);
    while (line > text.data && line[-1] != '\n')
        line--;
    size_t high = 0;
    ck_assert_int_eq(sscanf(line, "%*u %*u %*f %*f %zu", &high), 1);
    ck_assert_uint_ge(high, 100000);
    ck_assert_uint_lt(high, 200000);
    buf_fini(&text);
    return 0;
}

START_TEST(a_deep_stack_is_measured_and_trimmed)
{
    ck_assert_int_eq(co_run(high_main, NULL, NULL), 0);
}
END_TEST

/* The signal first: ThreadSanitizer holds signals back for good in a child that was
 * forked beside a running watchdog. */
SUITE_MAIN("inspect", SUITE_TEST(a_signal_prints_the_report),
           SUITE_TEST(a_report_names_tasks_waits_and_static_functions),
           SUITE_TEST(parked_descriptors_are_listed), SUITE_TEST(a_busy_loop_is_listed_as_busy),
           SUITE_TEST(scenario_29_the_watchdog_reports_a_blocked_loop_once),
           SUITE_TEST(scenario_29_a_deadlock_is_an_error_that_says_who_waits_on_what),
           SUITE_TEST(scenario_30_an_overflow_is_named_and_then_fatal),
           SUITE_TEST(a_deep_stack_is_measured_and_trimmed))
