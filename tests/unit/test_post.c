/* Calls from other threads: each runs once, on the loop's thread, in order of posting. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>

#include "coro/internal.h"
#include "coro/sync.h"
#include "suite.h"

enum { THREADS = 4, POSTS = 500 };

struct shared {
    struct co_port *port;
    pthread_t loop_thread;
    struct co_event all;
    int next[THREADS]; /* what the next call of this thread must carry */
    int ran;
};

struct post {
    struct shared *shared;
    int thread;
    int number;
};

static struct post posts[THREADS][POSTS];

static void on_post(void *arg)
{
    struct post *post = arg;
    struct shared *shared = post->shared;
    ck_assert(pthread_equal(pthread_self(), shared->loop_thread));
    ck_assert_ptr_null(co_self()); /* the loop's own flow */
    ck_assert_int_eq(post->number, shared->next[post->thread]++);
    if (++shared->ran == THREADS * POSTS)
        co_event_set(&shared->all);
}

static void *poster(void *arg)
{
    struct post *first = arg;
    for (int i = 0; i < POSTS; i++)
        ck_assert_int_eq(co_port_post(first->shared->port, on_post, &first[i]), 0);
    return NULL;
}

static int receive_posts(void *arg)
{
    struct shared shared = {.port = co_port_get(), .loop_thread = pthread_self()};
    pthread_t threads[THREADS];
    (void)arg;
    co_event_init(&shared.all);
    for (int t = 0; t < THREADS; t++) {
        for (int i = 0; i < POSTS; i++)
            posts[t][i] = (struct post){&shared, t, i};
        ck_assert_int_eq(pthread_create(&threads[t], NULL, poster, posts[t]), 0);
    }
    ck_assert_int_eq(co_event_wait(&shared.all, co_after(30 * NS_PER_S)), 0);
    for (int t = 0; t < THREADS; t++)
        pthread_join(threads[t], NULL);
    ck_assert_int_eq(shared.ran, THREADS * POSTS);
    co_port_unref(shared.port);
    return 0;
}

START_TEST(each_threads_posts_run_once_in_order)
{
    ck_assert_int_eq(co_run(receive_posts, NULL, NULL), 0);
}
END_TEST

/* ---- posts that post ---- */

static int chain_length;

static void post_next(void *arg)
{
    chain_length++;
    if (chain_length < 5)
        ck_assert_int_eq(co_port_post(arg, post_next, arg), 0);
}

static int chained(void *arg)
{
    (void)arg;
    chain_length = 0;
    struct co_port *port = co_port_get();
    ck_assert_int_eq(co_port_post(port, post_next, port), 0);
    ck_assert_int_eq(chain_length, 0); /* soon, not now */
    while (chain_length < 5)
        ck_assert_int_eq(co_sleep(NS_PER_MS), 0);
    co_port_unref(port);
    return 0;
}

START_TEST(a_call_may_post_the_next)
{
    ck_assert_int_eq(co_run(chained, NULL, NULL), 0);
}
END_TEST

/* ---- the end of the loop ---- */

static int ran_late; /* atomic */

static void count_late(void *arg)
{
    (void)arg;
    __atomic_add_fetch(&ran_late, 1, __ATOMIC_RELEASE);
}

static struct co_port *kept;

static int posts_and_ends(void *arg)
{
    (void)arg;
    kept = co_port_get();
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(co_port_post(kept, count_late, NULL), 0);
    return 0;
}

START_TEST(what_is_posted_runs_even_if_the_loop_ends)
{
    ran_late = 0;
    ck_assert_int_eq(co_run(posts_and_ends, NULL, NULL), 0);
    ck_assert_int_eq(ran_late, 3);
    /* a port that somebody holds outlives its loop, closed */
    ck_assert_int_eq(co_port_post(kept, count_late, NULL), -ESHUTDOWN);
    struct co_post late = {.fn = count_late};
    ck_assert_int_eq(coro_port_post(kept, &late), -ESHUTDOWN);
    co_port_unref(co_port_ref(kept));
    ck_assert_int_eq(co_port_post(kept, count_late, NULL), -ESHUTDOWN);
    ck_assert_int_eq(ran_late, 3);
    co_port_unref(kept);
    co_port_unref(NULL);
}
END_TEST

/* A thread that knows nothing of when the loop ends. */
static int accepted; /* atomic */

/* So far ahead of a loop that does not get a CPU. */
#define AHEAD_MAX 1000

static void *posts_until_refused(void *arg)
{
    int rv;
    while ((rv = co_port_post(arg, count_late, NULL)) == 0) {
        int posted = __atomic_add_fetch(&accepted, 1, __ATOMIC_RELEASE);
        while (posted - __atomic_load_n(&ran_late, __ATOMIC_ACQUIRE) > AHEAD_MAX)
            sched_yield();
    }
    co_port_unref(arg);
    return (void *)(intptr_t)rv;
}

static int starts_posters(void *arg)
{
    pthread_t *threads = arg;
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, posts_until_refused, co_port_get()), 0);
    while (__atomic_load_n(&accepted, __ATOMIC_ACQUIRE) == 0)
        ck_assert_int_eq(co_yield (), 0);
    return 0;
}

START_TEST(posting_to_a_loop_that_ends_is_refused_and_never_lost)
{
    pthread_t threads[THREADS];
    for (int round = 0; round < 20; round++) {
        ran_late = 0;
        accepted = 0;
        ck_assert_int_eq(co_run(starts_posters, threads, NULL), 0);
        for (int i = 0; i < THREADS; i++) {
            void *why;
            pthread_join(threads[i], &why);
            ck_assert_int_eq((intptr_t)why, -ESHUTDOWN);
        }
        ck_assert_int_eq(ran_late, accepted);
    }
}
END_TEST

static int late_task_result;

static int late_task(void *arg)
{
    (void)arg;
    late_task_result = co_sleep(NS_PER_S);
    return 0;
}

static void spawn_late(void *arg)
{
    (void)arg;
    co_detach(co_spawn(late_task, NULL));
}

static int posts_a_spawn_and_ends(void *arg)
{
    (void)arg;
    struct co_port *port = co_port_get();
    ck_assert_int_eq(co_port_post(port, spawn_late, NULL), 0);
    co_port_unref(port);
    return 0;
}

START_TEST(a_task_spawned_by_the_last_post_runs_cancelled)
{
    late_task_result = 1;
    ck_assert_int_eq(co_run(posts_a_spawn_and_ends, NULL, NULL), 0);
    ck_assert_int_eq(late_task_result, -ECANCELED);
}
END_TEST

/* ---- deadlocks ---- */

static bool is_waiting; /* atomic */

static void *holds_for_a_while(void *arg)
{
    /* the loop is in its poll, or about to be */
    while (!__atomic_load_n(&is_waiting, __ATOMIC_ACQUIRE))
        sched_yield();
    co_port_unref(arg);
    return NULL;
}

static int waits_in_vain(void *arg)
{
    pthread_t thread;
    struct co_event never;
    (void)arg;
    co_event_init(&never);
    is_waiting = false;
    ck_assert_int_eq(pthread_create(&thread, NULL, holds_for_a_while, co_port_get()), 0);
    __atomic_store_n(&is_waiting, true, __ATOMIC_RELEASE);
    int rv = co_event_wait(&never, CO_NO_DEADLINE);
    pthread_join(thread, NULL);
    co_event_fini(&never);
    return rv;
}

START_TEST(a_loop_is_deadlocked_when_the_last_hold_is_given_back)
{
    for (int round = 0; round < 20; round++)
        ck_assert_int_eq(co_run(waits_in_vain, NULL, NULL), -EDEADLK);
}
END_TEST

SUITE_MAIN("post", SUITE_TEST(each_threads_posts_run_once_in_order),
           SUITE_TEST(a_call_may_post_the_next),
           SUITE_TEST(what_is_posted_runs_even_if_the_loop_ends),
           SUITE_TEST(posting_to_a_loop_that_ends_is_refused_and_never_lost),
           SUITE_TEST(a_task_spawned_by_the_last_post_runs_cancelled),
           SUITE_TEST(a_loop_is_deadlocked_when_the_last_hold_is_given_back))
