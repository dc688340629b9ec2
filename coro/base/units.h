/* coro/base/units.h - numbers with units, as people write and read them. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "coro/base/attr.h"

/* "10s", "1.5ms", "250us", "90ns", "2m", "1h"; a bare number is seconds.
 * 0, or -EINVAL (not a duration), -ERANGE (does not fit). */
MUST_USE int units_parse_ns(const char *text, int64_t *ret_ns);

/* "4096", "64k", "1M", "2G" (powers of 1024).  0, or -EINVAL, -ERANGE. */
MUST_USE int units_parse_bytes(const char *text, int64_t *ret_bytes);

/* Whole decimal number in [min, max].  0, or -EINVAL, -ERANGE. */
MUST_USE int units_parse_int(const char *text, int64_t min, int64_t max, int64_t *ret_value);

#define UNITS_TEXT_BYTES 24
/* "635.91us", "12.92ms", "1.27s": three digits at least, as wrk prints.  Returns text. */
const char *units_format_ns(double ns, char text[UNITS_TEXT_BYTES]);
/* "17.76GB", "606.33MB" (powers of 1024). */
const char *units_format_bytes(double bytes, char text[UNITS_TEXT_BYTES]);
/* "56.20k", "1.10M" (powers of 1000). */
const char *units_format_count(double count, char text[UNITS_TEXT_BYTES]);
