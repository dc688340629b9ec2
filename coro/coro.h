/* coro/coro.h - tasks: blocking-style code on an event loop.
 *
 * A task is a function on its own pooled, guarded stack.  co_run() makes the
 * calling thread a loop and runs a first task on it; tasks spawn others; a
 * task never changes thread.  Whatever would block parks the task and lets the
 * loop run the next one.
 *
 *   context   CO_FN: only inside a task, may yield.  Others say so.
 *   deadline  absolute ns of co_now(); CO_NO_DEADLINE waits for ever
 *   returns   0 or more, or -errno; -ETIMEDOUT: the deadline passed;
 *             -ECANCELED: this task was cancelled.  Cancel is sticky: every
 *             later wait fails at once too, so ordinary unwinding ends the task.
 *   ownership a struct co_task * is a handle owned by the spawner: give it to
 *             exactly one of co_join (that returns 0) or co_detach. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "coro/base/attr.h"
#include "coro/base/clock.h"

/* Marks a function that only a task may call and that may yield. */
#define CO_FN
#define CO_NO_DEADLINE CLOCK_NEVER

struct co_task;
struct co_loop;

/* What a task runs: 0 or more, or -errno; co_join hands the result on. */
typedef int co_fn(void *arg);

struct co_options {
    const char *name;       /* of the loop, for reports; NULL: "main" */
    size_t stack_bytes;     /* address space per task; 0: 256 KiB */
    size_t pool_max_stacks; /* idle stacks kept; 0: no limit but the address space */
};

/* Make this thread a loop, run fn(arg) as its first task, then cancel and join
 * whatever tasks are left.  Returns fn's result, or -errno when the loop could
 * not start (-EBUSY: this thread already is a loop).  options NULL: defaults. */
int co_run(co_fn *fn, void *arg, const struct co_options *options);

/* ---- task life ---- */

/* Where a task was spawned: one static record per call of co_spawn in the source. */
struct co_site {
    const char *file;
    const char *function;
    int line;
};

/* Start fn(arg) as a task that runs after those already ready.  name is
 * borrowed for the task's life (NULL: the spawn site's function).  NULL and
 * errno when no stack or memory is left.  Does not yield. */
#define co_spawn(fn, arg) co_spawn_named(NULL, fn, arg)
#define co_spawn_named(name, fn, arg)                                                              \
    __extension__({                                                                                \
        static struct co_site co_site_here = {__FILE__, __func__, __LINE__};                       \
        co_spawn_at(&co_site_here, name, fn, arg);                                                 \
    })
struct co_task *co_spawn_at(struct co_site *site, const char *name, co_fn *fn, void *arg);

/* Wait until the task has ended; 0 stores its result and releases the handle.
 * -EDEADLK: a task may not join itself; -EBUSY: somebody joins it already. */
CO_FN MUST_USE int co_join(struct co_task *task, int64_t deadline_ns, int *ret_result);
/* Give the handle up: the task releases itself when it ends. */
void co_detach(struct co_task *task);
/* Wake the task with -ECANCELED, now and at every later wait.  Returns at once;
 * join it to know that it has ended.  Harmless on a task that has ended. */
void co_cancel(struct co_task *task);

/* The running task; NULL outside tasks. */
struct co_task *co_self(void);
const char *co_task_name(const struct co_task *task);

/* Let every other ready task run first.  0 or -ECANCELED. */
CO_FN int co_yield (void);
/* Park until the deadline.  0 or -ECANCELED. */
CO_FN int co_sleep_until(int64_t deadline_ns);
CO_FN int co_sleep(int64_t span_ns);

/* The loop's cached clock, as old as the running turn (microseconds, unless a
 * task computes at length).  Outside a loop: the clock. */
int64_t co_now(void);
/* A deadline span_ns from now, by a clock read for it (which co_now sees too). */
int64_t co_after(int64_t span_ns);

/* ---- between threads ---- */

/* The loop of this thread; NULL when it is none. */
struct co_loop *co_loop_self(void);
/* Run fn(arg) on the loop's own stack soon; fn may not block.  The only call
 * of this library that another thread (or a signal handler: no) may make.
 * 0, or -ENOMEM, -ESHUTDOWN when the loop is ending. */
int co_loop_post(struct co_loop *loop, void (*fn)(void *arg), void *arg);
