/* coro/inspect.h - what all tasks are doing, asked from inside the process.
 *
 *   context   said at each call; but for co_dump_all they never wait
 *   returns   0, or -errno
 *   ownership a report is owned by the caller: free(3) */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coro/coro.h"

CO_C_BEGIN

enum co_dump_format { CO_DUMP_TEXT, CO_DUMP_JSON };

/* Tasks listed at most per loop; what is beyond is counted. */
#define CO_DUMP_TASKS_MAX 1000
/* And descriptors that are parked without a task. */
#define CO_DUMP_FDS_MAX 100

/* A report of the calling thread's loop: its counters, its spawn sites, every task
 * with state, wait reason, age, spawn site and backtrace, and parked descriptors
 * with peer and age; a string.  On a loop's thread, inside a task or not.  Naming
 * functions takes milliseconds, which the loop stands still.  -EPERM: no loop here;
 * -ENOMEM; -EMSGSIZE: more than 64 MiB. */
CO_MUST_USE int co_dump(enum co_dump_format format, char **ret_text);

/* The same for every loop of the process, at most 256.  A loop that has not answered
 * at the deadline is listed as busy.  The text is made on the offload pool, after
 * that, and outlasts the deadline.  Inside a task.  Not -ETIMEDOUT (but for a scope
 * around it); -ECANCELED, -ENOMEM, -EMSGSIZE; -EAGAIN, -EBUSY as co_offload. */
CO_FN CO_MUST_USE int co_dump_all(enum co_dump_format format, int64_t deadline_ns, char **ret_text);

/* From now on this signal (SIGQUIT is usual) makes every loop write its report
 * to stderr, between two turns.  Any thread; it stays when the loops have ended.
 * -EINVAL: no such signal, or one that cannot be taken. */
CO_MUST_USE int co_dump_on_signal(int signo);

/* What that signal does, for programs that take it otherwise.  Any thread, also in a
 * signal handler.  How many loops were told (at most 256). */
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
/* On a loop's thread; -EPERM: no loop here. */
int co_counts(struct co_counts *ret_counts);

/* How long turns took: turns of [2^i, 2^(i+1)) ns are counted in bucket i.  A
 * turn is the time between two looks at I/O and timers.  All 0 without accounting
 * (co_options.is_unaccounted).  On a loop's thread; -EPERM: no loop here. */
#define CO_LAG_BUCKETS 40
int co_lag(uint64_t ret_buckets[CO_LAG_BUCKETS]);

/* ---- the watchdog ---- */

/* A task that keeps its loop busy longer than co_options.watchdog_ns is reported
 * once a stretch, with its name, spawn site and native stack.  All of it is
 * borrowed, for the call. */
struct co_blocked {
    const char *loop;
    const char *task; /* "(loop)" when no task runs */
    const struct co_site *site;
    int64_t busy_ns;   /* at least */
    const char *stack; /* text, a frame a line */
};
typedef void co_blocked_fn(const struct co_blocked *blocked, void *arg);
/* Who gets the report, for the whole process, on the watchdog's thread; NULL: stderr.
 * Any thread but that one; when it returns, the function before is not running. */
void co_on_blocked(co_blocked_fn *fn, void *arg);
/* The calling task may block its loop (or may not again), until it ends.  Inside a
 * task. */
void co_watchdog_ignore(bool is_ignored);

CO_C_END
