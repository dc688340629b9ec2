/* One transfer: what the reply says about every way a server can answer. */
#include "client/transfer.h"

#include <errno.h>

#include "client/guard.h"
#include "http_thread.h"
#include "suite.h"

#define OK_HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"

struct answer_case {
    const char *bytes;
    unsigned flags;
    size_t body_max_bytes;
    int rv;
    int status;
    const char *why; /* a part of it; "": none */
    const char *body;
};

static const struct answer_case answer_cases[] = {
    {OK_HEAD "Content-Length: 5\r\n\r\nhello", 0, 99, 0, 200, "", "hello"},
    {OK_HEAD "\r\nto the end", 0, 99, 0, 200, "", "to the end"},
    {"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", 0, 99, 0, 503, "", ""},
    {OK_HEAD "Content-Length: 5\r\n\r\nhello", 0, 4, -EMSGSIZE, 200, "larger than allowed", NULL},
    {OK_HEAD "Content-Length: 5\r\n\r\nhello", CL_DISCARD_BODY, 5, 0, 200, "", ""},
    {OK_HEAD "Content-Length: 5\r\n\r\nhello", CL_DISCARD_BODY, 4, -EMSGSIZE, 200,
     "larger than allowed", NULL},
    {OK_HEAD "Content-Length: 5\r\n\r\nhello", CL_HEAD_ONLY, 0, 0, 200, "", ""},
    {OK_HEAD "Content-Length: 9\r\n\r\nhello", 0, 99, -ECONNRESET, 200, "in mid-reply", NULL},
    {"", 0, 99, -ECONNRESET, 0, "without a reply", NULL},
    {"SSH-2.0-OpenSSH_9.2\r\n", 0, 99, -EBADMSG, 0, "the server's reply is not HTTP", NULL},
    {"\x16\x03\x01\x02\x00\x01", 0, 99, -EBADMSG, 0, "the server's reply is not HTTP", NULL},
};

static void get(struct http_thread *server, const struct answer_case *c, struct cl_reply *reply)
{
    struct cl_transfer t;
    http_thread_start(server, c->bytes, strlen(c->bytes));
    const struct cl_request req = {
        .url = server->url, .body_max_bytes = c->body_max_bytes, .flags = c->flags | CL_NO_PROXY};
    cl_reply_init(reply);
    ck_assert_int_eq(cl_transfer_init(&t), 0);
    ck_assert_int_eq(cl_transfer_begin(&t, &req, reply), 0);
    ck_assert_int_eq(cl_transfer_end(&t, curl_easy_perform(t.easy)), c->rv);
    cl_transfer_fini(&t);
    http_thread_stop(server);
}

START_TEST(answers)
{
    const struct answer_case *c = &answer_cases[_i];
    struct http_thread server;
    struct cl_reply reply;
    get(&server, c, &reply);
    ck_assert_int_eq(reply.status, c->status);
    ck_assert_msg(strstr(reply.why, c->why) != NULL, "%s", reply.why);
    ck_assert_int_eq(reply.why[0] == '\0', c->why[0] == '\0');
    if (c->body != NULL) {
        ck_assert_uint_eq(reply.body.len, strlen(c->body));
        ck_assert_int_eq(
            reply.body.len == 0 || memcmp(reply.body.data, c->body, reply.body.len) == 0, 1);
    }
    cl_reply_fini(&reply);
}
END_TEST

START_TEST(the_head_is_in_the_reply)
{
    static const struct answer_case c = {
        "HTTP/1.1 302 Found\r\nContent-Type: text/html\r\nLocation: /elsewhere\r\n"
        "Retry-After: 7\r\nContent-Length: 0\r\n\r\n",
        0,
        99,
        0,
        302,
        "",
        ""};
    struct http_thread server;
    struct cl_reply reply;
    char target[128];
    get(&server, &c, &reply);
    ck_assert_str_eq(reply.content_type, "text/html");
    ck_assert_int_eq(reply.retry_after_s, 7);
    snprintf(target, sizeof target, "%.*s/elsewhere", (int)strlen(server.url) - 2, server.url);
    ck_assert_str_eq(reply.redirect_url, target);
    ck_assert_int_eq(reply.redirects, 0); /* none was followed */
    cl_reply_fini(&reply);
}
END_TEST

START_TEST(a_redirect_that_is_too_long_is_a_failure)
{
    static char bytes[CL_URL_BYTES + 256];
    int n = snprintf(bytes, sizeof bytes, "HTTP/1.1 302 Found\r\nLocation: /");
    memset(bytes + n, 'x', CL_URL_BYTES);
    strcpy(bytes + n + CL_URL_BYTES, "\r\nContent-Length: 0\r\n\r\n");
    const struct answer_case c = {bytes, 0, 99, -EMSGSIZE, 302, "", NULL};
    struct http_thread server;
    struct cl_reply reply;
    get(&server, &c, &reply);
    ck_assert_ptr_nonnull(strstr(reply.why, "redirects to a URL longer than"));
    cl_reply_fini(&reply);
}
END_TEST

/* What one transfer left must not show in the next one's reply. */
START_TEST(a_reply_is_used_again)
{
    struct http_thread server;
    struct cl_transfer t;
    struct cl_reply reply;
    static const char bytes[] = OK_HEAD "Content-Length: 5\r\n\r\nhello";
    http_thread_start(&server, bytes, sizeof bytes - 1);
    struct cl_request req = {.url = server.url, .body_max_bytes = 99, .flags = CL_NO_PROXY};
    cl_reply_init(&reply);
    ck_assert_int_eq(cl_transfer_init(&t), 0);
    for (int i = 0; i < 2; i++) {
        req.url = server.url;
        ck_assert_int_eq(cl_transfer_begin(&t, &req, &reply), 0);
        ck_assert_int_eq(cl_transfer_end(&t, curl_easy_perform(t.easy)), 0);
        ck_assert_uint_eq(reply.body.len, 5);
        ck_assert_uint_eq(reply.body_bytes, 5);
        req.url = "gopher://127.0.0.1/";
        ck_assert_int_eq(cl_transfer_begin(&t, &req, &reply), 0);
        ck_assert_int_eq(cl_transfer_end(&t, curl_easy_perform(t.easy)), -EPROTONOSUPPORT);
        ck_assert_str_eq(reply.why, "only http and https are fetched");
        ck_assert_int_eq(reply.status, 0);
        ck_assert_uint_eq(reply.body.len, 0);
        ck_assert_str_eq(reply.content_type, "");
    }
    cl_transfer_fini(&t);
    cl_reply_fini(&reply);
    http_thread_stop(&server);
}
END_TEST

START_TEST(the_guard_is_asked)
{
    struct http_thread server;
    struct cl_transfer t;
    struct cl_reply reply;
    static const char bytes[] = OK_HEAD "Content-Length: 0\r\n\r\n";
    const struct cl_guard guard = {NULL, 0};
    http_thread_start(&server, bytes, sizeof bytes - 1);
    const struct cl_request req = {.url = server.url, .body_max_bytes = 99, .guard = &guard};
    cl_reply_init(&reply);
    ck_assert_int_eq(cl_transfer_init(&t), 0);
    ck_assert_int_eq(cl_transfer_begin(&t, &req, &reply), 0);
    ck_assert_int_eq(cl_transfer_end(&t, curl_easy_perform(t.easy)), -EACCES);
    ck_assert_str_eq(reply.why, "the address 127.0.0.1 is not public");
    cl_transfer_fini(&t);
    cl_reply_fini(&reply);
    http_thread_stop(&server);
}
END_TEST

SUITE_MAIN("transfer", SUITE_LOOP(answers, answer_cases), SUITE_TEST(the_head_is_in_the_reply),
           SUITE_TEST(a_redirect_that_is_too_long_is_a_failure), SUITE_TEST(a_reply_is_used_again),
           SUITE_TEST(the_guard_is_asked))
