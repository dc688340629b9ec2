/* The pipeline of domainc extract: blocks of whole lines, any number of workers,
 * output in the order of the input, memory that does not grow.
 *
 * Every worker has one block.  In a loop it
 *   1. reads the next block (extract_read.c), which also gets its number,
 *   2. works it off alone: rows (or counts) into the block's own buffer,
 *   3. waits for its number's turn under the write lock, writes, passes the turn.
 * A slow writer so holds up the workers behind it, and they the reader.
 *
 * Failure modes: a line longer than EXTRACT_LINE_MAX_BYTES is a bad line, and
 * what does not even fit a block is skipped up to its end; a read or write that
 * fails, and --errors=stop, set `stop`, which ends every worker at its next turn.
 * Invariants: a block holds lines of one file only; blocks are written in the
 * order they were read; after `stop` nothing more is written. */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/command.h"
#include "client/extract.h"
#include "client/extract_read.h"
#include "client/lines.h"
#include "client/output.h"
#include "client/progress.h"
#include "coro/base/clock.h"
#include "coro/base/err.h"
#include "coro/base/units.h"
#include "coro/prof/prof.h"
#include "coro/prof/worker.h"

enum {
    REPORTS_MAX = 10, /* bad lines told one by one; the rest as a number */
};

/* What is written, under the write lock. */
struct output {
    pthread_mutex_t lock;
    pthread_cond_t turn;
    uint64_t next; /* number of the block whose turn it is */
    uint64_t lines, bad, bytes;
    unsigned reported;
    bool stop;
    int status; /* the exit code so far */
    int64_t start_ns;
    struct cl_progress progress;
};

struct job {
    const struct extract_options *o;
    struct extract_input in;
    struct output out;
};

struct report {
    uint64_t line;
    const char *why;
};

struct worker {
    struct job *job;
    pthread_t thread;
    struct domain_engine *engine;
    struct domain_result result;
    struct extract_counts *counts; /* NULL: rows */
    struct extract_block block;
    struct buf rows;
    uint64_t lines, bad;
    struct report reports[REPORTS_MAX];
    bool is_stopped; /* by a bad line, with --errors=stop */
};

/* ---- saying things ---- */

static void show_progress(struct output *out, const struct extract_input *in)
{
    int64_t now_ns = clock_now_ns();
    if (!cl_progress_is_due(&out->progress, now_ns))
        return;
    double seconds = (double)(now_ns - out->start_ns) / 1e9;
    char rate[UNITS_TEXT_BYTES], left[48] = "";
    units_format_count(seconds > 0 ? (double)out->lines / seconds : 0, rate);
    if (in->total_bytes > 0 && out->bytes > 0) {
        double part = (double)out->bytes / (double)in->total_bytes;
        snprintf(left, sizeof left, "  %.0f %%  %.0f s left", part * 100, seconds / part - seconds);
    }
    cl_progress_show(&out->progress, now_ns, "%" PRIu64 " lines  %s/s%s", out->lines, rate, left);
}

static void report_bad(struct output *out, const struct worker *w)
{
    for (uint64_t i = 0; i < w->bad && i < REPORTS_MAX && out->reported < REPORTS_MAX; i++) {
        cl_progress_clear(&out->progress);
        cl_complain("%s:%" PRIu64 ": %s", w->block.name, w->reports[i].line, w->reports[i].why);
        out->reported++;
    }
}

/* ---- working ---- */

static void find(struct worker *w, struct extract_row *row)
{
    const struct extract_options *o = w->job->o;
    row->result = NULL;
    row->error = DOMAIN_OK;
    if (row->is_too_long)
        return;
    if (o->engine != DOMAIN_ENGINE_SCAN) {
        row->error =
            domain_engine_find(w->engine, o->suffixes, row->url, row->url_len, &row->domain);
        return;
    }
    row->error = domain_parse(o->suffixes, row->url, row->url_len, &w->result);
    row->result = &w->result;
    row->domain = (struct domain_text){w->result.host, w->result.host_len};
}

static int count_row(struct worker *w, const struct extract_row *row)
{
    char scratch[EXTRACT_SCRATCH_BYTES];
    const struct extract_options *o = w->job->o;
    struct domain_text key = extract_field_text(o, row, (enum extract_field)o->fields[0], scratch);
    return key.at == NULL ? 0 : extract_counts_add(w->counts, key.at, key.len, 1);
}

static int take_line(struct worker *w, const char *at, size_t len)
{
    const struct extract_options *o = w->job->o;
    struct extract_row row = {.url = at, .url_len = len, .line = w->block.first_line + w->lines};
    if (len > 0 && at[len - 1] == '\r')
        row.url_len--;
    row.is_too_long = w->block.is_cut || len > EXTRACT_LINE_MAX_BYTES;
    w->lines++;
    find(w, &row);
    if (UNLIKELY(extract_is_bad(&row))) {
        if (w->bad < REPORTS_MAX)
            w->reports[w->bad] = (struct report){row.line, extract_error_text(&row)};
        w->bad++;
        w->is_stopped = o->errors == EXTRACT_STOP;
        if (o->errors != EXTRACT_KEEP)
            return 0;
    }
    return w->counts != NULL ? count_row(w, &row) : extract_put_row(o, &w->rows, &row);
}

static int work_block(struct worker *w)
{
    PROF_FN();
    const char *at = w->block.at, *end = at + w->block.len;
    int rv = 0;
    w->lines = w->bad = 0;
    w->rows.len = 0;
    while (at < end && rv == 0 && !w->is_stopped) {
        const char *newline = memchr(at, '\n', (size_t)(end - at)); /* a block ends with one */
        rv = take_line(w, at, (size_t)(newline - at));
        at = newline + 1;
    }
    return rv;
}

/* ---- writing ---- */

static void stop(struct output *out, const char *what, int error)
{
    cl_progress_clear(&out->progress);
    if (error < 0)
        cl_complain("%s: %s", what, cl_lines_error_text(error));
    out->status = CL_EXIT_FAILED;
    out->stop = true;
}

/* In its turn: the rows out, the totals on.  False: all is to end. */
static bool write_block(struct worker *w, int work_error)
{
    struct output *out = &w->job->out;
    pthread_mutex_lock(&out->lock);
    while (out->next != w->block.number && !out->stop)
        pthread_cond_wait(&out->turn, &out->lock);
    if (!out->stop) {
        int rv = cl_write_all(STDOUT_FILENO, w->rows.data, w->rows.len);
        out->lines += w->lines;
        out->bad += w->bad;
        out->bytes += w->block.len;
        if (!w->job->o->is_quiet)
            report_bad(out, w);
        show_progress(out, &w->job->in);
        if (rv < 0)
            stop(out, "standard output", rv);
        else if (work_error < 0)
            stop(out, w->block.name, work_error);
        else if (w->block.error < 0)
            stop(out, w->block.name, w->block.error);
        else if (w->is_stopped)
            stop(out, w->block.name, 0);
    }
    out->next++;
    bool goes_on = !out->stop;
    pthread_cond_broadcast(&out->turn);
    pthread_mutex_unlock(&out->lock);
    return goes_on;
}

static void run_worker(struct worker *w)
{
    PROF_FN();
    while (extract_read(&w->job->in, &w->block)) {
        int rv = work_block(w);
        if (!write_block(w, rv))
            break;
    }
}

static void *run_thread(void *arg)
{
    struct worker *w = arg;
    bool is_recorded = w->job->o->profile_sort != NULL && prof_worker_open("extract") == 0;
    run_worker(w);
    if (is_recorded)
        prof_worker_close();
    return NULL;
}

/* ---- the whole ---- */

static int worker_init(struct worker *w, struct job *job)
{
    char why[DOMAIN_ENGINE_WHY_BYTES];
    w->job = job;
    buf_init(&w->rows, SIZE_MAX / 2);
    int rv = extract_block_init(&w->block);
    if (rv == 0 && job->o->count_top > 0)
        rv = extract_counts_new(&w->counts);
    if (rv < 0)
        return rv;
    rv = domain_engine_new(job->o->engine, &w->engine, why);
    if (rv == -ENOTSUP)
        cl_complain("engine %s: %s", domain_engine_word(job->o->engine), why);
    return rv;
}

static void worker_fini(struct worker *w)
{
    domain_engine_free(w->engine);
    extract_counts_free(w->counts);
    buf_fini(&w->rows);
    extract_block_fini(&w->block);
}

static void print_counts(struct job *job, struct worker *workers, size_t n)
{
    struct buf text;
    int rv = 0;
    for (size_t i = 1; i < n && rv == 0; i++)
        rv = extract_counts_merge(workers[0].counts, workers[i].counts);
    buf_init(&text, SIZE_MAX / 2);
    if (rv == 0)
        rv = extract_counts_print(workers[0].counts, (size_t)job->o->count_top, &text);
    if (rv < 0)
        stop(&job->out, "counts", rv);
    else if ((rv = cl_write_all(STDOUT_FILENO, text.data, text.len)) < 0)
        stop(&job->out, "standard output", rv);
    buf_fini(&text);
}

static void sum_up(struct job *job)
{
    struct output *out = &job->out;
    cl_progress_clear(&out->progress);
    if (out->bad > 0 && !job->o->is_quiet)
        cl_complain("%" PRIu64 " of %" PRIu64 " lines have no domain%s", out->bad, out->lines,
                    job->o->errors == EXTRACT_STOP   ? ": stopped there"
                    : job->o->errors == EXTRACT_SKIP ? ": left out"
                                                     : "");
}

/* Worker 0 is this thread.  How many run. */
static size_t start_workers(struct worker *workers, size_t n)
{
    size_t running = 1;
    while (running < n &&
           pthread_create(&workers[running].thread, NULL, run_thread, &workers[running]) == 0)
        running++;
    run_worker(&workers[0]);
    for (size_t i = 1; i < running; i++)
        pthread_join(workers[i].thread, NULL);
    return running;
}

int extract_run(const struct extract_options *o)
{
    struct job job = {
        .o = o,
        .out = {.lock = PTHREAD_MUTEX_INITIALIZER,
                .turn = PTHREAD_COND_INITIALIZER,
                .start_ns = clock_now_ns()},
    };
    size_t made = 0;
    struct worker *workers = calloc(o->jobs, sizeof *workers);
    int rv = extract_input_init(&job.in, o->paths, o->path_count);
    if (workers == NULL)
        rv = -ENOMEM;
    if (!o->is_quiet)
        cl_progress_init(&job.out.progress);
    while (rv == 0 && made < o->jobs)
        rv = worker_init(&workers[made++], &job);
    if (rv == 0) {
        start_workers(workers, made);
        sum_up(&job);
        if (o->count_top > 0 && job.out.status == CL_EXIT_OK)
            print_counts(&job, workers, made);
    }
    if (rv < 0) {
        if (rv != -ENOTSUP) /* has been said */
            cl_complain("%s", err_text(rv));
        job.out.status = CL_EXIT_FAILED;
    }
    for (size_t i = 0; i < made; i++)
        worker_fini(&workers[i]);
    free(workers);
    extract_input_fini(&job.in);
    return job.out.status;
}
