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

static inline void put(struct buf *out, const char *text, size_t n)
{
    memcpy(out->data + out->len, text, n);
    out->len += n;
}

#define PUT(out, literal) put(out, literal, sizeof(literal) - 1)

static inline void put_word(struct buf *out, const char *word)
{
    out->len = (size_t)(stpcpy(out->data + out->len, word) - out->data);
}

/* Bytes that a string may take as JSON, without its quotes. */
static size_t worst_bytes(size_t n, bool plain)
{
    return plain ? n : 6 * n;
}

/* A string or null; there is room for it. */
static void put_text(struct buf *out, const char *at, size_t n, bool plain)
{
    if (at == NULL) {
        PUT(out, "null");
    } else if (LIKELY(plain)) {
        out->data[out->len++] = '"';
        put(out, at, n);
        out->data[out->len++] = '"';
    } else {
        int rv = json_append_string(out, at, n);
        assert(rv == 0);
    }
}

static void put_flags(struct buf *out, unsigned flags)
{
    PUT(out, "[");
    for (; flags != 0; flags &= flags - 1) {
        const char *word = domain_flag_word((enum domain_flag_bit)__builtin_ctz(flags));
        PUT(out, "\"");
        put_word(out, word);
        if ((flags & (flags - 1)) != 0)
            PUT(out, "\",");
        else
            PUT(out, "\"");
    }
    PUT(out, "]}");
}

/* Out of line: its frame is a page, which every answer would have to probe. */
static NOINLINE void put_decoded(struct buf *out, const struct domain_result *r)
{
    char text[DOMAIN_UNICODE_MAX_BYTES];
    size_t n = domain_unicode(r->host, r->host_len, text);
    put_text(out, text, n, false);
}

static void put_unicode(struct buf *out, const struct domain_result *r, bool plain)
{
    if (LIKELY(memchr(r->host, '-', r->host_len) == NULL ||
               memmem(r->host, r->host_len, ace_prefix, ACE_PREFIX_BYTES) == NULL))
        put_text(out, r->host, r->host_len, plain);
    else
        put_decoded(out, r);
}

static void put_port(struct buf *out, int port)
{
    PUT(out, ",\"port\":");
    if (port < 0)
        PUT(out, "null");
    else
        out->len += (size_t)sprintf(out->data + out->len, "%d", port);
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
    const char *kind = domain_kind_word((enum domain_kind)r->kind);
    const char *section = domain_section_word((enum domain_section)cut->section);
    PUT(out, "{\"url\":");
    put_text(out, url, url_len, url_plain);
    PUT(out, ",\"domain\":");
    put_text(out, r->host, r->host_len, plain);
    PUT(out, ",\"kind\":\"");
    put_word(out, kind);
    PUT(out, "\"");
    put_port(out, r->port);
    PUT(out, ",\"subdomain\":");
    put_text(out, sub.at, sub.len, plain);
    PUT(out, ",\"registrable\":");
    put_text(out, registrable.at, registrable.len, plain);
    PUT(out, ",\"suffix\":");
    put_text(out, suffix.at, suffix.len, plain);
    if (section == NULL) {
        PUT(out, ",\"suffix_kind\":null,\"unicode\":");
    } else {
        PUT(out, ",\"suffix_kind\":\"");
        put_word(out, section);
        PUT(out, "\",\"unicode\":");
    }
    put_unicode(out, r, plain);
    PUT(out, ",\"flags\":");
    put_flags(out, r->flags);
    return 0;
}

int domain_format_error(struct buf *out, const char *url, size_t url_len, uint64_t line,
                        const char *word, const char *text)
{
    bool plain = is_plain(url, url_len);
    int rv = buf_reserve(out, worst_bytes(url_len, plain) + 6 * strlen(text) + FRAME_MAX_BYTES);
    if (rv < 0)
        return rv;
    PUT(out, "{\"url\":");
    put_text(out, url, url_len, plain);
    if (line > 0)
        out->len += (size_t)sprintf(out->data + out->len, ",\"line\":%" PRIu64, line);
    PUT(out, ",\"error\":");
    put_text(out, word, strlen(word), true);
    PUT(out, ",\"detail\":");
    put_text(out, text, strlen(text), false);
    PUT(out, "}");
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
    PUT(out, "{\"url\":");
    put_text(out, url, url_len, plain);
    PUT(out, ",\"domain\":");
    put_text(out, domain.at, domain.len, plain);
    PUT(out, ",\"engine\":");
    put_text(out, engine, strlen(engine), true);
    PUT(out, "}");
    return 0;
}
