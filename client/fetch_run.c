/* client/fetch_run.c - the four strategies of client/fetch.h.
 *
 * What workers share lies in memory that fork shares: the next URL's number,
 * the totals, and a lock so that lines do not mix on a pipe.  The lock is
 * robust: a process that dies with it leaves it usable. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "client/extract.h"
#include "client/fetch.h"
#include "client/multi.h"
#include "client/output.h"
#include "client/wait.h"
#include "coro/base/clock.h"
#include "coro/base/json.h"
#include "coro/sync.h"

#define LINE_MAX_BYTES (1UL << 20)
/* libcurl and the TLS library under it run on the tasks' stacks. */
#define STACK_BYTES (512UL << 10)

struct shared {
    atomic_size_t next;
    atomic_ullong fetched;
    atomic_ullong failed;
    atomic_ullong bytes;
    atomic_ullong retries;
    atomic_int output_err; /* negative errno; everybody stops */
    pthread_mutex_t output;
};

struct run {
    const struct cl_fetch_plan *plan;
    struct shared *shared;
    struct cl_multi *multi;  /* coroutine only */
    struct co_mutex *writer; /* likewise: one task at a time waits for the output */
};

/* ---- one URL ---- */

static int get(const struct run *run, struct cl_blocking *blocking, const struct cl_request *req,
               struct cl_reply *reply)
{
    if (run->multi != NULL)
        return cl_multi_get(run->multi, req, reply, CO_NO_DEADLINE);
    return cl_blocking_get(blocking, req, reply);
}

static int pause_ns(int64_t span_ns)
{
    struct timespec span = {.tv_sec = span_ns / NS_PER_S, .tv_nsec = span_ns % NS_PER_S};
    if (co_self() != NULL)
        return co_sleep(span_ns);
    nanosleep(&span, NULL);
    return 0;
}

static int get_with_retries(const struct run *run, struct cl_blocking *blocking,
                            const struct cl_request *req, struct cl_reply *reply)
{
    const struct cl_retry *retry = &run->plan->retry;
    for (int attempt = 1;; attempt++) {
        uint64_t random = 0;
        int rv = get(run, blocking, req, reply);
        if (attempt >= retry->attempts_max || !cl_retry_is_worth(rv, reply->status))
            return rv;
        if (getrandom(&random, sizeof random, GRND_NONBLOCK) < 0)
            random = (uint64_t)clock_now_ns();
        atomic_fetch_add(&run->shared->retries, 1);
        int paused = pause_ns(cl_retry_delay_ns(retry, attempt, reply->retry_after_s, random));
        if (paused < 0)
            return paused;
    }
}

/* status, bytes, milliseconds, URL; "-" and the reason where there is no status. */
static int append_tsv(struct buf *line, const char *url, int rv, const struct cl_reply *reply)
{
    double ms = (double)reply->elapsed_ns / 1e6;
    int err = rv < 0 ? buf_printf(line, "-\t0\t%.1f\t", ms)
                     : buf_printf(line, "%d\t%llu\t%.1f\t", reply->status,
                                  (unsigned long long)reply->body_bytes, ms);
    if (err == 0)
        err = extract_put_escaped(line, url, strlen(url));
    if (err == 0)
        err = rv < 0 ? buf_printf(line, "\t%s\n", reply->why) : buf_append_char(line, '\n');
    return err;
}

static int append_json(struct buf *line, const char *url, int rv, const struct cl_reply *reply)
{
    int err = buf_append_str(line, "{\"url\":");
    if (err == 0)
        err = json_append_string(line, url, strlen(url));
    if (err == 0)
        err = buf_printf(line, ",\"ms\":%.1f,", (double)reply->elapsed_ns / 1e6);
    if (err == 0 && rv == 0)
        err = buf_printf(line, "\"status\":%d,\"bytes\":%llu,\"redirects\":%d}\n", reply->status,
                         (unsigned long long)reply->body_bytes, reply->redirects);
    if (err == 0 && rv < 0) {
        err = buf_append_str(line, "\"error\":");
        if (err == 0)
            err = json_append_string(line, reply->why, strlen(reply->why));
        if (err == 0)
            err = buf_append_str(line, "}\n");
    }
    return err;
}

static int write_locked(struct shared *shared, const struct buf *line)
{
    if (pthread_mutex_lock(&shared->output) == EOWNERDEAD)
        pthread_mutex_consistent(&shared->output);
    int rv = cl_write_all(STDOUT_FILENO, line->data, line->len);
    pthread_mutex_unlock(&shared->output);
    return rv;
}

/* Tasks must not park with a mutex, which is the thread's: they queue before it. */
static int write_line(const struct run *run, const struct buf *line)
{
    if (run->writer == NULL)
        return write_locked(run->shared, line);
    int rv = co_mutex_lock(run->writer, CO_NO_DEADLINE);
    if (rv < 0)
        return rv;
    if (cl_wait_is_pollable(STDOUT_FILENO))
        rv = cl_wait_writable(STDOUT_FILENO);
    if (rv >= 0)
        rv = write_locked(run->shared, line);
    co_mutex_unlock(run->writer);
    return rv;
}

static int print(const struct run *run, const char *url, int rv, const struct cl_reply *reply,
                 struct buf *line)
{
    buf_clear(line);
    int err =
        run->plan->is_json ? append_json(line, url, rv, reply) : append_tsv(line, url, rv, reply);
    return err < 0 ? err : write_line(run, line);
}

static int refuse(struct cl_reply *reply, const char *why)
{
    reply->body_bytes = 0;
    reply->elapsed_ns = 0;
    snprintf(reply->why, sizeof reply->why, "%s", why);
    return -EINVAL;
}

static void fetch_one(const struct run *run, struct cl_blocking *blocking,
                      const struct cl_fetch_url *url, struct cl_reply *reply, struct buf *line)
{
    const struct cl_fetch_plan *plan = run->plan;
    struct shared *shared = run->shared;
    struct cl_request req = plan->request;
    req.url = url->text;
    int rv = url->refusal != NULL ? refuse(reply, url->refusal)
                                  : get_with_retries(run, blocking, &req, reply);
    bool is_failed = rv < 0 || (plan->is_status_error && reply->status >= 400);
    int err = plan->is_silent ? 0 : print(run, url->text, rv, reply, line);
    if (err < 0)
        atomic_store(&shared->output_err, err);
    /* behind the line: of a process that dies before it this URL is lost */
    atomic_fetch_add(is_failed ? &shared->failed : &shared->fetched, 1);
    atomic_fetch_add(&shared->bytes, reply->body_bytes);
}

/* ---- a worker: the same in every mode ---- */

static int work(struct run *run)
{
    struct cl_blocking *blocking = NULL;
    struct cl_reply reply;
    struct buf line;
    size_t i;
    int rv = run->multi == NULL ? cl_blocking_new(&blocking) : 0;
    if (rv < 0)
        return rv;
    cl_reply_init(&reply);
    buf_init(&line, LINE_MAX_BYTES);
    while (atomic_load(&run->shared->output_err) == 0 &&
           (i = atomic_fetch_add(&run->shared->next, 1)) < run->plan->count)
        fetch_one(run, blocking, &run->plan->urls[i], &reply, &line);
    buf_fini(&line);
    cl_reply_fini(&reply);
    cl_blocking_free(blocking);
    return 0;
}

/* ---- the strategies ---- */

static int run_serial(struct run *run)
{
    return work(run);
}

static void *thread_main(void *arg)
{
    return (void *)(intptr_t)work(arg);
}

static int run_thread(struct run *run)
{
    unsigned started = 0;
    int rv = 0;
    pthread_t *threads = calloc(run->plan->workers, sizeof *threads);
    if (threads == NULL)
        return -ENOMEM;
    while (started < run->plan->workers && rv == 0) {
        rv = -pthread_create(&threads[started], NULL, thread_main, run);
        if (rv == 0)
            started++;
    }
    for (unsigned i = 0; i < started; i++) {
        void *result;
        pthread_join(threads[i], &result);
        if (rv == 0)
            rv = (int)(intptr_t)result;
    }
    free(threads);
    return rv;
}

static int run_process(struct run *run)
{
    unsigned started = 0;
    int rv = 0;
    pid_t parent = getpid();
    for (; started < run->plan->workers && rv == 0; started++) {
        pid_t pid = fork();
        if (pid < 0) {
            rv = -errno;
            break;
        }
        if (pid == 0) {
            /* nobody is left to fetch for when the parent is gone */
            prctl(PR_SET_PDEATHSIG, SIGTERM);
            _exit(getppid() == parent ? -work(run) : 0);
        }
    }
    while (started > 0) {
        int status;
        if (wait(&status) < 0) {
            if (errno == EINTR)
                continue;
            break;
        }
        started--;
        if (rv == 0) /* a worker's end is an errno */
            rv = WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
    }
    return rv;
}

static int task_main(void *arg)
{
    return work(arg);
}

static int first_task(void *arg)
{
    struct run *run = arg;
    unsigned n = run->plan->workers;
    int result;
    struct co_task **tasks = calloc(n, sizeof(struct co_task *));
    int rv = tasks != NULL ? cl_multi_new(n, &run->multi) : -ENOMEM;
    struct co_mutex writer;
    co_mutex_init(&writer);
    run->writer = &writer;
    for (unsigned i = 0; i < n && rv == 0; i++) {
        tasks[i] = co_spawn_named("fetch", task_main, run);
        if (tasks[i] == NULL)
            rv = -ENOMEM;
    }
    for (unsigned i = 0; tasks != NULL && i < n; i++) {
        if (tasks[i] != NULL && co_join(tasks[i], CO_NO_DEADLINE, &result) == 0 && rv == 0)
            rv = result;
    }
    free(tasks);
    cl_multi_free(run->multi);
    run->multi = NULL;
    co_mutex_fini(&writer);
    run->writer = NULL;
    return rv;
}

static int run_coroutine(struct run *run)
{
    const struct co_options options = {
        .name = "fetch", .stack_bytes = STACK_BYTES, .watchdog_ns = -1, .is_unaccounted = true};
    return co_run(first_task, run, &options);
}

/* ---- the run ---- */

static int64_t cpu_ns(void)
{
    int64_t sum_ns = 0;
    static const int whose[] = {RUSAGE_SELF, RUSAGE_CHILDREN};
    for (size_t i = 0; i < ARRAY_LEN(whose); i++) {
        struct rusage usage = {0};
        getrusage(whose[i], &usage);
        sum_ns += (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * NS_PER_S;
        sum_ns += (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * NS_PER_US;
    }
    return sum_ns;
}

static int shared_new(struct shared **ret_shared)
{
    pthread_mutexattr_t attr;
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return -errno;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&shared->output, &attr);
    pthread_mutexattr_destroy(&attr);
    *ret_shared = shared;
    return 0;
}

int cl_fetch_run(enum cl_fetch_mode mode, const struct cl_fetch_plan *plan,
                 struct cl_fetch_totals *ret_totals)
{
    static int (*const runs[])(struct run *) = {
#define RUN(name) [CL_FETCH_##name] = run_##name,
        CL_FETCH_MODE(RUN)
#undef RUN
    };
    struct run run = {.plan = plan};
    int rv = shared_new(&run.shared);
    if (rv < 0)
        return rv;
    struct shared *shared = run.shared;
    int64_t began_ns = clock_now_ns();
    int64_t began_cpu_ns = cpu_ns();
    rv = runs[mode](&run);
    *ret_totals = (struct cl_fetch_totals){
        .fetched = atomic_load(&shared->fetched),
        .failed = atomic_load(&shared->failed),
        .bytes = atomic_load(&shared->bytes),
        .retries = atomic_load(&shared->retries),
        .elapsed_ns = clock_now_ns() - began_ns,
        .cpu_ns = cpu_ns() - began_cpu_ns,
    };
    if (rv == 0) {
        rv = atomic_load(&shared->output_err);
        ret_totals->is_output_lost = rv < 0;
    }
    munmap(shared, sizeof *shared);
    return rv;
}
