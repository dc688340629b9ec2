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
 *             -EDEADLK: every task waits for another one, without deadline and
 *             without I/O; the report on stderr says who waits on what.
 *   ownership a struct co_task * is a handle owned by the spawner: give it to
 *             exactly one of co_join (that returns 0) or co_detach. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coro/base/attr.h"
#include "coro/base/clock.h"
#include "coro/base/list.h"

EXTERN_C_BEGIN

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
    size_t pool_max_stacks; /* idle stacks whose memory is kept; 0: all */
    int64_t watchdog_ns; /* a task that runs longer is reported (inspect.h); 0: 100 ms, <0: never */
    bool is_unaccounted; /* no CPU time and longest slice per task: a switch is faster */
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
    unsigned id; /* the library's; 0 until first used */
};

/* Start fn(arg) as a task that runs after those already ready.  name is
 * borrowed for the task's life (NULL: the spawn site's function).  NULL and
 * errno when no stack or memory is left.  Does not yield. */
#define co_spawn(fn, arg) co_spawn_named(NULL, fn, arg)
#define co_spawn_named(name, fn, arg)                                                              \
    __extension__({                                                                                \
        static struct co_site co_site_here = {__FILE__, __func__, __LINE__, 0};                    \
        co_spawn_at(&co_site_here, name, fn, arg);                                                 \
    })
struct co_task *co_spawn_at(struct co_site *site, const char *name, co_fn *fn, void *arg);

/* Wait until the task has ended; 0 stores its result and releases the handle.
 * -EDEADLK: a task may not join itself; -EBUSY: somebody joins it already;
 * -EINVAL: it is detached, or was joined (told while its stack lies idle). */
CO_FN MUST_USE int co_join(struct co_task *task, int64_t deadline_ns, int *ret_result);
/* Give the handle up: the task releases itself when it ends.  NULL is accepted;
 * a task that is joined or was given up is a bug, said on stderr before abort(). */
void co_detach(struct co_task *task);
/* Wake the task with -ECANCELED, now and at every later wait.  Returns at once;
 * join it to know that it has ended.  Harmless on a task that has ended. */
void co_cancel(struct co_task *task);

/* Between these, cancels of the calling task wait: waits go on as if nothing
 * had happened.  May be nested.  After the last enable they take effect. */
void co_cancel_disable(void);
void co_cancel_enable(void);

/* The running task; NULL outside tasks. */
struct co_task *co_self(void);
const char *co_task_name(const struct co_task *task);

/* Let every other ready task run first.  0 or -ECANCELED.  C++20 made its name
 * a keyword: there it is co_give_way. */
#ifdef __cpp_impl_coroutine
CO_FN int co_give_way(void) __asm__("co_yield");
#else
CO_FN int co_yield (void);
#endif
/* Park until the deadline.  0 or -ECANCELED. */
CO_FN int co_sleep_until(int64_t deadline_ns);
CO_FN int co_sleep(int64_t span_ns);

/* The loop's cached clock, as old as the running turn (microseconds, unless a
 * task computes at length).  Outside a loop: the clock. */
int64_t co_now(void);
/* A deadline span_ns from now, by a clock read for it (which co_now sees too). */
int64_t co_after(int64_t span_ns);

/* ---- groups ---- */

enum co_group_flag { CO_GROUP_KEEP_GOING = 1 }; /* a member's error does not cancel the others */

/* Tasks that all end before the scope of the group does.  Caller's memory; the
 * fields are the library's. */
struct co_group {
    struct list members;
    struct list waiters;
    struct list spawners;
    size_t limit;
    size_t alive; /* members, and places promised to spawners */
    size_t ended; /* members so far */
    int first_error;
    unsigned flags;
    bool is_cancelled;
};

/* limit: members at a time, 0: any number; flags: of enum co_group_flag. */
void co_group_init(struct co_group *group, size_t limit, unsigned flags);
/* Spawn a member; waits for a place in a bounded group (deadline 0: -EAGAIN
 * instead).  0, or -ENOMEM.  A member of a cancelled group starts cancelled. */
#define co_group_spawn(group, fn, arg, deadline_ns)                                                \
    __extension__({                                                                                \
        static struct co_site co_site_here = {__FILE__, __func__, __LINE__, 0};                    \
        co_group_spawn_at(&co_site_here, group, fn, arg, deadline_ns);                             \
    })
CO_FN MUST_USE int co_group_spawn_at(struct co_site *site, struct co_group *group, co_fn *fn,
                                     void *arg, int64_t deadline_ns);
/* Wait for all members; 0 or the error of the member that failed first.
 * -ETIMEDOUT leaves them running. */
CO_FN MUST_USE int co_group_wait(struct co_group *group, int64_t deadline_ns);
/* Wait until `count` members have ended since init, or none is left. */
CO_FN MUST_USE int co_group_wait_count(struct co_group *group, size_t count, int64_t deadline_ns);
void co_group_cancel(struct co_group *group);
/* The end of the scope: cancel whoever is left and wait for them, even when the
 * caller is cancelled itself.  The first error, or 0. */
CO_FN int co_group_close(struct co_group *group);

/* ---- scoped deadlines ---- */

/* A deadline for everything the task does until the scope is left: each wait
 * inside ends at the earliest of its own deadline and those of the scopes
 * around it, with -ETIMEDOUT; has_expired tells whose it was.  Caller's memory. */
struct co_scope {
    struct co_scope *outer;
    int64_t deadline_ns;
    bool has_expired;
};

/* Scopes nest: leave the innermost first. */
CO_FN void co_scope_enter(struct co_scope *scope, int64_t deadline_ns);
/* True when a wait inside ended because of this very scope. */
CO_FN bool co_scope_leave(struct co_scope *scope);
/* A new deadline for the innermost scope. */
CO_FN void co_scope_restart(struct co_scope *scope, int64_t deadline_ns);

/* ---- task-local values ---- */

/* The address of a static struct co_local names the value. */
struct co_local {
    void (*destroy)(void *value); /* at the task's end, for values not NULL; may be NULL */
};
/* NULL when the running task has none. */
void *co_local_get(const struct co_local *local);
/* The value is transferred to the task.  The old one is not destroyed.  0, -ENOMEM. */
int co_local_set(const struct co_local *local, void *value);

/* ---- between threads ---- */

/* The loop of this thread; NULL when it is none.  A loop that was asked for may
 * be posted to: it never counts as deadlocked. */
struct co_loop *co_loop_self(void);
/* Run fn(arg) on the loop's own stack soon; fn may not block.  The only call
 * of this library that another thread (or a signal handler: no) may make.
 * 0, or -ENOMEM, -ESHUTDOWN when the loop is ending. */
int co_loop_post(struct co_loop *loop, void (*fn)(void *arg), void *arg);

EXTERN_C_END
