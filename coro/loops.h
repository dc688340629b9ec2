/* coro/loops.h - all loops of the process: who may ask them something.
 *
 *   context  any thread, unless said otherwise */
#pragma once

#include "coro/internal.h"

/* In and out of the list; on the loop's own thread. */
MUST_USE int coro_loops_add(struct co_loop *loop);
void coro_loops_remove(struct co_loop *loop);

/* Call fn for each loop, with the list locked: no loop goes away meanwhile. */
void coro_loops_each(void (*fn)(struct co_loop *loop, void *arg), void *arg);

/* Between turns: write the report that a signal asked for. */
void coro_dump_if_asked(struct co_loop *loop);

/* Nothing can wake any of the loop's tasks: say who waits on what, and end
 * every wait with -EDEADLK. */
void coro_deadlock(struct co_loop *loop);

/* ---- watchdog.c ---- */

/* A loop that wants to be watched has come; start the thread when there is none. */
void coro_watchdog_start(void);

/* After the loop has left the list: wait until the watchdog tells nothing any more. */
void coro_watchdog_settle(void);

/* ---- overflow.c ---- */

/* Report overflows of this thread's task stacks; 0 or -errno (goes on without). */
int coro_overflow_arm(struct co_loop *loop);
void coro_overflow_disarm(struct co_loop *loop);
