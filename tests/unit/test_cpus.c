/* CPUs this process may use: its affinity mask and its cgroup's quota. */
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/mode/cpus.h"
#include "suite.h"

static const struct {
    const char *text;
    unsigned cpus;
} quotas[] = {
    {"max 100000\n", 0},
    {"100000 100000\n", 1},
    {"150000 100000\n", 2},
    {"50000 100000\n", 1},
    {"", 0},
    {"0 100000", 0},
    {"100000 0", 0},
    {"-1 100000", 0},
};

START_TEST(quotas_are_rounded_up_to_cpus)
{
    ck_assert_uint_eq(cpus_of_quota(quotas[_i].text), quotas[_i].cpus);
}
END_TEST

START_TEST(one_cpu_is_all_that_a_pinned_process_may_use)
{
    unsigned before = cpus_usable();
    cpu_set_t all, one;
    ck_assert_uint_ge(before, 1);
    ck_assert_int_eq(sched_getaffinity(0, sizeof all, &all), 0);
    ck_assert_uint_le(before, (unsigned)CPU_COUNT(&all));
    size_t cpu = 0;
    while (!CPU_ISSET(cpu, &all))
        cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    pid_t pid = fork();
    if (pid == 0)
        _exit(sched_setaffinity(0, sizeof one, &one) == 0 ? (int)cpus_usable() : 99);
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 1);
}
END_TEST

SUITE_MAIN("cpus", SUITE_LOOP(quotas_are_rounded_up_to_cpus, quotas),
           SUITE_TEST(one_cpu_is_all_that_a_pinned_process_may_use))
