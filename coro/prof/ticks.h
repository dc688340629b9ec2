/* coro/prof/ticks.h - the recorder's clock: the cheapest one that is right.
 *
 * Ticks are cycles of the time stamp counter when it runs at one constant rate
 * on every core and the kernel itself trusts it, else nanoseconds of
 * CLOCK_MONOTONIC.  They are turned into ns only when a report is made, from
 * two readings of both clocks; nothing is calibrated by waiting. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#include "coro/base/attr.h"
#include "coro/base/clock.h"

/* Ticks are TSC cycles; settled before main() and never changed. */
extern bool prof_ticks_are_tsc;

static inline uint64_t prof_ticks(void)
{
#if defined(__x86_64__)
    if (LIKELY(prof_ticks_are_tsc))
        return __rdtsc();
#endif
    return (uint64_t)clock_now_ns();
}

/* Nanoseconds per tick, measured from process start until now. */
double prof_tick_ns(void);
