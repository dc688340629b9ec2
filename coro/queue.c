/* coro/queue.c - a bounded queue of pointers that knows what work is unfinished. */
#include <stdlib.h>
#include <string.h>

#include "coro/sync.h"
#include "coro/waiters.h"

#define RING_FIRST 16

struct co_queue {
    void **ring;
    size_t cap;
    size_t first;
    size_t count;
    size_t max_items;  /* SIZE_MAX: no bound */
    size_t unfinished; /* put, and not dealt with */
    bool is_shut;
    struct co_list getters;
    struct co_list putters; /* their item is not in the ring yet */
    struct co_list joiners;
};

struct co_queue *co_queue_new(size_t max_items)
{
    struct co_queue *queue = calloc(1, sizeof(*queue));
    if (queue == NULL)
        return NULL;
    queue->max_items = max_items != 0 ? max_items : SIZE_MAX;
    list_init(&queue->getters);
    list_init(&queue->putters);
    list_init(&queue->joiners);
    return queue;
}

void co_queue_free(struct co_queue *queue)
{
    if (queue == NULL)
        return;
    coro_require(list_is_empty(&queue->getters) && list_is_empty(&queue->putters) &&
                     list_is_empty(&queue->joiners),
                 "co_queue_free of a queue that is waited for");
    free(queue->ring);
    free(queue);
}

size_t co_queue_len(const struct co_queue *queue)
{
    return queue->count;
}

static int grow(struct co_queue *queue)
{
    size_t cap = queue->cap == 0 ? RING_FIRST : queue->cap * 2;
    void **ring = malloc(cap * sizeof(*ring));
    if (ring == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < queue->count; i++)
        ring[i] = queue->ring[(queue->first + i) % queue->cap];
    free(queue->ring);
    queue->ring = ring;
    queue->cap = cap;
    queue->first = 0;
    return 0;
}

static int push(struct co_queue *queue, void *item)
{
    if (queue->count == queue->cap && grow(queue) < 0)
        return -ENOMEM;
    queue->ring[(queue->first + queue->count) % queue->cap] = item;
    queue->count++;
    return 0;
}

int co_queue_put(struct co_queue *queue, void *item, int64_t deadline_ns)
{
    struct co_task *self = coro_self_or_die("co_queue_put");
    if (UNLIKELY(self->is_cancelled))
        return -ECANCELED;
    if (queue->is_shut)
        return -ESHUTDOWN;
    struct co_waiter *getter = coro_waiter_take(&queue->getters);
    if (getter != NULL) {
        *(void **)getter->item = item;
        queue->unfinished++;
        coro_wake(getter->task, 0);
        return 0;
    }
    if (queue->count < queue->max_items) {
        int rv = push(queue, item);
        if (rv == 0)
            queue->unfinished++;
        return rv;
    }
    /* The getter that makes room takes the item over (and counts it). */
    struct co_waiter waiter = {.task = self, .item = item};
    list_add_tail(&queue->putters, &waiter.link);
    int rv = coro_park(CO_WAIT_PUT, queue, deadline_ns);
    list_del(&waiter.link);
    return rv;
}

int co_queue_get(struct co_queue *queue, void **ret_item, int64_t deadline_ns)
{
    struct co_task *self = coro_self_or_die("co_queue_get");
    if (UNLIKELY(self->is_cancelled))
        return -ECANCELED;
    if (queue->count > 0) {
        *ret_item = queue->ring[queue->first];
        queue->first = (queue->first + 1) % queue->cap;
        queue->count--;
        struct co_waiter *putter = coro_waiter_take(&queue->putters);
        if (putter != NULL) {
            queue->ring[(queue->first + queue->count) % queue->cap] = putter->item;
            queue->count++;
            queue->unfinished++;
            coro_wake(putter->task, 0);
        }
        return 0;
    }
    if (queue->is_shut)
        return -ESHUTDOWN;
    struct co_waiter waiter = {.task = self, .item = ret_item};
    list_add_tail(&queue->getters, &waiter.link);
    int rv = coro_park(CO_WAIT_GET, queue, deadline_ns);
    list_del(&waiter.link);
    return rv;
}

int co_queue_task_done(struct co_queue *queue)
{
    if (queue->unfinished == 0)
        return -EINVAL;
    if (--queue->unfinished == 0)
        coro_waiters_wake(&queue->joiners, 0);
    return 0;
}

int co_queue_join(struct co_queue *queue, int64_t deadline_ns)
{
    struct co_task *self = coro_self_or_die("co_queue_join");
    if (UNLIKELY(self->is_cancelled))
        return -ECANCELED;
    if (queue->unfinished == 0)
        return 0;
    return coro_wait_on(&queue->joiners, CO_WAIT_QUEUE, queue, deadline_ns);
}

void co_queue_shutdown(struct co_queue *queue, bool is_immediate)
{
    queue->is_shut = true;
    coro_waiters_wake(&queue->putters, -ESHUTDOWN);
    if (is_immediate) {
        queue->unfinished -= queue->count < queue->unfinished ? queue->count : queue->unfinished;
        queue->count = 0;
        if (queue->unfinished == 0)
            coro_waiters_wake(&queue->joiners, 0);
    }
    if (queue->count == 0)
        coro_waiters_wake(&queue->getters, -ESHUTDOWN);
}
