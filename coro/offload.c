/* coro/offload.c - the thread pool.
 *
 * Happy path: the task queues a work record and parks; a thread takes it, runs
 * it, and posts it to the task's loop, where it wakes the task.
 *
 * A record has two owners, the task and the pool; whoever lets go last frees
 * it.  A task that gives up (deadline, cancel) marks its record abandoned: if
 * no thread has taken it yet it is removed at once, else the thread drops the
 * job when it is done.  The loop may be gone by then: threads reach it through
 * its port, which they share, and which a loop closes when it ends. */
#include "coro/offload.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "coro/base/cpu_share.h"
#include "coro/internal.h"

#define IDLE_S 5

struct work {
    struct co_list link;
    struct co_post post;
    struct co_port *port; /* shared */
    co_offload_fn *fn;
    co_offload_drop_fn *drop;
    void *job;
    int result;
    bool is_taken; /* by a thread; guarded by pool.lock */
    bool is_done;  /* this and the rest: the loop's thread alone */
    bool is_abandoned;
    struct co_task *task;
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t work_came;
    struct co_list queue;
    size_t queued;
    size_t threads;
    size_t idle;
    bool is_ready;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .work_came = PTHREAD_COND_INITIALIZER};

static void drop_job(const struct work *work)
{
    if (work->drop != NULL)
        work->drop(work->job);
}

static void free_work(struct work *work)
{
    coro_port_unref(work->port);
    free(work);
}

/* On the loop: the work is done, or the task has given it up meanwhile. */
static void on_done(void *arg)
{
    struct work *work = arg;
    work->is_done = true;
    if (work->is_abandoned) {
        drop_job(work);
        free_work(work);
        return;
    }
    coro_wake(work->task, 0);
}

static void finish(struct work *work)
{
    work->post.fn = on_done;
    work->post.arg = work;
    if (coro_port_post(work->port, &work->post) == 0)
        return;
    /* The loop is gone, and its tasks with it: nobody else knows this record. */
    drop_job(work);
    free_work(work);
}

/* The next work, or NULL after IDLE_S without any.  Called with the lock held. */
static struct work *next_work(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += IDLE_S;
    while (list_is_empty(&pool.queue)) {
        pool.idle++;
        int err = pthread_cond_timedwait(&pool.work_came, &pool.lock, &until);
        pool.idle--;
        if (err == ETIMEDOUT && list_is_empty(&pool.queue))
            return NULL;
    }
    struct work *work = LIST_ENTRY(list_pop_head(&pool.queue), struct work, link);
    pool.queued--;
    work->is_taken = true;
    return work;
}

static void *thread_main(void *arg)
{
    (void)arg;
    cpu_share_background();
    pthread_mutex_lock(&pool.lock);
    struct work *work;
    while ((work = next_work()) != NULL) {
        pthread_mutex_unlock(&pool.lock);
        work->result = work->fn(work->job);
        finish(work);
        pthread_mutex_lock(&pool.lock);
    }
    pool.threads--;
    pthread_mutex_unlock(&pool.lock);
    return NULL;
}

/* Signals are for the program's own threads. */
static int start_thread(void)
{
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t all, before;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int err = pthread_create(&thread, &attr, thread_main, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    if (err == 0)
        pool.threads++;
    return -err;
}

static void before_fork(void)
{
    pthread_mutex_lock(&pool.lock);
}

static void on_fork_parent(void)
{
    pthread_mutex_unlock(&pool.lock);
}

/* A child has none of the parent's threads: it starts with an empty pool. */
static void on_fork_child(void)
{
    pthread_cond_init(&pool.work_came, NULL);
    list_init(&pool.queue);
    pool.queued = pool.threads = pool.idle = 0;
    pthread_mutex_unlock(&pool.lock);
}

static int enqueue(struct work *work)
{
    int rv = 0;
    pthread_mutex_lock(&pool.lock);
    if (!pool.is_ready) {
        list_init(&pool.queue);
        pthread_atfork(before_fork, on_fork_parent, on_fork_child);
        pool.is_ready = true;
    }
    if (pool.queued >= CO_OFFLOAD_QUEUE)
        rv = -EBUSY;
    else if (pool.idle <= pool.queued && pool.threads < CO_OFFLOAD_THREADS && start_thread() < 0 &&
             pool.threads == 0)
        rv = -EAGAIN; /* with one thread at least, the work only waits longer */
    if (rv == 0) {
        list_add_tail(&pool.queue, &work->link);
        pool.queued++;
        pthread_cond_signal(&pool.work_came);
    }
    pthread_mutex_unlock(&pool.lock);
    return rv;
}

/* Given up.  True: no thread has it, nor will. */
static bool abandon(struct work *work)
{
    pthread_mutex_lock(&pool.lock);
    bool was_queued = !work->is_taken;
    if (was_queued) {
        list_del(&work->link);
        pool.queued--;
    }
    pthread_mutex_unlock(&pool.lock);
    work->is_abandoned = true;
    return was_queued;
}

int co_offload(co_offload_fn *fn, void *job, co_offload_drop_fn *drop, int64_t deadline_ns,
               int *ret_result)
{
    struct co_task *self = coro_self_or_die("co_offload");
    struct work *work = self->is_cancelled ? NULL : malloc(sizeof(*work));
    if (work == NULL) {
        if (drop != NULL)
            drop(job);
        return self->is_cancelled ? -ECANCELED : -ENOMEM;
    }
    *work = (struct work){
        .fn = fn, .job = job, .drop = drop, .task = self, .port = coro_port_ref(self->loop->port)};
    list_init(&work->link);
    int rv = enqueue(work);
    if (rv < 0) {
        drop_job(work);
        free_work(work);
        return rv;
    }
    self->loop->outside++;
    rv = coro_park(CO_WAIT_OFFLOAD, NULL, deadline_ns);
    self->loop->outside--;
    if (work->is_done) {
        /* Done in time, whatever else happened meanwhile. */
        if (ret_result != NULL)
            *ret_result = work->result;
        free_work(work);
        return 0;
    }
    if (abandon(work)) {
        drop_job(work);
        free_work(work);
    }
    return rv;
}

void co_offload_counts(struct co_offload_counts *ret_counts)
{
    pthread_mutex_lock(&pool.lock);
    *ret_counts = (struct co_offload_counts){
        .threads = pool.threads, .running = pool.threads - pool.idle, .waiting = pool.queued};
    pthread_mutex_unlock(&pool.lock);
}
