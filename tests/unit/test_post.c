/* Calls from other threads: each runs once, on the loop's thread, in order of posting. */
#include <errno.h>
#include <pthread.h>

#include "coro/internal.h"
#include "coro/sync.h"
#include "suite.h"

enum { THREADS = 4, POSTS = 500 };

struct shared {
    struct co_loop *loop;
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
        ck_assert_int_eq(co_loop_post(first->shared->loop, on_post, &first[i]), 0);
    return NULL;
}

static int receive_posts(void *arg)
{
    struct shared shared = {.loop = co_loop_self(), .loop_thread = pthread_self()};
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
        ck_assert_int_eq(co_loop_post(arg, post_next, arg), 0);
}

static int chained(void *arg)
{
    (void)arg;
    chain_length = 0;
    ck_assert_int_eq(co_loop_post(co_loop_self(), post_next, co_loop_self()), 0);
    ck_assert_int_eq(chain_length, 0); /* soon, not now */
    while (chain_length < 5)
        ck_assert_int_eq(co_sleep(NS_PER_MS), 0);
    return 0;
}

START_TEST(a_call_may_post_the_next)
{
    ck_assert_int_eq(co_run(chained, NULL, NULL), 0);
}
END_TEST

/* ---- the end of the loop ---- */

static int ran_late;

static void count_late(void *arg)
{
    (void)arg;
    ran_late++;
}

static struct co_port *kept;

static int posts_and_ends(void *arg)
{
    (void)arg;
    struct co_loop *loop = co_loop_self();
    kept = coro_port_ref(loop->port);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(co_loop_post(loop, count_late, NULL), 0);
    return 0;
}

START_TEST(what_is_posted_runs_even_if_the_loop_ends)
{
    struct co_post late = {.fn = count_late};
    ran_late = 0;
    ck_assert_int_eq(co_run(posts_and_ends, NULL, NULL), 0);
    ck_assert_int_eq(ran_late, 3);
    /* a port that somebody holds outlives its loop, closed */
    ck_assert_int_eq(coro_port_post(kept, &late), -ESHUTDOWN);
    ck_assert_int_eq(ran_late, 3);
    coro_port_unref(kept);
}
END_TEST

SUITE_MAIN("post", SUITE_TEST(each_threads_posts_run_once_in_order),
           SUITE_TEST(a_call_may_post_the_next),
           SUITE_TEST(what_is_posted_runs_even_if_the_loop_ends))
