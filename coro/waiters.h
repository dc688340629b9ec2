/* coro/waiters.h - the list of tasks that wait for an object, inside the runtime.
 *
 * A waiter's record lies on its own stack.  It is on the list from before its
 * park until it is granted something or is back; one that was woken by its
 * deadline or a cancel is not parked any more, and is passed over. */
#pragma once

#include "coro/internal.h"

struct co_waiter {
    struct co_list link;
    struct co_task *task;
    void *item; /* where what is handed over goes to, or comes from */
};

/* The first waiter that can be granted something, off the list; NULL: none. */
static inline struct co_waiter *coro_waiter_take(struct co_list *waiters)
{
    struct co_list *link;
    while ((link = list_pop_head(waiters)) != NULL) {
        struct co_waiter *waiter = LIST_ENTRY(link, struct co_waiter, link);
        if (LIKELY(waiter->task->state == CO_TASK_PARKED))
            return waiter;
    }
    return NULL;
}

/* Grant to the first waiter: wake it with 0.  false: nobody waits. */
static inline bool coro_waiter_grant(struct co_list *waiters)
{
    struct co_waiter *waiter = coro_waiter_take(waiters);
    if (waiter == NULL)
        return false;
    coro_wake(waiter->task, 0);
    return true;
}

/* Wake all with `woken`. */
static inline void coro_waiters_wake(struct co_list *waiters, int woken)
{
    struct co_waiter *waiter;
    while ((waiter = coro_waiter_take(waiters)) != NULL)
        coro_wake(waiter->task, woken);
}

/* What a wait has to outlast that the caller relies on: a cancel, the deadlines
 * of the scopes around it. */
struct co_shield {
    struct co_scope *scope;
};

static inline struct co_shield coro_shield_raise(void)
{
    struct co_task *task = coro_loop_tls->self;
    struct co_shield shield = {task->scope};
    task->scope = NULL;
    co_cancel_disable();
    return shield;
}

static inline void coro_shield_lower(const struct co_shield *shield)
{
    co_cancel_enable();
    coro_loop_tls->self->scope = shield->scope;
}

/* Wait on the list until granted. */
static inline int coro_wait_on(struct co_list *waiters, enum co_wait wait, const void *object,
                               int64_t deadline_ns)
{
    struct co_waiter self = {.task = coro_loop_tls->self};
    list_add_tail(waiters, &self.link);
    int rv = coro_park(wait, object, deadline_ns);
    list_del(&self.link);
    return rv;
}
