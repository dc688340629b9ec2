/* coro/run.h - the run queue and the switch from task to task, as inline code.
 *
 * A switch that lies in the very function the task called costs one return
 * address that the processor did not foresee; each function in between would
 * cost one more, and that is most of what a switch costs.  So the calls that
 * matter inline what is here; the others go through coro_park. */
#pragma once

#include "coro/internal.h"

/* Calls that find data waiting, in a row, before a task gives way. */
#define CO_IO_BUDGET 64

static inline void coro_ready(struct co_loop *loop, struct co_task *task)
{
    task->state = CO_TASK_READY;
    task->next = NULL;
    if (loop->ready_head == NULL)
        loop->ready_head = task;
    else
        loop->ready_tail->next = task;
    loop->ready_tail = task;
}

static inline struct co_task *coro_take_ready(struct co_loop *loop)
{
    struct co_task *task = loop->ready_head;
    loop->ready_head = task->next;
    loop->self = task;
    loop->io_budget = CO_IO_BUDGET;
    task->state = CO_TASK_RUNNING;
    return task;
}

/* Charge what ran until now (NULL: the loop itself), and start what runs next. */
void coro_charge(struct co_loop *loop, struct co_task *from, struct prof_cursor *next);
/* Charge a task that has ended ... */
void coro_charge_end(struct co_loop *loop, struct co_task *from);
/* ... and start what comes after it by the same reading of the clock: what lies
 * between belongs to it. */
static inline void coro_charge_begin(struct co_loop *loop, struct co_task *to)
{
    if (loop->is_clocked)
        prof_resume(&to->prof, loop->ticks);
    else
        prof_self.running = &to->prof;
}

static inline void coro_count_switch(struct co_loop *loop, struct co_task *from, struct co_task *to)
{
    struct prof_cursor *next = to != NULL ? &to->prof : prof_loop_cursor();
    if (loop->is_clocked)
        coro_charge(loop, from, next);
    else
        /* whoever opens a recording slot finds out whose turn it is */
        prof_self.running = next;
}

/* Taken off the budget when a turn is over: what it had left can still be told. */
#define CO_TURN_OVER (1 << 24)

/* Use one switch of the turn's budget up.  True: the turn is over, and there is no
 * switch.  The watchdog looks whether the budget changes. */
static inline bool coro_spend(struct co_loop *loop)
{
    int left = loop->budget;
    bool is_over = left <= 1;
    if (UNLIKELY(is_over))
        left -= left > 0 ? CO_TURN_OVER : 0;
    else
        left--;
    __atomic_store_n(&loop->budget, left, __ATOMIC_RELAXED);
    return is_over;
}

/* Leave `task`, whose new state is set, for the next ready one. */
static inline void coro_switch_away(struct co_loop *loop, struct co_task *task)
{
    if (UNLIKELY(loop->ready_head == NULL || coro_spend(loop))) {
        loop->self = NULL;
        coro_count_switch(loop, task, NULL);
        coro_context_switch(&task->context, &loop->context);
        return;
    }
    struct co_task *next = coro_take_ready(loop);
    coro_count_switch(loop, task, next);
    coro_context_switch(&task->context, &next->context);
}

/* Park the running task without a deadline. */
static inline int coro_park_here(struct co_loop *loop, struct co_task *task, enum co_wait wait,
                                 const void *wait_on)
{
    task->wait = (uint8_t)wait;
    task->wait_on = wait_on;
    task->state = CO_TASK_PARKED;
    coro_switch_away(loop, task);
    return task->woken;
}

/* The same, when nothing but the object or a cancel can end the wait; else coro_park. */
static inline int coro_park_fast(struct co_task *task, enum co_wait wait, const void *wait_on,
                                 int64_t deadline_ns)
{
    if (UNLIKELY(deadline_ns != CO_NO_DEADLINE || task->scope != NULL || task->is_cancelled))
        return coro_park(wait, wait_on, deadline_ns);
    return coro_park_here(task->loop, task, wait, wait_on);
}

/* Go to the end of the run queue. */
static inline void coro_give_way(struct co_task *task)
{
    struct co_loop *loop = task->loop;
    coro_ready(loop, task);
    if (loop->ready_head == task && !coro_spend(loop))
        coro_take_ready(loop);
    else
        coro_switch_away(loop, task);
}

/* Wake `to`, which is parked, and go to the end of the run queue, so that it
 * runs before its waker goes on. */
static inline void coro_hand_over(struct co_task *self, struct co_task *to)
{
    struct co_loop *loop = self->loop;
    if (UNLIKELY(loop->is_clocked || to->timer.place != 0 || loop->budget <= 1)) {
        coro_wake(to, 0);
        coro_give_way(self);
        return;
    }
    coro_spend(loop);
    coro_ready(loop, self);
    to->woken = 0;
    to->state = CO_TASK_RUNNING;
    loop->self = to;
    loop->io_budget = CO_IO_BUDGET;
    coro_count_switch(loop, self, to);
    coro_context_switch(&self->context, &to->context);
}
