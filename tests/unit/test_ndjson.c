/* The URL in a line of NDJSON: where it stands, escapes, and what is no such line. */
#include <errno.h>
#include <string.h>

#include "server/endpoint/ndjson.h"
#include "suite.h"

#define NEST8(x)  "[[[[[[[[" x "]]]]]]]]"
#define NEST64(x) NEST8(NEST8(NEST8(NEST8(NEST8(NEST8(NEST8(NEST8(x))))))))

static const struct {
    const char *line;
    const char *url; /* NULL: refused */
} cases[] = {
    {"\"http://a.com/\"", "http://a.com/"},
    {"\"\"", ""},
    {" \t\"a\"\r", "a"},
    {"{\"url\":\"a\"}", "a"},
    {"{\"url\" : \"a\" , \"id\" : 1 }", "a"},
    {" { \"id\" : [1, {\"url\": \"x\"}, \"]\"], \"url\" : \"a\" , \"z\":null} ", "a"},
    {"{\"n\":{\"url\":\"x\"},\"url\":\"a\"}", "a"},
    {"{\"urls\":\"x\",\"url\":\"a\",\"ur\":\"y\"}", "a"},
    {"{\"url\":\"a\",\"url\":\"b\"}", "b"},
    {"{\"\\\"\":1,\"url\":\"a\"}", "a"},
    {"{\"d\":" NEST64("1") ",\"url\":\"a\"}", "a"},
    {"{\"d\":[" NEST64("1") "],\"url\":\"a\"}", NULL}, /* too deep */
    /* escapes */
    {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
    {"\"\\u0061\\u00fC\\u20AC\"", "a\xc3\xbc\xe2\x82\xac"},
    {"\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80"},
    {"\"\\udbff\\udfff\"", "\xf4\x8f\xbf\xbf"},
    {"\"\\ud83d\"", "\xef\xbf\xbd"},
    {"\"\\ude00\\ud83d\"", "\xef\xbf\xbd\xef\xbf\xbd"},
    {"\"\\ud83dx\"", "\xef\xbf\xbdx"},
    {"\"\\ud83d\\u0041\"", "\xef\xbf\xbd"
                           "A"},
    {"\"\\u00\"", NULL},
    {"\"\\u00g0\"", NULL},
    {"\"\\q\"", NULL},
    /* no such line */
    {"", NULL},
    {"http://a.com/", NULL},
    {"\"a", NULL},
    {"\"a\\", NULL},
    {"\"a\\\"", NULL},
    {"\"a\" x", NULL},
    {"{}", NULL},
    {"{\"url\":5}", NULL},
    {"{\"url\":null}", NULL},
    {"{\"url\":\"a\"", NULL},
    {"{\"url\":\"a\"} x", NULL},
    {"{\"url\" \"a\"}", NULL},
    {"{\"url\":\"a\" \"b\":1}", NULL},
    {"{\"b\":,\"url\":\"a\"}", NULL},
    {"{url:\"a\"}", NULL},
    {"[\"a\"]", NULL},
    {"[[[[", NULL},
    {"{\"id\":[1", NULL},
};

START_TEST(lines)
{
    /* exactly as long as the line: a byte more read or written is seen by ASan */
    size_t len = strlen(cases[_i].line), url_len = 0;
    char *line = malloc(len), *scratch = malloc(len);
    const char *url = NULL;
    memcpy(line, cases[_i].line, len);
    int rv = ndjson_url(line, len, scratch, &url, &url_len);
    ck_assert_int_eq(rv, cases[_i].url != NULL ? 0 : -EINVAL);
    if (rv == 0) {
        ck_assert_uint_eq(url_len, strlen(cases[_i].url));
        ck_assert_mem_eq(url, cases[_i].url, url_len);
        /* decoded elsewhere only when it has to be */
        if (strchr(cases[_i].line, '\\') == NULL)
            ck_assert(url >= line && url <= line + len);
    }
    free(line);
    free(scratch);
}
END_TEST

SUITE_MAIN("ndjson", SUITE_LOOP(lines, cases))
