/* UTF-8 in and out: what is well-formed, and how far a bad byte moves us. */
#include "coro/base/utf8.h"
#include "suite.h"

static const struct {
    const char *bytes;
    size_t len;
    uint32_t point;
    size_t taken;
} cases[] = {
    {"a", 1, 'a', 1},
    {"\0", 1, 0, 1},
    {"\x7f", 1, 0x7f, 1},
    {"\xc2\x80", 2, 0x80, 2},
    {"\xdf\xbf", 2, 0x7ff, 2},
    {"\xe0\xa0\x80", 3, 0x800, 3},
    {"\xed\x9f\xbf", 3, 0xd7ff, 3},
    {"\xee\x80\x80", 3, 0xe000, 3},
    {"\xef\xbf\xbf", 3, 0xffff, 3},
    {"\xf0\x90\x80\x80", 4, 0x10000, 4},
    {"\xf4\x8f\xbf\xbf", 4, 0x10ffff, 4},
    /* one byte further, whatever is wrong */
    {"\x80", 1, UTF8_BAD, 1},             /* a continuation alone */
    {"\xc0\x80", 2, UTF8_BAD, 1},         /* NUL in two bytes */
    {"\xc1\xbf", 2, UTF8_BAD, 1},         /* overlong */
    {"\xe0\x9f\xbf", 3, UTF8_BAD, 1},     /* overlong */
    {"\xf0\x8f\xbf\xbf", 4, UTF8_BAD, 1}, /* overlong */
    {"\xed\xa0\x80", 3, UTF8_BAD, 1},     /* a surrogate */
    {"\xed\xbf\xbf", 3, UTF8_BAD, 1},
    {"\xf4\x90\x80\x80", 4, UTF8_BAD, 1}, /* beyond Unicode */
    {"\xf5\x80\x80\x80", 4, UTF8_BAD, 1},
    {"\xff", 1, UTF8_BAD, 1},
    {"\xc3", 1, UTF8_BAD, 1},     /* cut off */
    {"\xe2\x82", 2, UTF8_BAD, 1}, /* the third byte would be there, behind the end */
    {"\xf0\x9f\x98", 3, UTF8_BAD, 1},
    {"\xc3(", 2, UTF8_BAD, 1}, /* not a continuation */
    {"\xe2\x82(", 3, UTF8_BAD, 1},
};

START_TEST(next)
{
    const char *at = cases[_i].bytes;
    ck_assert_uint_eq(utf8_next(&at, at + cases[_i].len), cases[_i].point);
    ck_assert_int_eq(at - cases[_i].bytes, (int)cases[_i].taken);
}
END_TEST

START_TEST(every_code_point_comes_back)
{
    for (uint32_t point = 0; point <= 0x10ffff; point++) {
        char text[4];
        const char *at = text;
        if (point == 0xd800)
            point = 0xe000;
        size_t n = utf8_put(point, text);
        if (utf8_next(&at, text + n) != point || at != text + n)
            ck_abort_msg("U+%04X", point);
    }
}
END_TEST

SUITE_MAIN("utf8", SUITE_LOOP(next, cases), SUITE_TEST(every_code_point_comes_back))
