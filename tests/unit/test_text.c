/* Small text: percent codes, names without case, the words of the tables. */
#include <errno.h>

#include "server/http/request.h"
#include "server/http/response.h"
#include "suite.h"

static const struct {
    const char *text;
    const char *decoded; /* NULL: -EINVAL */
    size_t len;
} codes[] = {
    {"", "", 0},      {"a+b", "a+b", 3},  {"%41%62", "Ab", 2}, {"%2f%2F", "//", 2},
    {"%00", "\0", 1}, {"%ff", "\xff", 1}, {"%2541", "%41", 3}, {"100%", NULL, 0},
    {"%4", NULL, 0},  {"%g1", NULL, 0},   {"%1g", NULL, 0},    {"%%41", NULL, 0},
    {"% 1", NULL, 0}, {"%@1", NULL, 0},   {"%`1", NULL, 0},    {"%:1", NULL, 0},
};

START_TEST(percent_codes)
{
    char out[32];
    struct http_str s = {codes[_i].text, strlen(codes[_i].text)};
    ssize_t n = http_percent_decode(s, out, sizeof out);
    if (codes[_i].decoded == NULL) {
        ck_assert_int_eq(n, -EINVAL);
        return;
    }
    ck_assert_int_eq(n, (ssize_t)codes[_i].len);
    ck_assert(memcmp(out, codes[_i].decoded, codes[_i].len) == 0);
    if (codes[_i].len > 0)
        ck_assert_int_eq(http_percent_decode(s, out, codes[_i].len - 1), -EMSGSIZE);
    /* in place */
    memcpy(out, s.data, s.len);
    ck_assert_int_eq(http_percent_decode((struct http_str){out, s.len}, out, s.len), n);
    ck_assert(memcmp(out, codes[_i].decoded, codes[_i].len) == 0);
}
END_TEST

START_TEST(names_without_case)
{
    ck_assert(http_str_is_nocase(HTTP_STR("CONTENT-type"), "content-type"));
    ck_assert(!http_str_is_nocase(HTTP_STR("content-typ"), "content-type"));
    ck_assert(!http_str_is_nocase(HTTP_STR("content-types"), "content-type"));
    ck_assert(!http_str_is_nocase(HTTP_STR("content_type"), "content-type"));
    ck_assert(http_str_is(HTTP_STR("Ab"), "Ab"));
    ck_assert(!http_str_is(HTTP_STR("Ab"), "ab"));
}
END_TEST

START_TEST(words_of_the_tables)
{
    ck_assert_str_eq(http_verb_text(HTTP_VERB_GET), "GET");
    ck_assert_str_eq(http_verb_text(HTTP_VERB_COUNT), "?");
    ck_assert_str_eq(http_code_reason(404), "Not Found");
    ck_assert_str_eq(http_code_reason(299), "Unknown");
    for (int why = 0; why < HTTP_CLOSE_COUNT; why++) {
        ck_assert_uint_gt(strlen(http_close_word((enum http_close_reason)why)), 0);
        for (int other = 0; other < why; other++)
            ck_assert_str_ne(http_close_word((enum http_close_reason)why),
                             http_close_word((enum http_close_reason)other));
    }
    ck_assert_str_eq(http_close_word(HTTP_CLOSE_COUNT), "?");
    ck_assert(http_close_is_fault(HTTP_CLOSE_BODY_TIMEOUT));
    ck_assert(!http_close_is_fault(HTTP_CLOSE_ASKED));
    ck_assert(!http_close_is_fault(HTTP_CLOSE_COUNT));
}
END_TEST

SUITE_MAIN("text", SUITE_LOOP(percent_codes, codes), SUITE_TEST(names_without_case),
           SUITE_TEST(words_of_the_tables))
