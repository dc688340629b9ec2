#include "server/domain/format.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "coro/base/json.h"
#include "server/domain/internal.h"
#include "server/domain/simd.h"

/* Room for everything but the strings: names, quotes, commas, numbers, all flags. */
#define FRAME_MAX_BYTES 512

/* Is every byte of it its own JSON form: printable ASCII but " and \? */
#if defined(__SSE2__)
/* The bytes of a block that are not. */
static inline uint32_t odd_bytes(host_block b)
{
    /* signed: 0x80 and up are below the space too */
    __m128i odd = _mm_or_si128(
        _mm_or_si128(_mm_cmpgt_epi8(_mm_set1_epi8(' '), b), _mm_cmpeq_epi8(b, _mm_set1_epi8('"'))),
        _mm_or_si128(_mm_cmpeq_epi8(b, _mm_set1_epi8('\\')),
                     _mm_cmpeq_epi8(b, _mm_set1_epi8(0x7f))));
    return (uint32_t)_mm_movemask_epi8(odd);
}

static bool is_plain(const char *at, size_t n)
{
    if (n < 16) /* the block's rest is zero, which is odd: not ours to judge */
        return (odd_bytes(host_load_part(at, n)) & ((1U << n) - 1)) == 0;
    uint32_t odd = 0;
    for (size_t i = 0; i + 16 <= n; i += 16)
        odd |= odd_bytes(host_load(at + i));
    return (odd | odd_bytes(host_load(at + n - 16))) == 0;
}
#else
static bool is_plain(const char *at, size_t n)
{
    for (; n > 0; at++, n--)
        if ((unsigned char)*at < ' ' || (unsigned char)*at >= 0x7f || *at == '"' || *at == '\\')
            return false;
    return true;
}
#endif

/* Each puts something at p, where there is room, and returns what is behind it. */
static inline char *put(char *p, const char *text, size_t n)
{
    return mempcpy(p, text, n);
}

#define PUT(p, literal) put(p, literal, sizeof(literal) - 1)

/* Bytes that a string may take as JSON, without its quotes. */
static size_t worst_bytes(size_t n, bool plain)
{
    return plain ? n : 6 * n;
}

static NOINLINE char *put_escaped(struct buf *out, char *p, const char *at, size_t n)
{
    out->len = (size_t)(p - out->data);
    int rv = json_append_string(out, at, n);
    assert(rv == 0);
    return out->data + out->len;
}

/* A string or null; `out` is where p is in. */
static inline char *put_text(struct buf *out, char *p, const char *at, size_t n, bool plain)
{
    if (at == NULL)
        return PUT(p, "null");
    if (UNLIKELY(!plain))
        return put_escaped(out, p, at, n);
    *p++ = '"';
    p = put(p, at, n);
    *p++ = '"';
    return p;
}

static char *put_flags(char *p, unsigned flags)
{
    p = PUT(p, "[");
    for (; flags != 0; flags &= flags - 1) {
        *p++ = '"';
        p = stpcpy(p, domain_flag_word((enum domain_flag_bit)__builtin_ctz(flags)));
        *p++ = '"';
        if ((flags & (flags - 1)) != 0)
            *p++ = ',';
    }
    return PUT(p, "]}");
}

/* Out of line: its frame is a page, which every answer would have to probe. */
static NOINLINE char *put_decoded(struct buf *out, char *p, const struct domain_result *r)
{
    char text[DOMAIN_UNICODE_MAX_BYTES];
    size_t n = domain_unicode(r->host, r->host_len, text);
    return put_text(out, p, text, n, false);
}

static char *put_unicode(struct buf *out, char *p, const struct domain_result *r, bool plain)
{
    if (LIKELY(memchr(r->host, '-', r->host_len) == NULL ||
               memmem(r->host, r->host_len, ace_prefix, ACE_PREFIX_BYTES) == NULL))
        return put_text(out, p, r->host, r->host_len, plain);
    return put_decoded(out, p, r);
}

static char *put_port(char *p, int port)
{
    p = PUT(p, ",\"port\":");
    return port < 0 ? PUT(p, "null") : p + sprintf(p, "%d", port);
}

int domain_format_json(struct buf *out, const char *url, size_t url_len,
                       const struct domain_result *r, const struct domain_cut *cut)
{
    bool url_plain = is_plain(url, url_len), plain = is_plain(r->host, r->host_len);
    /* host, subdomain, registrable, suffix: at most three hosts; unicode: decoded it shrinks
     * in characters, not in bytes */
    size_t host_bytes = 3 * worst_bytes(r->host_len, plain) + 6 * (size_t)r->host_len;
    int rv = buf_reserve(out, worst_bytes(url_len, url_plain) + host_bytes + FRAME_MAX_BYTES);
    if (rv < 0)
        return rv;
    struct domain_text sub = domain_subdomain(r, cut), registrable = domain_registrable(r, cut),
                       suffix = domain_suffix(r, cut);
    const char *section = domain_section_word((enum domain_section)cut->section);
    char *p = out->data + out->len;
    p = PUT(p, "{\"url\":");
    p = put_text(out, p, url, url_len, url_plain);
    p = PUT(p, ",\"domain\":");
    p = put_text(out, p, r->host, r->host_len, plain);
    p = PUT(p, ",\"kind\":\"");
    p = stpcpy(p, domain_kind_word((enum domain_kind)r->kind));
    *p++ = '"';
    p = put_port(p, r->port);
    p = PUT(p, ",\"subdomain\":");
    p = put_text(out, p, sub.at, sub.len, plain);
    p = PUT(p, ",\"registrable\":");
    p = put_text(out, p, registrable.at, registrable.len, plain);
    p = PUT(p, ",\"suffix\":");
    p = put_text(out, p, suffix.at, suffix.len, plain);
    if (section == NULL) {
        p = PUT(p, ",\"suffix_kind\":null,\"unicode\":");
    } else {
        p = PUT(p, ",\"suffix_kind\":\"");
        p = stpcpy(p, section);
        p = PUT(p, "\",\"unicode\":");
    }
    p = put_unicode(out, p, r, plain);
    p = PUT(p, ",\"flags\":");
    p = put_flags(p, r->flags);
    out->len = (size_t)(p - out->data);
    return 0;
}

int domain_format_error(struct buf *out, const char *url, size_t url_len, uint64_t line,
                        const char *word, const char *text)
{
    bool plain = is_plain(url, url_len);
    int rv = buf_reserve(out, worst_bytes(url_len, plain) + 6 * strlen(text) + FRAME_MAX_BYTES);
    if (rv < 0)
        return rv;
    char *p = out->data + out->len;
    p = PUT(p, "{\"url\":");
    p = put_text(out, p, url, url_len, plain);
    if (line > 0)
        p += sprintf(p, ",\"line\":%" PRIu64, line);
    p = PUT(p, ",\"error\":");
    p = put_text(out, p, word, strlen(word), true);
    p = PUT(p, ",\"detail\":");
    p = put_text(out, p, text, strlen(text), false);
    *p++ = '}';
    out->len = (size_t)(p - out->data);
    return 0;
}

int domain_format_sample(struct buf *out, const char *url, size_t url_len,
                         struct domain_text domain, const char *engine)
{
    /* the domain is a part of the URL: twice the room */
    bool plain = is_plain(url, url_len);
    int rv = buf_reserve(out, 2 * worst_bytes(url_len, plain) + FRAME_MAX_BYTES);
    if (rv < 0)
        return rv;
    char *p = out->data + out->len;
    p = PUT(p, "{\"url\":");
    p = put_text(out, p, url, url_len, plain);
    p = PUT(p, ",\"domain\":");
    p = put_text(out, p, domain.at, domain.len, plain);
    p = PUT(p, ",\"engine\":");
    p = put_text(out, p, engine, strlen(engine), true);
    *p++ = '}';
    out->len = (size_t)(p - out->data);
    return 0;
}
