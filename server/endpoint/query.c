#include "server/endpoint/query.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

static const struct http_str names[ENDPOINT_PARAM_COUNT] = {
    [ENDPOINT_URL] = {"url=", 4},           [ENDPOINT_FORMAT] = {"format=", 7},
    [ENDPOINT_SUFFIXES] = {"suffixes=", 9}, [ENDPOINT_ENGINE] = {"engine=", 7},
    [ENDPOINT_FOLLOW] = {"follow=", 7},
};

/* Which parameter of ours stands at `at`, or -1.  A URL's own query is full of &
 * that are not ours: the first letter tells most of them. */
static int param_at(const char *at, const char *end)
{
    size_t left = (size_t)(end - at);
    if (left == 0 || (*at != 'u' && *at != 'f' && *at != 's' && *at != 'e'))
        return -1;
    for (int i = 0; i < ENDPOINT_PARAM_COUNT; i++)
        if (*at == *names[i].data && left >= names[i].len &&
            memcmp(at, names[i].data, names[i].len) == 0)
            return i;
    return -1;
}

/* The first & from *at on that stands before a parameter of ours, in whole blocks of
 * sixteen; NULL: none, and *at is behind them. */
static const char *find_in_blocks(const char **at, const char *end)
{
#ifdef __SSE2__
    for (; end - *at >= 16; *at += 16) {
        __m128i block = _mm_loadu_si128((const __m128i *)(const void *)*at);
        unsigned amps = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(block, _mm_set1_epi8('&')));
        for (; amps != 0; amps &= amps - 1) {
            const char *amp = *at + __builtin_ctz(amps);
            if (param_at(amp + 1, end) >= 0)
                return amp;
        }
    }
#else
    (void)at, (void)end;
#endif
    return NULL;
}

/* Where a value ends: at its &, which for the URL is one before a parameter of ours. */
static const char *value_end(int param, const char *at, const char *end)
{
    const char *amp = param == ENDPOINT_URL ? find_in_blocks(&at, end) : NULL;
    if (amp != NULL)
        return amp;
    for (;;) {
        amp = memchr(at, '&', (size_t)(end - at));
        if (amp == NULL)
            return end;
        if (param != ENDPOINT_URL || param_at(amp + 1, end) >= 0)
            return amp;
        at = amp + 1;
    }
}

struct endpoint_query endpoint_query_read(struct http_str raw)
{
    struct endpoint_query query = {.is_repeated = false};
    const char *at = raw.data, *end = at + raw.len;
    while (at < end) {
        int param = param_at(at, end);
        const char *value = param < 0 ? at : at + names[param].len;
        const char *stop = value_end(param, value, end);
        if (param >= 0) {
            query.is_repeated = query.is_repeated || query.value[param].data != NULL;
            query.value[param] = (struct http_str){value, (size_t)(stop - value)};
        }
        at = stop < end ? stop + 1 : end;
    }
    return query;
}

int endpoint_query_check(struct http_response *res, const struct endpoint_query *query)
{
    struct http_str suffixes = query->value[ENDPOINT_SUFFIXES];
    if (query->is_repeated) {
        http_problem(res, HTTP_400_BAD_REQUEST,
                     "a parameter is given twice; a URL that has parameters of the same name "
                     "must be percent-encoded");
        return HTTP_400_BAD_REQUEST;
    }
    if (suffixes.data != NULL && !http_str_is(suffixes, "icann") && !http_str_is(suffixes, "all")) {
        http_problem(res, HTTP_400_BAD_REQUEST, "suffixes is all or icann, not '%.*s'",
                     (int)suffixes.len, suffixes.data);
        return HTTP_400_BAD_REQUEST;
    }
    return 0;
}

bool endpoint_query_is_icann(const struct endpoint_query *query)
{
    struct http_str suffixes = query->value[ENDPOINT_SUFFIXES];
    return suffixes.data != NULL && http_str_is(suffixes, "icann");
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

size_t endpoint_query_decode(struct http_str raw, char *ret_text)
{
    size_t n = 0;
    for (size_t i = 0; i < raw.len; i++) {
        char c = raw.data[i];
        if (c == '%' && i + 2 < raw.len) {
            int high = hex_value(raw.data[i + 1]), low = hex_value(raw.data[i + 2]);
            if (high >= 0 && low >= 0) {
                c = (char)(high * 16 + low);
                i += 2;
            }
        }
        ret_text[n++] = c;
    }
    return n;
}
