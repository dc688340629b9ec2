/* The pipeline of domainc extract: blocks of whole lines, any number of workers,
 * output in the order of the input, memory that does not grow.
 *
 * Every worker has one block.  In a loop it
 *   1. reads the next block under the read lock, which also numbers it,
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
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/command.h"
#include "client/extract.h"
#include "coro/base/clock.h"
#include "coro/base/err.h"
#include "coro/base/units.h"
#include "coro/prof/prof.h"
#include "coro/prof/worker.h"

enum {
    BLOCK_BYTES = 256 << 10,
    REPORTS_MAX = 10, /* bad lines told one by one; the rest as a number */
    PROGRESS_NS = 100000000,
};

/* What is read, under the read lock. */
struct input {
    pthread_mutex_t lock;
    size_t next_path;
    const char *name; /* of the open file; NULL: none is open */
    int fd;
    char *carry; /* the begin of a line whose end was not read yet */
    size_t carry_len;
    bool is_skipping;     /* inside a line that is too long */
    uint64_t lines;       /* of this file, read so far */
    uint64_t blocks;      /* handed out */
    uint64_t total_bytes; /* of all files; 0: not known */
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
    int64_t start_ns, shown_ns;
    bool is_progress_on;
};

struct job {
    const struct extract_options *o;
    struct input in;
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
    char *block;
    size_t len;
    const char *name; /* of the file the block is from */
    int error;        /* reading failed there */
    uint64_t number;
    uint64_t first_line;
    bool is_cut; /* the block is the begin of one line that is too long */
    struct buf rows;
    uint64_t lines, bad;
    struct report reports[REPORTS_MAX];
    bool is_stopped; /* by a bad line, with --errors=stop */
};

/* ---- saying things ---- */

static void show_progress(struct output *out, const struct input *in, bool is_last)
{
    int64_t now = clock_now_ns();
    if (!out->is_progress_on || (!is_last && now - out->shown_ns < PROGRESS_NS))
        return;
    out->shown_ns = now;
    double seconds = (double)(now - out->start_ns) / 1e9;
    char count[UNITS_TEXT_BYTES], rate[UNITS_TEXT_BYTES];
    units_format_count((double)out->lines, count);
    units_format_count(seconds > 0 ? (double)out->lines / seconds : 0, rate);
    if (in->total_bytes > 0 && out->bytes > 0 && !is_last) {
        double part = (double)out->bytes / (double)in->total_bytes;
        fprintf(stderr, "\r%s lines  %s/s  %.0f %%  %.0f s left \033[K", count, rate, part * 100,
                seconds / part - seconds);
    } else {
        fprintf(stderr, "\r%s lines  %s/s \033[K%s", count, rate, is_last ? "\n" : "");
    }
}

static void report_bad(struct output *out, const struct worker *w)
{
    for (uint64_t i = 0; i < w->bad && i < REPORTS_MAX && out->reported < REPORTS_MAX; i++) {
        cl_complain("%s:%" PRIu64 ": %s", w->name, w->reports[i].line, w->reports[i].why);
        out->reported++;
    }
}

/* ---- reading ---- */

/* False: no file is left (0) or this one does not open (-errno). */
static bool open_next(struct job *job, int *ret_error)
{
    struct input *in = &job->in;
    *ret_error = 0;
    if (in->next_path == job->o->path_count)
        return false;
    in->name = job->o->paths[in->next_path++];
    in->lines = 0;
    in->is_skipping = false;
    if (strcmp(in->name, "-") == 0) {
        in->name = "standard input";
        in->fd = STDIN_FILENO;
        return true;
    }
    in->fd = open(in->name, O_RDONLY | O_CLOEXEC);
    *ret_error = in->fd < 0 ? -errno : 0;
    return in->fd >= 0;
}

/* One read: what a pipe has now is worked on now.  Bytes, 0 at the end, -errno. */
static ssize_t read_some(int fd, char *at, size_t cap)
{
    ssize_t n;
    do {
        n = read(fd, at, cap);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

static uint64_t count_lines(const char *at, size_t n)
{
    uint64_t lines = 0;
    for (const char *end = at + n; at < end && (at = memchr(at, '\n', (size_t)(end - at))) != NULL;
         at++)
        lines++;
    return lines;
}

/* After a line that was too long: drops its rest from the front of the block. */
static void skip_rest(struct input *in, struct worker *w)
{
    const char *newline = memchr(w->block, '\n', w->len);
    size_t drop = newline == NULL ? w->len : (size_t)(newline - w->block) + 1;
    w->len -= drop;
    memmove(w->block, w->block + drop, w->len);
    in->is_skipping = newline == NULL;
}

/* Cuts the block behind its last newline; what follows is carried over. */
static void cut_at_line(struct input *in, struct worker *w, bool is_end)
{
    w->is_cut = false;
    if (is_end) {
        if (w->len > 0 && w->block[w->len - 1] != '\n')
            w->block[w->len++] = '\n';
        return;
    }
    const char *newline = memrchr(w->block, '\n', w->len);
    if (newline == NULL && w->len > EXTRACT_LINE_MAX_BYTES) {
        w->is_cut = in->is_skipping = true;
        w->block[w->len - 1] = '\n';
        return;
    }
    size_t whole = newline == NULL ? 0 : (size_t)(newline + 1 - w->block);
    in->carry_len = w->len - whole;
    memcpy(in->carry, w->block + whole, in->carry_len);
    w->len = whole;
}

/* The next piece of the open file into the worker's block, which may stay empty;
 * false at the file's end. */
static bool read_piece(struct input *in, struct worker *w, int *ret_error)
{
    memcpy(w->block, in->carry, in->carry_len);
    w->len = in->carry_len;
    in->carry_len = 0;
    ssize_t n = read_some(in->fd, w->block + w->len, BLOCK_BYTES - w->len);
    *ret_error = n < 0 ? (int)n : 0;
    if (n > 0)
        w->len += (size_t)n;
    if (in->is_skipping)
        skip_rest(in, w);
    cut_at_line(in, w, n <= 0);
    if (n > 0)
        return true;
    if (in->fd != STDIN_FILENO)
        close(in->fd);
    return false;
}

/* The next block; one that is empty and has an error when reading failed, so
 * that what was read before is written first.  False: the input has ended. */
static bool read_block(struct worker *w)
{
    struct job *job = w->job;
    struct input *in = &job->in;
    w->error = 0;
    w->len = 0;
    pthread_mutex_lock(&in->lock);
    while (w->len == 0 && w->error == 0) {
        if (in->name == NULL && !open_next(job, &w->error))
            break;
        w->name = in->name;
        w->first_line = in->lines + 1;
        if (!read_piece(in, w, &w->error))
            in->name = NULL;
    }
    if (w->error < 0) {
        w->name = in->name != NULL ? in->name : w->name;
        w->len = 0;
        in->name = NULL;
        in->next_path = job->o->path_count;
    }
    bool got = w->len > 0 || w->error < 0;
    if (got) {
        in->lines += count_lines(w->block, w->len);
        w->number = in->blocks++;
    }
    pthread_mutex_unlock(&in->lock);
    return got;
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
    struct extract_row row = {.url = at, .url_len = len, .line = w->first_line + w->lines};
    if (len > 0 && at[len - 1] == '\r')
        row.url_len--;
    row.is_too_long = w->is_cut || len > EXTRACT_LINE_MAX_BYTES;
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
    const char *at = w->block, *end = at + w->len;
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

int extract_write(int fd, const char *at, size_t n)
{
    PROF_SCOPE("{write}");
    while (n > 0) {
        ssize_t written = write(fd, at, n);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -errno;
        at += written;
        n -= (size_t)written;
    }
    return 0;
}

static void stop(struct output *out, const char *what, int error)
{
    if (error < 0)
        cl_complain("%s: %s", what, err_text(error));
    out->status = CL_EXIT_FAILED;
    out->stop = true;
}

/* In its turn: the rows out, the totals on.  False: all is to end. */
static bool write_block(struct worker *w, int work_error)
{
    struct output *out = &w->job->out;
    pthread_mutex_lock(&out->lock);
    while (out->next != w->number && !out->stop)
        pthread_cond_wait(&out->turn, &out->lock);
    if (!out->stop) {
        int rv = extract_write(STDOUT_FILENO, w->rows.data, w->rows.len);
        out->lines += w->lines;
        out->bad += w->bad;
        out->bytes += w->len;
        if (!w->job->o->is_quiet)
            report_bad(out, w);
        show_progress(out, &w->job->in, false);
        if (rv < 0)
            stop(out, "standard output", rv);
        else if (work_error < 0)
            stop(out, w->name, work_error);
        else if (w->error < 0)
            stop(out, w->name, w->error);
        else if (w->is_stopped)
            stop(out, w->name, 0);
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
    while (read_block(w)) {
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
    w->block = malloc(BLOCK_BYTES + 1); /* a last line may lack its newline */
    if (w->block == NULL)
        return -ENOMEM;
    if (job->o->count_top > 0) {
        int rv = extract_counts_new(&w->counts);
        if (rv < 0)
            return rv;
    }
    int rv = domain_engine_new(job->o->engine, &w->engine, why);
    if (rv == -ENOTSUP)
        cl_complain("engine %s: %s", domain_engine_word(job->o->engine), why);
    return rv;
}

static void worker_fini(struct worker *w)
{
    domain_engine_free(w->engine);
    extract_counts_free(w->counts);
    buf_fini(&w->rows);
    free(w->block);
}

/* Sizes of the files, for the time left; 0 as soon as one is no plain file. */
static uint64_t total_bytes(const struct extract_options *o)
{
    uint64_t total = 0;
    for (size_t i = 0; i < o->path_count; i++) {
        struct stat st;
        int rv = strcmp(o->paths[i], "-") == 0 ? fstat(STDIN_FILENO, &st) : stat(o->paths[i], &st);
        if (rv < 0 || !S_ISREG(st.st_mode))
            return 0;
        total += (uint64_t)st.st_size;
    }
    return total;
}

static int print_counts(struct worker *workers, size_t n, int64_t top)
{
    struct buf text;
    int rv = 0;
    for (size_t i = 1; i < n && rv == 0; i++)
        rv = extract_counts_merge(workers[0].counts, workers[i].counts);
    buf_init(&text, SIZE_MAX / 2);
    if (rv == 0)
        rv = extract_counts_print(workers[0].counts, (size_t)top, &text);
    if (rv == 0)
        rv = extract_write(STDOUT_FILENO, text.data, text.len);
    buf_fini(&text);
    return rv;
}

static void sum_up(struct job *job)
{
    struct output *out = &job->out;
    show_progress(out, &job->in, true);
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
        .in = {.lock = PTHREAD_MUTEX_INITIALIZER, .total_bytes = total_bytes(o)},
        .out = {.lock = PTHREAD_MUTEX_INITIALIZER,
                .turn = PTHREAD_COND_INITIALIZER,
                .start_ns = clock_now_ns(),
                .is_progress_on = !o->is_quiet && isatty(STDERR_FILENO)},
    };
    size_t made = 0;
    int rv = 0;
    struct worker *workers = calloc(o->jobs, sizeof *workers);
    job.in.carry = malloc(BLOCK_BYTES);
    if (workers == NULL || job.in.carry == NULL)
        rv = -ENOMEM;
    while (rv == 0 && made < o->jobs)
        rv = worker_init(&workers[made++], &job);
    if (rv == 0) {
        start_workers(workers, made);
        sum_up(&job);
        if (o->count_top > 0 && job.out.status == CL_EXIT_OK)
            rv = print_counts(workers, made, o->count_top);
    }
    if (rv < 0) {
        if (rv != -ENOTSUP) /* has been said */
            cl_complain("%s", err_text(rv));
        job.out.status = CL_EXIT_FAILED;
    }
    for (size_t i = 0; i < made; i++)
        worker_fini(&workers[i]);
    free(workers);
    free(job.in.carry);
    return job.out.status;
}
