/* coro/base/buf.h - a growable byte buffer whose size has a mandatory cap.
 *
 *   returns    0 or more, or -ENOMEM, or -EMSGSIZE when `max_bytes` would be
 *              passed; on failure the contents are as before
 *   ownership  the buffer owns its memory; buf_fini frees it */
#pragma once

#include <stdarg.h>
#include <stddef.h>

#include "coro/base/attr.h"

struct buf {
    char *data;       /* NULL until something is reserved */
    size_t len;       /* bytes in use */
    size_t cap;       /* bytes allocated */
    size_t max_bytes; /* cap may not grow beyond */
};

void buf_init(struct buf *b, size_t max_bytes);
void buf_fini(struct buf *b);

/* Make room for `more` bytes beyond len; what data pointed to may move. */
MUST_USE int buf_reserve(struct buf *b, size_t more);
MUST_USE int buf_append(struct buf *b, const void *bytes, size_t n);
MUST_USE int buf_append_str(struct buf *b, const char *text);
MUST_USE int buf_append_char(struct buf *b, char c);
MUST_USE int buf_printf(struct buf *b, const char *format, ...) PRINTF_LIKE(2, 3);
MUST_USE int buf_vprintf(struct buf *b, const char *format, va_list args) PRINTF_LIKE(2, 0);

/* Drop the first n bytes (n <= len). */
void buf_consume(struct buf *b, size_t n);

static inline void buf_clear(struct buf *b)
{
    b->len = 0;
}
