/* Blocking calls on the pool: results, giving up, who frees, names, signals. */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coro/offload.h"
#include "coro/signal.h"
#include "suite.h"

static int64_t soon(void)
{
    return co_after(10 * NS_PER_S);
}

static void run(co_fn *fn)
{
    ck_assert_int_eq(co_run(fn, NULL, NULL), 0);
}

/* ---- the pool ---- */

struct job {
    pthread_t thread;
    sem_t *gate; /* it ends when it may pass; NULL: at once */
};

static int dropped; /* atomic */
static sem_t gate;

static void drop(void *arg)
{
    free(arg);
    __atomic_add_fetch(&dropped, 1, __ATOMIC_RELEASE);
}

static int work(void *arg)
{
    struct job *job = arg;
    job->thread = pthread_self();
    while (job->gate != NULL && sem_wait(job->gate) < 0)
        ;
    return 42;
}

static struct job *new_job(sem_t *passes)
{
    struct job *job = calloc(1, sizeof(*job));
    job->gate = passes;
    return job;
}

static int result_main(void *arg)
{
    (void)arg;
    struct job *job = new_job(NULL);
    int result = 0;
    ck_assert_int_eq(co_offload(work, job, drop, soon(), NULL), 0);
    ck_assert_int_eq(co_offload(work, job, drop, soon(), &result), 0);
    ck_assert_int_eq(result, 42);
    ck_assert(!pthread_equal(job->thread, pthread_self()));
    free(job); /* it came back */
    return 0;
}

START_TEST(a_call_runs_on_another_thread)
{
    dropped = 0;
    run(result_main);
    ck_assert_int_eq(dropped, 0);
}
END_TEST

static int offloader(void *arg)
{
    int result = -1;
    struct job *job = arg;
    int rv = co_offload(work, job, drop, soon(), &result);
    if (rv == 0)
        free(job);
    return rv;
}

static int give_up_main(void *arg)
{
    (void)arg;
    int result = -1;
    ck_assert_int_eq(co_offload(work, new_job(&gate), drop, co_after(NS_PER_MS), &result),
                     -ETIMEDOUT);
    struct co_task *tasks[3 * CO_OFFLOAD_THREADS]; /* running ones, and ones in line */
    for (size_t i = 0; i < ARRAY_LEN(tasks); i++)
        tasks[i] = co_spawn(offloader, new_job(&gate));
    ck_assert_int_eq(co_sleep(5 * NS_PER_MS), 0);
    struct co_offload_counts counts;
    co_offload_counts(&counts);
    ck_assert_uint_le(counts.threads, CO_OFFLOAD_THREADS);
    ck_assert_uint_gt(counts.waiting, 0);
    for (size_t i = 0; i < ARRAY_LEN(tasks); i++)
        co_cancel(tasks[i]);
    for (size_t i = 0; i < ARRAY_LEN(tasks); i++) {
        ck_assert_int_eq(co_join(tasks[i], soon(), &result), 0);
        ck_assert_int_eq(result, -ECANCELED);
    }
    co_cancel(co_self());
    ck_assert_int_eq(co_offload(work, new_job(NULL), drop, soon(), &result), -ECANCELED);
    return 0; /* some still run: they outlive the loop */
}

START_TEST(what_is_given_up_is_dropped_once)
{
    dropped = 0;
    ck_assert_int_eq(sem_init(&gate, 0, 0), 0);
    run(give_up_main);
    for (int i = 0; i < 2 + 3 * CO_OFFLOAD_THREADS; i++)
        sem_post(&gate);
    for (int i = 0; i < 1000; i++) {
        if (__atomic_load_n(&dropped, __ATOMIC_ACQUIRE) == 2 + 3 * CO_OFFLOAD_THREADS)
            break;
        usleep(10000);
    }
    ck_assert_int_eq(__atomic_load_n(&dropped, __ATOMIC_ACQUIRE), 2 + 3 * CO_OFFLOAD_THREADS);
}
END_TEST

/* ---- signals ---- */

static int signal_main(void *arg)
{
    (void)arg;
    struct co_signals signals;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGTERM);
    ck_assert_int_eq(co_signals_open(&signals, &set), 0);
    ck_assert_int_eq(co_signals_wait(&signals, co_after(NS_PER_MS)), -ETIMEDOUT);
    pthread_kill(pthread_self(), SIGTERM);
    ck_assert_int_eq(co_signals_wait(&signals, soon()), SIGTERM);
    pthread_kill(pthread_self(), SIGUSR1);
    ck_assert_int_eq(co_signals_wait(&signals, soon()), SIGUSR1);
    co_signals_close(&signals);
    return 0;
}

START_TEST(signals_are_awaited)
{
    run(signal_main);
}
END_TEST

SUITE_MAIN("offload", SUITE_TEST(a_call_runs_on_another_thread),
           SUITE_TEST(what_is_given_up_is_dropped_once), SUITE_TEST(signals_are_awaited))
