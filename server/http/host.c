/* Host names as Host fields and targets may have them. */
#include <arpa/inet.h>
#include <string.h>

#include "coro/base/simd.h"
#include "server/http/strict.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_port(const char *p, size_t n)
{
    unsigned value = 0;
    for (size_t i = 0; i < n; i++) {
        if (!is_digit(p[i]))
            return false;
        value = value * 10 + (unsigned)(p[i] - '0');
        if (value > 65535)
            return false;
    }
    return true;
}

static bool is_ipv6_literal(const char *p, size_t n)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr addr;
    if (n < 2 || n >= sizeof text)
        return false;
    memcpy(text, p, n);
    text[n] = 0;
    return inet_pton(AF_INET6, text, &addr) == 1;
}

static bool is_xdigit(char c)
{
    return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

#ifdef __SSE2__
/* Sixteen bytes at once: bit i of *ret_plain when byte i may stand in a name (letter,
 * digit, - . _ ~), of *ret_dots when it is a dot. */
static inline void classify(__m128i v, uint32_t *ret_plain, uint32_t *ret_dots)
{
    /* signed compares: bytes from 0x80 up are in no range */
    __m128i folded = _mm_or_si128(v, _mm_set1_epi8(0x20));
    __m128i letter = _mm_and_si128(_mm_cmpgt_epi8(folded, _mm_set1_epi8('a' - 1)),
                                   _mm_cmplt_epi8(folded, _mm_set1_epi8('z' + 1)));
    /* '-' '.' '/' '0'..'9' stand side by side in ASCII; the slash is taken out */
    __m128i digit = _mm_and_si128(_mm_cmpgt_epi8(v, _mm_set1_epi8('-' - 1)),
                                  _mm_cmplt_epi8(v, _mm_set1_epi8('9' + 1)));
    digit = _mm_andnot_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('/')), digit);
    __m128i other =
        _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('_')), _mm_cmpeq_epi8(v, _mm_set1_epi8('~')));
    *ret_plain = (uint32_t)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(letter, digit), other));
    *ret_dots = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8('.')));
}

/* How many bytes at p are plain; 0 also when a dot comes first or behind a dot. */
static size_t plain_length(const char *p, size_t n)
{
    uint32_t before = 1; /* a dot may not come first either */
    for (size_t i = 0; i < n; i += 16) {
        uint32_t plain, dots;
        __m128i block = n - i < 16 ? simd_load_part(p + i, n - i) /* zero is not plain */
                                   : _mm_loadu_si128((const __m128i *)(const void *)(p + i));
        classify(block, &plain, &dots);
        uint32_t run = (uint32_t)__builtin_ctz(~plain);
        dots &= (1U << run) - 1;
        if ((dots & (dots << 1 | before)) != 0)
            return 0;
        if (run < 16)
            return i + run;
        before = dots >> 15;
    }
    return n;
}
#else
static size_t plain_length(const char *p, size_t n)
{
    (void)p, (void)n;
    return 0; /* the long way */
}
#endif

static const bool is_name_char[256] = {
    ['-'] = true,         ['.'] = true,         ['_'] = true,         ['~'] = true,
    ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true,
};

/* Length of a registered name or IPv4 address: letters, digits, - _ ~, single dots
 * between them, %XX.  0: not one.  The other characters of RFC 3986 are legal but
 * name nothing in practice, except in attacks. */
static size_t name_length(const char *p, size_t n)
{
    size_t plain = plain_length(p, n);
    if (LIKELY(plain > 0 && (plain == n || p[plain] == ':')))
        return plain;
    char before = '.'; /* a dot may not come first either */
    size_t i = 0;
    for (; i < n && p[i] != ':'; before = p[i++]) {
        if (LIKELY(is_name_char[(unsigned char)p[i]])) {
            if (p[i] == '.' && before == '.')
                return 0;
            continue;
        }
        if (p[i] != '%' || n - i < 3 || !is_xdigit(p[i + 1]) || !is_xdigit(p[i + 2]))
            return 0;
        i += 2;
    }
    return i;
}

bool http_is_host(const char *text, size_t n)
{
    size_t host;
    if (n > 0 && text[0] == '[') {
        const char *close = memchr(text, ']', n);
        if (close == NULL || !is_ipv6_literal(text + 1, (size_t)(close - text - 1)))
            return false;
        host = (size_t)(close - text) + 1;
    } else {
        host = name_length(text, n);
    }
    if (host == 0)
        return false;
    return host == n || (text[host] == ':' && is_port(text + host + 1, n - host - 1));
}
