/* coro/offload.h - blocking calls on other threads, while the task waits.
 *
 * One bounded pool per process: threads start when work waits (at most
 * CO_OFFLOAD_THREADS) and end after some idle seconds.  They are nicer (by 5) than
 * the loops, which others wait for.
 *
 *   context   CO_FN: only inside a task; may let others run
 *   deadline  absolute ns of co_now(); CO_NO_DEADLINE waits for ever
 *   returns   0 or -errno: what coro.h says of every wait.  -ETIMEDOUT,
 *             -ECANCELED: given up, see ownership
 *   ownership the job is transferred; it comes back with 0.  After any other
 *             result the pool drops it: at once, or when the call that cannot
 *             be interrupted has ended, which may be after the loop's end.  So a
 *             job is no memory of the task's stack, unless deadline and cancel are
 *             out of the question (CO_NO_DEADLINE inside co_cancel_disable,
 *             and no co_scope around it). */
#pragma once

#include <stddef.h>

#include "coro/coro.h"

CO_C_BEGIN

/* Threads at most; work beyond that waits in line, first come first served. */
#define CO_OFFLOAD_THREADS 8
/* Calls in line at most; beyond that co_offload returns -EBUSY. */
#define CO_OFFLOAD_QUEUE 4096

/* What runs on the other thread, with all signals blocked.  There is no task: of
 * this library it may call what any thread may.  Its result is any int. */
typedef int co_offload_fn(void *job);
/* Frees a job that was given up; on any thread. */
typedef void co_offload_drop_fn(void *job);

/* Run fn(job) on a thread of the pool; 0 stores its result (ret_result may be
 * NULL).  drop may be NULL (a job that needs no freeing, and lives for ever).
 * -EAGAIN: no thread could be started; -EBUSY: too many calls in line; -ENOMEM. */
CO_FN CO_MUST_USE int co_offload(co_offload_fn *fn, void *job, co_offload_drop_fn *drop,
                                 int64_t deadline_ns, int *ret_result);

struct co_offload_counts {
    size_t threads; /* of the process's pool */
    size_t running; /* of these at work */
    size_t waiting; /* calls in line */
};
/* Any thread. */
void co_offload_counts(struct co_offload_counts *ret_counts);

CO_C_END
