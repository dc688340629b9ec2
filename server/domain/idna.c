/* Internationalised names: UTS #46 processing, non-transitional, as the URL
 * standard asks for it (CheckBidi and CheckJoiners on; CheckHyphens,
 * UseSTD3ASCIIRules, VerifyDnsLength off), over a generated table of Unicode 16.
 *
 *   map each code point -> NFC -> labels -> decode "xn--" labels -> validate
 *   each -> punycode.  Any failure fails the host.
 *
 * Only names with a non-ASCII character come here: the standard takes others as
 * they are. */
#include <stdlib.h>

#include "coro/base/utf8.h"
#include "server/domain/idna_table.h"
#include "server/domain/internal.h"

enum {
    POINTS_MAX = 2 * DOMAIN_HOST_MAX_BYTES, /* in a name, mapped and decomposed */
    CCC_VIRAMA = 9,
    ZWNJ = 0x200c,
    ZWJ = 0x200d,
};

struct label {
    const uint32_t *points;
    size_t count;
};

/* ---- validity of one label (UTS #46, 4.1) ---- */

/* RFC 5892, appendix A.1: (L|D) T* here T* (R|D) */
static bool joins_both_sides(struct label l, size_t at)
{
    size_t before = at, after = at + 1;
    while (before > 0 && idna_row(l.points[before - 1])->joining == JOINING_TRANSPARENT)
        before--;
    while (after < l.count && idna_row(l.points[after])->joining == JOINING_TRANSPARENT)
        after++;
    if (before == 0 || after == l.count)
        return false;
    unsigned left = idna_row(l.points[before - 1])->joining,
             right = idna_row(l.points[after])->joining;
    return (left == JOINING_LEFT || left == JOINING_DUAL) &&
           (right == JOINING_RIGHT || right == JOINING_DUAL);
}

static bool joiners_are_valid(struct label l)
{
    for (size_t i = 0; i < l.count; i++) {
        if (l.points[i] != ZWNJ && l.points[i] != ZWJ)
            continue;
        if (i == 0)
            return false;
        if (idna_row(l.points[i - 1])->ccc == CCC_VIRAMA)
            continue;
        if (l.points[i] == ZWJ || !joins_both_sides(l, i))
            return false;
    }
    return true;
}

#define BIT(x)   (1U << (x))
#define RTL_MAY  (BIT(BIDI_R) | BIT(BIDI_AN) | BIT(BIDI_EN) | BIT(BIDI_BETWEEN) | BIT(BIDI_NSM))
#define RTL_ENDS (BIT(BIDI_R) | BIT(BIDI_AN) | BIT(BIDI_EN))
#define LTR_MAY  (BIT(BIDI_L) | BIT(BIDI_EN) | BIT(BIDI_BETWEEN) | BIT(BIDI_NSM))
#define LTR_ENDS (BIT(BIDI_L) | BIT(BIDI_EN))

/* RFC 5893, section 2, for a label of a name that has right-to-left characters. */
static bool bidi_is_valid(struct label l)
{
    unsigned first = idna_row(l.points[0])->bidi, seen = 0, last = BIDI_OTHER;
    for (size_t i = 0; i < l.count; i++) {
        unsigned class = idna_row(l.points[i])->bidi;
        seen |= BIT(class);
        if (class != BIDI_NSM)
            last = class;
    }
    if (first == BIDI_L)
        return (seen & ~LTR_MAY) == 0 && (BIT(last) & LTR_ENDS) != 0;
    if (first == BIDI_R)
        return (seen & ~RTL_MAY) == 0 && (BIT(last) & RTL_ENDS) != 0 &&
               (seen & (BIT(BIDI_EN) | BIT(BIDI_AN))) != (BIT(BIDI_EN) | BIT(BIDI_AN));
    return false;
}

static bool has_right_to_left(struct label l)
{
    for (size_t i = 0; i < l.count; i++) {
        unsigned class = idna_row(l.points[i])->bidi;
        if (class == BIDI_R || class == BIDI_AN)
            return true;
    }
    return false;
}

static bool is_nfc(struct label l)
{
    uint32_t again[POINTS_MAX];
    size_t n = normalize_nfc(l.points, l.count, again, ARRAY_LEN(again));
    return n == l.count && memcmp(again, l.points, n * sizeof *again) == 0;
}

/* The label as the user would read it; was_encoded: it came as "xn--". */
static bool label_is_valid(struct label l, bool was_encoded)
{
    static const uint32_t prefix[] = {'x', 'n', '-', '-'};
    if (l.count == 0)
        return true;
    if (l.count >= 4 && memcmp(l.points, prefix, sizeof prefix) == 0)
        return false;
    if (idna_row(l.points[0])->is_mark)
        return false;
    for (size_t i = 0; i < l.count; i++)
        if (idna_row(l.points[i])->status != IDNA_VALID || l.points[i] == '.')
            return false;
    /* what was not encoded was normalized as part of the name */
    return joiners_are_valid(l) && (!was_encoded || is_nfc(l));
}

/* ---- one label ---- */

static bool is_encoded(struct label l)
{
    return l.count >= 4 && l.points[0] == 'x' && l.points[1] == 'n' && l.points[2] == '-' &&
           l.points[3] == '-';
}

static bool is_all_ascii(struct label l)
{
    for (size_t i = 0; i < l.count; i++)
        if (l.points[i] >= 0x80)
            return false;
    return true;
}

/* An "xn--" label decoded; 0: it is none that anybody could have encoded. */
static size_t decode(const char *text, size_t len, uint32_t *ret_points, size_t cap)
{
    size_t n = punycode_decode(text, len, ret_points, cap);
    struct label decoded = {ret_points, n};
    return n == 0 || is_all_ascii(decoded) || !label_is_valid(decoded, true) ? 0 : n;
}

/* The label as it reads, into points (DOMAIN_HOST_MAX_BYTES); false: not valid. */
static bool read_label(struct label l, uint32_t *points, struct label *ret_label)
{
    *ret_label = l;
    if (!is_encoded(l))
        return label_is_valid(l, false);
    char text[DOMAIN_HOST_MAX_BYTES];
    if (l.count - 4 > sizeof text || !is_all_ascii(l))
        return false;
    for (size_t i = 4; i < l.count; i++)
        text[i - 4] = (char)l.points[i];
    *ret_label = (struct label){points, decode(text, l.count - 4, points, DOMAIN_HOST_MAX_BYTES)};
    return ret_label->count > 0;
}

/* ---- the name ---- */

static int by_number(const void *key, const void *entry)
{
    uint32_t a = *(const uint32_t *)key, b = *(const uint32_t *)entry;
    return (a > b) - (a < b);
}

/* The mapping of one code point appended; new count, SIZE_MAX: no room. */
static size_t map_point(uint32_t point, uint32_t *points, size_t n, unsigned *flags)
{
    const uint32_t *entry =
        bsearch(&point, idna_mapped, idna_mapping_count, sizeof *entry, by_number);
    size_t i = (size_t)(entry - idna_mapped);
    const char *at = (const char *)idna_mapping_text + idna_mapping_at[i],
               *end = (const char *)idna_mapping_text + idna_mapping_at[i + 1];
    bool is_ascii = point >= 0x80;
    while (at < end) {
        if (n == POINTS_MAX)
            return SIZE_MAX;
        points[n] = utf8_next(&at, end);
        is_ascii = is_ascii && points[n] < 0x80;
        n++;
    }
    if (is_ascii)
        *flags |= DOMAIN_FULLWIDTH;
    return n;
}

static enum domain_error map(const char *text, size_t len, uint32_t *points, size_t *ret_count,
                             unsigned *flags)
{
    const char *at = text, *end = text + len;
    size_t n = 0;
    while (at < end) {
        uint32_t point = utf8_next(&at, end);
        if (point == UTF8_BAD)
            return DOMAIN_ERROR_HOST_IDNA;
        unsigned status = idna_row(point)->status;
        if (status == IDNA_IGNORED)
            continue;
        if (status == IDNA_MAPPED)
            n = map_point(point, points, n, flags);
        else if (n < POINTS_MAX)
            points[n++] = point; /* a disallowed one fails later, unless NFC composes it away */
        else
            n = SIZE_MAX;
        if (n == SIZE_MAX)
            return DOMAIN_ERROR_HOST_TOO_LONG;
    }
    *ret_count = n;
    return DOMAIN_OK;
}

/* Is it a name whose labels must satisfy the Bidi rule? */
static bool is_bidi_name(struct label name)
{
    uint32_t points[DOMAIN_HOST_MAX_BYTES];
    for (size_t i = 0, start = 0; i <= name.count; i++) {
        if (i < name.count && name.points[i] != '.')
            continue;
        struct label l = {name.points + start, i - start}, read;
        start = i + 1;
        if (has_right_to_left(l) ||
            (is_encoded(l) && read_label(l, points, &read) && has_right_to_left(read)))
            return true;
    }
    return false;
}

/* A valid label behind host[0..*len). */
static bool put_label(struct label source, struct label read, char *host, size_t *len)
{
    size_t room = DOMAIN_HOST_MAX_BYTES - *len;
    if (is_all_ascii(source)) { /* plain, or an "xn--" label that stays */
        if (source.count > room)
            return false;
        for (size_t i = 0; i < source.count; i++)
            host[(*len)++] = (char)source.points[i];
        return true;
    }
    if (room < 4)
        return false;
    memcpy(host + *len, ace_prefix, ACE_PREFIX_BYTES);
    size_t n = punycode_encode(read.points, read.count, host + *len + 4, room - 4);
    *len += 4 + n;
    return n > 0;
}

static enum domain_error encode(struct label name, char *host, size_t *ret_len)
{
    uint32_t points[DOMAIN_HOST_MAX_BYTES];
    bool is_bidi = is_bidi_name(name);
    size_t len = 0, start = 0;
    for (size_t i = 0; i <= name.count; i++) {
        if (i < name.count && name.points[i] != '.')
            continue;
        struct label l = {name.points + start, i - start}, read;
        if (!read_label(l, points, &read) || (is_bidi && read.count > 0 && !bidi_is_valid(read)))
            return DOMAIN_ERROR_HOST_IDNA;
        if (start > 0) {
            if (len == DOMAIN_HOST_MAX_BYTES)
                return DOMAIN_ERROR_HOST_TOO_LONG;
            host[len++] = '.';
        }
        if (!put_label(l, read, host, &len))
            return DOMAIN_ERROR_HOST_TOO_LONG;
        start = i + 1;
    }
    *ret_len = len;
    return len == 0 ? DOMAIN_ERROR_NO_HOST : DOMAIN_OK;
}

enum domain_error idna_to_ascii(const char *text, size_t len, char *ret_host, size_t *ret_len,
                                unsigned *flags)
{
    uint32_t mapped[POINTS_MAX], name[POINTS_MAX];
    size_t count;
    enum domain_error error = map(text, len, mapped, &count, flags);
    if (error != DOMAIN_OK)
        return error;
    if (count == 0)
        return DOMAIN_ERROR_NO_HOST;
    size_t n = normalize_nfc(mapped, count, name, POINTS_MAX);
    if (n == 0)
        return DOMAIN_ERROR_HOST_TOO_LONG;
    return encode((struct label){name, n}, ret_host, ret_len);
}

/* ---- display ---- */

/* One "xn--" label's display form; 0: keep it as it is. */
static size_t show_label(const char *label, size_t len, char *ret_text)
{
    uint32_t points[DOMAIN_HOST_MAX_BYTES];
    size_t count = decode(label + 4, len - 4, points, ARRAY_LEN(points));
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
        size_t len = (size_t)(stop - at), shown = 0;
        if (len > 4 && memcmp(at, ace_prefix, ACE_PREFIX_BYTES) == 0)
            shown = show_label(at, len, ret_text + n);
        if (shown == 0) {
            memcpy(ret_text + n, at, len);
            shown = len;
        }
        n += shown;
        if (dot != NULL)
            ret_text[n++] = '.';
        at = dot == NULL ? end : dot + 1;
    }
    return n;
}
