/* Snapshots: exact at rest and when asked, stale when a worker is stuck. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include "coro/prof/prof.h"
#include "coro/prof/snapshot.h"
#include "coro/prof/worker.h"
#include "suite.h"

static atomic_bool stop;
static atomic_int at;

static void work(void)
{
    PROF_FN();
    PROF_SCOPE("{nothing}");
}

static uint64_t sum_self(const struct prof_snapshot *s, const struct prof_snapshot_worker *w)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < w->node_count; i++)
        sum += prof_snapshot_nodes(s)[w->first_node + i].self;
    return sum;
}

static const struct prof_node *find(const struct prof_snapshot *s, const char *name)
{
    for (uint32_t i = 0; i < s->node_count; i++) {
        const struct prof_node *n = &prof_snapshot_nodes(s)[i];
        if (n->site != NULL && strcmp(n->site->name, name) == 0)
            return n;
    }
    return NULL;
}

/* Works and looks up often, as a server's loop does. */
static void *busy_main(void *arg)
{
    (void)arg;
    ck_assert_int_eq(prof_worker_open("busy"), 0);
    atomic_fetch_add(&at, 1);
    while (!atomic_load(&stop)) {
        for (int i = 0; i < 100; i++)
            work();
        prof_wait_begin();
        sched_yield();
        prof_wait_end();
    }
    prof_worker_close();
    return NULL;
}

/* Never looks up. */
static void *stuck_main(void *arg)
{
    (void)arg;
    ck_assert_int_eq(prof_worker_open("stuck"), 0);
    PROF_SCOPE("stuck here");
    atomic_fetch_add(&at, 1);
    while (!atomic_load(&stop))
        sched_yield();
    prof_worker_close();
    return NULL;
}

/* Blocked for good, as in a read. */
static void *resting_main(void *arg)
{
    (void)arg;
    ck_assert_int_eq(prof_worker_open("resting"), 0);
    work();
    {
        PROF_SCOPE("{read}");
        prof_wait_begin();
        atomic_fetch_add(&at, 1);
        while (!atomic_load(&stop))
            sched_yield();
        prof_wait_end();
    }
    prof_worker_close();
    return NULL;
}

static void start(void *(*const mains[])(void *), pthread_t *threads, int n)
{
    ck_assert_int_eq(prof_segment_create((unsigned)n + 1), 0);
    atomic_store(&stop, false);
    atomic_store(&at, 0);
    for (int i = 0; i < n; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, mains[i], NULL), 0);
    while (atomic_load(&at) < n)
        sched_yield();
}

static void finish(pthread_t *threads, int n)
{
    atomic_store(&stop, true);
    for (int i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
}

START_TEST(moving_workers_give_exact_copies)
{
    pthread_t threads[3];
    start((void *(*const[])(void *)){busy_main, busy_main, resting_main}, threads, 3);
    uint64_t calls_before = 0;
    for (int round = 0; round < 50; round++) {
        struct prof_snapshot *s;
        ck_assert_int_eq(prof_snapshot_take(NS_PER_S, &s), 0);
        ck_assert_uint_eq(s->worker_count, 3);
        uint64_t calls = 0;
        for (uint32_t i = 0; i < s->worker_count; i++) {
            const struct prof_snapshot_worker *w = &prof_snapshot_workers(s)[i];
            ck_assert(!w->is_stale);
            ck_assert(w->is_open);
            ck_assert_uint_eq(sum_self(s, w), w->run);
            const struct prof_node *nodes = prof_snapshot_nodes(s) + w->first_node;
            for (uint32_t n = 1; n < w->node_count; n++)
                ck_assert_uint_lt(nodes[n].parent, n);
            for (uint32_t n = 2; n + 1 < w->node_count && nodes[n].site != NULL; n++)
                if (strcmp(nodes[n].site->name, "work") == 0) {
                    calls += nodes[n].calls;
                    ck_assert_uint_eq(nodes[n + 1].calls, nodes[n].calls);
                }
        }
        ck_assert_uint_ge(calls, calls_before);
        calls_before = calls;
        prof_snapshot_free(s);
    }
    finish(threads, 3);
    ck_assert_uint_gt(calls_before, 0);
    prof_segment_destroy();
}
END_TEST

START_TEST(a_stuck_worker_is_stale_and_delays_nobody_for_long)
{
    pthread_t threads[2];
    start((void *(*const[])(void *)){stuck_main, resting_main}, threads, 2);
    struct prof_snapshot *s;
    ck_assert_int_eq(prof_snapshot_take(2 * NS_PER_MS, &s), 0);
    for (uint32_t i = 0; i < s->worker_count; i++) {
        const struct prof_snapshot_worker *w = &prof_snapshot_workers(s)[i];
        ck_assert_int_eq(w->is_stale, strcmp(w->name, "stuck") == 0);
    }
    ck_assert_int_eq(find(s, "stuck here")->in_flight, 1);
    ck_assert_int_eq(find(s, "{read}")->in_flight, 1);
    prof_snapshot_free(s);
    finish(threads, 2);
    prof_segment_destroy();
}
END_TEST

START_TEST(ones_own_tree_is_exact_inside_a_call)
{
    ck_assert_int_eq(prof_segment_create(1), 0);
    ck_assert_int_eq(prof_worker_open("self"), 0);
    struct prof_snapshot *s;
    {
        PROF_SCOPE("asking");
        work();
        ck_assert_int_eq(prof_snapshot_take(0, &s), 0);
    }
    const struct prof_snapshot_worker *w = &prof_snapshot_workers(s)[0];
    ck_assert(!w->is_stale);
    ck_assert_uint_eq(sum_self(s, w), w->run);
    ck_assert_uint_eq(find(s, "asking")->calls, 1);
    ck_assert_int_eq(find(s, "asking")->in_flight, 1);
    prof_snapshot_free(s);

    prof_slices_reset();
    ck_assert_int_eq(prof_snapshot_take(0, &s), 0);
    for (uint32_t i = 0; i < s->node_count; i++)
        ck_assert_uint_eq(prof_snapshot_nodes(s)[i].slice, 0);
    prof_snapshot_free(s);
    prof_worker_close();
    prof_segment_destroy();
}
END_TEST

START_TEST(no_segment_no_snapshot)
{
    struct prof_snapshot *s = NULL;
    ck_assert_int_eq(prof_snapshot_take(0, &s), -ENOENT);
    ck_assert_ptr_null(s);
}
END_TEST

SUITE_MAIN("prof_snapshot", SUITE_TEST(moving_workers_give_exact_copies),
           SUITE_TEST(a_stuck_worker_is_stale_and_delays_nobody_for_long),
           SUITE_TEST(ones_own_tree_is_exact_inside_a_call), SUITE_TEST(no_segment_no_snapshot))
