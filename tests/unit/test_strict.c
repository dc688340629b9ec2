/* The strict scan alone: every rule with its accepted neighbour, cut at every byte and
 * at every alignment (it looks at sixteen bytes at a time). */
#include <stdio.h>

#include "server/http/strict.h"
#include "suite.h"

#define HOST "Host: a\r\n"

static const struct {
    const char *head;
    int status; /* 0: accepted */
} heads[] = {
    /* the request line */
    {"GET / HTTP/1.1\r\n" HOST "\r\n", 0},
    {"GET / HTTP/1.0\r\n\r\n", 0},
    {"GET / HTTP/1.9\r\n" HOST "\r\n", 0},
    {"\r\nGET / HTTP/1.1\r\n" HOST "\r\n", 0},
    {"\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n", 400},
    {"GET /\r\n\r\n", 400},
    {"GET / HTTP/1\r\n" HOST "\r\n", 400},
    {"GET / HTTP/1.10\r\n" HOST "\r\n", 400},
    {"GET / HTTP/1.1 \r\n" HOST "\r\n", 400},
    {"GET / http/1.1\r\n" HOST "\r\n", 400},
    {"GET / HTTX/1.1\r\n" HOST "\r\n", 400},
    {"GET / HTTP/2.0\r\n" HOST "\r\n", 505},
    {"GET / HTTP/0.9\r\n" HOST "\r\n", 505},
    {"G@T / HTTP/1.1\r\n" HOST "\r\n", 400},
    {"get / HTTP/1.1\r\n" HOST "\r\n", 501},
    {"GETS / HTTP/1.1\r\n" HOST "\r\n", 501},
    {"GET  / HTTP/1.1\r\n" HOST "\r\n", 400},
    {"GET /  HTTP/1.1\r\n" HOST "\r\n", 400},
    {"GET\t/ HTTP/1.1\r\n" HOST "\r\n", 400},
    {" GET / HTTP/1.1\r\n" HOST "\r\n", 400},
    /* the target */
    {"GET /a?b=[c]{ HTTP/1.1\r\n" HOST "\r\n", 400},
    {"GET /a?b=[c]% HTTP/1.1\r\n" HOST "\r\n", 0},
    {"GET /#f HTTP/1.1\r\n" HOST "\r\n", 400},
    {"GET * HTTP/1.1\r\n" HOST "\r\n", 400},
    {"OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 0},
    {"GET a HTTP/1.1\r\n" HOST "\r\n", 400},
    {"GET http://b/ HTTP/1.1\r\n" HOST "\r\n", 0},
    {"GET http://u@b/ HTTP/1.1\r\n" HOST "\r\n", 400},
    {"GET http:///p HTTP/1.1\r\n" HOST "\r\n", 400},
    {"CONNECT b:443 HTTP/1.1\r\n" HOST "\r\n", 0},
    {"CONNECT b HTTP/1.1\r\n" HOST "\r\n", 400},
    {"CONNECT b: HTTP/1.1\r\n" HOST "\r\n", 400},
    /* line ends and control bytes */
    {"GET / HTTP/1.1\n" HOST "\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST "\n", 400},
    {"GET / HTTP/1.1\r\n" HOST "\rX", 400},
    {"GET / HTTP/1.1\r\n" HOST "X: a\rb\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST "X: a\x7f\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST "X: a\x01\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST "X: a\tb\xff\r\n\r\n", 0},
    /* field lines */
    {"GET / HTTP/1.1\r\n" HOST "X : y\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST " X: y\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST "X: y\r\n z\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST ": y\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST "X\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST "X(: y\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST "X:\r\n\r\n", 0},
    /* Host */
    {"GET / HTTP/1.1\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST HOST "\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: \r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a:65535\r\n\r\n", 0},
    {"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", 0},
    {"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400},
    /* what frames the body */
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\n", 0},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length:\t5\t\r\n\r\n", 0},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: +5\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: \r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 9223372036854775807\r\n\r\n", 0},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 9223372036854775808\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", 0},
    {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, gzip\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n", 501},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, chunked\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: , chunked\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked;q=1\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding:\r\n\r\n", 400},
    /* expectations */
    {"POST / HTTP/1.1\r\n" HOST "Expect: 100-Continue\r\n\r\n", 0},
    {"POST / HTTP/1.1\r\n" HOST "Expect: 101\r\n\r\n", 417},
    {"POST / HTTP/1.0\r\n" HOST "Expect: 101\r\n\r\n", 0},
};

/* Scan at most n bytes as if `first` of them had come before the others. */
static enum http_scan scan_in_two(struct http_head *h, char *bytes, size_t first, size_t n)
{
    http_head_init(h);
    enum http_scan scan = http_head_scan(h, bytes, first, &http_limits_default);
    return scan == HTTP_SCAN_MORE ? http_head_scan(h, bytes, n, &http_limits_default) : scan;
}

START_TEST(each_head_cut_anywhere)
{
    size_t n = strlen(heads[_i].head);
    for (size_t first = 0; first <= n; first++) {
        char room[512 + 16];
        char *bytes = room + first % 16;
        struct http_head h;
        memcpy(bytes, heads[_i].head, n);
        enum http_scan scan = scan_in_two(&h, bytes, first, n);
        if (heads[_i].status == 0) {
            ck_assert_msg(scan == HTTP_SCAN_DONE, "%s cut at %zu: %d %s", heads[_i].head, first,
                          h.status, h.why);
            ck_assert_uint_eq(h.length, n);
        } else {
            ck_assert_msg(scan == HTTP_SCAN_REFUSED && h.status == heads[_i].status,
                          "%s cut at %zu: %d", heads[_i].head, first, h.status);
            ck_assert_ptr_nonnull(h.why);
        }
    }
}
END_TEST

START_TEST(an_unfinished_head_waits)
{
    for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
        if (heads[i].status != 0)
            continue;
        char bytes[512];
        struct http_head h;
        size_t n = strlen(heads[i].head);
        memcpy(bytes, heads[i].head, n);
        http_head_init(&h);
        for (size_t some = 0; some < n; some++)
            ck_assert_int_eq(http_head_scan(&h, bytes, some, &http_limits_default), HTTP_SCAN_MORE);
        ck_assert_int_eq(http_head_scan(&h, bytes, n, &http_limits_default), HTTP_SCAN_DONE);
    }
}
END_TEST

/* Every byte in the target and in a value, at every place of a sixteen-byte block. */
START_TEST(every_byte_at_every_place)
{
    static const char allowed[] = "!$%&'()*+,-./:;=?@[]_~";
    for (int c = 0; c < 256; c++) {
        bool is_alnum = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
        bool is_target = is_alnum || (c != 0 && strchr(allowed, c) != NULL);
        bool is_value = c == '\t' || (c >= 0x20 && c != 0x7F);
        for (size_t at = 0; at < 20; at++) {
            char target[] = "GET /aaaaaaaaaaaaaaaaaaaaaaaa HTTP/1.1\r\n" HOST "\r\n";
            char value[] = "GET / HTTP/1.1\r\n" HOST "X: aaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\n";
            struct http_head h;
            target[5 + at] = (char)c;
            value[28 + at] = (char)c;
            enum http_scan scan = scan_in_two(&h, target, 0, sizeof target - 1);
            ck_assert_msg((scan == HTTP_SCAN_DONE) == is_target, "target byte %d at %zu", c, at);
            scan = scan_in_two(&h, value, 0, sizeof value - 1);
            ck_assert_msg((scan == HTTP_SCAN_DONE) == is_value, "value byte %d at %zu", c, at);
        }
    }
}
END_TEST

/* ---- limits ---- */

static enum http_scan scan_limited(struct http_head *h, const struct http_limits *limits,
                                   const char *text)
{
    static char bytes[4096];
    size_t n = strlen(text);
    memcpy(bytes, text, n);
    http_head_init(h);
    return http_head_scan(h, bytes, n, limits);
}

START_TEST(sizes_to_the_byte)
{
    struct http_limits limits = http_limits_default;
    struct http_head h;
    limits.target_max_bytes = 10;
    ck_assert_int_eq(scan_limited(&h, &limits, "GET /234567890 HTTP/1.1\r\n" HOST "\r\n"),
                     HTTP_SCAN_DONE);
    ck_assert_int_eq(scan_limited(&h, &limits, "GET /2345678901 HTTP/1.1\r\n" HOST "\r\n"),
                     HTTP_SCAN_REFUSED);
    ck_assert_int_eq(h.status, 414);
    /* long before its end */
    ck_assert_int_eq(scan_limited(&h, &limits, "GET /2345678901234567890123456789012345678901234"),
                     HTTP_SCAN_REFUSED);
    ck_assert_int_eq(h.status, 414);
    limits = http_limits_default;
    const char *two = "GET / HTTP/1.1\r\n" HOST "X: y\r\n\r\n";
    limits.header_max_count = 2;
    ck_assert_int_eq(scan_limited(&h, &limits, two), HTTP_SCAN_DONE);
    limits.header_max_count = 1;
    ck_assert_int_eq(scan_limited(&h, &limits, two), HTTP_SCAN_REFUSED);
    ck_assert_int_eq(h.status, 431);
    limits = http_limits_default;
    limits.header_max_bytes = strlen(two);
    ck_assert_int_eq(scan_limited(&h, &limits, two), HTTP_SCAN_DONE);
    limits.header_max_bytes = strlen(two) - 5;
    ck_assert_int_eq(scan_limited(&h, &limits, two), HTTP_SCAN_REFUSED);
    ck_assert_int_eq(h.status, 431);
}
END_TEST

/* ---- what it reads off ---- */

static void ck_span(const char *bytes, struct http_span span, const char *expected)
{
    ck_assert_uint_eq(span.len, strlen(expected));
    ck_assert(memcmp(bytes + span.at, expected, span.len) == 0);
}

START_TEST(the_parts_of_a_target)
{
    struct http_head h;
    char origin[] = "GET /a/b?c=d?e HTTP/1.1\r\nHost: a:80\r\n\r\n";
    ck_assert_int_eq(scan_in_two(&h, origin, 0, sizeof origin - 1), HTTP_SCAN_DONE);
    ck_span(origin, h.path, "/a/b");
    ck_span(origin, h.query, "c=d?e");
    ck_span(origin, h.host, "a:80");
    /* the target's host, whichever field says otherwise */
    char absolute[] = "GET http://b:1/p?q HTTP/1.1\r\nHost: a\r\n\r\n";
    ck_assert_int_eq(scan_in_two(&h, absolute, 0, sizeof absolute - 1), HTTP_SCAN_DONE);
    ck_span(absolute, h.host, "b:1");
    ck_span(absolute, h.path, "/p");
    ck_span(absolute, h.query, "q");
}
END_TEST

START_TEST(connection_options)
{
    static const struct {
        const char *value;
        bool is_close, is_keep_alive;
    } cases[] = {
        {"close", true, false},      {"Close ,x", true, false},   {"x,\tCLOSE\t", true, false},
        {"keep-alive", false, true}, {"closed", false, false},    {"x-close", false, false},
        {"x;close", false, false},   {", ,close,,", true, false}, {"", false, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[128];
        struct http_head h;
        snprintf(text, sizeof text, "GET / HTTP/1.1\r\n" HOST "Connection: %s\r\n\r\n",
                 cases[i].value);
        ck_assert_int_eq(scan_in_two(&h, text, 0, strlen(text)), HTTP_SCAN_DONE);
        ck_assert_msg(h.is_close == cases[i].is_close, "%s", cases[i].value);
        ck_assert_msg(h.is_keep_alive == cases[i].is_keep_alive, "%s", cases[i].value);
    }
}
END_TEST

START_TEST(trailer_lines)
{
    ck_assert_int_eq(http_field_check("X: y", 4), 0);
    ck_assert_int_eq(http_field_check("X:", 2), 0);
    ck_assert_int_eq(http_field_check("X", 1), 400);
    ck_assert_int_eq(http_field_check("X : y", 5), 400);
    ck_assert_int_eq(http_field_check(" X: y", 5), 400);
    ck_assert_int_eq(http_field_check("X: \x01", 4), 400);
}
END_TEST

SUITE_MAIN("strict", SUITE_LOOP(each_head_cut_anywhere, heads),
           SUITE_TEST(an_unfinished_head_waits), SUITE_TEST(every_byte_at_every_place),
           SUITE_TEST(sizes_to_the_byte), SUITE_TEST(the_parts_of_a_target),
           SUITE_TEST(connection_options), SUITE_TEST(trailer_lines))
