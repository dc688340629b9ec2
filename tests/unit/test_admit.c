/* Whom a connection speaks for, and what one too many of its kind is told. */
#include <arpa/inet.h>
#include <errno.h>

#include "server/http/throttle.h"
#include "suite.h"
#include "talk.h"

static struct http_networks proxies;

static void setup_app(const char *trusted)
{
    struct http_str bad;
    test_app_init(&app, &limits);
    app.throttle = http_throttle_new();
    ck_assert_ptr_nonnull(app.throttle);
    ck_assert_int_eq(http_networks_parse(trusted, &proxies, &bad), 0);
    app.proxies = &proxies;
}

static void drop_app(void)
{
    http_throttle_free(app.throttle);
    http_networks_fini(&proxies);
}

#define GET "GET /livez HTTP/1.1\r\nHost: a\r\n"

/* Open a session that stays; the caller ends it. */
static enum http_turn open_one(struct http_session *s, struct pair_io *p, const char *from)
{
    struct sockaddr_in addr = {.sin_family = AF_INET};
    ck_assert_int_eq(inet_pton(AF_INET, from, &addr.sin_addr), 1);
    pair_init(p, GET "\r\n", strlen(GET) + 2);
    p->at_end = -EAGAIN;
    return http_session_init(s, &app, &p->io, (const struct sockaddr *)&addr, sizeof addr);
}

static void ck_refused(struct http_session *s, struct pair_io *p, const char *status,
                       enum http_close_reason why)
{
    ck_assert_int_eq(http_session_turn(s), HTTP_TURN_CLOSE);
    const char *out = pair_out(p);
    ck_says(out, status);
    ck_says(out, "Retry-After: 1\r\n");
    ck_says(out, "Connection: close\r\n");
    ck_says(out, "Content-Type: application/problem+json\r\n");
    ck_assert(p->is_shut); /* and lingers, so that the answer arrives */
    http_session_fini(s);
    ck_assert_int_eq(test_seen.why, why);
    pair_fini(p);
}

START_TEST(one_connection_too_many_in_all)
{
    struct http_session first, second;
    struct pair_io p, q;
    setup_app("");
    limits.connections_max = 1;
    ck_assert_int_eq(open_one(&first, &p, "192.0.2.1"), HTTP_TURN_IDLE);
    ck_assert_int_eq(open_one(&second, &q, "192.0.2.2"), HTTP_TURN_NOW);
    ck_refused(&second, &q, "HTTP/1.1 503 ", HTTP_CLOSE_OVERLOAD);
    http_session_fini(&first);
    pair_fini(&p);
    ck_assert_int_eq(open_one(&second, &q, "192.0.2.2"), HTTP_TURN_IDLE);
    http_session_fini(&second);
    pair_fini(&q);
    drop_app();
}
END_TEST

START_TEST(one_connection_too_many_from_an_address)
{
    struct http_session first, second, other;
    struct pair_io p, q, r;
    setup_app("");
    limits.connections_per_address = 1;
    ck_assert_int_eq(open_one(&first, &p, "192.0.2.1"), HTTP_TURN_IDLE);
    ck_assert_int_eq(open_one(&other, &r, "192.0.2.2"), HTTP_TURN_IDLE);
    ck_assert_int_eq(open_one(&second, &q, "192.0.2.1"), HTTP_TURN_NOW);
    ck_refused(&second, &q, "HTTP/1.1 429 ", HTTP_CLOSE_ADDRESS_LIMIT);
    http_session_fini(&first);
    http_session_fini(&other);
    pair_fini(&p);
    pair_fini(&r);
    drop_app();
}
END_TEST

START_TEST(a_trusted_proxy_is_many_clients)
{
    struct http_session sessions[3];
    struct pair_io p[3];
    setup_app("192.0.2.0/24");
    limits.connections_per_address = 1;
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(open_one(&sessions[i], &p[i], "192.0.2.1"), HTTP_TURN_IDLE);
    for (int i = 0; i < 3; i++) {
        http_session_fini(&sessions[i]);
        pair_fini(&p[i]);
    }
    drop_app();
}
END_TEST

static struct http_address seen_client;

static void note_client(void *arg, const struct http_record *record)
{
    (void)arg;
    seen_client = record->request->client;
}

#define HEADER "PROXY TCP4 192.0.2.7 10.0.0.1 5000 80\r\n"

/* However the bytes come; whether the request comes with the header or later. */
START_TEST(the_proxy_header_says_who_it_is)
{
    static const char in[] = HEADER GET "\r\n";
    char text[HTTP_ADDRESS_TEXT_BYTES];
    for (size_t step = 0; step < sizeof in; step++) {
        struct pair_io p;
        setup_app("127.0.0.0/8");
        app.is_proxy_protocol = true;
        app.hooks.on_request = note_client;
        limits.connections_per_address = 1;
        ck_says(talk_bytes(&p, in, sizeof in - 1, step), "HTTP/1.1 200 ");
        ck_assert_str_eq(http_address_text(&seen_client, text), "192.0.2.7");
        pair_fini(&p);
        /* the place was given back: another may come */
        ck_says(talk_bytes(&p, in, sizeof in - 1, step), "HTTP/1.1 200 ");
        pair_fini(&p);
        /* and one too many is told so, its request unseen */
        uint32_t cell;
        ck_assert(http_throttle_enter(app.throttle, &limits, &seen_client, NS_PER_S, &cell));
        const char *out = talk_bytes(&p, in, sizeof in - 1, step);
        ck_assert_int_eq(strncmp(out, "HTTP/1.1 429 ", 13), 0);
        ck_assert_ptr_null(strstr(out + 1, "HTTP/1.1 "));
        pair_fini(&p);
        drop_app();
    }
}
END_TEST

START_TEST(without_its_header_a_proxy_is_not_heard)
{
    struct pair_io p;
    setup_app("127.0.0.0/8");
    app.is_proxy_protocol = true;
    ck_assert_str_eq(talk(&p, GET "\r\n"), "");
    ck_assert_int_eq(test_seen.why, HTTP_CLOSE_PROXY_HEADER);
    pair_fini(&p);
    drop_app();
    /* one that is not trusted has nothing to say about others */
    setup_app("10.0.0.0/8");
    app.is_proxy_protocol = true;
    ck_says(talk(&p, GET "\r\n"), "HTTP/1.1 200 ");
    pair_fini(&p);
    ck_says(talk(&p, HEADER GET "\r\n"), "HTTP/1.1 400 ");
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
    const char *out = talk(&p, in);
    ck_assert_int_eq(strncmp(out, "HTTP/1.1 200 ", 13), 0);
    const char *second = strstr(out + 1, "HTTP/1.1 ");
    ck_assert_int_eq(strncmp(second, "HTTP/1.1 429 ", 13), 0);
    ck_assert_int_eq(strncmp(strstr(second + 1, "HTTP/1.1 "), "HTTP/1.1 200 ", 13), 0);
    pair_fini(&p);
    drop_app();
}
END_TEST

/* What cannot be read hides who stands before it: the client could have written that. */
START_TEST(a_list_that_cannot_be_read_ends_it)
{
    struct pair_io p;
    char text[HTTP_ADDRESS_TEXT_BYTES];
    setup_app("127.0.0.0/8");
    app.hooks.on_request = note_client;
    ck_says(talk(&p, GET "X-Forwarded-For: 192.0.2.5\r\nX-Forwarded-For: unknown\r\n\r\n"),
            "HTTP/1.1 200 ");
    ck_assert_str_eq(http_address_text(&seen_client, text), "127.0.0.1");
    pair_fini(&p);
    drop_app();
}
END_TEST

START_TEST(a_refused_head_is_its_clients_too)
{
    struct pair_io p;
    char text[HTTP_ADDRESS_TEXT_BYTES];
    setup_app("127.0.0.0/8");
    app.hooks.on_request = note_client;
    ck_says(talk(&p, GET "X-Forwarded-For: 192.0.2.5\r\nBad : x\r\n\r\n"), "HTTP/1.1 400 ");
    ck_assert_str_eq(http_address_text(&seen_client, text), "192.0.2.5");
    pair_fini(&p);
    drop_app();
}
END_TEST

SUITE_MAIN("admit", SUITE_TEST(one_connection_too_many_in_all),
           SUITE_TEST(one_connection_too_many_from_an_address),
           SUITE_TEST(a_trusted_proxy_is_many_clients), SUITE_TEST(the_proxy_header_says_who_it_is),
           SUITE_TEST(without_its_header_a_proxy_is_not_heard),
           SUITE_TEST(forwarded_clients_have_their_own_limit),
           SUITE_TEST(a_list_that_cannot_be_read_ends_it),
           SUITE_TEST(a_refused_head_is_its_clients_too))
