/* What processes use: CPU of a family, its memory, children that have ended. */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "coro/base/clock.h"
#include "loadgen/usage.h"
#include "suite.h"

static void burn(int64_t ns)
{
    int64_t until_ns = clock_read_ns(CLOCK_PROCESS_CPUTIME_ID) + ns;
    while (clock_read_ns(CLOCK_PROCESS_CPUTIME_ID) < until_ns)
        ;
}

/* A child that tells when it has burnt, then waits to be told to end. */
static pid_t spawn_burner(int64_t ns, int *ret_ready, int *ret_hold)
{
    int ready[2], hold[2];
    ck_assert_int_eq(pipe(ready), 0);
    ck_assert_int_eq(pipe(hold), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        char byte = 0;
        close(hold[1]);
        burn(ns);
        if (write(ready[1], &byte, 1) < 0 || read(hold[0], &byte, 1) < 0)
            _exit(1);
        _exit(0);
    }
    close(ready[1]);
    close(hold[0]);
    *ret_ready = ready[0];
    *ret_hold = hold[1];
    return pid;
}

START_TEST(children_count_alive_and_dead)
{
    int64_t before_ns, alive_ns, dead_ns;
    int ready, hold;
    char byte;
    ck_assert_int_eq(lg_usage_cpu_ns(getpid(), &before_ns), 0);
    pid_t pid = spawn_burner(60 * NS_PER_MS, &ready, &hold);
    ck_assert_int_eq(read(ready, &byte, 1), 1);
    ck_assert_int_eq(lg_usage_cpu_ns(getpid(), &alive_ns), 0);
    ck_assert_int_ge(alive_ns - before_ns, 60 * NS_PER_MS);
    close(hold);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    ck_assert_int_eq(lg_usage_cpu_ns(getpid(), &dead_ns), 0);
    /* the account of ended children is in ticks of 10 ms, user and system apart */
    ck_assert_int_ge(dead_ns - before_ns, 40 * NS_PER_MS);
    close(ready);
}
END_TEST

START_TEST(memory_and_numbers_of_a_family)
{
    struct lg_memory alone, both;
    int ready, hold;
    char byte;
    ck_assert_int_eq(lg_usage_memory(getpid(), &alone), 0);
    ck_assert_int_eq(alone.processes, 1);
    ck_assert_int_ge(alone.threads, 1);
    pid_t pid = spawn_burner(0, &ready, &hold);
    ck_assert_int_eq(read(ready, &byte, 1), 1);
    ck_assert_int_eq(lg_usage_memory(getpid(), &both), 0);
    ck_assert_int_eq(both.processes, 2);
    close(hold);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    close(ready);
}
END_TEST

START_TEST(nobody_there)
{
    int64_t ns;
    struct lg_memory memory;
    ck_assert_int_eq(lg_usage_cpu_ns(0x3ffffff, &ns), -ESRCH);
    ck_assert_int_eq(lg_usage_memory(0x3ffffff, &memory), -ESRCH);
}
END_TEST

START_TEST(the_machine_is_busy_with_us)
{
    struct lg_machine before, after;
    ck_assert_int_eq(lg_usage_machine(-1, &before), 0);
    burn(100 * NS_PER_MS);
    ck_assert_int_eq(lg_usage_machine(-1, &after), 0);
    ck_assert_int_ge(after.busy_ns - before.busy_ns, 50 * NS_PER_MS);
    ck_assert_int_eq(lg_usage_machine(100000, &after), -ESRCH);
}
END_TEST

SUITE_MAIN("usage", SUITE_TEST(children_count_alive_and_dead),
           SUITE_TEST(memory_and_numbers_of_a_family), SUITE_TEST(nobody_there),
           SUITE_TEST(the_machine_is_busy_with_us))
