/* coro/base/clock.h - time, as absolute nanoseconds of the monotonic clock.
 *
 * Inside the program time is only this: int64_t ns since an arbitrary start
 * (CLOCK_MONOTONIC), in names that end in _ns.  Wall time exists only in the
 * Date header and in logs. */
#pragma once

#include <stdint.h>
#include <time.h>

#include "coro/base/public.h"

#define NS_PER_US CO_NS_PER_US
#define NS_PER_MS CO_NS_PER_MS
#define NS_PER_S  CO_NS_PER_S

/* A deadline that never comes. */
#define CLOCK_NEVER INT64_MAX

static inline int64_t clock_read_ns(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static inline int64_t clock_now_ns(void)
{
    return clock_read_ns(CLOCK_MONOTONIC);
}

/* Wall time, ns since the epoch. */
static inline int64_t clock_wall_ns(void)
{
    return clock_read_ns(CLOCK_REALTIME);
}

/* base + span, where CLOCK_NEVER (as either) stays CLOCK_NEVER and nothing overflows. */
static inline int64_t clock_add_ns(int64_t base_ns, int64_t span_ns)
{
    int64_t sum;
    return __builtin_add_overflow(base_ns, span_ns, &sum) ? CLOCK_NEVER : sum;
}
