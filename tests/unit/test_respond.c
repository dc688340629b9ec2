/* Making answers: heads, problems, streams, and what is left when memory is short. */
#include "suite.h"
#include "talk.h"

#define ASK(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

static void nothing(struct http_request *req, struct http_response *res)
{
    (void)req;
    (void)res;
}
static void fields(struct http_request *req, struct http_response *res)
{
    (void)req;
    static const char *const evil[] = {"a\r\nX: y", "a\nb", "a\rb", "a\x01", "a\x7f"};
    ck_assert_int_eq(http_add_field(res, "X-Tab", "a\tb\xff"), 0);
    for (size_t i = 0; i < ARRAY_LEN(evil); i++)
        ck_assert_int_eq(http_add_field(res, "X-Evil", evil[i]), -EINVAL);
    HTTP_ADD_LINES(res, "X-Line: 1\r\nX-Line: 2\r\n");
    http_set_status(res, HTTP_204_NO_CONTENT);
    ck_assert_int_eq(http_status(res), 204);
    ck_assert_int_eq(buf_append_str(http_body(res), "must not go out"), 0);
}
static void replaced(struct http_request *req, struct http_response *res)
{
    (void)req;
    http_answer(res, 200, HTTP_TYPE_HTML, "<first>", 7);
    http_problem(res, 422, "%s", "second \"\\\x01\xc3\xa4\xff");
}
static void stream(struct http_request *req, struct http_response *res)
{
    static char block[10000];
    memset(block, 's', sizeof block);
    bool fails = http_str_is(req->query, "fails");
    http_set_type(res, HTTP_TYPE_TEXT);
    ck_assert_int_eq(buf_append_str(http_body(res), "before "), 0);
    ck_assert_int_eq(http_stream_begin(res), 0);
    ck_assert_int_eq(http_stream_flush(res), 0);
    ck_assert_int_eq(http_stream_flush(res), 0); /* nothing new: no empty chunk, the end of all */
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(http_stream_write(res, block, sizeof block), 0);
    if (fails)
        http_stream_fail(res);
}
/* A chunk that is not copied, and then one that is more than one write takes. */
static void large(struct http_request *req, struct http_response *res)
{
    static char block[100000];
    (void)req;
    memset(block, 'l', sizeof block);
    http_set_type(res, HTTP_TYPE_TEXT);
    ck_assert_int_eq(http_stream_begin(res), 0);
    ck_assert_int_eq(http_stream_write(res, block, 20000), 0);
    ck_assert_int_eq(http_stream_write(res, block, sizeof block), 0);
}
/* More fields than fit. */
static void starving(struct http_request *req, struct http_response *res)
{
    (void)req;
    static char value[1000];
    memset(value, 'v', sizeof value - 1);
    http_add_field(res, "X-Large", value);
}

static const struct http_route routes[] = {
    {"/nothing", "GET, HEAD, OPTIONS", nothing, 0},   {"/fields", "GET, HEAD, OPTIONS", fields, 0},
    {"/replaced", "GET, HEAD, OPTIONS", replaced, 0}, {"/stream", "GET, HEAD, OPTIONS", stream, 0},
    {"/starving", "GET, HEAD, OPTIONS", starving, 0}, {"/large", "GET, HEAD, OPTIONS", large, 0},
};

static void setup_app(void)
{
    test_app_init(&app, &limits);
    app.routes = routes;
    app.route_count = ARRAY_LEN(routes);
}

START_TEST(a_handler_that_sets_nothing)
{
    struct pair_io p;
    setup_app();
    app.server_name = "me";
    const char *out = talk(&p, ASK("/nothing"));
    ck_assert_int_eq(strncmp(out, "HTTP/1.1 200 OK\r\nDate: ", 23), 0);
    ck_says(out, "\r\nServer: me\r\n");
    ck_says(out, "\r\nContent-Length: 0\r\n");
    ck_says_not(out, "Content-Type");
    ck_says_not(out, "Connection");
    pair_fini(&p);
}
END_TEST

START_TEST(fields_and_an_answer_without_body)
{
    struct pair_io p;
    setup_app();
    const char *out = talk(&p, ASK("/fields"));
    ck_says(out, "HTTP/1.1 204 No Content\r\n");
    ck_says(out, "X-Tab: a\tb\xff\r\n");
    ck_says(out, "X-Line: 1\r\nX-Line: 2\r\n");
    ck_says_not(out, "Evil");
    ck_says_not(out, "Content-Length");
    ck_says_not(out, "must not");
    pair_fini(&p);
}
END_TEST

START_TEST(a_problem_replaces_what_was_there)
{
    struct pair_io p;
    setup_app();
    const char *out = talk(&p, ASK("/replaced"));
    ck_says(out, "HTTP/1.1 422 ");
    ck_says(out, "Content-Type: application/problem+json\r\n");
    ck_says(out, "\"detail\":\"second \\\"\\\\\\u0001\xc3\xa4\xef\xbf\xbd\",");
    ck_says_not(out, "first");
    pair_fini(&p);
}
END_TEST

static const struct {
    const char *accept;
    bool is_text;
} accepts[] = {
    {"", false},
    {"Accept: text/plain\r\n", true},
    {"Accept: */*\r\n", false},
    {"Accept: text/*\r\n", true},
    {"Accept: text/html, */*;q=0.1\r\n", false},
    {"Accept: application/json\r\n", false},
    {"Accept: text/plain;q=0.5, application/json;q=0.9\r\n", false},
    {"Accept: text/plain;q=0.9, application/json;q=0.5\r\n", true},
    {"Accept: image/png\r\n", false}, /* something must be said */
};

START_TEST(problems_as_text_for_who_asks)
{
    struct pair_io p;
    char in[256];
    setup_app();
    snprintf(in, sizeof in, "GET /none HTTP/1.1\r\nHost: a\r\n%s\r\n", accepts[_i].accept);
    ck_says(talk(&p, in), accepts[_i].is_text ? "Content-Type: text/plain; charset=utf-8\r\n"
                                              : "Content-Type: application/problem+json\r\n");
    pair_fini(&p);
}
END_TEST

/* The body of a chunked answer, put together; *ret_whole: it had its last chunk. */
static size_t dechunk(const char *out, char *body, bool *ret_whole)
{
    const char *at = strstr(out, "\r\n\r\n") + 4;
    size_t len = 0;
    *ret_whole = false;
    while (*at != 0) {
        char *end;
        size_t n = strtoul(at, &end, 16);
        ck_assert(end[0] == '\r' && end[1] == '\n');
        at = end + 2;
        memcpy(body + len, at, n);
        len += n;
        at += n;
        ck_assert(at[0] == '\r' && at[1] == '\n');
        at += 2;
        if (n == 0) {
            ck_assert_str_eq(at, "");
            *ret_whole = true;
        }
    }
    return len;
}

START_TEST(streams)
{
    struct pair_io p;
    static char body[40000];
    bool is_whole;
    setup_app();
    const char *out = talk(&p, ASK("/stream"));
    ck_says(out, "Transfer-Encoding: chunked\r\n");
    ck_says_not(out, "Content-Length");
    ck_assert_uint_eq(dechunk(out, body, &is_whole), 30007);
    ck_assert(is_whole);
    ck_assert_uint_gt(p.writes, 1); /* it did not wait for the end */
    ck_assert_uint_eq(test_seen.bytes_out, p.out.len);
    pair_fini(&p);
    dechunk(talk(&p, ASK("/stream?fails")), body, &is_whole);
    ck_assert(!is_whole);
    ck_assert_int_eq(test_seen.why, HTTP_CLOSE_ERROR);
    pair_fini(&p);
    /* to HEAD: the same head and nothing else */
    out = talk(&p, "HEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n" ASK("/nothing"));
    ck_says(out, "Transfer-Encoding: chunked\r\n");
    ck_says_not(out, "before");
    ck_assert_int_eq(test_seen.requests, 4);
    ck_assert_ptr_nonnull(strstr(strstr(out, "\r\n\r\n"), "HTTP/1.1 200 OK"));
    pair_fini(&p);
    /* to 1.0: without chunks, to the end of the connection */
    out = talk(&p, "GET /stream HTTP/1.0\r\n\r\n");
    ck_says_not(out, "chunked");
    ck_assert_uint_eq(strlen(strstr(out, "\r\n\r\n") + 4), 30007);
    pair_fini(&p);
}
END_TEST

START_TEST(large_chunks_come_behind_what_was_answered_before)
{
    struct pair_io p;
    static char body[130000], expected[120000];
    bool is_whole;
    setup_app();
    memset(expected, 'l', sizeof expected);
    const char *out = talk(&p, ASK("/nothing") ASK("/large"));
    const char *second = strstr(out + 1, "HTTP/1.1 200 OK\r\n");
    ck_assert_ptr_nonnull(second);
    ck_assert_uint_eq(dechunk(second, body, &is_whole), sizeof expected);
    ck_assert(is_whole);
    ck_assert_mem_eq(body, expected, sizeof expected);
    ck_assert_ptr_eq(strstr(second, "4e20\r\n"), strstr(second, "\r\n\r\n") + 4);
    /* what was gathered and the first chunk; the second in two; the end */
    ck_assert_uint_eq(p.writes, 4);
    pair_fini(&p);
}
END_TEST

START_TEST(an_answer_that_does_not_fit_is_a_500_and_the_end)
{
    struct pair_io p;
    setup_app();
    limits.header_max_bytes = 512; /* answers' fields have the same limit */
    const char *out = talk(&p, ASK("/starving") ASK("/nothing"));
    ck_assert_int_eq(strncmp(out, "HTTP/1.1 500 Internal Server Error\r\n", 36), 0);
    ck_says(out, "Connection: close\r\n");
    ck_assert_ptr_null(strstr(out + 1, "HTTP/1.1"));
    ck_assert_int_eq(test_seen.last_status, 500);
    pair_fini(&p);
}
END_TEST

static bool everybody(void *arg, const struct http_request *req)
{
    (void)arg, (void)req;
    return true;
}

START_TEST(cross_origin_answers_are_the_same_for_everybody)
{
    struct pair_io p;
    setup_app();
    app.cors_origin = "https://app.example";
    ck_says(talk(&p, ASK("/nothing")), "Access-Control-Allow-Origin: https://app.example\r\n");
    pair_fini(&p);
    ck_says(talk(&p, "broken\r\n"), "Access-Control-Allow-Origin: https://app.example\r\n");
    pair_fini(&p);
    /* a page elsewhere may not read what is for administrators */
    static const struct http_route for_admins[] = {
        {"/admin", "GET, HEAD, OPTIONS", test_live, HTTP_ROUTE_ADMIN}};
    app.routes = for_admins;
    app.route_count = 1;
    app.hooks.admits = everybody;
    const char *out = talk(&p, ASK("/admin") "OPTIONS /admin HTTP/1.1\r\nHost: a\r\n"
                                             "Access-Control-Request-Method: GET\r\n\r\n");
    ck_says(out, "HTTP/1.1 200 ");
    ck_says(out, "HTTP/1.1 204 ");
    ck_says_not(out, "Access-Control");
    pair_fini(&p);
}
END_TEST

SUITE_MAIN("respond", SUITE_TEST(a_handler_that_sets_nothing),
           SUITE_TEST(fields_and_an_answer_without_body),
           SUITE_TEST(a_problem_replaces_what_was_there),
           SUITE_LOOP(problems_as_text_for_who_asks, accepts), SUITE_TEST(streams),
           SUITE_TEST(large_chunks_come_behind_what_was_answered_before),
           SUITE_TEST(an_answer_that_does_not_fit_is_a_500_and_the_end),
           SUITE_TEST(cross_origin_answers_are_the_same_for_everybody))
