/* Reports are compressed when the client asks, and only then. */
#include <zlib.h>

#include "suite.h"
#include "talk.h"

#define ASK(path, accept) "GET " path " HTTP/1.1\r\nHost: a\r\n" accept "\r\n"
#define GZIP              "Accept-Encoding: gzip\r\n"

static void answer_of(struct http_response *res, size_t n)
{
    http_set_type(res, HTTP_TYPE_TEXT);
    ck_assert_int_eq(buf_reserve(http_body(res), n), 0);
    memset(http_body(res)->data, 'x', n);
    http_body(res)->len = n;
}
static void just_small(struct http_request *req, struct http_response *res)
{
    (void)req;
    answer_of(res, 1023);
}
static void just_large(struct http_request *req, struct http_response *res)
{
    (void)req;
    answer_of(res, 1024);
}
static void packed(struct http_request *req, struct http_response *res)
{
    (void)req;
    http_add_field(res, "Content-Encoding", "br");
    answer_of(res, 5000);
}
static void streamed(struct http_request *req, struct http_response *res)
{
    (void)req;
    answer_of(res, 5000);
    ck_assert_int_eq(http_stream_begin(res), 0);
}

static const struct http_route routes[] = {
    {"/small", "GET, HEAD, OPTIONS", just_small, HTTP_ROUTE_GZIP},
    {"/large", "GET, HEAD, OPTIONS", just_large, HTTP_ROUTE_GZIP},
    {"/other", "GET, HEAD, OPTIONS", just_large, 0},
    {"/packed", "GET, HEAD, OPTIONS", packed, HTTP_ROUTE_GZIP},
    {"/streamed", "GET, HEAD, OPTIONS", streamed, HTTP_ROUTE_GZIP},
};

static const struct {
    const char *request;
    bool is_packed;
} cases[] = {
    {ASK("/large", GZIP), true},
    {ASK("/large", "Accept-Encoding: br, GZIP;q=0.1\r\n"), true},
    {ASK("/large", "Accept-Encoding: *\r\n"), true},
    {ASK("/large", ""), false},
    {ASK("/large", "Accept-Encoding: identity\r\n"), false},
    {ASK("/large", "Accept-Encoding: gzip;q=0\r\n"), false},
    {ASK("/large", "Accept-Encoding: gzip;q=0, *\r\n"), false},
    {ASK("/small", GZIP), false},
    {ASK("/other", GZIP), false},
    {ASK("/packed", GZIP), false},
    {ASK("/streamed", GZIP), false},
    {ASK("/none", GZIP), false},
};

static void setup_app(void)
{
    test_app_init(&app, &limits);
    app.routes = routes;
    app.route_count = ARRAY_LEN(routes);
}

START_TEST(who_gets_it)
{
    struct pair_io p;
    setup_app();
    const char *out = talk(&p, cases[_i].request);
    if (cases[_i].is_packed)
        ck_says(out, "Content-Encoding: gzip\r\n");
    else
        ck_says_not(out, "Content-Encoding: gzip\r\n");
    pair_fini(&p);
}
END_TEST

START_TEST(it_is_the_same_text)
{
    struct pair_io p;
    setup_app();
    const char *body = strstr(talk(&p, ASK("/large", GZIP)), "\r\n\r\n") + 4;
    unsigned char plain[2000];
    z_stream z = {.next_in = (unsigned char *)(uintptr_t)body,
                  .avail_in = (unsigned)(p.out.data + p.out.len - body),
                  .next_out = plain,
                  .avail_out = sizeof plain};
    ck_assert_int_eq(inflateInit2(&z, 31), Z_OK);
    ck_assert_int_eq(inflate(&z, Z_FINISH), Z_STREAM_END);
    ck_assert_uint_eq(z.avail_in, 0);
    ck_assert_uint_eq(z.total_out, 1024);
    for (size_t i = 0; i < 1024; i++)
        ck_assert_int_eq(plain[i], 'x');
    inflateEnd(&z);
    pair_fini(&p);
}
END_TEST

START_TEST(caches_are_told_that_it_depends)
{
    struct pair_io p;
    setup_app();
    ck_says(talk(&p, ASK("/large", "")), "Vary: Accept-Encoding\r\n");
    pair_fini(&p);
    ck_says_not(talk(&p, ASK("/other", "")), "Vary");
    pair_fini(&p);
}
END_TEST

SUITE_MAIN("gzip", SUITE_LOOP(who_gets_it, cases), SUITE_TEST(it_is_the_same_text),
           SUITE_TEST(caches_are_told_that_it_depends))
