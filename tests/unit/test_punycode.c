/* Punycode: the samples of RFC 3492 (7.1), and what is none. */
#include <stdio.h>

#include "coro/base/utf8.h"
#include "server/domain/internal.h"
#include "suite.h"

enum { POINTS_MAX = 64 };

static const struct {
    const char *text; /* UTF-8 */
    const char *ace;
} samples[] = {
    {"b\u00fccher", "bcher-kva"},
    {"\u00fc", "tda"},
    /* (A) Arabic, (B) Chinese, (C) traditional Chinese */
    {"\u0644\u064a\u0647\u0645\u0627\u0628\u062a\u0643\u0644\u0645\u0648\u0634\u0639\u0631\u0628"
     "\u064a\u061f",
     "egbpdaj6bu4bxfgehfvwxn"},
    {"\u4ed6\u4eec\u4e3a\u4ec0\u4e48\u4e0d\u8bf4\u4e2d\u6587", "ihqwcrb4cv8a8dqg056pqjye"},
    {"\u4ed6\u5011\u7232\u4ec0\u9ebd\u4e0d\u8aaa\u4e2d\u6587", "ihqwctvzc91f659drss3x8bo0yb"},
    /* (D) Czech, (J) Spanish, (L) 3<nen>B<gumi><kinpachi><sensei> */
    {"Pro\u010dprost\u011bnemluv\u00ed\u010desky", "Proprostnemluvesky-uyb24dma41a"},
    {"Porqu\u00e9nopuedensimplementehablarenEspa\u00f1ol",
     "PorqunopuedensimplementehablarenEspaol-fmd56a"},
    {"3\u5e74B\u7d44\u91d1\u516b\u5148\u751f", "3B-ww4c5e180e575a65lsy2b"},
    /* (S) only basic code points: the delimiter is there all the same */
    {"-> $1.00 <-", "-> $1.00 <--"},
    {"\U0001f600", "e28h"},
    {"\U0010ffff", "dn32g"},
};

static size_t points_of(const char *text, uint32_t *points)
{
    const char *end = text + strlen(text);
    size_t n = 0;
    while (text < end) {
        points[n] = utf8_next(&text, end);
        ck_assert_uint_ne(points[n], UTF8_BAD);
        n++;
    }
    return n;
}

START_TEST(samples_encode_and_decode)
{
    uint32_t points[POINTS_MAX], back[POINTS_MAX];
    char ace[128];
    size_t n = points_of(samples[_i].text, points);
    size_t len = punycode_encode(points, n, ace, sizeof ace - 1);
    ace[len] = '\0';
    ck_assert_str_eq(ace, samples[_i].ace);
    ck_assert_uint_eq(punycode_decode(ace, len, back, POINTS_MAX), n);
    ck_assert_mem_eq(back, points, n * sizeof *points);
    /* not a byte less */
    ck_assert_uint_eq(punycode_encode(points, n, ace, len - 1), 0);
    ck_assert_uint_eq(punycode_encode(points, n, ace, len), len);
    ck_assert_uint_eq(punycode_decode(ace, len, back, n - 1), 0);
}
END_TEST

START_TEST(digits_of_either_case)
{
    uint32_t points[POINTS_MAX];
    ck_assert_uint_eq(punycode_decode("TDA", 3, points, POINTS_MAX), 1);
    ck_assert_uint_eq(points[0], 0xfc);
}
END_TEST

static const char *const bad[] = {
    "z",          /* a digit that is not the last one of its number */
    "tda!",       /* no digit */
    "\xc3\xbc-a", /* not ASCII before the delimiter */
};

START_TEST(what_is_not_punycode)
{
    uint32_t points[POINTS_MAX];
    ck_assert_uint_eq(punycode_decode(bad[_i], strlen(bad[_i]), points, POINTS_MAX), 0);
}
END_TEST

static const uint32_t no_characters[] = {0xd800, 0xdfff, 0x110000};

START_TEST(what_is_no_character_does_not_come_out)
{
    uint32_t points[POINTS_MAX];
    char ace[16];
    size_t n = punycode_encode(&no_characters[_i], 1, ace, sizeof ace);
    ck_assert_uint_gt(n, 0);
    ck_assert_uint_eq(punycode_decode(ace, n, points, POINTS_MAX), 0);
}
END_TEST

START_TEST(a_number_that_does_not_fit)
{
    /* 3000 letters before one last code point: the delta is 3001 times its distance */
    static uint32_t points[3001];
    char ace[8192];
    for (size_t i = 0; i < ARRAY_LEN(points); i++)
        points[i] = 'a';
    points[3000] = 0x10ffff;
    size_t n = punycode_encode(points, ARRAY_LEN(points), ace, sizeof ace);
    ck_assert_uint_gt(n, 3001);
    static uint32_t back[3001];
    /* the decoder takes no more than 2^31, as RFC 3492 allows (6.4) */
    size_t got = punycode_decode(ace, n, back, ARRAY_LEN(back));
    ck_assert(got == 0 || (got == ARRAY_LEN(points) && back[3000] == 0x10ffff));
}
END_TEST

SUITE_MAIN("punycode", SUITE_LOOP(samples_encode_and_decode, samples),
           SUITE_TEST(digits_of_either_case), SUITE_LOOP(what_is_not_punycode, bad),
           SUITE_LOOP(what_is_no_character_does_not_come_out, no_characters),
           SUITE_TEST(a_number_that_does_not_fit))
