/* coro/base/utf8.h - code points from and to UTF-8.
 *
 *   context    pure functions */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define UTF8_BAD       UINT32_MAX
#define UTF8_MAX_BYTES 4

/* The code point at *at (< end), which moves behind it; UTF8_BAD (one byte
 * further) when that is not well-formed UTF-8. */
uint32_t utf8_next(const char **at, const char *end);
/* Write a code point (at most UTF8_MAX_BYTES); the number of bytes. */
size_t utf8_put(uint32_t point, char *ret_text);
