/* server/http/span.h - how many bytes at p, n at most, are of one kind.
 *
 * Sixteen at a time where the machine can: a head is gone through once before it is
 * parsed, and that should not show.  Pure functions; nothing outside p[0..n) is read. */
#pragma once

#include <stddef.h>

/* No control bytes: HTAB counts as none. */
size_t http_span_clean(const char *p, size_t n);
/* Of a request target (RFC 3986, and '[' ']' as everybody sends them). */
size_t http_span_target(const char *p, size_t n);
/* Of a token (RFC 9110 section 5.6.2). */
size_t http_span_token(const char *p, size_t n);
