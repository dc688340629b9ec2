/* coro/base/attr.h - the compiler attributes this code base uses, by short names. */
#pragma once

#define MUST_USE          __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define NOINLINE          __attribute__((noinline))
#define NORETURN          __attribute__((noreturn))
#define MAYBE_UNUSED      __attribute__((unused))
#define HIDDEN            __attribute__((visibility("hidden")))
#define LIKELY(x)         __builtin_expect(!!(x), 1)
#define UNLIKELY(x)       __builtin_expect(!!(x), 0)
#define ARRAY_LEN(a)      (sizeof(a) / sizeof((a)[0]))
/* Around the declarations of an installed header: C++ calls them by their C names. */
#ifdef __cplusplus
#define EXTERN_C_BEGIN extern "C" {
#define EXTERN_C_END   }
#else
#define EXTERN_C_BEGIN
#define EXTERN_C_END
#endif
/* The struct TYPE whose member MEMBER is at PTR. */
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
