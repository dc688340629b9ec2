/* IPv4 in every form the WHATWG standard reads, IPv6 into its canonical form. */
#include <arpa/inet.h>
#include <stdio.h>

#include "server/domain/internal.h"

enum { IPV4_PARTS = 4, IPV6_PIECES = 8, IPV6_TEXT_MAX_BYTES = 45 };

/* The last label of a name, behind one trailing dot. */
static struct domain_text last_label(const char *host, size_t len)
{
    if (len > 0 && host[len - 1] == '.')
        len--;
    const char *dot = memrchr(host, '.', len);
    const char *at = dot == NULL ? host : dot + 1;
    return (struct domain_text){at, len - (size_t)(at - host)};
}

/* Decimal, octal (0...) or hexadecimal (0x...); false when it is none.  A value
 * beyond 32 bits reads as UINT64_MAX. */
static bool parse_number(const char *at, size_t len, uint64_t *ret_value)
{
    unsigned base = 10;
    if (len == 0)
        return false;
    if (len >= 2 && at[0] == '0' && at[1] == 'x') {
        base = 16;
        at += 2, len -= 2;
    } else if (len >= 2 && at[0] == '0') {
        base = 8;
        at++, len--;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < len; i++) {
        int digit = hex_value((unsigned char)at[i]);
        if (digit < 0 || (unsigned)digit >= base)
            return false;
        if (value <= UINT32_MAX)
            value = value * base + (unsigned)digit;
    }
    *ret_value = value <= UINT32_MAX ? value : UINT64_MAX;
    return true;
}

bool address_ends_in_number(const char *host, size_t len)
{
    struct domain_text last = last_label(host, len);
    if (last.len == 0 || !is_digit((unsigned char)last.at[0]))
        return false;
    size_t digits = 0;
    while (digits < last.len && is_digit((unsigned char)last.at[digits]))
        digits++;
    uint64_t value;
    return digits == last.len || parse_number(last.at, last.len, &value);
}

enum domain_error address_ipv4(struct domain_result *r)
{
    const char *at = r->host, *end = at + r->host_len;
    if (end[-1] == '.')
        end--;
    uint64_t part[IPV4_PARTS];
    size_t n = 0;
    for (;;) {
        const char *dot = memchr(at, '.', (size_t)(end - at));
        const char *stop = dot == NULL ? end : dot;
        if (n == IPV4_PARTS || !parse_number(at, (size_t)(stop - at), &part[n]))
            return DOMAIN_ERROR_IPV4;
        n++;
        if (dot == NULL)
            break;
        at = dot + 1;
    }
    uint64_t address = part[n - 1];
    if (address >= UINT64_C(1) << (8 * (IPV4_PARTS + 1 - n)))
        return DOMAIN_ERROR_IPV4;
    for (size_t i = 0; i + 1 < n; i++) {
        if (part[i] > 255)
            return DOMAIN_ERROR_IPV4;
        address |= part[i] << (8 * (IPV4_PARTS - 1 - i));
    }
    char text[16];
    int len = snprintf(text, sizeof text, "%u.%u.%u.%u", (unsigned)(address >> 24),
                       (unsigned)(address >> 16 & 255), (unsigned)(address >> 8 & 255),
                       (unsigned)(address & 255));
    bool had_dot = r->host[r->host_len - 1] == '.';
    if (had_dot)
        r->flags |= DOMAIN_TRAILING_DOT;
    if (r->host_len - had_dot != len || memcmp(r->host, text, (size_t)len) != 0)
        r->flags |= DOMAIN_NUMERIC_IP;
    memcpy(store_host(r), text, (size_t)len);
    r->host_len = (uint16_t)len;
    r->kind = DOMAIN_KIND_IPV4;
    return DOMAIN_OK;
}

/* The longest run of two or more zero pieces, the first of equals. */
static void longest_zeros(const uint16_t piece[IPV6_PIECES], int *ret_at, int *ret_len)
{
    *ret_at = -1, *ret_len = 1;
    for (int i = 0; i < IPV6_PIECES; i++) {
        int n = 0;
        while (i + n < IPV6_PIECES && piece[i + n] == 0)
            n++;
        if (n > *ret_len)
            *ret_at = i, *ret_len = n;
        i += n;
    }
}

enum domain_error address_ipv6(const char *text, size_t len, struct domain_result *r)
{
    char copy[IPV6_TEXT_MAX_BYTES + 1];
    struct in6_addr address;
    if (len > IPV6_TEXT_MAX_BYTES || memchr(text, '\0', len) != NULL)
        return DOMAIN_ERROR_IPV6;
    memcpy(copy, text, len);
    copy[len] = '\0';
    /* inet_pton reads exactly what the standard reads, leading zeros refused */
    if (inet_pton(AF_INET6, copy, &address) != 1)
        return DOMAIN_ERROR_IPV6;
    uint16_t piece[IPV6_PIECES];
    for (size_t i = 0; i < IPV6_PIECES; i++)
        piece[i] = (uint16_t)(address.s6_addr[2 * i] << 8 | address.s6_addr[2 * i + 1]);
    int zeros_at, zeros;
    longest_zeros(piece, &zeros_at, &zeros);
    char *host = store_host(r), *at = host;
    *at++ = '[';
    for (int i = 0; i < IPV6_PIECES; i++) {
        if (i == zeros_at) {
            *at++ = ':';
            if (i == 0)
                *at++ = ':';
            i += zeros - 1;
            continue;
        }
        at += snprintf(at, 6, i + 1 < IPV6_PIECES ? "%x:" : "%x", piece[i]);
    }
    *at++ = ']';
    r->host = host;
    r->host_len = (uint16_t)(at - host);
    r->kind = DOMAIN_KIND_IPV6;
    return DOMAIN_OK;
}
