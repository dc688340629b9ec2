/* coro/sync.h - tasks of one loop waiting for each other.
 *
 *   context   CO_FN: only inside a task; may yield.  The others: any code on
 *             the loop's thread; they never yield
 *   deadline  absolute ns of co_now(); CO_NO_DEADLINE waits for ever
 *   returns   0, or -errno; -ETIMEDOUT, -ECANCELED: the wait did not happen,
 *             nothing was taken
 *   ownership objects lie in the caller's memory and must outlive their
 *             waiters; fini asserts that nobody waits
 *
 * Waiters are served first come, first served, and what is handed to a waiter
 * cannot be overtaken: a late-comer does not take it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "coro/base/list.h"
#include "coro/coro.h"

EXTERN_C_BEGIN

/* ---- mutex ---- */

struct co_mutex {
    struct co_task *owner; /* NULL: unlocked */
    struct list waiters;
};

void co_mutex_init(struct co_mutex *mutex);
void co_mutex_fini(struct co_mutex *mutex);
/* -EDEADLK: the caller holds it already. */
CO_FN MUST_USE int co_mutex_lock(struct co_mutex *mutex, int64_t deadline_ns);
bool co_mutex_try_lock(struct co_mutex *mutex);
/* Hands it to the first waiter.  -EPERM: the caller does not hold it. */
int co_mutex_unlock(struct co_mutex *mutex);

/* ---- condition ---- */

struct co_cond {
    struct list waiters;
};

void co_cond_init(struct co_cond *cond);
void co_cond_fini(struct co_cond *cond);
/* Unlock, wait for a signal, lock again.  However it returns, the caller holds
 * the mutex (except -EPERM: it did not hold it before). */
CO_FN MUST_USE int co_cond_wait(struct co_cond *cond, struct co_mutex *mutex, int64_t deadline_ns);
/* Wake the first waiter. */
void co_cond_signal(struct co_cond *cond);
void co_cond_broadcast(struct co_cond *cond);

/* ---- semaphore ---- */

struct co_sem {
    size_t count;
    struct list waiters;
};

void co_sem_init(struct co_sem *sem, size_t count);
void co_sem_fini(struct co_sem *sem);
CO_FN MUST_USE int co_sem_acquire(struct co_sem *sem, int64_t deadline_ns);
bool co_sem_try_acquire(struct co_sem *sem);
void co_sem_release(struct co_sem *sem);

/* ---- event ---- */

/* A flag that tasks can wait for.  Everybody who waits when it is set wakes,
 * even if it is cleared before they run. */
struct co_event {
    bool is_set;
    struct list waiters;
};

void co_event_init(struct co_event *event);
void co_event_fini(struct co_event *event);
CO_FN MUST_USE int co_event_wait(struct co_event *event, int64_t deadline_ns);
void co_event_set(struct co_event *event);
void co_event_clear(struct co_event *event);

/* ---- channel ---- */

/* Items of one size, handed from senders to receivers in order.  Without
 * capacity a send ends when a receiver has the item, and lets it run first. */
struct co_chan;

/* NULL: out of memory.  Owned by the caller. */
struct co_chan *co_chan_new(size_t item_bytes, size_t capacity);
/* Nobody may be waiting on it.  NULL is accepted. */
void co_chan_free(struct co_chan *chan);
/* -EPIPE: closed. */
CO_FN MUST_USE int co_chan_send(struct co_chan *chan, const void *item, int64_t deadline_ns);
/* -EPIPE: closed, and everything sent before was received. */
CO_FN MUST_USE int co_chan_recv(struct co_chan *chan, void *ret_item, int64_t deadline_ns);
/* Wake all waiters with -EPIPE; what is buffered can still be received. */
void co_chan_close(struct co_chan *chan);

enum co_chan_op { CO_CHAN_SEND, CO_CHAN_RECV };
struct co_select {
    enum co_chan_op op;
    struct co_chan *chan;
    void *item; /* to send (only read), or where to receive */
    int result; /* of the clause that was chosen: 0 or -EPIPE */
};
/* Do exactly one of the clauses: the first listed that can go on, else the
 * first that becomes able to.  Its index, or -ETIMEDOUT, -ECANCELED, -ENOMEM.
 * deadline_ns 0: do not wait. */
CO_FN MUST_USE int co_select(struct co_select *clauses, int count, int64_t deadline_ns);

/* ---- queue ---- */

/* Pointers, first in first out, with a bound, and accounting of finished work. */
struct co_queue;

/* max_items 0: no bound.  NULL: out of memory.  Owned by the caller. */
struct co_queue *co_queue_new(size_t max_items);
/* Nobody may be waiting on it; items left inside are forgotten.  NULL is accepted. */
void co_queue_free(struct co_queue *queue);
/* -ESHUTDOWN: shut down.  -ENOMEM. */
CO_FN MUST_USE int co_queue_put(struct co_queue *queue, void *item, int64_t deadline_ns);
/* -ESHUTDOWN: shut down and empty. */
CO_FN MUST_USE int co_queue_get(struct co_queue *queue, void **ret_item, int64_t deadline_ns);
size_t co_queue_len(const struct co_queue *queue);
/* An item that was got has been dealt with.  -EINVAL: called more often than put. */
int co_queue_task_done(struct co_queue *queue);
/* Wait until every item put has been dealt with. */
CO_FN MUST_USE int co_queue_join(struct co_queue *queue, int64_t deadline_ns);
/* No more puts.  Gets go on until it is empty; with is_immediate the items are
 * dropped and count as dealt with. */
void co_queue_shutdown(struct co_queue *queue, bool is_immediate);

EXTERN_C_END
