/* Shares of the CPU: asked for by the thread itself, as the kernel tells them. */
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "coro/base/cpu_share.h"
#include "suite.h"

/* As much of the kernel's struct sched_attr as is looked at (version 0). */
struct seen {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns, deadline_ns, period_ns;
};

static struct seen look(void)
{
    struct seen seen = {.size = sizeof seen};
    ck_assert_int_eq(syscall(SYS_sched_getattr, 0, &seen, sizeof seen, 0), 0);
    return seen;
}

static void *in_background(void *arg)
{
    cpu_share_background();
    *(struct seen *)arg = look();
    return NULL;
}

/* What a thread in the background sees of itself. */
static struct seen background(void)
{
    struct seen seen;
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, in_background, &seen), 0);
    pthread_join(thread, NULL);
    return seen;
}

START_TEST(prompt_asks_for_short_slices_and_leaves_the_rest)
{
    struct seen before = look();
    cpu_share_prompt();
    struct seen after = look();
    ck_assert_int_eq(after.nice, before.nice);
    ck_assert_uint_eq(after.policy, before.policy);
    if (before.runtime_ns != 0) /* a kernel that tells slices */
        ck_assert_uint_eq(after.runtime_ns, 100 * 1000);
}
END_TEST

START_TEST(background_is_nicer_than_the_thread_that_started_it)
{
    struct seen usual = look();
    cpu_share_prompt();
    struct seen seen = background();
    ck_assert_int_eq(seen.nice, usual.nice > 5 ? usual.nice : 5);
    ck_assert(seen.runtime_ns == 0 || seen.runtime_ns > 100 * 1000); /* 0: not told */
    ck_assert_int_eq(look().nice, usual.nice);                       /* the other one alone */
}
END_TEST

START_TEST(background_takes_no_niceness_away)
{
    ck_assert_int_eq(setpriority(PRIO_PROCESS, 0, 12), 0);
    ck_assert_int_eq(background().nice, 12);
}
END_TEST

static void *with_another_policy(void *arg)
{
    struct sched_param none = {0};
    ck_assert_int_eq(sched_setscheduler(0, SCHED_BATCH, &none), 0);
    cpu_share_background();
    *(struct seen *)arg = look();
    return NULL;
}

START_TEST(another_policy_is_left_alone)
{
    struct seen seen, usual = look();
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, with_another_policy, &seen), 0);
    pthread_join(thread, NULL);
    ck_assert_uint_eq(seen.policy, SCHED_BATCH);
    ck_assert_int_eq(seen.nice, usual.nice);
}
END_TEST

/* Allowed or not: what it says is what it did, and a child can undo it. */
START_TEST(ahead_says_by_how_much)
{
    struct seen before = look();
    int steps = cpu_share_ahead();
    ck_assert_int_eq(look().nice, before.nice - steps);
    ck_assert(steps == 0 || steps == 10 || look().nice == -20);
    pid_t child = fork();
    if (child == 0) {
        cpu_share_give_back(steps);
        _exit(look().nice == before.nice ? 0 : 1);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}
END_TEST

/* As the superuser this is what it does, and no more than there is. */
START_TEST(ahead_ends_at_the_least_niceness)
{
    if (setpriority(PRIO_PROCESS, 0, -15) < 0)
        return; /* not allowed here: see the other test */
    ck_assert_int_eq(cpu_share_ahead(), 5);
    ck_assert_int_eq(look().nice, -20);
    ck_assert_int_eq(cpu_share_ahead(), 0);
    cpu_share_give_back(5);
    ck_assert_int_eq(look().nice, -15);
}
END_TEST

SUITE_MAIN("cpu_share", SUITE_TEST(prompt_asks_for_short_slices_and_leaves_the_rest),
           SUITE_TEST(background_is_nicer_than_the_thread_that_started_it),
           SUITE_TEST(background_takes_no_niceness_away), SUITE_TEST(another_policy_is_left_alone),
           SUITE_TEST(ahead_says_by_how_much), SUITE_TEST(ahead_ends_at_the_least_niceness))
