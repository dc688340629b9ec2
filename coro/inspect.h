/* coro/inspect.h - what all tasks are doing, asked from inside the process.
 *
 *   context   said at each call
 *   returns   0, or -errno
 *   ownership buffers are the caller's */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coro/base/buf.h"
#include "coro/coro.h"

EXTERN_C_BEGIN

enum co_dump_format { CO_DUMP_TEXT, CO_DUMP_JSON };

/* Tasks listed at most per loop; what is beyond is counted. */
#define CO_DUMP_TASKS_MAX 1000
/* And descriptors that are parked without a task. */
#define CO_DUMP_FDS_MAX 100

/* Append a report of the calling thread's loop: its counters, its spawn sites,
 * every task with state, wait reason, age, spawn site and backtrace, and parked
 * descriptors with peer and age.  On a
 * loop's thread, inside a task or not; never yields.  -EPERM: no loop here. */
MUST_USE int co_dump(struct buf *out, enum co_dump_format format);

/* The same for every loop of the process.  A loop that has not answered at the
 * deadline is listed as busy.  The text is made on the offload pool. */
CO_FN MUST_USE int co_dump_all(struct buf *out, enum co_dump_format format, int64_t deadline_ns);

/* From now on this signal (SIGQUIT is usual) makes every loop write its report
 * to stderr, between two turns.  Any thread. */
MUST_USE int co_dump_on_signal(int signo);

/* What that signal does, for programs that take it otherwise.  Any thread.  The
 * number of loops there are. */
int co_dump_request(void);

/* Counters of the calling thread's loop. */
struct co_counts {
    size_t alive;      /* tasks that have not ended */
    size_t ready;      /* of these in the run queue */
    size_t parked_fds; /* descriptors parked without a task */
    size_t stacks;     /* cut so far */
    size_t pooled;     /* of these idle */
    size_t unguarded;  /* of these without a guard */
    uint64_t spawned;
    uint64_t switches;
    uint64_t turns;
    uint64_t trimmed;         /* stacks whose memory was given back */
    uint64_t accept_failures; /* for want of descriptors or memory; each was tried again */
};
int co_counts(struct co_counts *ret_counts);

/* How long turns took: turns of [2^i, 2^(i+1)) ns are counted in bucket i.  A
 * turn is the time between two looks at I/O and timers.  Needs accounting. */
#define CO_LAG_BUCKETS 40
int co_lag(uint64_t ret_buckets[CO_LAG_BUCKETS]);

/* ---- the watchdog ---- */

/* A task that keeps its loop busy longer than co_options.watchdog_ns is
 * reported once, with its name, spawn site and native stack. */
struct co_blocked {
    const char *loop;
    const char *task; /* "(loop)" when no task runs */
    const struct co_site *site;
    int64_t busy_ns;   /* at least */
    const char *stack; /* text, a frame a line */
};
typedef void co_blocked_fn(const struct co_blocked *blocked, void *arg);
/* Who gets the report, on the watchdog's thread; NULL: stderr.  Any thread. */
void co_on_blocked(co_blocked_fn *fn, void *arg);
/* The calling task may block its loop (or may not again). */
void co_watchdog_ignore(bool is_ignored);

EXTERN_C_END
