/* Receiving bodies: time, limits, what is thrown away, 100 Continue. */
#include "suite.h"
#include "talk.h"

#define HEAD(path, fields) "POST " path " HTTP/1.1\r\nHost: a\r\n" fields "\r\n"

/* `n` bytes of body, `step` at a time, `step_ns` apart; the head comes with the first. */
static const char *send_slowly(struct pair_io *p, const char *head, size_t n, size_t step,
                               int64_t step_ns)
{
    static char in[100000];
    size_t head_len = strlen(head);
    ck_assert_uint_le(head_len + n, sizeof in);
    memcpy(in, head, head_len);
    memset(in + head_len, 'x', n);
    pair_init(p, in, head_len + n);
    p->split = head_len;
    p->step = head_len > step ? head_len : step;
    p->step_ns = step_ns;
    p->at_end = -EAGAIN;
    talk_serve(p);
    return pair_out(p);
}

static void setup_app(void)
{
    test_app_init(&app, &limits);
    limits.body_timeout_ns = 2 * NS_PER_S;
    limits.body_min_bytes_per_s = 100;
}

/* 50 bytes at a time, the head's length: 80 KB at 200 bytes a second take 400 s. */
START_TEST(a_body_fast_enough_may_take_long)
{
    struct pair_io p;
    const char *head = HEAD("/domain", "Content-Length: 80000\r\n");
    setup_app();
    size_t step = strlen(head);
    int64_t step_ns = (int64_t)step * NS_PER_S / 200;
    ck_says(send_slowly(&p, head, 80000, step, step_ns), "\r\n\r\n80000\n");
    ck_assert_int_gt(p.now_ns, 300 * NS_PER_S);
    pair_fini(&p);
    /* at half the rate it is over when the first seconds' credit is used up */
    step_ns = (int64_t)step * NS_PER_S / 50;
    ck_says(send_slowly(&p, head, 80000, step, step_ns), "HTTP/1.1 408 ");
    ck_assert_int_eq(test_seen.why, HTTP_CLOSE_BODY_TIMEOUT);
    ck_assert_int_lt(p.now_ns, 8 * NS_PER_S);
    pair_fini(&p);
}
END_TEST

/* Bytes that came fast buy no long silence. */
START_TEST(a_body_that_stops_is_given_up)
{
    struct pair_io p;
    static char in[100000];
    int n = snprintf(in, sizeof in, "%s", HEAD("/domain", "Content-Length: 90000\r\n"));
    memset(in + n, 'x', 80000);
    for (int rate = 0; rate <= 100; rate += 100) {
        setup_app();
        limits.body_min_bytes_per_s = rate;
        pair_init(&p, in, (size_t)n + 80000);
        p.at_end = -ETIMEDOUT;
        int64_t from_ns = p.now_ns;
        talk_serve(&p);
        ck_says(pair_out(&p), "HTTP/1.1 408 ");
        ck_assert_int_le(p.now_ns - from_ns, limits.body_timeout_ns + limits.linger_timeout_ns);
        pair_fini(&p);
    }
}
END_TEST

/* Close while the body is on its way would reset the connection and destroy the answer. */
START_TEST(a_body_nobody_reads_is_let_come)
{
    static const char *const cases[] = {
        HEAD("/livez", "Connection: close\r\nContent-Length: 10\r\n"),
        HEAD("/livez", "Connection: close\r\nTransfer-Encoding: chunked\r\n"),
        "POST /livez HTTP/1.0\r\nContent-Length: 10\r\n\r\n",
    };
    struct pair_io p;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        setup_app();
        char in[200];
        size_t head = strlen(cases[i]);
        snprintf(in, sizeof in, "%s1234567890", cases[i]);
        pair_init(&p, in, head + 10);
        p.split = head;
        ck_assert(talk_serve(&p));
        ck_says(pair_out(&p), "HTTP/1.1 405 ");
        ck_assert(p.is_shut);
        ck_assert_uint_eq(p.at, p.in_len);
        pair_fini(&p);
    }
    /* also a large one without a length, of which some was thrown away */
    static char large[200000];
    setup_app();
    int n = snprintf(large, sizeof large, "%s1ffff\r\n",
                     HEAD("/livez", "Transfer-Encoding: chunked\r\n"));
    memset(large + n, 'x', 0x1ffff);
    ck_says(talk_bytes(&p, large, (size_t)n + 0x1ffff, 4096), "HTTP/1.1 405 ");
    ck_assert(p.is_shut);
    ck_assert_uint_eq(p.at, p.in_len);
    pair_fini(&p);
}
END_TEST

START_TEST(without_a_rate_only_a_gap_counts)
{
    struct pair_io p;
    const char *head = HEAD("/domain", "Content-Length: 8000\r\n");
    setup_app();
    limits.body_min_bytes_per_s = 0;
    ck_says(send_slowly(&p, head, 8000, 1, 2 * NS_PER_S - 1), "\r\n\r\n8000\n");
    pair_fini(&p);
    ck_says(send_slowly(&p, head, 8000, 1, 2 * NS_PER_S), "HTTP/1.1 408 ");
    pair_fini(&p);
}
END_TEST

/* A handler that takes its time costs its client nothing: the clock stands meanwhile. */
static struct pair_io *slept_on;
static void sleepy(struct http_request *req, struct http_response *res)
{
    char piece[10];
    ssize_t n;
    size_t total = 0;
    while ((n = http_body_read(req, piece, sizeof piece)) > 0) {
        total += (size_t)n;
        slept_on->now_ns += 10 * NS_PER_S;
    }
    http_answer(res, n == 0 ? 200 : 500, HTTP_TYPE_TEXT, total == 400 ? "all" : "some", 4);
}

START_TEST(the_clock_stops_while_we_do_not_read)
{
    static const struct http_route routes[] = {{"/s", "POST, OPTIONS", sleepy, HTTP_ROUTE_STREAM}};
    struct pair_io p;
    setup_app();
    app.routes = routes;
    app.route_count = 1;
    slept_on = &p;
    ck_says(send_slowly(&p, HEAD("/s", "Content-Length: 400\r\n"), 400, 1, NS_PER_MS), "all");
    ck_assert_int_gt(p.now_ns, 100 * NS_PER_S);
    pair_fini(&p);
}
END_TEST

START_TEST(buffered_bodies_have_a_limit_to_the_byte)
{
    struct pair_io p;
    setup_app();
    limits.body_max_bytes = 5;
    ck_says(talk(&p, HEAD("/profile/reset", "Content-Length: 5\r\n") "hello"), "HTTP/1.1 200 ");
    pair_fini(&p);
    ck_says(talk(&p, HEAD("/profile/reset", "Content-Length: 6\r\n") "hello!"), "HTTP/1.1 413 ");
    pair_fini(&p);
    ck_says(talk(&p, HEAD("/profile/reset",
                          "Transfer-Encoding: chunked\r\n") "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"),
            "HTTP/1.1 200 ");
    pair_fini(&p);
    ck_says(talk(&p, HEAD("/profile/reset",
                          "Transfer-Encoding: chunked\r\n") "3\r\nhel\r\n3\r\nlo!\r\n0\r\n\r\n"),
            "HTTP/1.1 413 ");
    pair_fini(&p);
}
END_TEST

/* What of a body its handler did not want lies before the next request. */
START_TEST(a_small_rest_is_thrown_away_and_a_large_one_ends_the_connection)
{
    struct pair_io p;
    static char in[200000];
    static const struct {
        size_t n;
        bool goes_on;
    } cases[] = {{0, true}, {1, true}, {64 * 1024, true}, {64 * 1024 + 1, false}, {150000, false}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        setup_app();
        int n = snprintf(in, sizeof in, HEAD("/livez", "Content-Length: %zu\r\n"), cases[i].n);
        memset(in + n, 'x', cases[i].n);
        strcpy(in + (size_t)n + cases[i].n, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
        const char *out = talk(&p, in);
        ck_says(out, "HTTP/1.1 405 "); /* POST is not for /livez */
        if (cases[i].goes_on)
            ck_says(out, "HTTP/1.1 200 ");
        else
            ck_says(out, "Connection: close\r\n");
        ck_assert_int_eq(test_seen.requests, cases[i].goes_on ? 2 : 1);
        pair_fini(&p);
    }
}
END_TEST

START_TEST(continue_is_said_once_and_only_to_who_waits)
{
    struct pair_io p;
    static const char in[] =
        HEAD("/profile/reset", "Expect: 100-continue\r\nContent-Length: 5\r\n") "hello";
    setup_app();
    pair_init(&p, in, sizeof in - 1);
    p.split = sizeof in - 6;
    p.at_end = -EAGAIN;
    talk_serve(&p);
    const char *out = pair_out(&p);
    ck_assert_int_eq(strncmp(out, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n", 42), 0);
    ck_assert_ptr_null(strstr(out + 20, "100 Continue"));
    pair_fini(&p);
    /* a byte at a time: once, all the same */
    out = talk_bytes(&p, in, sizeof in - 1, 1);
    ck_assert_int_eq(strncmp(out, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n", 42), 0);
    pair_fini(&p);
    /* 1.0 does not know it */
    ck_says_not(talk_bytes(&p,
                           "POST /profile/reset HTTP/1.0\r\nExpect: 100-continue\r\n"
                           "Content-Length: 1\r\n\r\nx",
                           76, 1),
                "100 Continue");
    pair_fini(&p);
    /* refused before it sends anything: the answer is all it gets */
    out = talk(&p, HEAD("/none", "Expect: 100-continue\r\nContent-Length: 5\r\n"));
    ck_assert_int_eq(strncmp(out, "HTTP/1.1 404 ", 13), 0);
    ck_says(out, "Connection: close\r\n");
    pair_fini(&p);
}
END_TEST

SUITE_MAIN("receive", SUITE_TEST(a_body_fast_enough_may_take_long),
           SUITE_TEST(a_body_that_stops_is_given_up), SUITE_TEST(a_body_nobody_reads_is_let_come),
           SUITE_TEST(without_a_rate_only_a_gap_counts),
           SUITE_TEST(the_clock_stops_while_we_do_not_read),
           SUITE_TEST(buffered_bodies_have_a_limit_to_the_byte),
           SUITE_TEST(a_small_rest_is_thrown_away_and_a_large_one_ends_the_connection),
           SUITE_TEST(continue_is_said_once_and_only_to_who_waits))
