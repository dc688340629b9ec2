/* The life of tasks: order, join, detach, cancel, sleep, and posts. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "coro/coro.h"
#include "coro/inspect.h"
#include "suite.h"

static char trace[256];

static void mark(const char *what)
{
    strcat(trace, what);
}

/* Run fn as the first task of a loop. */
static int run(co_fn *fn)
{
    trace[0] = 0;
    return co_run(fn, NULL, NULL);
}

/* ---- order ---- */

static int two_steps(void *arg)
{
    const char *name = arg;
    mark("1"), mark(name), mark(" ");
    ck_assert_int_eq(co_yield (), 0);
    mark("2"), mark(name), mark(" ");
    return 0;
}

static int order_main(void *arg)
{
    (void)arg;
    struct co_task *a = co_spawn(two_steps, "A"), *b = co_spawn(two_steps, "B");
    ck_assert_int_eq(co_join(a, CO_NO_DEADLINE, NULL), 0);
    ck_assert_int_eq(co_join(b, CO_NO_DEADLINE, NULL), 0);
    return 7;
}

START_TEST(tasks_take_turns)
{
    ck_assert_int_eq(run(order_main), 7);
    ck_assert_str_eq(trace, "1A 1B 2A 2B ");
}
END_TEST

static int64_t sleep_base_ns;
static bool is_late; /* one was kept from going to sleep before another was due */

static int sleeper(void *arg)
{
    int64_t until_ns = sleep_base_ns + (intptr_t)arg * NS_PER_MS;
    is_late |= clock_now_ns() > sleep_base_ns;
    ck_assert_int_eq(co_sleep_until(until_ns), 0);
    ck_assert_int_ge(clock_now_ns(), until_ns);
    char name[8] = {(char)('0' + (intptr_t)arg / 10), 0};
    mark(name);
    return 0;
}

static int sleepers_main(void *arg)
{
    (void)arg;
    static const intptr_t spans[] = {30, 40, 10, 20};
    struct co_task *tasks[4];
    is_late = true;
    for (int64_t ahead_ns = 100 * NS_PER_MS; is_late; ahead_ns *= 2) {
        trace[0] = '\0';
        is_late = false;
        sleep_base_ns = co_after(ahead_ns); /* all sleep by then, if the machine lets them */
        for (int i = 0; i < 4; i++)
            tasks[i] = co_spawn(sleeper, (void *)spans[i]);
        for (int i = 0; i < 4; i++)
            ck_assert_int_eq(co_join(tasks[i], CO_NO_DEADLINE, NULL), 0);
    }
    return 0;
}

START_TEST(sleeps_end_in_the_order_of_their_deadlines)
{
    ck_assert_int_eq(run(sleepers_main), 0);
    ck_assert_str_eq(trace, "1234");
}
END_TEST

/* ---- join ---- */

static int give(void *arg)
{
    return (int)(intptr_t)arg;
}

static int wait_for_ever(void *arg)
{
    (void)arg;
    int rv = co_sleep_until(CO_NO_DEADLINE);
    mark("woken ");
    ck_assert_int_eq(co_yield (), -ECANCELED);
    ck_assert_int_eq(co_sleep(1), -ECANCELED);
    return rv;
}

static int second_joiner(void *arg)
{
    return co_join(arg, CO_NO_DEADLINE, NULL);
}

static int joins_main(void *arg)
{
    (void)arg;
    int result = 0;
    struct co_task *task = co_spawn(give, (void *)42);
    ck_assert_int_eq(co_join(task, CO_NO_DEADLINE, &result), 0);
    ck_assert_int_eq(result, 42);
    /* ended before the join */
    task = co_spawn(give, (void *)-5);
    ck_assert_int_eq(co_yield (), 0);
    ck_assert_int_eq(co_join(task, CO_NO_DEADLINE, &result), 0);
    ck_assert_int_eq(result, -5);

    ck_assert_int_eq(co_join(co_self(), CO_NO_DEADLINE, NULL), -EDEADLK);
    task = co_spawn(wait_for_ever, NULL);
    ck_assert_int_eq(co_join(task, co_after(NS_PER_MS), &result), -ETIMEDOUT);
    struct co_task *other = co_spawn(second_joiner, task);
    ck_assert_int_eq(co_yield (), 0);
    ck_assert_int_eq(co_join(task, CO_NO_DEADLINE, NULL), -EBUSY);
    co_cancel(task);
    co_cancel(task);
    ck_assert_int_eq(co_join(other, CO_NO_DEADLINE, &result), 0);
    ck_assert_int_eq(result, 0);
    return 0;
}

START_TEST(join_gives_results_and_refuses_misuse)
{
    ck_assert_int_eq(run(joins_main), 0);
    ck_assert_str_eq(trace, "woken ");
}
END_TEST

static int joined_twice_main(void *arg)
{
    (void)arg;
    struct co_task *task = co_spawn(give, NULL);
    ck_assert_int_eq(co_join(task, CO_NO_DEADLINE, NULL), 0);
    ck_assert_int_eq(co_join(task, CO_NO_DEADLINE, NULL), -EINVAL);
    co_cancel(task); /* of the dead: harmless */
    task = co_spawn(give, NULL);
    co_detach(task);
    ck_assert_int_eq(co_join(task, CO_NO_DEADLINE, NULL), -EINVAL);
    co_detach(NULL);
    return 0;
}

START_TEST(a_task_is_joined_once)
{
    ck_assert_int_eq(run(joined_twice_main), 0);
}
END_TEST

/* ---- misuse that no return value could repair ---- */

static int detach_joined(void *arg)
{
    (void)arg;
    struct co_task *task = co_spawn(wait_for_ever, NULL);
    co_detach(co_spawn(second_joiner, task));
    co_yield ();
    co_detach(task);
    return 0;
}

static int detach_twice(void *arg)
{
    (void)arg;
    struct co_task *task = co_spawn(wait_for_ever, NULL);
    co_detach(task);
    co_detach(task);
    return 0;
}

static int enable_alone(void *arg)
{
    (void)arg;
    co_cancel_enable();
    return 0;
}

static int leave_outer_scope(void *arg)
{
    (void)arg;
    struct co_scope outer, inner;
    co_scope_enter(&outer, CO_NO_DEADLINE);
    co_scope_enter(&inner, CO_NO_DEADLINE);
    co_scope_leave(&outer);
    return 0;
}

static void sleep_outside(void *arg)
{
    (void)arg;
    (void)!co_sleep(NS_PER_MS);
}

static int post_a_sleep(void *arg)
{
    (void)arg;
    struct co_port *port = co_port_get();
    ck_assert_int_eq(co_port_post(port, sleep_outside, NULL), 0);
    return co_sleep(NS_PER_S);
}

static const struct {
    co_fn *fn;
    const char *says;
} fatal[] = {{detach_joined, "coro: co_detach of a task that is joined"},
             {detach_twice, "coro: co_detach of a task that is joined"},
             {enable_alone, "coro: co_cancel_enable without co_cancel_disable"},
             {leave_outer_scope, "coro: co_scope_leave of a scope that is not the innermost"},
             {post_a_sleep, "coro: co_sleep called outside a task"}};

START_TEST(misuse_is_named_and_fatal)
{
    int ends[2], status;
    char text[4096];
    size_t len = 0;
    ssize_t n;
    ck_assert_int_eq(pipe(ends), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        /* no watchdog: a child of threads may not start some under TSan */
        co_run(fatal[_i].fn, NULL, &(struct co_options){.watchdog_ns = -1});
        _exit(0);
    }
    close(ends[1]);
    while (len < sizeof(text) - 1 && (n = read(ends[0], text + len, sizeof(text) - 1 - len)) > 0)
        len += (size_t)n;
    text[len] = '\0';
    close(ends[0]);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    ck_assert_msg(strstr(text, fatal[_i].says) != NULL, "said: %s", text);
}
END_TEST

/* ---- cancel ---- */

static int cancel_main(void *arg)
{
    (void)arg;
    int result;
    struct co_task *task = co_spawn_named("victim", wait_for_ever, NULL);
    ck_assert_str_eq(co_task_name(task), "victim");
    ck_assert_int_eq(co_yield (), 0);
    co_cancel(task);
    ck_assert_int_eq(co_join(task, CO_NO_DEADLINE, &result), 0);
    ck_assert_int_eq(result, -ECANCELED);
    /* left behind: co_run cancels and joins it */
    co_detach(co_spawn(wait_for_ever, NULL));
    ck_assert_int_eq(co_yield (), 0);
    return 3;
}

START_TEST(cancel_is_sticky_and_the_end_of_the_loop_cancels)
{
    ck_assert_int_eq(run(cancel_main), 3);
    ck_assert_str_eq(trace, "woken woken ");
}
END_TEST

/* ---- many ---- */

#if defined(__SANITIZE_THREAD__)
#define MANY 500 /* its fibers are slow to make */
#else
#define MANY 5000
#endif

static int nap(void *arg)
{
    return co_sleep((intptr_t)arg % 7 * NS_PER_MS);
}

static int many_main(void *arg)
{
    (void)arg;
    static struct co_task *tasks[MANY];
    for (int round = 0; round < 2; round++) {
        for (intptr_t i = 0; i < MANY; i++) {
            tasks[i] = co_spawn(nap, (void *)i);
            ck_assert_ptr_nonnull(tasks[i]);
        }
        for (int i = 0; i < MANY; i++)
            ck_assert_int_eq(co_join(tasks[i], CO_NO_DEADLINE, NULL), 0);
    }
    return 0;
}

START_TEST(many_tasks_sleep_and_are_joined_twice)
{
    ck_assert_int_eq(run(many_main), 0);
}
END_TEST

/* ---- a hundred thousand ---- */

#if defined(__SANITIZE_THREAD__)
#define CROWD 500
#elif defined(__SANITIZE_ADDRESS__)
#define CROWD 5000 /* of 1 MiB each */
#else
#define CROWD 100000
#endif

static int crowd_member(void *arg)
{
    (void)arg;
    return co_sleep_until(CO_NO_DEADLINE);
}

static int crowd_main(void *arg)
{
    (void)arg;
    static struct co_task *tasks[CROWD];
    struct co_counts counts;
    for (int i = 0; i < CROWD; i++) /* an assertion writes a message: not one a task */
        if ((tasks[i] = co_spawn(crowd_member, NULL)) == NULL)
            ck_abort_msg("task %d: no memory", i);
    ck_assert_int_eq(co_yield (), 0);
    ck_assert_int_eq(co_counts(&counts), 0);
    ck_assert_uint_eq(counts.alive, CROWD + 1);
    ck_assert_uint_eq(counts.unguarded, 0);
    int cancelled = 0;
    for (int i = 0; i < CROWD; i++) {
        int result = 0;
        co_cancel(tasks[i]);
        cancelled += co_join(tasks[i], CO_NO_DEADLINE, &result) == 0 && result == -ECANCELED;
    }
    ck_assert_int_eq(cancelled, CROWD);
    return 0;
}

START_TEST(scenario_30_a_hundred_thousand_guarded_tasks)
{
    ck_assert_int_eq(run(crowd_main), 0);
}
END_TEST

/* ---- starvation ---- */

static bool is_done;

static int endless_yielder(void *arg)
{
    (void)arg;
    while (!is_done && co_yield () == 0)
        ;
    return 0;
}

static int starvation_main(void *arg)
{
    (void)arg;
    is_done = false;
    for (int i = 0; i < 3; i++)
        co_detach(co_spawn(endless_yielder, NULL));
    int64_t late_ns = INT64_MAX; /* the bound is 5 ms; the machine may be busy, but not each time */
    for (int tries = 0; tries < 20 && late_ns >= 500 * NS_PER_MS; tries++) {
        late_ns = co_after(10 * NS_PER_MS);
        ck_assert_int_eq(co_sleep_until(late_ns), 0);
        late_ns = clock_now_ns() - late_ns;
    }
    is_done = true;
    ck_assert_int_lt(late_ns, 500 * NS_PER_MS);
    return 0;
}

START_TEST(yielders_do_not_starve_timers)
{
    ck_assert_int_eq(run(starvation_main), 0);
}
END_TEST

/* ---- posts ---- */

#define POSTS 1000

static int posts_seen;
static struct co_task *post_waiter;

static void on_post(void *arg)
{
    ck_assert_int_eq((intptr_t)arg, posts_seen);
    if (++posts_seen == POSTS)
        co_cancel(post_waiter);
}

static void *poster(void *arg)
{
    for (intptr_t i = 0; i < POSTS; i++)
        ck_assert_int_eq(co_port_post(arg, on_post, (void *)i), 0);
    co_port_unref(arg);
    return NULL;
}

static int posts_main(void *arg)
{
    (void)arg;
    posts_seen = 0;
    post_waiter = co_spawn(wait_for_ever, NULL);
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, poster, co_port_get()), 0);
    ck_assert_int_eq(co_join(post_waiter, CO_NO_DEADLINE, NULL), 0);
    pthread_join(thread, NULL);
    return posts_seen;
}

START_TEST(posts_run_in_order)
{
    ck_assert_int_eq(run(posts_main), POSTS);
}
END_TEST

static int nested_main(void *arg)
{
    (void)arg;
    return co_run(give, NULL, NULL);
}

START_TEST(outside_and_nested)
{
    ck_assert_ptr_null(co_self());
    ck_assert_ptr_null(co_port_get());
    ck_assert_ptr_null(co_spawn(give, NULL));
    ck_assert_int_eq(run(nested_main), -EBUSY);
}
END_TEST

START_TEST(the_smallest_stacks_live_and_end)
{
    trace[0] = 0;
    ck_assert_int_eq(co_run(order_main, NULL, &(struct co_options){.stack_bytes = 1}), 7);
}
END_TEST

SUITE_MAIN("task", SUITE_TEST(the_smallest_stacks_live_and_end), SUITE_TEST(tasks_take_turns),
           SUITE_TEST(sleeps_end_in_the_order_of_their_deadlines),
           SUITE_TEST(join_gives_results_and_refuses_misuse), SUITE_TEST(a_task_is_joined_once),
           SUITE_LOOP(misuse_is_named_and_fatal, fatal),
           SUITE_TEST(cancel_is_sticky_and_the_end_of_the_loop_cancels),
           SUITE_TEST(many_tasks_sleep_and_are_joined_twice),
           SUITE_TEST(scenario_30_a_hundred_thousand_guarded_tasks),
           SUITE_TEST(yielders_do_not_starve_timers), SUITE_TEST(posts_run_in_order),
           SUITE_TEST(outside_and_nested))
