/* What http-parser makes of a head behind the scan, whichever way its line was fed. */
#include <stdio.h>

#include "server/http/parse.h"
#include "suite.h"

static const struct {
    const char *target;
    const char *path;
    const char *query;
    const char *host;
} targets[] = {
    {"/", "/", "", "name"},
    {"/a/b?c=d&e", "/a/b", "c=d&e", "name"},
    {"http://other:1/p?q", "/p", "q", "other:1"},
    {"http://other", "/", "", "other"},
};

static int read_head(char *text, struct http_field *fields, struct http_request *ret_req)
{
    struct http_head h;
    http_head_init(&h);
    if (http_head_scan(&h, text, strlen(text), &http_limits_default) != HTTP_SCAN_DONE)
        return -1;
    return http_parse_head(&h, text, fields, ret_req);
}

#define ck_text(str, text)                                                                         \
    do {                                                                                           \
        ck_assert_uint_eq((str).len, strlen(text));                                                \
        ck_assert(memcmp((str).data, text, (str).len) == 0);                                       \
    } while (0)

START_TEST(every_method_and_version)
{
    for (int verb = 0; verb < HTTP_VERB_COUNT; verb++) {
        for (int minor = 0; minor < 2; minor++) {
            struct http_field fields[8];
            struct http_request req;
            char text[512];
            if (verb == HTTP_VERB_CONNECT)
                continue;
            snprintf(text, sizeof text,
                     "\r\n%s %s HTTP/1.%d\r\nHost: name\r\nUpgrade: h2c\r\nContent-Length: 5\r\n"
                     "X-Empty:\r\nConnection: keep-alive, Upgrade\r\n\r\n",
                     http_verb_text((enum http_verb)verb), targets[_i].target, minor);
            ck_assert_int_eq(read_head(text, fields, &req), 0);
            ck_assert_int_eq(req.verb, verb);
            ck_assert_int_eq(req.version_minor, minor);
            ck_text(req.target, targets[_i].target);
            ck_text(req.path,
                    verb == HTTP_VERB_OPTIONS && strcmp(targets[_i].target, "http://other") == 0
                        ? "*"
                        : targets[_i].path);
            ck_text(req.query, targets[_i].query);
            ck_text(req.host, targets[_i].host);
            ck_assert_int_eq(req.content_length, 5);
            ck_assert(req.is_keep_alive);
            ck_assert_uint_eq(req.field_count, 5);
            ck_text(fields[0].name, "Host");
            ck_text(fields[0].value, "name");
            ck_text(fields[3].name, "X-Empty");
            ck_text(fields[3].value, "");
            ck_text(fields[4].value, "keep-alive, Upgrade");
        }
    }
}
END_TEST

/* How large a head may be is header_max alone's to say. */
START_TEST(large_heads)
{
    static const char *const lines[] = {"GET / HTTP/1.1", "GET http://name/ HTTP/1.1"};
    static char text[200000];
    static struct http_field fields[8];
    struct http_limits large = http_limits_default;
    large.header_max_bytes = sizeof text;
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        struct http_request req;
        struct http_head h;
        int n = snprintf(text, sizeof text, "%s\r\nHost: name\r\nX-Large: ", lines[i]);
        memset(text + n, 'x', 150000);
        strcpy(text + n + 150000, "\r\n\r\n");
        http_head_init(&h);
        ck_assert_int_eq(http_head_scan(&h, text, strlen(text), &large), HTTP_SCAN_DONE);
        ck_assert_int_eq(http_parse_head(&h, text, fields, &req), 0);
        ck_assert_uint_eq(fields[1].value.len, 150000);
    }
}
END_TEST

START_TEST(targets_without_a_path)
{
    struct http_field fields[2];
    struct http_request req;
    char star[] = "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n";
    char authority[] = "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n";
    ck_assert_int_eq(read_head(star, fields, &req), 0);
    ck_text(req.path, "*");
    ck_assert_int_eq(read_head(authority, fields, &req), 0);
    ck_text(req.path, "a:443");
    ck_assert_uint_eq(req.field_count, 1);
}
END_TEST

/* One head does not change how the next is read. */
START_TEST(nothing_is_carried_over)
{
    struct http_field fields[2];
    struct http_request req;
    char with_body[] = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    char without[] = "POST / HTTP/1.1\r\nHost: a\r\n\r\n";
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(read_head(with_body, fields, &req), 0);
        ck_assert(req.has_body);
        ck_assert_int_eq(read_head(without, fields, &req), 0);
        ck_assert(!req.has_body);
        ck_assert_int_eq(req.content_length, -1);
    }
}
END_TEST

SUITE_MAIN("parse", SUITE_LOOP(every_method_and_version, targets), SUITE_TEST(large_heads),
           SUITE_TEST(targets_without_a_path), SUITE_TEST(nothing_is_carried_over))
