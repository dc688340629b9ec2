/* Requests: how a query value is encoded, what a failed fetch reports. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/client.h"
#include "client/guard.h"
#include "coro/base/clock.h"
#include "suite.h"

#define LONG_NS (60 * NS_PER_S) /* whatever else the machine does */

static const struct {
    const char *value;
    size_t len;
    const char *encoded;
} values[] = {
    {"", 0, ""},
    {"https://www.google.com/search?q=x&aq=f", 38, "https://www.google.com/search?q=x%26aq=f"},
    {"a b", 3, "a%20b"},
    {"a+b", 3, "a%2Bb"},
    {"100%", 4, "100%25"},
    {"x#y", 3, "x%23y"},
    {"a;b'c\"d", 7, "a%3Bb%27c%22d"},
    {"b\xc3\xbc"
     "cher",
     7, "b%C3%BCcher"},
    {"nul\0nul", 7, "nul%00nul"},
    {"\x7f\xff\t", 3, "%7F%FF%09"},
    {"[::1]", 5, "%5B::1%5D"},
};

START_TEST(query_values_encode)
{
    struct buf b;
    buf_init(&b, 4096);
    ck_assert_int_eq(cl_encode_query(&b, values[_i].value, values[_i].len), 0);
    ck_assert_uint_eq(b.len, strlen(values[_i].encoded));
    ck_assert_int_eq(b.len == 0 || memcmp(b.data, values[_i].encoded, b.len) == 0, 1);
    buf_fini(&b);
}
END_TEST

START_TEST(encoding_respects_the_cap)
{
    struct buf b;
    buf_init(&b, 4);
    ck_assert_int_eq(cl_encode_query(&b, "abc%", 4), -EMSGSIZE);
    buf_fini(&b);
}
END_TEST

/* A loopback port that nothing listens on, because it is bound and not listening. */
static int bound_port(int *ret_fd)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof addr;
    *ret_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(*ret_fd, 0);
    ck_assert_int_eq(bind(*ret_fd, (struct sockaddr *)&addr, sizeof addr), 0);
    ck_assert_int_eq(getsockname(*ret_fd, (struct sockaddr *)&addr, &len), 0);
    return ntohs(addr.sin_port);
}

/* libcurl lets some options alone on a handle whose last transfer failed early. */
START_TEST(a_failure_does_not_spoil_the_next_request)
{
    int fd;
    char url[64];
    struct cl_blocking *client;
    struct cl_reply reply;
    cl_reply_init(&reply);
    ck_assert_int_eq(cl_blocking_new(&client), 0);
    struct cl_request req = {.url = "ftp://127.0.0.1/", .body_max_bytes = 4096};
    ck_assert_int_eq(cl_blocking_get(client, &req, &reply), -EPROTONOSUPPORT);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", bound_port(&fd));
    req.url = url;
    ck_assert_int_eq(cl_blocking_get(client, &req, &reply), -ECONNREFUSED);
    cl_blocking_free(client);
    cl_reply_fini(&reply);
    close(fd);
}
END_TEST

static int get(const char *url, int64_t timeout_ns, struct cl_reply *reply)
{
    struct cl_blocking *client;
    ck_assert_int_eq(cl_blocking_new(&client), 0);
    const struct cl_request req = {.url = url,
                                   .connect_timeout_ns = timeout_ns,
                                   .timeout_ns = timeout_ns,
                                   .body_max_bytes = 4096,
                                   .flags = CL_NO_PROXY};
    int rv = cl_blocking_get(client, &req, reply);
    cl_blocking_free(client);
    return rv;
}

START_TEST(a_refused_connection_is_called_that)
{
    int fd;
    char url[64];
    struct cl_reply reply;
    cl_reply_init(&reply);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", bound_port(&fd));
    ck_assert_int_eq(get(url, LONG_NS, &reply), -ECONNREFUSED);
    ck_assert_str_eq(reply.why, "Connection refused");
    ck_assert_int_eq(reply.status, 0);
    cl_reply_fini(&reply);
    close(fd);
}
END_TEST

START_TEST(a_silent_server_is_a_timeout)
{
    int fd;
    char url[64];
    struct cl_reply reply;
    cl_reply_init(&reply);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", bound_port(&fd));
    /* listens and never accepts: the handshake succeeds, no byte ever comes */
    ck_assert_int_eq(listen(fd, 1), 0);
    ck_assert_int_eq(get(url, 50 * NS_PER_MS, &reply), -ETIMEDOUT);
    ck_assert_str_eq(reply.why, "timed out before a reply came");
    cl_reply_fini(&reply);
    close(fd);
}
END_TEST

static const struct {
    const char *url;
    int rv;
} bad_urls[] = {
    {"file:///etc/passwd", -EPROTONOSUPPORT},
    {"gopher://127.0.0.1/", -EPROTONOSUPPORT},
    {"http://", -EINVAL},
    {"http://a b/", -EINVAL},
    {"http://127.0.0.1:99999/", -EINVAL},
};

START_TEST(bad_urls_are_refused_before_any_connection)
{
    struct cl_reply reply;
    cl_reply_init(&reply);
    ck_assert_int_eq(get(bad_urls[_i].url, LONG_NS, &reply), bad_urls[_i].rv);
    ck_assert_uint_gt(strlen(reply.why), 0);
    cl_reply_fini(&reply);
}
END_TEST

/* ---- the guard ---- */

static const char *const loopbacks[] = {
    "127.0.0.1", "localhost", "0x7f.1", "2130706433", "[::ffff:127.0.0.1]", "0",
};

static int get_guarded(const char *host, const struct cl_guard *guard, int64_t timeout_ns,
                       struct cl_reply *reply)
{
    int fd;
    char url[64];
    struct cl_blocking *client;
    ck_assert_int_eq(cl_blocking_new(&client), 0);
    int port = bound_port(&fd);
    ck_assert_int_eq(listen(fd, 1), 0);
    snprintf(url, sizeof url, "http://%s:%d/", host, port);
    const struct cl_request req = {
        .url = url, .guard = guard, .timeout_ns = timeout_ns, .body_max_bytes = 4096};
    int rv = cl_blocking_get(client, &req, reply);
    cl_blocking_free(client);
    close(fd);
    return rv;
}

START_TEST(the_guard_sees_the_address_and_not_the_text)
{
    const struct cl_guard guard = {NULL, 0};
    struct cl_reply reply;
    cl_reply_init(&reply);
    ck_assert_int_eq(get_guarded(loopbacks[_i], &guard, LONG_NS, &reply), -EACCES);
    ck_assert_ptr_nonnull(strstr(reply.why, "is not public"));
    cl_reply_fini(&reply);
}
END_TEST

START_TEST(the_guard_lets_allowed_networks_pass)
{
    struct cl_network loopback;
    ck_assert_int_eq(cl_network_parse("127.0.0.0/8", &loopback), 0);
    const struct cl_guard guard = {&loopback, 1};
    struct cl_reply reply;
    cl_reply_init(&reply);
    /* connected, and then nobody answers */
    ck_assert_int_eq(get_guarded("127.0.0.1", &guard, 200 * NS_PER_MS, &reply), -ETIMEDOUT);
    cl_reply_fini(&reply);
}
END_TEST

SUITE_MAIN("request", SUITE_LOOP(query_values_encode, values),
           SUITE_TEST(encoding_respects_the_cap), SUITE_TEST(a_refused_connection_is_called_that),
           SUITE_TEST(a_silent_server_is_a_timeout),
           SUITE_LOOP(bad_urls_are_refused_before_any_connection, bad_urls),
           SUITE_LOOP(the_guard_sees_the_address_and_not_the_text, loopbacks),
           SUITE_TEST(the_guard_lets_allowed_networks_pass),
           SUITE_TEST(a_failure_does_not_spoil_the_next_request))
