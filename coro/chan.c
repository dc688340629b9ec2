/* coro/chan.c - channels and select.
 *
 * An item goes from the sender's memory into the receiver's directly when one
 * of them already waits, else into the ring, else the caller waits.  While
 * receivers wait the ring is empty; while senders wait it is full.
 *
 * A selecting task waits on several channels with one record each; whoever
 * serves one of them wakes the task, and a task that is not parked any more is
 * passed over on the other lists, so that exactly one clause happens. */
#include <stdlib.h>
#include <string.h>

#include "coro/run.h"
#include "coro/sync.h"
#include "coro/waiters.h"

/* Clauses of a select that need no heap. */
#define SELECT_STACK 8

struct co_chan {
    size_t item_bytes;
    size_t capacity;
    size_t count; /* in the ring */
    size_t first;
    bool is_closed;
    struct co_list senders;
    struct co_list receivers;
    char ring[];
};

/* A waiter of a channel: woken with its clause's index (0 for plain calls). */
struct chan_wait {
    struct co_waiter waiter;
    int clause;
    struct chan_wait **ret_served; /* who was served, told by the server */
};

struct co_chan *co_chan_new(size_t item_bytes, size_t capacity)
{
    size_t ring_bytes;
    if (__builtin_mul_overflow(item_bytes, capacity, &ring_bytes) ||
        ring_bytes > SIZE_MAX - sizeof(struct co_chan))
        return NULL;
    struct co_chan *chan = malloc(sizeof(*chan) + ring_bytes);
    if (chan == NULL)
        return NULL;
    *chan = (struct co_chan){.item_bytes = item_bytes, .capacity = capacity};
    list_init(&chan->senders);
    list_init(&chan->receivers);
    return chan;
}

void co_chan_free(struct co_chan *chan)
{
    if (chan == NULL)
        return;
    coro_require(list_is_empty(&chan->senders) && list_is_empty(&chan->receivers),
                 "co_chan_free of a channel that is waited for");
    free(chan);
}

static inline void copy_item(const struct co_chan *chan, void *to, const void *from)
{
    /* A word is what most channels carry. */
    if (LIKELY(chan->item_bytes == sizeof(void *)))
        memcpy(to, from, sizeof(void *));
    else
        memcpy(to, from, chan->item_bytes);
}

static inline void *slot(struct co_chan *chan, size_t index)
{
    size_t at = chan->first + index;
    if (at >= chan->capacity)
        at -= chan->capacity;
    return chan->ring + at * chan->item_bytes;
}

/* Tell the waiter which of its clauses was served. */
static inline void told(struct co_waiter *waiter)
{
    struct chan_wait *wait = CONTAINER_OF(waiter, struct chan_wait, waiter);
    *wait->ret_served = wait;
}

static inline void serve(struct co_waiter *waiter, int result)
{
    told(waiter);
    coro_wake(waiter->task, result);
}

/* ---- the moves that need no waiting: 1 done, 0 not possible now, -EPIPE ---- */

static inline int try_send(struct co_chan *chan, const void *item)
{
    if (UNLIKELY(chan->is_closed))
        return -EPIPE;
    struct co_waiter *receiver = coro_waiter_take(&chan->receivers);
    if (receiver != NULL) {
        copy_item(chan, receiver->item, item);
        serve(receiver, 0);
        return 1;
    }
    if (chan->count == chan->capacity)
        return 0;
    copy_item(chan, slot(chan, chan->count), item);
    chan->count++;
    return 1;
}

static inline int try_recv(struct co_chan *chan, void *ret_item)
{
    if (chan->count > 0) {
        copy_item(chan, ret_item, slot(chan, 0));
        chan->first = chan->first + 1 == chan->capacity ? 0 : chan->first + 1;
        chan->count--;
        /* Room for the first sender that waits. */
        struct co_waiter *sender = coro_waiter_take(&chan->senders);
        if (sender != NULL) {
            copy_item(chan, slot(chan, chan->count), sender->item);
            chan->count++;
            serve(sender, 0);
        }
        return 1;
    }
    struct co_waiter *sender = coro_waiter_take(&chan->senders);
    if (sender != NULL) {
        copy_item(chan, ret_item, sender->item);
        serve(sender, 0);
        return 1;
    }
    return chan->is_closed ? -EPIPE : 0;
}

/* ---- send and receive ---- */

static inline int wait_one(struct co_list *waiters, enum co_wait why, struct co_chan *chan,
                           void *item, int64_t deadline_ns)
{
    struct chan_wait *served;
    struct chan_wait self = {.waiter = {.task = coro_loop_tls->self, .item = item},
                             .ret_served = &served};
    list_add_tail(waiters, &self.waiter.link);
    int rv = coro_park_fast(coro_loop_tls->self, why, chan, deadline_ns);
    list_del(&self.waiter.link);
    return rv;
}

int co_chan_send(struct co_chan *chan, const void *item, int64_t deadline_ns)
{
    struct co_task *self = coro_self_or_die("co_chan_send");
    if (UNLIKELY(self->is_cancelled))
        return -ECANCELED;
    if (chan->capacity == 0 && !chan->is_closed) {
        struct co_waiter *receiver = coro_waiter_take(&chan->receivers);
        if (LIKELY(receiver != NULL)) {
            copy_item(chan, receiver->item, item);
            told(receiver);
            coro_hand_over(self, receiver->task);
            return 0;
        }
    } else {
        int rv = try_send(chan, item);
        if (rv != 0)
            return rv < 0 ? rv : 0;
    }
    return wait_one(&chan->senders, CO_WAIT_SEND, chan, (void *)(uintptr_t)item, deadline_ns);
}

int co_chan_recv(struct co_chan *chan, void *ret_item, int64_t deadline_ns)
{
    struct co_task *self = coro_self_or_die("co_chan_recv");
    if (UNLIKELY(self->is_cancelled))
        return -ECANCELED;
    int rv = try_recv(chan, ret_item);
    if (rv != 0)
        return rv < 0 ? rv : 0;
    return wait_one(&chan->receivers, CO_WAIT_RECV, chan, ret_item, deadline_ns);
}

static void close_side(struct co_list *waiters)
{
    struct co_waiter *waiter;
    while ((waiter = coro_waiter_take(waiters)) != NULL)
        serve(waiter, -EPIPE);
}

void co_chan_close(struct co_chan *chan)
{
    chan->is_closed = true;
    close_side(&chan->senders);
    close_side(&chan->receivers);
}

/* ---- select ---- */

static int try_clause(struct co_select *clause)
{
    if (clause->chan == NULL)
        return 0;
    int rv = clause->op == CO_CHAN_SEND ? try_send(clause->chan, clause->item)
                                        : try_recv(clause->chan, clause->item);
    if (rv != 0)
        clause->result = rv < 0 ? rv : 0;
    return rv;
}

static int select_wait(struct co_select *clauses, int count, struct chan_wait *waits,
                       int64_t deadline_ns)
{
    struct co_task *self = coro_loop_tls->self;
    struct chan_wait *served = NULL;
    for (int i = 0; i < count; i++) {
        waits[i] = (struct chan_wait){
            .waiter = {.task = self, .item = clauses[i].item}, .clause = i, .ret_served = &served};
        list_init(&waits[i].waiter.link);
        if (clauses[i].chan == NULL)
            continue;
        list_add_tail(clauses[i].op == CO_CHAN_SEND ? &clauses[i].chan->senders
                                                    : &clauses[i].chan->receivers,
                      &waits[i].waiter.link);
    }
    int rv = coro_park(CO_WAIT_SELECT, NULL, deadline_ns);
    for (int i = 0; i < count; i++)
        list_del(&waits[i].waiter.link);
    if (served == NULL)
        return rv;
    clauses[served->clause].result = rv;
    return served->clause;
}

int co_select(struct co_select *clauses, int count, int64_t deadline_ns)
{
    struct co_task *self = coro_self_or_die("co_select");
    if (UNLIKELY(self->is_cancelled))
        return -ECANCELED;
    for (int i = 0; i < count; i++)
        if (try_clause(&clauses[i]) != 0)
            return i;
    if (deadline_ns == 0)
        return -ETIMEDOUT;
    struct chan_wait few[SELECT_STACK];
    struct chan_wait *waits = few;
    if (count > SELECT_STACK) {
        waits = malloc((size_t)count * sizeof(*waits));
        if (waits == NULL)
            return -ENOMEM;
    }
    int rv = select_wait(clauses, count, waits, deadline_ns);
    if (waits != few)
        free(waits);
    return rv;
}
