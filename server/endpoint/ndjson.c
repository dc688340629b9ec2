#include "server/endpoint/ndjson.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "coro/base/utf8.h"

enum { DEPTH_MAX = 64 };

/* What is left of the line. */
struct cursor {
    const char *at;
    const char *end;
};

/* The raw bytes between a string's quotes. */
struct raw {
    const char *at;
    size_t len;
    bool has_escapes;
};

/* The next byte behind white space, not taken; -1 at the end. */
static int peek(struct cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' || *c->at == '\r'))
        c->at++;
    return c->at < c->end ? (unsigned char)*c->at : -1;
}

static bool take(struct cursor *c, char expected)
{
    if (peek(c) != expected)
        return false;
    c->at++;
    return true;
}

static bool take_string(struct cursor *c, struct raw *ret_raw)
{
    if (!take(c, '"'))
        return false;
    const char *first = c->at;
    bool has_escapes = false;
    for (; c->at < c->end && *c->at != '"'; c->at++) {
        if (*c->at != '\\')
            continue;
        has_escapes = true;
        c->at++;
    }
    if (c->at >= c->end)
        return false;
    *ret_raw = (struct raw){first, (size_t)(c->at - first), has_escapes};
    c->at++;
    return true;
}

/* Any value. */
static bool skip_value(struct cursor *c)
{
    unsigned depth = 0;
    do {
        struct raw ignored;
        int next = peek(c);
        if (next == '"') {
            if (!take_string(c, &ignored))
                return false;
        } else if (next == '{' || next == '[') {
            if (++depth > DEPTH_MAX)
                return false;
            c->at++;
        } else if (depth > 0 && (next == '}' || next == ']')) {
            depth--;
            c->at++;
        } else if (depth > 0 && (next == ',' || next == ':')) {
            c->at++;
        } else {
            size_t n = 0;
            while (c->at + n < c->end && strchr(" \t\r,:]}[{\"", c->at[n]) == NULL)
                n++;
            if (n == 0)
                return false;
            c->at += n;
        }
    } while (depth > 0);
    return true;
}

/* ---- escapes ---- */

static int hex4(const char *at, const char *end)
{
    int value = 0;
    if (end - at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = at[i], lower = (char)(c | 0x20);
        if (c >= '0' && c <= '9')
            value = value * 16 + (c - '0');
        else if (lower >= 'a' && lower <= 'f')
            value = value * 16 + (lower - 'a' + 10);
        else
            return -1;
    }
    return value;
}

/* The code point behind "\u"; a lone surrogate becomes U+FFFD.  *at moves on. */
static bool take_unicode(const char **at, const char *end, uint32_t *ret_point)
{
    int high = hex4(*at, end);
    if (high < 0)
        return false;
    *at += 4;
    uint32_t point = (uint32_t)high;
    if (point >= 0xd800 && point < 0xe000) {
        int low = end - *at >= 6 && (*at)[0] == '\\' && (*at)[1] == 'u' ? hex4(*at + 2, end) : -1;
        if (point < 0xdc00 && low >= 0xdc00 && low < 0xe000) {
            point = 0x10000 + ((point - 0xd800) << 10) + ((uint32_t)low - 0xdc00);
            *at += 6;
        } else {
            point = 0xfffd;
        }
    }
    *ret_point = point;
    return true;
}

/* A string with escapes, decoded: never longer than it was. */
static bool decode(struct raw raw, char *out, size_t *ret_len)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    const char *at = raw.at, *end = at + raw.len;
    char *to = out;
    while (at < end) {
        if (*at != '\\') {
            *to++ = *at++;
            continue;
        }
        char name = at[1]; /* a string does not end in a lone backslash */
        at += 2;
        const char *known = name != '\0' ? strchr(names, name) : NULL;
        uint32_t point;
        if (known != NULL)
            *to++ = values[known - names];
        else if (name == 'u' && take_unicode(&at, end, &point))
            to += utf8_put(point, to);
        else
            return false;
    }
    *ret_len = (size_t)(to - out);
    return true;
}

/* ---- the line ---- */

/* The members of an object up to its end; url's value if it is a string. */
static bool find_url(struct cursor *c, struct raw *ret_url)
{
    bool found = false;
    if (take(c, '}'))
        return false;
    do {
        struct raw key;
        if (!take_string(c, &key) || !take(c, ':'))
            return false;
        bool is_url = key.len == 3 && memcmp(key.at, "url", 3) == 0;
        if (is_url && peek(c) == '"') {
            if (!take_string(c, ret_url))
                return false;
            found = true;
        } else if (!skip_value(c)) {
            return false;
        }
    } while (take(c, ','));
    return take(c, '}') && found;
}

int ndjson_url(const char *line, size_t len, char *scratch, const char **ret_url, size_t *ret_len)
{
    struct cursor c = {line, line + len};
    struct raw url = {NULL, 0, false};
    bool ok = take(&c, '{') ? find_url(&c, &url) : take_string(&c, &url);
    if (!ok || peek(&c) >= 0)
        return -EINVAL;
    *ret_url = url.at;
    *ret_len = url.len;
    if (!url.has_escapes)
        return 0;
    *ret_url = scratch;
    return decode(url, scratch, ret_len) ? 0 : -EINVAL;
}
