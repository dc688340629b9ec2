/* Limits by address and in all, and whom proxies speak for. */
#include <errno.h>
#include <netinet/in.h>

#include "coro/base/clock.h"
#include "pair_io.h"
#include "server/http/proxy.h"
#include "server/http/throttle.h"
#include "suite.h"
#include "test_app.h"

static struct http_address address_of(const char *text)
{
    struct http_address address;
    ck_assert_int_eq(http_address_parse((struct http_str){text, strlen(text)}, &address), 0);
    return address;
}

START_TEST(connections_are_counted_by_address)
{
    struct http_throttle *t = http_throttle_new();
    struct http_limits limits = {.connections_per_address = 2};
    struct http_address a = address_of("192.0.2.1"), b = address_of("192.0.2.2");
    uint32_t first, second, third, other;
    ck_assert(http_throttle_enter(t, &limits, &a, NS_PER_S, &first));
    ck_assert(http_throttle_enter(t, &limits, &a, NS_PER_S, &second));
    ck_assert(!http_throttle_enter(t, &limits, &a, NS_PER_S, &third));
    ck_assert(http_throttle_enter(t, &limits, &b, NS_PER_S, &other));
    http_throttle_leave(t, third);
    http_throttle_leave(t, first);
    ck_assert(http_throttle_enter(t, &limits, &a, NS_PER_S, &first));
    /* a /64 is one client */
    struct http_address c = address_of("2001:db8::1"), d = address_of("2001:db8::2");
    ck_assert(http_throttle_enter(t, &limits, &c, NS_PER_S, &first));
    ck_assert(http_throttle_enter(t, &limits, &d, NS_PER_S, &first));
    ck_assert(!http_throttle_enter(t, &limits, &c, NS_PER_S, &first));
    http_throttle_free(t);
}
END_TEST

START_TEST(requests_are_counted_by_the_second)
{
    struct http_throttle *t = http_throttle_new();
    struct http_limits limits = {.requests_per_address_per_s = 3};
    struct http_address a = address_of("192.0.2.1");
    for (int i = 0; i < 3; i++)
        ck_assert(http_throttle_request(t, &limits, &a, 5 * NS_PER_S + i));
    ck_assert(!http_throttle_request(t, &limits, &a, 5 * NS_PER_S + 9));
    ck_assert(http_throttle_request(t, &limits, &a, 6 * NS_PER_S));
    http_throttle_free(t);
}
END_TEST

START_TEST(no_limit_no_count)
{
    struct http_throttle *t = http_throttle_new();
    struct http_limits limits = {.connections_max = 1};
    struct http_address a = address_of("192.0.2.1");
    uint32_t cell;
    ck_assert(http_throttle_enter(t, &limits, &a, NS_PER_S, &cell));
    ck_assert_uint_eq(cell, 0);
    ck_assert(http_throttle_open(t, &limits));
    ck_assert(!http_throttle_open(t, &limits));
    http_throttle_close(t);
    http_throttle_close(t);
    ck_assert(http_throttle_open(t, &limits));
    http_throttle_free(t);
}
END_TEST

START_TEST(what_a_dead_worker_held_is_given_back)
{
    struct http_throttle *t = http_throttle_new();
    struct http_limits one_each = {.connections_max = 1, .connections_per_address = 1};
    struct http_address a = address_of("192.0.2.1");
    struct http_held held = {0};
    uint32_t cell;
    http_throttle_note_in(&held);
    for (int i = 0; i < 3; i++) { /* it dies with a connection open */
        ck_assert(http_throttle_open(t, &one_each));
        ck_assert(http_throttle_enter(t, &one_each, &a, NS_PER_S, &cell));
        ck_assert_uint_ne(cell, 0);
        http_throttle_give_back(t, &held);
    }
    http_throttle_give_back(t, &held); /* held nothing any more */
    ck_assert(http_throttle_open(t, &one_each));
    ck_assert(http_throttle_enter(t, &one_each, &a, NS_PER_S, &cell));
    http_throttle_leave(t, cell); /* it ended in the usual way: nothing to give back */
    http_throttle_close(t);
    http_throttle_give_back(t, &held);
    ck_assert(http_throttle_open(t, &one_each));
    ck_assert(!http_throttle_open(t, &one_each));
    http_throttle_note_in(NULL);
    http_throttle_free(t);
}
END_TEST

/* ---- sessions ---- */

static struct http_app app;
static struct http_limits limits;
static struct http_networks proxies;

static const char *say(struct pair_io *p, const char *in, size_t n, size_t step)
{
    static const struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr = {0x0100007F}};
    struct http_session s;
    pair_init(p, in, n);
    p->step = step;
    enum http_turn turn =
        http_session_init(&s, &app, &p->io, (const struct sockaddr *)&from, sizeof from);
    while (turn != HTTP_TURN_CLOSE)
        turn = http_session_turn(&s);
    http_session_fini(&s);
    return pair_out(p);
}

static void setup_app(const char *trusted)
{
    struct http_str bad;
    test_app_init(&app, &limits);
    app.throttle = http_throttle_new();
    ck_assert_int_eq(http_networks_parse(trusted, &proxies, &bad), 0);
    app.proxies = &proxies;
}

static void drop_app(void)
{
    http_throttle_free(app.throttle);
    http_networks_fini(&proxies);
}

#define GET "GET /livez HTTP/1.1\r\nHost: a\r\n"

START_TEST(one_connection_too_many_is_told)
{
    struct pair_io p;
    setup_app("");
    limits.connections_max = 1;
    ck_assert(http_throttle_open(app.throttle, &limits));
    const char *out = say(&p, GET "\r\n", strlen(GET) + 2, 0);
    ck_assert_int_eq(strncmp(out, "HTTP/1.1 503 ", 13), 0);
    ck_assert_ptr_nonnull(strstr(out, "Retry-After: 1\r\n"));
    ck_assert_int_eq(test_seen.why, HTTP_CLOSE_OVERLOAD);
    ck_assert(p.is_shut);
    pair_fini(&p);
    http_throttle_close(app.throttle);
    out = say(&p, GET "\r\n", strlen(GET) + 2, 0);
    ck_assert_int_eq(strncmp(out, "HTTP/1.1 200 ", 13), 0);
    pair_fini(&p);
    drop_app();
}
END_TEST

START_TEST(forwarded_clients_have_their_own_limit)
{
    struct pair_io p;
    setup_app("127.0.0.0/8, 10.0.0.1");
    limits.requests_per_address_per_s = 1;
    /* the second entry is what our proxies wrote; the client may claim anything before */
    const char *in =
        GET "X-Forwarded-For: 1.1.1.1, 192.0.2.1, 10.0.0.1\r\n\r\n" GET
            "X-Forwarded-For: 2.2.2.2, 192.0.2.1\r\n\r\n" GET "X-Forwarded-For: 192.0.2.9\r\n\r\n";
    const char *out = say(&p, in, strlen(in), 0);
    ck_assert_int_eq(strncmp(out, "HTTP/1.1 200 ", 13), 0);
    const char *second = strstr(out + 1, "HTTP/1.1 ");
    ck_assert_int_eq(strncmp(second, "HTTP/1.1 429 ", 13), 0);
    ck_assert_int_eq(strncmp(strstr(second + 1, "HTTP/1.1 "), "HTTP/1.1 200 ", 13), 0);
    pair_fini(&p);
    drop_app();
}
END_TEST

#define V2_SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
static const struct {
    const char *header;
    size_t n;
    const char *client; /* NULL: refused */
} headers[] = {
    {"PROXY TCP4 192.0.2.7 10.0.0.1 5000 80\r\n", 39, "192.0.2.7"},
    {"PROXY TCP6 2001:db8::7 2001:db8::1 5000 80\r\n", 44, "2001:db8::7"},
    {"PROXY UNKNOWN\r\n", 15, "127.0.0.1"},
    {"PROXY TCP4 192.0.2.7\r\n", 22, NULL},
    {"PROXY TCP4 192.0.2.7 10.0.0.1 99999 80\r\n", 40, NULL},
    {"PROXY TCP4 evil 10.0.0.1 5000 80\r\n", 34, NULL},
    {"PROXY NONE 1 2 3 4\r\n", 20, NULL},
    {"GET / HTTP/1.1\r\n\r\n", 18, NULL},
    {V2_SIGNATURE "\x21\x11\0\x0c\xc0\0\x02\x07\x0a\0\0\x01\x13\x88\0\x50", 28, "192.0.2.7"},
    {V2_SIGNATURE "\x20\0\0\0", 16, "127.0.0.1"},
    {V2_SIGNATURE "\x21\x11\0\x04\xc0\0\x02\x07", 20, NULL},
    {V2_SIGNATURE "\x11\x11\0\0", 16, NULL},
};

static struct http_address seen_client;

static void note_client(void *arg, const struct http_record *record)
{
    (void)arg;
    seen_client = record->request->client;
}

START_TEST(proxy_headers_name_the_client)
{
    struct pair_io p;
    char in[256], text[HTTP_ADDRESS_TEXT_BYTES];
    size_t n = headers[_i].n;
    memcpy(in, headers[_i].header, n);
    memcpy(in + n, GET "\r\n", strlen(GET) + 2);
    for (size_t step = 0; step < 3; step++) {
        setup_app("127.0.0.0/8");
        app.is_proxy_protocol = true;
        app.hooks.on_request = note_client;
        const char *out = say(&p, in, n + strlen(GET) + 2, step);
        if (headers[_i].client == NULL) {
            ck_assert_str_eq(out, "");
            ck_assert_int_eq(test_seen.why, HTTP_CLOSE_PROXY_HEADER);
        } else {
            ck_assert_int_eq(strncmp(out, "HTTP/1.1 200 ", 13), 0);
            ck_assert_str_eq(http_address_text(&seen_client, text), headers[_i].client);
        }
        pair_fini(&p);
        drop_app();
    }
}
END_TEST

SUITE_MAIN("throttle", SUITE_TEST(connections_are_counted_by_address),
           SUITE_TEST(requests_are_counted_by_the_second), SUITE_TEST(no_limit_no_count),
           SUITE_TEST(what_a_dead_worker_held_is_given_back),
           SUITE_TEST(one_connection_too_many_is_told),
           SUITE_TEST(forwarded_clients_have_their_own_limit),
           SUITE_LOOP(proxy_headers_name_the_client, headers))
