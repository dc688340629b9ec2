/* coro/coro.h - tasks: blocking-style code on an event loop.
 *
 * A task is a function on its own pooled, guarded stack.  co_run() makes the
 * calling thread a loop and runs a first task on it; tasks spawn others; a
 * task never changes thread.  Whatever would block parks the task and lets the
 * loop run the next one.
 *
 *   context   CO_FN: only inside a task, may let others run; outside it ends the
 *             program with a message.  The others: any code on the loop's thread,
 *             unless they say more; they never wait.
 *   deadline  absolute ns of co_now(); CO_NO_DEADLINE waits for ever.  With one
 *             that has passed (0) a call does what needs no waiting, else lets
 *             the others run once and returns -ETIMEDOUT.
 *   returns   0 or more, or -errno.  Every call that waits may return
 *             -ETIMEDOUT: the deadline passed, or that of a scope around it;
 *             -ECANCELED: this task was cancelled.  Cancel is sticky: every
 *             later wait fails at once too, so ordinary unwinding ends the task;
 *             -EDEADLK: every task waits for another one, without deadline and
 *             without I/O; the report on stderr says who waits on what;
 *             -ENOMEM: no memory for the timer of its deadline.
 *             After any of them what was waited for has not happened.
 *   ownership a struct co_task * is a handle owned by the spawner: give it to
 *             exactly one of co_join (that returns 0) or co_detach.  It means
 *             nothing on other threads, and nothing after that. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coro/base/public.h"

CO_C_BEGIN

/* Marks a function that only a task may call and that may let others run. */
#define CO_FN
/* A deadline that never comes. */
#define CO_NO_DEADLINE INT64_MAX

struct co_task;
struct co_port;

/* What a task runs: 0 or more, or -errno; co_join hands the result on, and a
 * group takes a negative one for a failure. */
typedef int co_fn(void *arg);

struct co_options {
    const char *name;       /* of the loop, for reports, borrowed; NULL: "main" */
    size_t stack_bytes;     /* address space per task, 64 KiB at least; 0: 256 KiB (1 MiB under
                               sanitizers) */
    size_t pool_max_stacks; /* idle stacks whose memory is kept; 0: all */
    int64_t watchdog_ns; /* a task that runs longer is reported (inspect.h); 0: 100 ms, <0: never */
    bool is_unaccounted; /* no CPU time and longest slice per task: a switch is faster */
};

/* Make this thread a loop and run fn(arg) as its first task.  When that has
 * returned, whatever tasks are left are cancelled and waited for; descriptors
 * that are parked come back as tasks; then the loop ends.  Any thread that is no
 * loop, also several after each other or beside each other.  options NULL:
 * defaults; borrowed for the call.
 * Returns fn's result, or -errno when the loop could not start: -EBUSY: this
 * thread is a loop already; -ENOMEM; -EMFILE, -ENFILE and whatever else
 * epoll_create, eventfd and timerfd_create say.
 * From the first loop on two signals are the library's, unless the program has a
 * handler of its own for them already: SIGURG (the watchdog's question; without it
 * nobody watches; not taken with watchdog_ns < 0), and SIGSEGV (names a task that
 * overflowed its stack, then takes its course). */
int co_run(co_fn *fn, void *arg, const struct co_options *options);

/* ---- task life ---- */

/* Where a task was spawned: one static record per call of co_spawn in the source. */
struct co_site {
    const char *file;
    const char *function;
    int line;
    unsigned id; /* the library's; 0 until first used */
};

/* Start fn(arg) as a task that runs after those already ready.  arg is passed on
 * as it is; name is borrowed for the task's life (NULL: the spawn site's
 * function), site for the program's.  The handle is owned by the caller.
 * NULL and errno ENOMEM: no stack or memory is left; EPERM: no loop here.
 * Scopes, task-local values and cancel of the caller are not inherited; on a
 * loop that is ending the task begins cancelled. */
#define co_spawn(fn, arg) co_spawn_named(NULL, fn, arg)
#define co_spawn_named(name, fn, arg)                                                              \
    __extension__({                                                                                \
        static struct co_site co_site_here = {__FILE__, __func__, __LINE__, 0};                    \
        co_spawn_at(&co_site_here, name, fn, arg);                                                 \
    })
struct co_task *co_spawn_at(struct co_site *site, const char *name, co_fn *fn, void *arg);

/* Wait until the task has ended; 0 stores its result (ret_result may be NULL)
 * and releases the handle.  After any other result the handle is the caller's
 * still, and the task goes on: being cancelled in here does not cancel it.
 * -EDEADLK: also when a task joins itself; -EBUSY: somebody joins it already;
 * -EINVAL: it is detached, or was joined (told while its stack lies idle). */
CO_FN CO_MUST_USE int co_join(struct co_task *task, int64_t deadline_ns, int *ret_result);
/* Give the handle up: the task releases itself when it ends, and its result is
 * lost.  NULL is accepted, so that a spawn that failed may be passed on; a task
 * that is joined or was given up is a bug, said on stderr before abort(). */
void co_detach(struct co_task *task);
/* Wake the task with -ECANCELED, now and at every later wait.  A wait that has
 * been granted what it waited for keeps it and returns 0; the next one fails.  A
 * task that did not run yet runs, cancelled.  Harmless on the caller itself (its
 * next wait fails) and on a task that has ended; but not once its handle was given
 * up, unless the caller knows that it lives.  Join it to know that it has ended. */
void co_cancel(struct co_task *task);

/* Between these, cancels of the calling task wait: waits go on as if nothing
 * had happened, also if it was cancelled before.  May be nested, 65535 deep.
 * After the last enable they take effect; one too many ends the program with a
 * message.  Inside a task; they do not wait. */
void co_cancel_disable(void);
void co_cancel_enable(void);

/* The running task, borrowed; NULL outside tasks.  Any thread. */
struct co_task *co_self(void);
/* Borrowed: as long as the handle, and the name given at its spawn. */
const char *co_task_name(const struct co_task *task);

/* Let every other ready task run first.  0 or -ECANCELED (cancelled before: at
 * once), and nothing else.  C++20 made its name a keyword: there it is co_give_way. */
#ifdef __cpp_impl_coroutine
CO_FN int co_give_way(void) __asm__("co_yield");
#else
CO_FN int co_yield (void);
#endif
/* Wait until the deadline, at least: then 0.  -ETIMEDOUT: a scope's came before. */
CO_FN int co_sleep_until(int64_t deadline_ns);
/* The same for a span from now; not above 0: others run once. */
CO_FN int co_sleep(int64_t span_ns);

/* The loop's cached clock, as old as the running turn (microseconds, unless a
 * task computes at length).  Outside a loop: the clock.  Any thread; the clock is
 * CLOCK_MONOTONIC, so deadlines mean the same on every loop of the process. */
int64_t co_now(void);
/* A deadline span_ns from now, by a clock read for it (which co_now sees too).
 * A span too long for the clock is CO_NO_DEADLINE.  Any thread. */
int64_t co_after(int64_t span_ns);

/* ---- groups ---- */

enum co_group_flag { CO_GROUP_KEEP_GOING = 1 }; /* a member's error does not cancel the others */

/* Tasks that all end before the scope of the group does: what is spawned into a
 * group may use what lives around it.  Caller's memory, to be closed by
 * co_group_close before it goes away; the fields are the library's. */
struct co_group {
    struct co_list members;
    struct co_list waiters;
    struct co_list spawners;
    size_t limit;
    size_t alive; /* members, and places promised to spawners */
    size_t ended; /* members so far */
    int first_error;
    unsigned flags;
    bool is_cancelled;
    bool is_closing; /* cancelled by the end of the scope, and by nobody before */
};

/* limit: members at a time, 0: any number; flags: of enum co_group_flag.  A member
 * whose result is negative has failed: the first to do so has the group
 * cancelled, unless CO_GROUP_KEEP_GOING. */
void co_group_init(struct co_group *group, size_t limit, unsigned flags);
/* Spawn a member, which the group owns.  In a bounded group it waits for a place,
 * first come, first served (deadline_ns 0: -EAGAIN instead); else it does not
 * wait.  -ENOMEM: no stack or memory is left.  After any error fn will not run.
 * A member of a cancelled group starts cancelled. */
#define co_group_spawn(group, fn, arg, deadline_ns)                                                \
    __extension__({                                                                                \
        static struct co_site co_site_here = {__FILE__, __func__, __LINE__, 0};                    \
        co_group_spawn_at(&co_site_here, group, fn, arg, deadline_ns);                             \
    })
CO_FN CO_MUST_USE int co_group_spawn_at(struct co_site *site, struct co_group *group, co_fn *fn,
                                        void *arg, int64_t deadline_ns);
/* Wait for all members, also those spawned meanwhile; 0 or the result of the
 * member that failed first.  -ETIMEDOUT, -ECANCELED (may be a member's result,
 * too) leave them running.  -EDEADLK: also for a member of the group. */
CO_FN CO_MUST_USE int co_group_wait(struct co_group *group, int64_t deadline_ns);
/* Wait until `count` members have ended since init, or none is left: 0, however
 * they ended. */
CO_FN CO_MUST_USE int co_group_wait_count(struct co_group *group, size_t count,
                                          int64_t deadline_ns);
/* Cancel the members there are and will be; does not wait. */
void co_group_cancel(struct co_group *group);
/* The end of the scope: cancel whoever is left and wait for them, even when the
 * caller is cancelled itself or a scope around it expires.  0 or the result of
 * the member that failed first; one that only this call has cancelled, and that
 * ends with -ECANCELED, has not.  -EDEADLK: the caller is a member, nothing is done. */
CO_FN int co_group_close(struct co_group *group);

/* ---- scoped deadlines ---- */

/* A deadline for everything the task does until the scope is left: each wait
 * inside ends at the earliest of its own deadline and those of the scopes
 * around it, with -ETIMEDOUT; has_expired tells whose it was (the outermost of
 * equals).  Tasks spawned inside are not bound by it.  Caller's memory, borrowed
 * until the scope is left. */
struct co_scope {
    struct co_scope *outer;
    int64_t deadline_ns;
    bool has_expired;
};

/* Scopes nest: leave the innermost first (another ends the program with a message),
 * in the task that entered it.  None of these waits. */
CO_FN void co_scope_enter(struct co_scope *scope, int64_t deadline_ns);
/* True when a wait inside ended because of this very scope. */
CO_FN bool co_scope_leave(struct co_scope *scope);
/* A new deadline for a scope that this task is in; what has expired is forgotten. */
CO_FN void co_scope_restart(struct co_scope *scope, int64_t deadline_ns);

/* ---- task-local values ---- */

/* The address of a static struct co_local names the value. */
struct co_local {
    /* At the task's end, in the task, for values not NULL; may wait; may be NULL. */
    void (*destroy)(void *value);
};
/* Borrowed; NULL when the running task has none, and outside tasks. */
void *co_local_get(const struct co_local *local);
/* The value is transferred to the task.  The old one is not destroyed.  Inside a
 * task; does not wait.  0, or -ENOMEM: the value is the caller's still. */
int co_local_set(const struct co_local *local, void *value);

/* ---- between threads ---- */

/* What other threads hold of a loop.  Shared and counted: it may outlive the
 * loop, and then refuses. */
/* A hold on the port of this thread's loop, to be given back by co_port_unref.
 * NULL and errno EPERM: no loop here. */
struct co_port *co_port_get(void);
/* One hold more.  Any thread that has one. */
struct co_port *co_port_ref(struct co_port *port);
/* Any thread; NULL is accepted.  While somebody has a hold, the loop never
 * counts as deadlocked: give it back when nothing more will be posted. */
void co_port_unref(struct co_port *port);
/* Run fn(arg) soon on the loop's thread, on its own stack, where it may not wait
 * (it may spawn).  From any thread, not from a signal handler.  Posts of one
 * thread run in their order.  0: it will run, once, also when the loop is about
 * to end (tasks spawned then begin cancelled).  -ESHUTDOWN: the loop has ended,
 * fn will not run.  -ENOMEM. */
CO_MUST_USE int co_port_post(struct co_port *port, void (*fn)(void *arg), void *arg);

CO_C_END
