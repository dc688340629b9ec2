/* JSON strings: escapes, and UTF-8 that stays valid whatever comes in. */
#include <string.h>

#include "coro/base/json.h"
#include "suite.h"

#define BAD "\xEF\xBF\xBD"

static const struct {
    const char *in;
    size_t n; /* 0: strlen(in) */
    const char *out;
} strings[] = {
    {"", 0, "\"\""},
    {"plain /~", 0, "\"plain /~\""},
    {"q\" b\\", 0, "\"q\\\" b\\\\\""},
    {"\b\f\n\r\t", 0, "\"\\b\\f\\n\\r\\t\""},
    {"a\0b", 3, "\"a\\u0000b\""},
    {"\x1f\x7f", 0, "\"\\u001f\\u007f\""},
    {"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80", 0, "\"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\""},
    {"\xC0\xAF", 0, "\"" BAD BAD "\""},                 /* overlong */
    {"\xE0\x80\xAF", 0, "\"" BAD BAD BAD "\""},         /* overlong */
    {"\xED\xA0\x80", 0, "\"" BAD BAD BAD "\""},         /* surrogate */
    {"\xF4\x90\x80\x80", 0, "\"" BAD BAD BAD BAD "\""}, /* > U+10FFFF */
    {"\xF0\x9F\x98", 0, "\"" BAD "\""},                 /* cut short: one part */
    {"\xE2\x82"
     "a\xFF",
     0, "\"" BAD "a" BAD "\""},
    {"\x80", 0, "\"" BAD "\""},
};

START_TEST(strings_are_quoted)
{
    struct buf b;
    buf_init(&b, 4096);
    size_t n = strings[_i].n ? strings[_i].n : strlen(strings[_i].in);
    ck_assert_int_eq(json_append_string(&b, strings[_i].in, n), 0);
    ck_assert_int_eq(buf_append_char(&b, 0), 0);
    ck_assert_str_eq(b.data, strings[_i].out);
    buf_fini(&b);
}
END_TEST

START_TEST(full_buffer_is_reported)
{
    struct buf b;
    buf_init(&b, 5);
    ck_assert_int_lt(json_append_string(&b, "\n\n\n", 3), 0);
    buf_fini(&b);
}
END_TEST

SUITE_MAIN("json", SUITE_LOOP(strings_are_quoted, strings), SUITE_TEST(full_buffer_is_reported))
