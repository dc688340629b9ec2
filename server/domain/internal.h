/* server/domain/internal.h - what the files of this folder share. */
#pragma once

#include <stdint.h>
#include <string.h>

#include "server/domain/domain.h"

/* Where in the store a rewritten host begins. */
static inline char *store_host(struct domain_result *r)
{
    return r->store + DOMAIN_STORE_FRONT_BYTES;
}

static inline bool is_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}

static inline bool is_alpha(unsigned char c)
{
    return (unsigned char)((c | 0x20) - 'a') < 26;
}

/* A value of a hex digit, or -1. */
static inline int hex_value(unsigned char c)
{
    if (is_digit(c))
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* What an internationalised label begins with in ASCII; no NUL. */
enum { ACE_PREFIX_BYTES = 4 };
static const char ace_prefix[ACE_PREFIX_BYTES] = {'x', 'n', '-', '-'};

/* WHATWG removes these wherever they stand. */
static inline bool is_removed(char c)
{
    return c == '\t' || c == '\n' || c == '\r';
}

/* ---- host.c ---- */

/* The host of raw[0..len) (tabs and newlines still in) into *r: host, kind and
 * the flags that concern it (added to r->flags). */
enum domain_error host_parse(const char *raw, size_t len, struct domain_result *r);

/* ---- address.c ---- */

/* Does a name end in a number, so that it must be an IPv4 address? */
bool address_ends_in_number(const char *host, size_t len);
/* host is that name, in the store; on success it is the dotted decimal form. */
enum domain_error address_ipv4(struct domain_result *r);
/* text is what stands between the brackets. */
enum domain_error address_ipv6(const char *text, size_t len, struct domain_result *r);

/* ---- suffix.c ---- */

/* Both cuts of r->host, a name; 16 bytes before it must be readable when it is
 * in the store, 7 (a scheme) when it is in the URL. */
void suffix_cut(const struct domain_suffixes *suffixes, struct domain_result *r, uint64_t dots);
/* The dots of a host of at most 64 bytes; 0 for longer ones. */
uint64_t suffix_dots(const char *host, size_t len);

/* ---- punycode.c ---- */

/* Code points to "xn--..." without the prefix.  Length, or 0: does not fit. */
size_t punycode_encode(const uint32_t *points, size_t count, char *ret_text, size_t cap);
/* The reverse.  Number of code points, or 0: not punycode, or does not fit. */
size_t punycode_decode(const char *text, size_t len, uint32_t *ret_points, size_t cap);

/* ---- normalize.c ---- */

/* Unicode normalization form C.  New count, 0: does not fit (or nothing came in). */
size_t normalize_nfc(const uint32_t *points, size_t count, uint32_t *ret_points, size_t cap);

/* ---- idna.c ---- */

/* "Domain to ASCII" of the URL standard for a name with a non-ASCII character:
 * text (UTF-8) into host (DOMAIN_HOST_MAX_BYTES, may not overlap).  Adds
 * DOMAIN_FULLWIDTH to *flags where it applies. */
enum domain_error idna_to_ascii(const char *text, size_t len, char *ret_host, size_t *ret_len,
                                unsigned *flags);
