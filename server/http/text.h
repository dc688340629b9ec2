/* server/http/text.h - strings with a length, and the few things HTTP does to them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#include "coro/base/attr.h"

/* Borrowed bytes; not NUL terminated. */
struct http_str {
    const char *data;
    size_t len;
};

#define HTTP_STR(literal) ((struct http_str){(literal), sizeof(literal) - 1})

static inline bool http_str_is(struct http_str s, const char *text)
{
    size_t n = strlen(text);
    return s.len == n && memcmp(s.data, text, n) == 0;
}

/* Without regard to ASCII case. */
bool http_str_is_nocase(struct http_str s, const char *text);

/* Decode %XX once into dst; '+' stays.  Length, or -EINVAL (not two hex digits),
 * -EMSGSIZE.  dst may be s.data itself. */
MUST_USE ssize_t http_percent_decode(struct http_str s, char *dst, size_t cap);
