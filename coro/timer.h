/* coro/timer.h - deadlines, the earliest first: a 4-ary heap.
 *
 *   context    the loop's thread
 *   ownership  a timer belongs to whoever embeds it; while armed it must stay
 *              where it is */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coro/base/attr.h"
#include "coro/base/clock.h"

struct co_timer {
    void (*fire)(struct co_timer *timer);
    uint32_t place; /* in the heap, counted from 1; 0: not armed */
};

struct co_timer_entry {
    int64_t when_ns;
    struct co_timer *timer;
};

struct co_timers {
    struct co_timer_entry *heap; /* heap[0] is the earliest */
    uint32_t count;
    uint32_t cap;
};

static inline void coro_timers_init(struct co_timers *timers)
{
    *timers = (struct co_timers){0};
}
void coro_timers_fini(struct co_timers *timers);

/* Arm (it is not armed) for when_ns.  0 or -ENOMEM. */
MUST_USE int coro_timer_arm(struct co_timers *timers, struct co_timer *timer, int64_t when_ns);
/* Harmless when it is not armed. */
void coro_timer_disarm(struct co_timers *timers, struct co_timer *timer);

/* When an armed timer will fire. */
static inline int64_t coro_timer_when(const struct co_timers *timers, const struct co_timer *timer)
{
    return timers->heap[timer->place - 1].when_ns;
}

/* The earliest deadline; CLOCK_NEVER when none is armed. */
static inline int64_t coro_timers_next(const struct co_timers *timers)
{
    return timers->count == 0 ? CLOCK_NEVER : timers->heap[0].when_ns;
}

/* Disarm and fire all that are due at now_ns.  fire may arm timers, also its own. */
void coro_timers_fire(struct co_timers *timers, int64_t now_ns);
