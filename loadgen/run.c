#include "loadgen/run.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "coro/base/clock.h"
#include "coro/base/err.h"
#include "loadgen/target.h"
#include "loadgen/worker.h"

/* Threads need a moment to start; the plan begins when all of them can be there. */
#define LEAD_NS           (5 * NS_PER_MS)
#define LOOK_NS           (100 * NS_PER_MS)
#define SPARE_DESCRIPTORS 64

/* How many connections this machine can have to one address; a large number when
 * it does not say. */
static unsigned local_ports(void)
{
    unsigned low = 0, high = UINT16_MAX;
    FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
    if (file == NULL)
        return UINT_MAX;
    int n = fscanf(file, "%u %u", &low, &high);
    fclose(file);
    return n == 2 && high >= low ? high - low + 1 : UINT_MAX;
}

int lg_preflight(const struct lg_load *load, struct lg_why *why)
{
    struct rlimit limit;
    unsigned connections = load->connections + load->idle;
    if (load->target->addr.ss_family != AF_UNIX && connections > local_ports()) {
        lg_why_set(why,
                   "%u connections need as many local ports, this machine has %u: widen "
                   "net.ipv4.ip_local_port_range or lower -c",
                   connections, local_ports());
        return -EADDRNOTAVAIL;
    }
    rlim_t want = (rlim_t)connections + SPARE_DESCRIPTORS;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= want)
        return 0;
    limit.rlim_cur = want < limit.rlim_max ? want : limit.rlim_max;
    if (limit.rlim_cur >= want && setrlimit(RLIMIT_NOFILE, &limit) == 0)
        return 0;
    lg_why_set(why,
               "%u connections need %ju descriptors, this process may have %ju: raise the limit "
               "(ulimit -n) or lower -c",
               connections, (uintmax_t)want, (uintmax_t)limit.rlim_max);
    return -EMFILE;
}

/* Whole ticks of every thread are the samples. */
static void measure_rates(const struct lg_worker *workers, unsigned n, struct lg_rates *ret_rates)
{
    double sum = 0, squares = 0, max = 0;
    double *samples = calloc((size_t)n * LG_TICKS, sizeof *samples);
    size_t count = 0, within = 0;
    *ret_rates = (struct lg_rates){0};
    if (samples == NULL)
        return; /* the report then shows zeros here: no reason to lose the run */
    for (unsigned w = 0; w < n; w++) {
        const struct lg_record *r = &workers[w].record;
        int64_t end_ns = r->window_end_ns < r->last_ns ? r->window_end_ns : r->last_ns;
        for (unsigned i = 0; i < r->n_ticks; i++) {
            if (r->start_ns + (i + 1) * r->tick_ns > end_ns)
                break;
            double rate = (double)(r->ticks[i].ok + r->ticks[i].failed) * 1e9 / (double)r->tick_ns;
            sum += rate;
            squares += rate * rate;
            max = rate > max ? rate : max;
            samples[count++] = rate;
        }
    }
    if (count > 0) {
        double mean = sum / (double)count;
        double stdev = sqrt(fmax(0, squares / (double)count - mean * mean));
        for (size_t i = 0; i < count; i++)
            within += fabs(samples[i] - mean) <= stdev;
        *ret_rates = (struct lg_rates){mean, stdev, max, (double)within / (double)count, count};
    }
    free(samples);
}

static int result_init(struct lg_result *r, const struct lg_worker *first)
{
    *r = (struct lg_result){.server_counted = -1};
    int rv = lg_record_init(&r->record, first->measure_ns);
    if (rv == 0)
        rv = lg_record_init(&r->warmup, first->start_ns);
    if (rv == 0)
        rv = hist_init(&r->loop_lag, HIST_FINE);
    r->record.window_end_ns = first->end_ns;
    return rv;
}

void lg_result_fini(struct lg_result *r)
{
    lg_record_fini(&r->record);
    lg_record_fini(&r->warmup);
    hist_fini(&r->loop_lag);
}

static int merge(struct lg_worker *workers, unsigned n, struct lg_result *r, struct lg_why *why)
{
    double cpu_ns = 0;
    bool is_all_sent = true;
    for (unsigned i = 0; i < n; i++) {
        struct lg_worker *w = &workers[i];
        if (w->result < 0) {
            lg_why_set(why, "a load thread failed: %s", err_text(w->result));
            return w->result;
        }
        int rv = lg_record_merge(&r->record, &w->record);
        if (rv == 0)
            rv = lg_record_merge(&r->warmup, &w->warmup);
        if (rv < 0) {
            lg_why_set(why, "merging the records: %s", err_text(rv));
            return rv;
        }
        hist_merge(&r->loop_lag, &w->loop_lag);
        if (w->wall_ns > 0) {
            double share = (double)w->cpu_ns / (double)w->wall_ns;
            r->own_cpu = share > r->own_cpu ? share : r->own_cpu;
            cpu_ns += (double)w->cpu_ns;
            double wait = (double)w->wait_ns / (double)w->wall_ns;
            r->own_wait = wait > r->own_wait ? wait : r->own_wait;
        }
        r->involuntary += w->involuntary;
        r->idle_open += w->idle_open;
        is_all_sent &= w->requests_left == 0;
    }
    int64_t measure_ns = workers[0].measure_ns, end_ns = workers[0].end_ns;
    int64_t now_ns = clock_now_ns();
    if (r->interrupted && now_ns < end_ns)
        end_ns = now_ns;
    /* all that was asked for is done: it took as long as it took */
    if (!r->interrupted && is_all_sent && r->record.last_ns < end_ns)
        end_ns = r->record.last_ns;
    uint64_t answered = r->record.answered + r->warmup.answered;
    r->seconds = end_ns > measure_ns ? (double)(end_ns - measure_ns) / 1e9 : 0;
    r->requests_per_s = r->seconds > 0 ? (double)answered / r->seconds : 0;
    r->own_cpu_us = answered > 0 ? cpu_ns / 1e3 / (double)answered : NAN;
    measure_rates(workers, n, &r->rates);
    return 0;
}

static void tell_progress(const struct lg_worker *workers, unsigned n,
                          const struct lg_watcher *watcher)
{
    uint64_t ok = 0, failed = 0;
    for (unsigned i = 0; i < n; i++) {
        ok += __atomic_load_n(&workers[i].live.ok, __ATOMIC_RELAXED);
        failed += __atomic_load_n(&workers[i].live.failed, __ATOMIC_RELAXED);
    }
    watcher->progress(watcher->arg, (double)(clock_now_ns() - workers[0].measure_ns) / 1e9, ok,
                      failed);
}

/* Sleep until then, or until a thread ends: how many have. */
static unsigned wait_done(int done_fd, int64_t until_ns)
{
    struct pollfd poll = {.fd = done_fd, .events = POLLIN};
    int64_t span_ns = until_ns - clock_now_ns();
    span_ns = span_ns < 0 ? 0 : span_ns;
    struct timespec span = {span_ns / NS_PER_S, span_ns % NS_PER_S};
    eventfd_t ended = 0;
    if (ppoll(&poll, 1, &span, NULL) <= 0 || eventfd_read(done_fd, &ended) < 0)
        return 0;
    return (unsigned)ended;
}

/* Look after the threads until all have ended. */
static void join_all(struct lg_worker *workers, unsigned n, const struct lg_watcher *watcher)
{
    const struct lg_worker *first = &workers[0];
    const int64_t marks[] = {
        [LG_MARK_WARM] = first->start_ns + (first->measure_ns - first->start_ns) / 2,
        [LG_MARK_START] = first->measure_ns,
        [LG_MARK_END] = first->end_ns,
    };
    size_t next_mark = 0;
    int64_t next_look_ns = clock_now_ns() + LOOK_NS;
    for (unsigned ended = 0; ended < n;) {
        bool has_mark = next_mark < ARRAY_LEN(marks) && marks[next_mark] < next_look_ns;
        ended += wait_done(first->done_fd, has_mark ? marks[next_mark] : next_look_ns);
        int64_t now_ns = clock_now_ns();
        for (; next_mark < ARRAY_LEN(marks) && marks[next_mark] <= now_ns; next_mark++)
            if (watcher != NULL && watcher->mark != NULL)
                watcher->mark(watcher->arg, (enum lg_mark)next_mark, marks[next_mark]);
        if (now_ns < next_look_ns)
            continue;
        next_look_ns = now_ns + LOOK_NS;
        if (watcher != NULL && watcher->progress != NULL)
            tell_progress(workers, n, watcher);
    }
    for (unsigned i = 0; i < n; i++)
        pthread_join(workers[i].thread, NULL);
}

/* The threads inherit an empty set of signals: those are the main thread's. */
static int start_all(struct lg_worker *workers, unsigned n, unsigned *ret_started)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int err = 0;
    unsigned i = 0;
    for (; i < n && err == 0; i++)
        err = pthread_create(&workers[i].thread, NULL, lg_worker_main, &workers[i]);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    *ret_started = err == 0 ? i : i - 1;
    return -err;
}

int lg_run(const struct lg_load *load, const bool *stop, const struct lg_watcher *watcher,
           struct lg_result *ret_result, struct lg_why *why)
{
    static const bool give_up = true;
    unsigned ready = 0, started = 0;
    struct lg_result result = {0};
    struct lg_worker *workers = calloc(load->threads, sizeof *workers);
    if (workers == NULL) {
        lg_why_set(why, "out of memory");
        return -ENOMEM;
    }
    int done_fd = eventfd(0, EFD_CLOEXEC);
    int64_t start_ns = clock_now_ns() + LEAD_NS;
    int rv = done_fd < 0 ? -errno : 0;
    for (; ready < load->threads && rv == 0; ready += rv == 0) {
        rv = lg_worker_init(&workers[ready], load, ready, start_ns, stop);
        workers[ready].done_fd = done_fd;
    }
    if (rv == 0)
        rv = result_init(&result, &workers[0]);
    if (rv == 0)
        rv = start_all(workers, load->threads, &started);
    if (rv < 0) {
        lg_why_set(why, "cannot start: %s", err_text(rv));
        for (unsigned i = 0; i < started; i++)
            __atomic_store_n(&workers[i].stop, &give_up, __ATOMIC_RELAXED);
        join_all(workers, started, NULL);
        goto out;
    }
    join_all(workers, load->threads, watcher);
    result.interrupted = __atomic_load_n(stop, __ATOMIC_RELAXED);
    rv = merge(workers, load->threads, &result, why);
    if (rv == 0)
        *ret_result = result;
out:
    if (rv < 0)
        lg_result_fini(&result);
    for (unsigned i = 0; i < ready; i++)
        lg_worker_fini(&workers[i]);
    free(workers);
    if (done_fd >= 0)
        close(done_fd);
    return rv;
}
