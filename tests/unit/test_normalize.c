/* Normalization form C: composing, ordering, Hangul, what must not compose. */
#include "server/domain/internal.h"
#include "suite.h"

enum { POINTS_MAX = 16 };

static const struct {
    uint32_t in[POINTS_MAX];
    uint32_t out[POINTS_MAX]; /* both end with 0 */
} cases[] = {
    {{'a', 'b'}, {'a', 'b'}},
    {{'u', 0x308}, {0xfc}},                     /* u and diaeresis */
    {{0xfc}, {0xfc}},                           /* composed already */
    {{0x212b}, {0xc5}},                         /* Angstrom sign: a singleton */
    {{'q', 0x307, 0x323}, {'q', 0x323, 0x307}}, /* marks in the order of their classes */
    {{'d', 0x307, 0x323}, {0x1e0d, 0x307}},     /* the later mark composes first */
    {{0x1e0b, 0x323}, {0x1e0d, 0x307}},         /* d dot above, then dot below */
    {{0x1100, 0x1161}, {0xac00}},               /* jamo L V */
    {{0x1100, 0x1161, 0x11a8}, {0xac01}},       /* L V T */
    {{0xac00, 0x11a8}, {0xac01}},               /* syllable and T */
    {{0xac01, 0x11a8}, {0xac01, 0x11a8}},       /* it has its T */
    {{0xac00, 0x11a7}, {0xac00, 0x11a7}},       /* T_BASE itself is no T */
    {{0x0958}, {0x0915, 0x093c}},               /* excluded from composition */
    {{'a', 0x300, 0x301}, {0xe0, 0x301}},       /* the second of one class is blocked */
    {{'e', 0x327, 0x301}, {0x229, 0x301}},      /* no letter with both: the first stays */
    {{0x1ea4}, {0x1ea4}},                       /* two steps apart and together */
    {{'A', 0x302, 0x301}, {0x1ea4}},
    {{0x308, 'u'}, {0x308, 'u'}}, /* a mark before */
    {{'a', 'u', 0x308, 'b'}, {'a', 0xfc, 'b'}},
    {{0x1d15e}, {0x1d157, 0x1d165}}, /* beyond the first plane, excluded */
};

static size_t length(const uint32_t *points)
{
    size_t n = 0;
    while (points[n] != 0)
        n++;
    return n;
}

START_TEST(to_nfc)
{
    uint32_t got[POINTS_MAX];
    size_t n = normalize_nfc(cases[_i].in, length(cases[_i].in), got, POINTS_MAX);
    ck_assert_uint_eq(n, length(cases[_i].out));
    ck_assert_mem_eq(got, cases[_i].out, n * sizeof *got);
    /* what is in the form stays */
    uint32_t again[POINTS_MAX];
    ck_assert_uint_eq(normalize_nfc(got, n, again, POINTS_MAX), n);
    ck_assert_mem_eq(again, got, n * sizeof *got);
}
END_TEST

/* The room is for the decomposed form, which is longer in between. */
START_TEST(what_does_not_fit)
{
    const uint32_t in[] = {'a', 0x1ea4}; /* a, A, circumflex, acute */
    uint32_t got[4];
    ck_assert_uint_eq(normalize_nfc(in, 2, got, 4), 2);
    ck_assert_uint_eq(normalize_nfc(in, 2, got, 3), 0);
    ck_assert_uint_eq(normalize_nfc(in, 0, got, 4), 0);
}
END_TEST

SUITE_MAIN("normalize", SUITE_LOOP(to_nfc, cases), SUITE_TEST(what_does_not_fit))
