/* tests/lib/shared_data.h - the larger test data beside the project, and the
 * little JSON that reading it takes. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The file of the shared data as one NUL-terminated string (free it), or NULL
 * after saying on stdout that it is not here. */
static inline char *shared_data_read(const char *name, size_t *ret_len)
{
    char path[4096];
    const char *base = getenv("DOMAIND_SHARED_DATA");
    snprintf(path, sizeof path, "%s/%s", base != NULL ? base : DOMAIND_ROOT "/../shared/data",
             name);
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        printf("not here: %s; ran the project's own small cases only\n", path);
        return NULL;
    }
    char *text = NULL;
    size_t len = 0, cap = 0;
    for (size_t n = 1; n > 0; len += n) {
        if (cap - len < 2) {
            cap = cap == 0 ? 1 << 16 : cap * 2;
            text = realloc(text, cap);
            if (text == NULL)
                abort();
        }
        n = fread(text + len, 1, cap - len - 1, f);
    }
    fclose(f);
    text[len] = '\0';
    *ret_len = len;
    return text;
}

static inline size_t json_put_utf8(uint32_t c, char *out)
{
    unsigned char *p = (unsigned char *)out;
    if (c < 0x80) {
        p[0] = (unsigned char)c;
        return 1;
    }
    if (c < 0x800) {
        p[0] = (unsigned char)(0xc0 | c >> 6);
        p[1] = (unsigned char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        p[0] = (unsigned char)(0xe0 | c >> 12);
        p[1] = (unsigned char)(0x80 | (c >> 6 & 0x3f));
        p[2] = (unsigned char)(0x80 | (c & 0x3f));
        return 3;
    }
    p[0] = (unsigned char)(0xf0 | c >> 18);
    p[1] = (unsigned char)(0x80 | (c >> 12 & 0x3f));
    p[2] = (unsigned char)(0x80 | (c >> 6 & 0x3f));
    p[3] = (unsigned char)(0x80 | (c & 0x3f));
    return 4;
}

static inline uint32_t json_hex4(const char *at)
{
    char digits[5] = {at[0], at[1], at[2], at[3], '\0'};
    return (uint32_t)strtoul(digits, NULL, 16);
}

/* The JSON string whose opening quote stands at `at`, as UTF-8 into text (which
 * must have room); returns what follows its closing quote.  A lone surrogate
 * becomes U+FFFD, as in the strings of the URL standard. */
static inline const char *json_read_string(const char *at, char *text, size_t *ret_len)
{
    size_t n = 0;
    for (at++; *at != '"'; at++) {
        if (*at != '\\') {
            text[n++] = *at;
            continue;
        }
        static const char names[] = "bfnrt", values[] = "\b\f\n\r\t";
        const char *name = strchr(names, *++at);
        if (*at != 'u') {
            text[n++] = name != NULL ? values[name - names] : *at;
            continue;
        }
        uint32_t c = json_hex4(at + 1);
        at += 4;
        if (c >= 0xd800 && c < 0xdc00 && at[1] == '\\' && at[2] == 'u') {
            uint32_t low = json_hex4(at + 3);
            if (low >= 0xdc00 && low < 0xe000) {
                c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
                at += 6;
            }
        }
        n += json_put_utf8(c >= 0xd800 && c < 0xe000 ? 0xfffd : c, text + n);
    }
    *ret_len = n;
    return at + 1;
}

/* The string value of "key" in the JSON text [at, end), which has it at one
 * place at most; false: none, or it is null. */
static inline bool json_find_string(const char *at, const char *end, const char *key, char *text,
                                    size_t *ret_len)
{
    char quoted[64];
    int n = snprintf(quoted, sizeof quoted, "\"%s\":", key);
    const char *found = memmem(at, (size_t)(end - at), quoted, (size_t)n);
    if (found == NULL)
        return false;
    found += n;
    while (*found == ' ')
        found++;
    if (*found != '"')
        return false;
    json_read_string(found, text, ret_len);
    return true;
}
