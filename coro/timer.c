#include "coro/timer.h"

#include <errno.h>
#include <stdlib.h>

#define ARITY 4

static void place(struct co_timers *timers, uint32_t at, struct co_timer_entry entry)
{
    timers->heap[at] = entry;
    entry.timer->place = at + 1;
}

static void sift_up(struct co_timers *timers, uint32_t at, struct co_timer_entry entry)
{
    while (at > 0) {
        uint32_t parent = (at - 1) / ARITY;
        if (timers->heap[parent].when_ns <= entry.when_ns)
            break;
        place(timers, at, timers->heap[parent]);
        at = parent;
    }
    place(timers, at, entry);
}

static void sift_down(struct co_timers *timers, uint32_t at, struct co_timer_entry entry)
{
    for (;;) {
        uint32_t first = at * ARITY + 1;
        if (first >= timers->count)
            break;
        uint32_t end = first + ARITY < timers->count ? first + ARITY : timers->count;
        uint32_t least = first;
        for (uint32_t i = first + 1; i < end; i++)
            if (timers->heap[i].when_ns < timers->heap[least].when_ns)
                least = i;
        if (entry.when_ns <= timers->heap[least].when_ns)
            break;
        place(timers, at, timers->heap[least]);
        at = least;
    }
    place(timers, at, entry);
}

static int grow(struct co_timers *timers)
{
    uint32_t cap = timers->cap == 0 ? 64 : timers->cap * 2;
    if (cap > UINT32_MAX / ARITY)
        return -ENOMEM;
    struct co_timer_entry *heap = realloc(timers->heap, cap * sizeof(*heap));
    if (heap == NULL)
        return -ENOMEM;
    timers->heap = heap;
    timers->cap = cap;
    return 0;
}

void coro_timers_fini(struct co_timers *timers)
{
    free(timers->heap);
    coro_timers_init(timers);
}

int coro_timer_arm(struct co_timers *timers, struct co_timer *timer, int64_t when_ns)
{
    if (timers->count == timers->cap && grow(timers) < 0)
        return -ENOMEM;
    struct co_timer_entry entry = {.when_ns = when_ns, .timer = timer};
    sift_up(timers, timers->count++, entry);
    return 0;
}

void coro_timer_disarm(struct co_timers *timers, struct co_timer *timer)
{
    if (timer->place == 0)
        return;
    uint32_t at = timer->place - 1;
    timer->place = 0;
    struct co_timer_entry last = timers->heap[--timers->count];
    if (at == timers->count)
        return;
    if (at > 0 && last.when_ns < timers->heap[(at - 1) / ARITY].when_ns)
        sift_up(timers, at, last);
    else
        sift_down(timers, at, last);
}

void coro_timers_fire(struct co_timers *timers, int64_t now_ns)
{
    while (timers->count > 0 && timers->heap[0].when_ns <= now_ns) {
        struct co_timer *timer = timers->heap[0].timer;
        coro_timer_disarm(timers, timer);
        timer->fire(timer);
    }
}
