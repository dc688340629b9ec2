/* coro/base/json.h - JSON text appended to a buffer: strings that are valid
 * UTF-8 whatever came in.
 *
 *   returns  0, or -ENOMEM / -EMSGSIZE of the buffer */
#pragma once

#include <stddef.h>

#include "coro/base/buf.h"

/* A string with its quotes.  Control bytes are escaped; what is not UTF-8
 * becomes U+FFFD, one for each maximal ill-formed part (as browsers do). */
MUST_USE int json_append_string(struct buf *b, const void *bytes, size_t n);

/* Length of the well-formed UTF-8 sequence at s (1..4), or minus the length of
 * the ill-formed part (-1..-3).  n >= 1. */
int json_utf8_length(const unsigned char *s, size_t n);
