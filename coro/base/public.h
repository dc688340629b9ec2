/* coro/base/public.h - what the installed headers need of the leaf.
 *
 * Programs include it without asking: every name begins with co_ or CO_.  Inside,
 * attr.h, clock.h and list.h give short names to the same things. */
#pragma once

#include <stdint.h>

/* The result of this call may not be ignored. */
#define CO_MUST_USE __attribute__((warn_unused_result))

/* Around the declarations of an installed header: C++ calls them by their C names. */
#ifdef __cplusplus
#define CO_C_BEGIN extern "C" {
#define CO_C_END   }
#else
#define CO_C_BEGIN
#define CO_C_END
#endif

/* Nanoseconds: the unit of every span and deadline. */
#define CO_NS_PER_US INT64_C(1000)
#define CO_NS_PER_MS INT64_C(1000000)
#define CO_NS_PER_S  INT64_C(1000000000)

/* Links of a list: inside the structures that lie in the caller's memory. */
struct co_list {
    struct co_list *next;
    struct co_list *prev;
};
