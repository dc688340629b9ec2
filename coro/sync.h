/* coro/sync.h - tasks of one loop waiting for each other.
 *
 *   context   CO_FN: only inside a task; may let others run.  The others: any code
 *             on the loop's thread, unless they say more; they never wait.  Threads
 *             meet at co_port_post and co_offload, not here
 *   deadline  absolute ns of co_now(); CO_NO_DEADLINE waits for ever; 0: what can
 *             be done at once (coro.h)
 *   returns   0, or -errno: what coro.h says of every wait (-ETIMEDOUT, -ECANCELED,
 *             -EDEADLK, -ENOMEM): nothing was taken, handed over or changed.  A task
 *             that is cancelled already gets -ECANCELED even where there is
 *             something to be had
 *   ownership objects lie in the caller's memory, or are owned by who made them;
 *             they must outlive their waiters: fini and free end the program with a
 *             message when somebody waits.  fini frees nothing
 *
 * Waiters are served first come, first served, and what is handed to a waiter
 * cannot be overtaken: a late-comer does not take it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "coro/coro.h"

CO_C_BEGIN

/* ---- mutex ---- */

struct co_mutex {
    struct co_task *owner; /* NULL: unlocked */
    struct co_list waiters;
};

/* A task that ends with a mutex locked leaves it locked for good. */
void co_mutex_init(struct co_mutex *mutex);
void co_mutex_fini(struct co_mutex *mutex);
/* 0: the caller holds it.  -EDEADLK: also when it did so before (not recursive). */
CO_FN CO_MUST_USE int co_mutex_lock(struct co_mutex *mutex, int64_t deadline_ns);
/* Inside a task; false: somebody holds it. */
bool co_mutex_try_lock(struct co_mutex *mutex);
/* Hands it to the first waiter.  -EPERM: the caller does not hold it. */
int co_mutex_unlock(struct co_mutex *mutex);

/* ---- condition ---- */

struct co_cond {
    struct co_list waiters;
};

void co_cond_init(struct co_cond *cond);
void co_cond_fini(struct co_cond *cond);
/* Unlock, wait for a signal, lock again.  However it returns, and however long that
 * takes, the caller holds the mutex (except -EPERM: it did not hold it before).
 * It wakes for a signal alone; others may have come between the signal and the
 * lock, so look at the condition again. */
CO_FN CO_MUST_USE int co_cond_wait(struct co_cond *cond, struct co_mutex *mutex,
                                   int64_t deadline_ns);
/* Wake the first waiter, or all there are.  The mutex need not be held; without a
 * waiter nothing is remembered. */
void co_cond_signal(struct co_cond *cond);
void co_cond_broadcast(struct co_cond *cond);

/* ---- semaphore ---- */

/* A count that acquire takes one from and release adds one to. */
struct co_sem {
    size_t count;
    struct co_list waiters;
};

void co_sem_init(struct co_sem *sem, size_t count);
void co_sem_fini(struct co_sem *sem);
CO_FN CO_MUST_USE int co_sem_acquire(struct co_sem *sem, int64_t deadline_ns);
/* false: there is none. */
bool co_sem_try_acquire(struct co_sem *sem);
/* By any task, also one that acquired nothing; there is no upper bound. */
void co_sem_release(struct co_sem *sem);

/* ---- event ---- */

/* A flag that tasks can wait for.  Everybody who waits when it is set wakes,
 * even if it is cleared before they run. */
struct co_event {
    bool is_set;
    struct co_list waiters;
};

void co_event_init(struct co_event *event);
void co_event_fini(struct co_event *event);
CO_FN CO_MUST_USE int co_event_wait(struct co_event *event, int64_t deadline_ns);
void co_event_set(struct co_event *event);
void co_event_clear(struct co_event *event);

/* ---- channel ---- */

/* Items of one size, handed from senders to receivers in order.  Without
 * capacity a send ends when a receiver has the item, and lets it run first. */
struct co_chan;

/* capacity in items.  NULL: out of memory.  Owned by the caller. */
struct co_chan *co_chan_new(size_t item_bytes, size_t capacity);
/* Nobody may be waiting on it; items left inside are forgotten.  NULL is accepted. */
void co_chan_free(struct co_chan *chan);
/* 0: a receiver or the channel has a copy of the item.  -EPIPE: closed, before or
 * while it waited; the item was not sent. */
CO_FN CO_MUST_USE int co_chan_send(struct co_chan *chan, const void *item, int64_t deadline_ns);
/* -EPIPE: closed, and everything sent before was received.  *ret_item changes only
 * with 0. */
CO_FN CO_MUST_USE int co_chan_recv(struct co_chan *chan, void *ret_item, int64_t deadline_ns);
/* Wake all waiters with -EPIPE; what is buffered can still be received, what senders
 * waited with is not sent.  May be called again. */
void co_chan_close(struct co_chan *chan);

enum co_chan_op { CO_CHAN_SEND, CO_CHAN_RECV };
struct co_select {
    enum co_chan_op op;
    struct co_chan *chan; /* NULL: this clause never happens */
    void *item;           /* to send (only read), or where to receive */
    int result;           /* of the clause that was chosen: 0 or -EPIPE */
};
/* Do exactly one of the clauses: the first listed that can go on, else the first
 * that becomes able to.  On a closed channel a clause can go on: its result is
 * -EPIPE, each time, until its chan is set to NULL.  Returns the clause's index;
 * after an error none was done.  clauses: borrowed; count may be 0.  deadline_ns 0:
 * -ETIMEDOUT at once, without letting others run.  More than 8 clauses take memory. */
CO_FN CO_MUST_USE int co_select(struct co_select *clauses, int count, int64_t deadline_ns);

/* ---- queue ---- */

/* Pointers, first in first out, with a bound, and accounting of finished work. */
struct co_queue;

/* max_items 0: no bound.  NULL: out of memory.  Owned by the caller. */
struct co_queue *co_queue_new(size_t max_items);
/* Nobody may be waiting on it; items left inside are forgotten.  NULL is accepted. */
void co_queue_free(struct co_queue *queue);
/* Waits while max_items are inside.  The item is transferred; after an error it is
 * the caller's still.  -ESHUTDOWN: shut down, before or while it waited; -ENOMEM:
 * also for the place in the queue. */
CO_FN CO_MUST_USE int co_queue_put(struct co_queue *queue, void *item, int64_t deadline_ns);
/* The first item, owned by the caller.  -ESHUTDOWN: shut down and empty. */
CO_FN CO_MUST_USE int co_queue_get(struct co_queue *queue, void **ret_item, int64_t deadline_ns);
/* Items inside; those of putters that wait are not. */
size_t co_queue_len(const struct co_queue *queue);
/* An item that was got has been dealt with.  -EINVAL: called more often than put. */
int co_queue_task_done(struct co_queue *queue);
/* Wait until every item put has been dealt with, at once when none was put. */
CO_FN CO_MUST_USE int co_queue_join(struct co_queue *queue, int64_t deadline_ns);
/* No more puts: those that wait end with -ESHUTDOWN.  Gets go on until it is empty;
 * with is_immediate the items are forgotten (get what must be freed before) and
 * count as dealt with.  May be called again. */
void co_queue_shutdown(struct co_queue *queue, bool is_immediate);

CO_C_END
