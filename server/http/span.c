#include "server/http/span.h"

#include <stdbool.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* RFC 9110 section 5.6.2 */
static const bool is_tchar[256] = {
    ['!'] = true,         ['#'] = true,         ['$'] = true,         ['%'] = true, ['&'] = true,
    ['\''] = true,        ['*'] = true,         ['+'] = true,         ['-'] = true, ['.'] = true,
    ['^'] = true,         ['_'] = true,         ['`'] = true,         ['|'] = true, ['~'] = true,
    ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true,
};

/* What a request target may hold (RFC 3986, and '[' ']' as everybody sends them). */
static const bool is_target_char[256] = {
    ['!'] = true, ['$' ... ';'] = true, ['='] = true,         ['?' ... '['] = true,
    [']'] = true, ['_'] = true,         ['a' ... 'z'] = true, ['~'] = true,
};

static bool is_control(unsigned char c)
{
    return (c < 0x20 && c != '\t') || c == 0x7F;
}

#ifdef __SSE2__
/* Which of the sixteen bytes at p are control bytes: a bit for each. */
static inline unsigned control_bits(const char *p)
{
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
    __m128i is_low = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1F)), v);
    __m128i bad = _mm_or_si128(_mm_andnot_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('\t')), is_low),
                               _mm_cmpeq_epi8(v, _mm_set1_epi8(0x7F)));
    return (unsigned)_mm_movemask_epi8(bad);
}

/* Which are none of a target: the complement of the table, from ranges and masks: <= SP and
 * >= 0x80 (signed compare), { | } DEL, the pairs " # and < > and \\ ^ that differ in one
 * bit, ` */
static inline unsigned untarget_bits(const char *p)
{
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
    __m128i low = _mm_cmplt_epi8(v, _mm_set1_epi8('!'));
    __m128i high = _mm_andnot_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('~')),
                                    _mm_cmpgt_epi8(v, _mm_set1_epi8('z')));
    __m128i even = _mm_and_si128(v, _mm_set1_epi8((char)0xFE));
    __m128i pair = _mm_and_si128(v, _mm_set1_epi8((char)0xFD));
    __m128i bad = _mm_or_si128(_mm_or_si128(low, high), _mm_cmpeq_epi8(even, _mm_set1_epi8('"')));
    bad = _mm_or_si128(bad, _mm_cmpeq_epi8(pair, _mm_set1_epi8('<')));
    bad = _mm_or_si128(bad, _mm_cmpeq_epi8(pair, _mm_set1_epi8('\\')));
    bad = _mm_or_si128(bad, _mm_cmpeq_epi8(v, _mm_set1_epi8('`')));
    return (unsigned)_mm_movemask_epi8(bad);
}

/* How many bytes come before the first that `bits` tells of; n when there is none.  The
 * last block reaches back over bytes that are known. */
static inline size_t clean_length(unsigned (*bits)(const char *p), const char *p, size_t n)
{
    for (size_t i = 0; i < n; i += 16) {
        size_t at = i + 16 <= n ? i : n - 16;
        unsigned found = bits(p + at);
        if (found != 0)
            return at + (size_t)__builtin_ctz(found);
    }
    return n;
}
#endif

size_t http_span_clean(const char *p, size_t n)
{
#ifdef __SSE2__
    if (n >= 16)
        return clean_length(control_bits, p, n);
#endif
    size_t i = 0;
    while (i < n && !is_control((unsigned char)p[i]))
        i++;
    return i;
}

static inline size_t table_length(const bool table[256], const char *p, size_t n)
{
    size_t i = 0;
    while (i < n && table[(unsigned char)p[i]])
        i++;
    return i;
}

size_t http_span_token(const char *p, size_t n)
{
    return table_length(is_tchar, p, n);
}

size_t http_span_target(const char *p, size_t n)
{
#ifdef __SSE2__
    if (n >= 16)
        return clean_length(untarget_bits, p, n);
#endif
    return table_length(is_target_char, p, n);
}
