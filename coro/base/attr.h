/* coro/base/attr.h - the compiler attributes this code base uses, by short names. */
#pragma once

#include <stddef.h>

#include "coro/base/public.h"

#define MUST_USE          CO_MUST_USE
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define NOINLINE          __attribute__((noinline))
#define NORETURN          __attribute__((noreturn))
#define MAYBE_UNUSED      __attribute__((unused))
#define HIDDEN            __attribute__((visibility("hidden")))
#define LIKELY(x)         __builtin_expect(!!(x), 1)
#define UNLIKELY(x)       __builtin_expect(!!(x), 0)
#define ARRAY_LEN(a)      (sizeof(a) / sizeof((a)[0]))
/* The struct TYPE whose member MEMBER is at PTR. */
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
