#include "coro/base/buf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUF_FIRST_BYTES 256

void buf_init(struct buf *b, size_t max_bytes)
{
    *b = (struct buf){.max_bytes = max_bytes};
}

void buf_fini(struct buf *b)
{
    free(b->data);
    *b = (struct buf){.max_bytes = b->max_bytes};
}

int buf_reserve(struct buf *b, size_t more)
{
    if (more <= b->cap - b->len)
        return 0;
    if (more > b->max_bytes || b->len > b->max_bytes - more)
        return -EMSGSIZE;
    size_t cap = b->cap < BUF_FIRST_BYTES ? BUF_FIRST_BYTES : b->cap;
    while (cap < b->len + more)
        cap = cap > b->max_bytes / 2 ? b->max_bytes : cap * 2;
    if (cap > b->max_bytes)
        cap = b->max_bytes;
    char *data = realloc(b->data, cap);
    if (data == NULL)
        return -ENOMEM;
    b->data = data;
    b->cap = cap;
    return 0;
}

int buf_append(struct buf *b, const void *bytes, size_t n)
{
    int rv = buf_reserve(b, n);
    if (rv < 0 || n == 0) /* data may be NULL while nothing was ever stored */
        return rv;
    memcpy(b->data + b->len, bytes, n);
    b->len += n;
    return 0;
}

int buf_append_str(struct buf *b, const char *text)
{
    return buf_append(b, text, strlen(text));
}

int buf_append_char(struct buf *b, char c)
{
    return buf_append(b, &c, 1);
}

int buf_vprintf(struct buf *b, const char *format, va_list args)
{
    va_list measure;
    va_copy(measure, args);
    int n = vsnprintf(NULL, 0, format, measure);
    va_end(measure);
    if (n < 0)
        return -EINVAL;
    /* vsnprintf wants room for a NUL; len does not count it. */
    int rv = buf_reserve(b, (size_t)n + 1);
    if (rv < 0)
        return rv;
    vsnprintf(b->data + b->len, (size_t)n + 1, format, args);
    b->len += (size_t)n;
    return 0;
}

int buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int rv = buf_vprintf(b, format, args);
    va_end(args);
    return rv;
}

void buf_consume(struct buf *b, size_t n)
{
    b->len -= n;
    if (b->len > 0) /* data may be NULL while nothing was ever stored */
        memmove(b->data, b->data + n, b->len);
}
