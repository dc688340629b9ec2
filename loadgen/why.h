/* loadgen/why.h - the reason of a failure, in one line for a person.
 *
 * A function that can fail for reasons a user must mend takes a struct lg_why
 * last and fills it when it returns a negative errno. */
#pragma once

#include <stdarg.h>
#include <stdio.h>

#include "coro/base/attr.h"

struct lg_why {
    char text[512];
};

PRINTF_LIKE(2, 3) static inline void lg_why_set(struct lg_why *why, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(why->text, sizeof why->text, format, args);
    va_end(args);
}
