#include "loadgen/worker.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "coro/base/clock.h"
#include "coro/coro.h"
#include "coro/prof/worker.h"
#include "loadgen/conn.h"
#include "loadgen/target.h"

#define TICK_NS (10 * NS_PER_MS)
/* About what a sleep is late by, and what it costs to sleep and wake up. */
#define SPIN_NS (30 * NS_PER_US)
/* How much of `total` falls to worker `index` of `shares`. */
#define SHARE_OF(total, index, shares) ((total) / (shares) + ((index) < (total) % (shares) ? 1 : 0))
#define READ_BUFFER_BYTES              65536

int lg_worker_init(struct lg_worker *w, const struct lg_load *load, unsigned index,
                   int64_t start_ns, const bool *stop)
{
    *w = (struct lg_worker){.load = load, .index = index, .start_ns = start_ns, .stop = stop};
    w->connections = SHARE_OF(load->connections, index, load->threads);
    w->idle = SHARE_OF(load->idle, index, load->threads);
    w->measure_ns = start_ns + load->ramp_ns + load->warmup_ns;
    w->end_ns = load->duration_ns > 0 ? w->measure_ns + load->duration_ns : CLOCK_NEVER;
    w->requests_left =
        load->requests_max > 0 ? SHARE_OF(load->requests_max, index, load->threads) : UINT64_MAX;
    w->next_request = load->requests->n * index / load->threads;
    lg_plan_init(&w->plan, start_ns, load->rate_per_s, load->ramp_ns);
    lg_plan_share(&w->plan, index, load->threads, load->poisson, (uint64_t)start_ns);
    w->pace = w->plan;
    w->buffer = malloc(READ_BUFFER_BYTES);
    if (w->buffer == NULL || lg_record_init(&w->record, w->measure_ns) < 0 ||
        lg_record_init(&w->warmup, w->start_ns) < 0 || hist_init(&w->loop_lag, HIST_FINE) < 0) {
        lg_worker_fini(w);
        return -ENOMEM;
    }
    w->record.window_end_ns = w->warmup.window_end_ns = w->end_ns;
    w->warmup.window_start_ns = w->measure_ns;
    return 0;
}

void lg_worker_fini(struct lg_worker *w)
{
    lg_record_fini(&w->record);
    lg_record_fini(&w->warmup);
    hist_fini(&w->loop_lag);
    free(w->buffer);
    w->buffer = NULL;
}

static void publish(struct lg_worker *w)
{
    __atomic_store_n(&w->live.ok, w->record.outcomes[LG_OK], __ATOMIC_RELAXED);
    __atomic_store_n(&w->live.failed, lg_record_failed(&w->record), __ATOMIC_RELAXED);
}

/* How long this thread has waited for a CPU since it began. */
static int64_t read_wait_ns(void)
{
    long long wait_ns = 0;
    FILE *file = fopen("/proc/thread-self/schedstat", "re");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%*d %lld", &wait_ns) != 1)
        wait_ns = 0;
    fclose(file);
    return wait_ns;
}

struct crew {
    struct lg_worker *worker;
    struct lg_conn *conns; /* connections, then idle ones */
    unsigned n_conns;
    unsigned n_spawned;
};

/* Every 10 ms: how late are we, has somebody asked to stop, what to tell. */
static int watch_main(void *arg)
{
    struct crew *crew = arg;
    struct lg_worker *w = crew->worker;
    bool is_measuring = false, is_stopped = false;
    int64_t due_ns = w->start_ns;
    while (co_sleep_until(due_ns) == 0) {
        int64_t now_ns = clock_now_ns();
        if (!is_measuring && now_ns >= w->measure_ns) {
            is_measuring = true;
            w->cpu_ns = clock_read_ns(CLOCK_THREAD_CPUTIME_ID);
            w->wait_ns = read_wait_ns();
            w->spin_ns = 0;
            w->wall_ns = now_ns;
        }
        if (is_measuring && now_ns < w->end_ns)
            hist_record(&w->loop_lag, now_ns - due_ns);
        publish(w);
        if (!is_stopped && __atomic_load_n(w->stop, __ATOMIC_RELAXED)) {
            is_stopped = true;
            for (unsigned i = 0; i < crew->n_spawned; i++)
                co_cancel(crew->conns[i].task);
        }
        due_ns = now_ns + TICK_NS;
        if (!is_measuring && due_ns > w->measure_ns)
            due_ns = w->measure_ns;
    }
    return 0;
}

/* Keep the loop awake while a request is due in a moment: a wait whose deadline
 * has passed is one look at I/O and timers. */
static int pace_main(void *arg)
{
    struct lg_worker *w = arg;
    uint64_t activity = w->activity;
    int64_t last_ns = clock_now_ns(), due_ns;
    int rv = 0;
    while (rv == 0 && (due_ns = lg_plan_due_ns(&w->pace)) < w->end_ns) {
        int64_t now_ns = clock_now_ns();
        if (activity == w->activity)
            w->spin_ns += now_ns - last_ns;
        activity = w->activity;
        last_ns = now_ns;
        if (due_ns <= now_ns) {
            lg_plan_take(&w->pace);
        } else if (due_ns - now_ns > 2 * SPIN_NS) {
            rv = co_sleep_until(due_ns - SPIN_NS);
            last_ns = clock_now_ns();
        } else {
            rv = co_sleep_until(0);
        }
    }
    return 0;
}

/* Only where a CPU is left for the server, if it is here too. */
static bool may_pace(const struct lg_worker *w)
{
    return w->load->rate_per_s > 0 && sysconf(_SC_NPROCESSORS_ONLN) > (long)w->load->threads;
}

static void end_task(struct co_task *task, int *rv)
{
    if (task == NULL)
        return;
    co_cancel(task);
    int joined = co_join(task, CO_NO_DEADLINE, NULL);
    *rv = joined < 0 ? joined : *rv;
}

/* What was due and found no free connection is neither forgotten nor sent late. */
static void count_unsent(struct lg_worker *w)
{
    int64_t now_ns = clock_now_ns();
    int64_t until_ns = now_ns < w->end_ns ? now_ns : w->end_ns;
    if (w->load->rate_per_s <= 0)
        return;
    for (; w->requests_left > 0; lg_plan_take(&w->plan)) {
        int64_t due_ns = lg_plan_due_ns(&w->plan);
        if (due_ns >= until_ns)
            break;
        if (due_ns < w->measure_ns)
            continue;
        lg_record_unsent(&w->record, due_ns, now_ns);
        w->requests_left--;
    }
}

static int spawn_all(struct crew *crew)
{
    struct lg_worker *w = crew->worker;
    for (; crew->n_spawned < crew->n_conns; crew->n_spawned++) {
        unsigned i = crew->n_spawned;
        struct lg_conn *c = &crew->conns[i];
        lg_conn_init(c, w, i);
        c->task = i < w->connections ? co_spawn_named("connection", lg_conn_main, c)
                                     : co_spawn_named("idle connection", lg_conn_idle, c);
        if (c->task == NULL)
            return -ENOMEM;
    }
    return 0;
}

static int first_task(void *arg)
{
    struct crew *crew = arg;
    struct lg_worker *w = crew->worker;
    struct co_task *watch = co_spawn(watch_main, crew);
    struct co_task *pacer = may_pace(w) ? co_spawn(pace_main, w) : NULL;
    int rv = watch == NULL ? -ENOMEM : spawn_all(crew);
    for (unsigned i = 0; i < crew->n_spawned; i++) {
        if (rv < 0 || i >= w->connections)
            co_cancel(crew->conns[i].task);
        int joined = co_join(crew->conns[i].task, CO_NO_DEADLINE, NULL);
        rv = joined < 0 ? joined : rv;
    }
    count_unsent(w);
    publish(w);
    end_task(pacer, &rv);
    end_task(watch, &rv);
    return rv;
}

static void pin(int core)
{
    cpu_set_t set;
    if (core < 0)
        return;
    CPU_ZERO(&set);
    CPU_SET((unsigned)core, &set);
    (void)sched_setaffinity(0, sizeof set,
                            &set); /* a wish: where it fails, the scheduler decides */
}

void *lg_worker_main(void *arg)
{
    struct lg_worker *w = arg;
    struct crew crew = {.worker = w, .n_conns = w->connections + w->idle};
    pin(w->load->core);
    crew.conns = calloc(crew.n_conns + 1, sizeof *crew.conns);
    const struct co_options options = {.name = "loadgen"};
    (void)prof_worker_open("loadgen"); /* nothing to record into without --profile */
    w->result = crew.conns == NULL ? -ENOMEM : co_run(first_task, &crew, &options);
    prof_worker_close();
    free(crew.conns);

    struct rusage usage;
    if (w->wall_ns != 0) {
        w->cpu_ns = clock_read_ns(CLOCK_THREAD_CPUTIME_ID) - w->cpu_ns - w->spin_ns;
        if (w->cpu_ns < 0) /* the pacer lost its CPU and counted that as its own */
            w->cpu_ns = 0;
        w->wait_ns = read_wait_ns() - w->wait_ns;
        w->wall_ns = clock_now_ns() - w->wall_ns;
    }
    if (getrusage(RUSAGE_THREAD, &usage) == 0)
        w->involuntary = usage.ru_nivcsw;
    (void)eventfd_write(w->done_fd, 1);
    return NULL;
}
