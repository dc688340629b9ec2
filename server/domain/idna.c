#include "server/domain/internal.h"

/* One "xn--" label's display form; 0: keep it as it is. */
static size_t decode_label(const char *label, size_t len, char *ret_text)
{
    uint32_t points[DOMAIN_HOST_MAX_BYTES];
    size_t count = punycode_decode(label + 4, len - 4, points, ARRAY_LEN(points));
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        n += utf8_put(points[i], ret_text + n);
    return n;
}

size_t domain_unicode(const char *host, size_t host_len, char ret_text[DOMAIN_UNICODE_MAX_BYTES])
{
    const char *at = host, *end = host + host_len;
    size_t n = 0;
    while (at < end) {
        const char *dot = memchr(at, '.', (size_t)(end - at));
        const char *stop = dot == NULL ? end : dot;
        size_t len = (size_t)(stop - at), decoded = 0;
        if (len > 4 && memcmp(at, "xn--", 4) == 0)
            decoded = decode_label(at, len, ret_text + n);
        if (decoded == 0) {
            memcpy(ret_text + n, at, len);
            decoded = len;
        }
        n += decoded;
        if (dot != NULL)
            ret_text[n++] = '.';
        at = dot == NULL ? end : dot + 1;
    }
    return n;
}
