#include "coro/base/json.h"

#include <stdbool.h>
#include <string.h>

int json_utf8_length(const unsigned char *s, size_t n)
{
    if (s[0] < 0x80)
        return 1;
    /* The second byte's range shuts out overlong forms, surrogates and > U+10FFFF
     * (Unicode 15, table 3-7). */
    unsigned char low = 0x80, high = 0xBF;
    int length;
    if (s[0] >= 0xC2 && s[0] <= 0xDF)
        length = 2;
    else if (s[0] >= 0xE0 && s[0] <= 0xEF)
        length = 3;
    else if (s[0] >= 0xF0 && s[0] <= 0xF4)
        length = 4;
    else
        return -1;
    if (s[0] == 0xE0)
        low = 0xA0;
    else if (s[0] == 0xED)
        high = 0x9F;
    else if (s[0] == 0xF0)
        low = 0x90;
    else if (s[0] == 0xF4)
        high = 0x8F;
    for (int i = 1; i < length; i++) {
        if ((size_t)i >= n || s[i] < low || s[i] > high)
            return -i;
        low = 0x80;
        high = 0xBF;
    }
    return length;
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7F && c != '"' && c != '\\';
}

static int append_escaped(struct buf *b, unsigned char c)
{
    static const char short_forms[] = "b\bf\fn\nr\rt\t\"\"\\\\";
    for (size_t i = 0; i + 1 < sizeof short_forms; i += 2) {
        if ((unsigned char)short_forms[i + 1] == c) {
            char text[2] = {'\\', short_forms[i]};
            return buf_append(b, text, sizeof text);
        }
    }
    return buf_printf(b, "\\u%04x", c);
}

int json_append_string(struct buf *b, const void *bytes, size_t n)
{
    const unsigned char *s = bytes;
    int rv = buf_reserve(b, n + 2);
    if (rv < 0)
        return rv;
    b->data[b->len++] = '"';
    for (size_t at = 0; at < n && rv >= 0;) {
        size_t run = at;
        while (run < n && is_plain(s[run]))
            run++;
        if (run > at) {
            rv = buf_append(b, s + at, run - at);
            at = run;
            continue;
        }
        int length = json_utf8_length(s + at, n - at);
        if (length == 1)
            rv = append_escaped(b, s[at]);
        else if (length > 1)
            rv = buf_append(b, s + at, (size_t)length);
        else
            rv = buf_append(b, "\xEF\xBF\xBD", 3);
        at += (size_t)(length > 0 ? length : -length);
    }
    return rv < 0 ? rv : buf_append_char(b, '"');
}
