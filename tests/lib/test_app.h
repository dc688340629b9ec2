/* tests/lib/test_app.h - an http_app with one small route for each kind of
 * handler, and a record of what the hooks were told. */
#pragma once

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "server/http/session.h"

static struct {
    int opened, closed, requests;
    enum http_close_reason why;
    int last_status;
    uint64_t bytes_in, bytes_out;
    const struct http_route *last_route;
} test_seen;

static void test_live(struct http_request *req, struct http_response *res)
{
    (void)req;
    http_answer(res, 200, HTTP_TYPE_TEXT, "ok\n", 3);
}

/* Reads its body as it comes. */
static void test_sink(struct http_request *req, struct http_response *res)
{
    char chunk[7];
    size_t total = 0;
    ssize_t n;
    while ((n = http_body_read(req, chunk, sizeof chunk)) > 0)
        total += (size_t)n;
    if (n == 0) {
        char text[32];
        int len = snprintf(text, sizeof text, "%zu\n", total);
        http_answer(res, 200, HTTP_TYPE_TEXT, text, (size_t)len);
    }
}

static void test_echo(struct http_request *req, struct http_response *res)
{
    http_set_type(res, HTTP_TYPE_TEXT);
    if (http_body_collect(req, http_body(res)) < 0)
        return;
}

/* Sends back what comes, as it comes. */
static void test_mirror(struct http_request *req, struct http_response *res)
{
    char chunk[8192];
    ssize_t n;
    http_set_type(res, HTTP_TYPE_TEXT);
    if (http_stream_begin(res) < 0)
        return;
    while ((n = http_body_read(req, chunk, sizeof chunk)) > 0)
        if (http_stream_write(res, chunk, (size_t)n) < 0)
            return;
}

static void test_big(struct http_request *req, struct http_response *res)
{
    (void)req;
    char block[1000];
    memset(block, 'x', sizeof block);
    http_set_type(res, HTTP_TYPE_TEXT);
    for (int i = 0; i < 200; i++)
        ck_assert_int_eq(buf_append(http_body(res), block, sizeof block), 0);
}

static void test_fields(struct http_request *req, struct http_response *res)
{
    (void)req;
    ck_assert_int_eq(http_add_field(res, "X-Good", "fine"), 0);
    ck_assert_int_eq(http_add_field(res, "X-Evil", "a\r\nSet-Cookie: b"), -EINVAL);
    http_problem(res, 422, "no: %s", "\x1b[31m\"\xff\"");
}

static const struct http_route test_routes[] = {
    {"/livez", "GET, HEAD, OPTIONS", test_live, 0},
    {"/domain", "GET, HEAD, POST, OPTIONS", test_sink, HTTP_ROUTE_STREAM},
    {"/profile/reset", "POST, OPTIONS", test_echo, 0},
    {"/mirror", "GET, HEAD, POST, OPTIONS", test_mirror, HTTP_ROUTE_STREAM},
    {"/big", "GET, HEAD, OPTIONS", test_big, HTTP_ROUTE_GZIP},
    {"/fields", "GET, HEAD, OPTIONS", test_fields, 0},
    {"/admin", "GET, HEAD, OPTIONS", test_live, HTTP_ROUTE_ADMIN},
    {"/tree/*", "GET, HEAD, OPTIONS", test_live, 0},
};

static void test_on_request(void *arg, const struct http_record *record)
{
    (void)arg;
    test_seen.requests++;
    test_seen.last_status = record->status;
    test_seen.last_route = record->route;
    test_seen.bytes_in += record->bytes_in;
    test_seen.bytes_out += record->bytes_out;
}

static void test_on_open(void *arg)
{
    (void)arg;
    test_seen.opened++;
}

static void test_on_close(void *arg, enum http_close_reason why)
{
    (void)arg;
    test_seen.closed++;
    test_seen.why = why;
}

static inline void test_app_init(struct http_app *app, struct http_limits *limits)
{
    memset(&test_seen, 0, sizeof test_seen);
    *limits = http_limits_default;
    *app = (struct http_app){
        .routes = test_routes,
        .route_count = ARRAY_LEN(test_routes),
        .limits = limits,
        .hooks = {NULL, test_on_request, test_on_open, test_on_close, NULL, NULL},
    };
    ck_assert_int_eq(http_app_check(app), 0);
}
