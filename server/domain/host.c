/* The WHATWG host parser: percent-decode, to ASCII, forbidden code points,
 * addresses.  The result is written into the store. */
#include "server/domain/internal.h"

/* The forbidden domain code points of the standard, below 0x80. */
static bool is_forbidden(unsigned char c)
{
    return c <= ' ' || c == 0x7f || strchr("#/:<>?@[\\]^|%", c) != NULL;
}

/* raw without tabs and newlines, percent-decoded, into host.  Length;
 * DOMAIN_HOST_MAX_BYTES + 1 when it does not fit. */
static size_t decode(const char *raw, const char *end, char *host, unsigned *flags, bool *ret_ascii)
{
    size_t n = 0;
    unsigned char high = 0;
    while (raw < end) {
        if (is_removed(*raw)) {
            raw++;
            continue;
        }
        unsigned char c = (unsigned char)*raw++;
        if (c == '%') {
            const char *hex[2] = {NULL, NULL};
            unsigned digits = 0;
            const char *at = raw;
            for (; at < end && digits < 2; at++)
                if (!is_removed(*at))
                    hex[digits++] = at;
            if (digits == 2 && hex_value((unsigned char)*hex[0]) >= 0 &&
                hex_value((unsigned char)*hex[1]) >= 0) {
                c = (unsigned char)(hex_value((unsigned char)*hex[0]) << 4 |
                                    hex_value((unsigned char)*hex[1]));
                raw = at;
                *flags |= DOMAIN_PCT_HOST;
            }
        }
        if (n == DOMAIN_HOST_MAX_BYTES)
            return DOMAIN_HOST_MAX_BYTES + 1;
        host[n++] = (char)c;
        high |= c;
    }
    *ret_ascii = high < 0x80;
    return n;
}

static enum domain_error parse_bracketed(const char *raw, const char *end, struct domain_result *r)
{
    char text[64];
    size_t n = 0;
    for (; raw < end; raw++) {
        if (is_removed(*raw))
            continue;
        if (n == sizeof text)
            return DOMAIN_ERROR_IPV6;
        text[n++] = *raw;
    }
    if (n < 2 || text[n - 1] != ']')
        return DOMAIN_ERROR_IPV6;
    return address_ipv6(text + 1, n - 2, r);
}

/* host[0..*n) in place. */
static NOINLINE enum domain_error to_ascii(char *host, size_t *n, unsigned *flags)
{
    char text[DOMAIN_HOST_MAX_BYTES];
    memcpy(text, host, *n);
    return idna_to_ascii(text, *n, host, n, flags);
}

enum domain_error host_parse(const char *raw, size_t len, struct domain_result *r)
{
    const char *end = raw + len;
    while (raw < end && is_removed(*raw))
        raw++;
    if (raw == end)
        return DOMAIN_ERROR_NO_HOST;
    if (*raw == '[')
        return parse_bracketed(raw, end, r);
    char *host = store_host(r);
    unsigned flags = r->flags;
    bool is_ascii;
    size_t n = decode(raw, end, host, &flags, &is_ascii);
    r->flags = (uint16_t)flags;
    if (n > DOMAIN_HOST_MAX_BYTES)
        return DOMAIN_ERROR_HOST_TOO_LONG;
    if (!is_ascii) {
        enum domain_error error = to_ascii(host, &n, &flags);
        r->flags = (uint16_t)flags;
        if (error != DOMAIN_OK)
            return error;
    }
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)host[i];
        if (is_forbidden(c))
            return DOMAIN_ERROR_HOST_CHARACTER;
        if (c >= 'A' && c <= 'Z')
            host[i] = (char)(c | 0x20);
    }
    r->host = host;
    r->host_len = (uint16_t)n;
    r->kind = DOMAIN_KIND_NAME;
    return address_ends_in_number(host, n) ? address_ipv4(r) : DOMAIN_OK;
}
