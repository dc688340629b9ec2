/* What a handler asks of a request: fields, query, what the client accepts. */
#include <errno.h>

#include "server/http/request.h"
#include "suite.h"

static struct http_request request_of(const struct http_field *fields, size_t count,
                                      const char *query)
{
    return (struct http_request){
        .fields = fields, .field_count = count, .query = {query, strlen(query)}};
}

START_TEST(fields_are_found_without_case)
{
    static const struct http_field fields[] = {
        {{"X-One", 5}, {"1", 1}}, {{"x-one", 5}, {"2", 1}}, {{"Empty", 5}, {"", 0}}};
    struct http_request req = request_of(fields, 3, "");
    struct http_str value;
    ck_assert(http_header(&req, "x-ONE", &value));
    ck_assert(http_str_is(value, "1")); /* the first */
    ck_assert(http_header(&req, "empty", &value));
    ck_assert_uint_eq(value.len, 0);
    ck_assert(!http_header(&req, "x-on", &value));
    ck_assert(!http_header(&req, "x-ones", &value));
}
END_TEST

static const struct {
    const char *query;
    const char *name;
    int rv; /* of http_query_text with room for 7 */
    const char *text;
} queries[] = {
    {"a=b", "a", 1, "b"},
    {"a=b&a=c", "a", 1, "b"},
    {"x=a&a=b", "a", 1, "b"},
    {"a", "a", 0, ""},
    {"a=", "a", 0, ""},
    {"a=b=c", "a", 3, "b=c"},
    {"a=%41+b", "a", 3, "A+b"},
    {"aa=b", "a", -ENOENT, NULL},
    {"", "a", -ENOENT, NULL},
    {"&&a=b", "a", 1, "b"},
    {"A=b", "a", -ENOENT, NULL},
    {"a=1234567", "a", 7, "1234567"},
    {"a=12345678", "a", -EMSGSIZE, NULL},
    {"a=%00", "a", -EINVAL, NULL},
    {"a=%4", "a", -EINVAL, NULL},
};

START_TEST(each_query)
{
    char text[8];
    struct http_request req = request_of(NULL, 0, queries[_i].query);
    ck_assert_int_eq(http_query_text(&req, queries[_i].name, text, sizeof text), queries[_i].rv);
    if (queries[_i].text != NULL)
        ck_assert_str_eq(text, queries[_i].text);
}
END_TEST

START_TEST(parts_of_a_query_in_order)
{
    struct http_str cursor = HTTP_STR("a=1&&b&c=2=3"), name, raw;
    static const char *const expected[][2] = {{"a", "1"}, {"", ""}, {"b", ""}, {"c", "2=3"}};
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        ck_assert(http_query_next(&cursor, &name, &raw));
        ck_assert(http_str_is(name, expected[i][0]) && http_str_is(raw, expected[i][1]));
    }
    ck_assert(!http_query_next(&cursor, &name, &raw));
}
END_TEST

/* Offered: application/json, text/plain; charset=utf-8. */
static const struct {
    const char *accept; /* NULL: no such field */
    int offer;
} accepts[] = {
    {NULL, 0},
    {"", 0},
    {" ", 0},
    {"*/*", 0},
    {"text/plain", 1},
    {"TEXT/Plain", 1},
    {"text/*", 1},
    {"application/*, text/plain", 0},
    {"text/plain;q=0.5, */*;q=0.4", 1},
    {"text/plain;q=0.5, */*;q=0.6", 0},
    {"application/json;q=0, */*", 1},
    {"application/json;q=0.001,text/plain;q=0.002", 1},
    {"text/html, image/png", -1},
    {"application/json;q=0", -1},
    {"text/plain;level=1;q=0.3, application/json;q=0.2", 1},
    {"text/plain;q=nonsense, application/json;q=0.1", 0},
    {",, text/plain ,", 1},
    {"json", -1},
};

START_TEST(what_is_liked_best)
{
    static const char *const offers[] = {"application/json", "text/plain; charset=utf-8"};
    const char *accept = accepts[_i].accept;
    struct http_field field = {{"Accept", 6}, {accept, accept != NULL ? strlen(accept) : 0}};
    struct http_request req = request_of(&field, accept != NULL, "");
    ck_assert_int_eq(http_accepts(&req, offers, 2), accepts[_i].offer);
}
END_TEST

SUITE_MAIN("http_request", SUITE_TEST(fields_are_found_without_case),
           SUITE_LOOP(each_query, queries), SUITE_TEST(parts_of_a_query_in_order),
           SUITE_LOOP(what_is_liked_best, accepts))
