/* Whole conversations over memory: the conformance table, every split point,
 * keep-alive, pipelining, bodies, streams, deadlines, drain. */
#include <errno.h>
#include <stdio.h>

#include "conformance.h"
#include "pair_io.h"
#include "suite.h"
#include "test_app.h"

static struct http_app app;
static struct http_limits limits;

static bool ended_in_reset; /* the last conversation */

/* Serve what `p` sends, turn by turn, until the connection ends or is idle with
 * nothing more to come.  True: it was closed by the server. */
static bool converse(struct pair_io *p)
{
    struct http_session s;
    enum http_turn turn = http_session_init(&s, &app, &p->io, NULL, 0);
    do {
        if (turn == HTTP_TURN_IDLE && p->at == p->in_len && p->at_end == -EAGAIN)
            break;
        turn = http_session_turn(&s);
    } while (turn != HTTP_TURN_CLOSE);
    bool is_closed = turn == HTTP_TURN_CLOSE;
    ended_in_reset = http_session_is_reset(&s);
    http_session_fini(&s);
    return is_closed;
}

/* Statuses of the answers in text; bodies are skipped by Content-Length. */
static int read_statuses(const char *text, bool is_head, int *statuses, int max)
{
    int n = 0;
    while (*text != 0) {
        ck_assert_msg(strncmp(text, "HTTP/1.1 ", 9) == 0, "not an answer: %.60s", text);
        int status = atoi(text + 9);
        const char *end = strstr(text, "\r\n\r\n");
        ck_assert_ptr_nonnull(end);
        const char *length = strstr(text, "Content-Length: ");
        text = end + 4;
        if (!is_head && length != NULL && length < end)
            text += atol(length + 16);
        if (status == 100)
            continue;
        ck_assert_int_lt(n, max);
        statuses[n++] = status;
    }
    return n;
}

static void check_row(const struct conformance_row *r, size_t split, size_t step)
{
    struct pair_io p;
    int statuses[CONFORMANCE_STATUSES];
    pair_init(&p, r->bytes, r->len);
    p.split = split;
    p.step = step;
    p.at_end = -EAGAIN;
    bool is_closed = converse(&p);
    int n = read_statuses(pair_out(&p), false, statuses, CONFORMANCE_STATUSES);
    ck_assert_msg(n == r->count && memcmp(statuses, r->statuses, sizeof(int) * (size_t)n) == 0,
                  "conformance.txt:%d split %zu: %d answers, first %d\n%s", r->line, split, n,
                  statuses[0], pair_out(&p));
    ck_assert_msg(is_closed == r->is_closed, "conformance.txt:%d split %zu: %s", r->line, split,
                  is_closed ? "closed" : "kept open");
    pair_fini(&p);
}

static struct conformance_row rows[CONFORMANCE_MAX_ROWS];

START_TEST(conformance_table_holds_at_every_split)
{
    test_app_init(&app, &limits);
    int n = conformance_load(CONFORMANCE_FILE, rows);
    ck_assert_int_gt(n, 150);
    for (int i = 0; i < n; i++) {
        check_row(&rows[i], 0, 0);
        check_row(&rows[i], 0, 1);
        size_t last = rows[i].len < 1500 ? rows[i].len : 0;
        for (size_t split = 1; split < last; split++)
            check_row(&rows[i], split, 0);
    }
}
END_TEST

/* One exchange; what the server wrote, NUL terminated, in `p`. */
static const char *exchange(struct pair_io *p, const char *in)
{
    pair_init(p, in, strlen(in));
    p->at_end = -EAGAIN;
    converse(p);
    return pair_out(p);
}

#define HOST "Host: a\r\n"

START_TEST(one_read_one_write_for_a_pipeline)
{
    test_app_init(&app, &limits);
    struct pair_io p;
    char in[16 * 64] = "";
    for (int i = 0; i < 16; i++)
        strcat(in, "GET /livez HTTP/1.1\r\n" HOST "\r\n");
    int statuses[16];
    ck_assert_int_eq(read_statuses(exchange(&p, in), false, statuses, 16), 16);
    ck_assert_uint_eq(p.reads, 1);
    ck_assert_uint_eq(p.writes, 1);
    ck_assert_int_eq(test_seen.requests, 16);
    ck_assert_uint_eq(test_seen.bytes_in, strlen(in));
    ck_assert_uint_eq(test_seen.bytes_out, p.out.len);
    pair_fini(&p);
}
END_TEST

START_TEST(answers_to_a_long_pipeline_go_out_in_between)
{
    test_app_init(&app, &limits);
    struct pair_io p;
    const char *one = "GET /big HTTP/1.1\r\n" HOST "\r\n";
    char in[512] = "";
    for (int i = 0; i < 8; i++)
        strcat(in, one);
    exchange(&p, in);
    ck_assert_uint_gt(p.writes, 8);
    ck_assert_uint_gt(p.out.len, 8 * 200 * 1000);
    ck_assert_uint_eq(test_seen.bytes_out, p.out.len);
    pair_fini(&p);
}
END_TEST

START_TEST(head_is_get_without_body)
{
    test_app_init(&app, &limits);
    struct pair_io get, head;
    exchange(&get, "GET /livez HTTP/1.1\r\nX-Request-Id: 1\r\n" HOST "\r\n");
    exchange(&head, "HEAD /livez HTTP/1.1\r\nX-Request-Id: 1\r\n" HOST "\r\n");
    ck_assert_uint_eq(get.out.len, head.out.len + 3);
    ck_assert_ptr_nonnull(strstr(pair_out(&head), "Content-Length: 3\r\n"));
    pair_fini(&get);
    pair_fini(&head);
}
END_TEST

START_TEST(methods_are_told)
{
    test_app_init(&app, &limits);
    struct pair_io p;
    ck_assert_ptr_nonnull(strstr(exchange(&p, "PUT /livez HTTP/1.1\r\n" HOST "\r\n"),
                                 "Allow: GET, HEAD, OPTIONS\r\n"));
    pair_fini(&p);
    const char *out = exchange(&p, "OPTIONS /domain HTTP/1.1\r\n" HOST "\r\n");
    ck_assert_ptr_nonnull(strstr(out, "204 No Content\r\n"));
    ck_assert_ptr_nonnull(strstr(out, "Allow: GET, HEAD, POST, OPTIONS\r\n"));
    ck_assert_ptr_null(strstr(out, "Content-Length"));
    pair_fini(&p);
    out = exchange(&p, "GET /tree/a/b HTTP/1.1\r\n" HOST "\r\n");
    ck_assert_ptr_nonnull(strstr(out, "200 OK"));
    pair_fini(&p);
}
END_TEST

START_TEST(admin_routes_refuse_without_a_judge)
{
    test_app_init(&app, &limits);
    struct pair_io p;
    ck_assert_ptr_nonnull(
        strstr(exchange(&p, "GET /admin HTTP/1.1\r\n" HOST "\r\n"), "403 Forbidden"));
    pair_fini(&p);
}
END_TEST

START_TEST(cors_is_off_until_configured)
{
    test_app_init(&app, &limits);
    struct pair_io p;
    const char *get = "GET /livez HTTP/1.1\r\nOrigin: http://b\r\n" HOST "\r\n";
    ck_assert_ptr_null(strstr(exchange(&p, get), "Access-Control"));
    pair_fini(&p);
    app.cors_origin = "*";
    ck_assert_ptr_nonnull(strstr(exchange(&p, get), "Access-Control-Allow-Origin: *\r\n"));
    pair_fini(&p);
    const char *out = exchange(&p, "OPTIONS /domain HTTP/1.1\r\nOrigin: http://b\r\n"
                                   "Access-Control-Request-Method: POST\r\n" HOST "\r\n");
    ck_assert_ptr_nonnull(
        strstr(out, "Access-Control-Allow-Methods: GET, HEAD, POST, OPTIONS\r\n"));
    pair_fini(&p);
}
END_TEST

START_TEST(request_ids_are_echoed_if_sane)
{
    test_app_init(&app, &limits);
    struct pair_io p;
    const char *out = exchange(&p, "GET /livez HTTP/1.1\r\nX-Request-Id: abc-123\r\n" HOST "\r\n");
    ck_assert_ptr_nonnull(strstr(out, "X-Request-Id: abc-123\r\n"));
    pair_fini(&p);
    out = exchange(&p, "GET /livez HTTP/1.1\r\nX-Request-Id: a b\"\r\n" HOST "\r\n");
    ck_assert_ptr_null(strstr(out, "a b"));
    const char *id = strstr(out, "X-Request-Id: ");
    ck_assert_ptr_nonnull(id);
    ck_assert_uint_eq(strcspn(id + 14, "\r"), 16);
    pair_fini(&p);
    out = exchange(&p, "GET /livez HTTP/1.1\r\nX-Request-Id: a\xff\r\n" HOST "\r\n");
    ck_assert_ptr_null(strchr(out, '\xff'));
    pair_fini(&p);
}
END_TEST

START_TEST(problems_are_json_or_text_and_never_raw)
{
    test_app_init(&app, &limits);
    struct pair_io p;
    const char *out = exchange(&p, "GET /fields HTTP/1.1\r\nX-Request-Id: 7\r\n" HOST "\r\n");
    ck_assert_ptr_nonnull(strstr(out, "Content-Type: application/problem+json\r\n"));
    ck_assert_ptr_nonnull(strstr(out, "X-Good: fine\r\n"));
    ck_assert_ptr_null(strstr(out, "Evil"));
    ck_assert_ptr_null(strstr(out, "Set-Cookie"));
    ck_assert_ptr_nonnull(
        strstr(out, "{\"type\":\"about:blank\",\"title\":\"Unprocessable Content\",\"status\":422,"
                    "\"detail\":\"no: \\u001b[31m\\\"\xEF\xBF\xBD\\\"\",\"request_id\":\"7\"}\n"));
    pair_fini(&p);
    out = exchange(&p, "GET /fields HTTP/1.1\r\nAccept: text/plain\r\n" HOST "\r\n");
    ck_assert_ptr_nonnull(strstr(out, "Content-Type: text/plain"));
    ck_assert_ptr_nonnull(
        strstr(out, "422 Unprocessable Content: no: \\u001b[31m\\\"\xEF\xBF\xBD\\\"\n"));
    ck_assert_ptr_null(strchr(out, '\x1b'));
    pair_fini(&p);
}
END_TEST

START_TEST(a_refused_head_is_answered_as_its_sound_part_asks)
{
    test_app_init(&app, &limits);
    struct pair_io p;
    const char *out = exchange(
        &p, "GET /livez HTTP/1.1\r\nX-Request-Id: 7\r\nAccept:\ttext/plain \r\nX : y\r\n\r\n");
    ck_assert_ptr_nonnull(strstr(out, "400 Bad Request"));
    ck_assert_ptr_nonnull(strstr(out, "Content-Type: text/plain"));
    ck_assert_ptr_nonnull(strstr(out, "X-Request-Id: 7\r\n"));
    pair_fini(&p);
    /* what follows the fault is not read */
    out = exchange(&p, "GET /livez HTTP/1.1\r\nX : y\r\nX-Request-Id: 7\r\n"
                       "Accept: text/plain\r\n\r\n");
    ck_assert_ptr_nonnull(strstr(out, "Content-Type: application/problem+json"));
    ck_assert_ptr_null(strstr(out, "X-Request-Id: 7\r\n"));
    pair_fini(&p);
    /* to HEAD without a body */
    out = exchange(&p, "HEAD /livez HTTP/1.1\r\nX : y\r\n\r\n");
    ck_assert_ptr_nonnull(strstr(out, "400 Bad Request"));
    ck_assert_str_eq(strstr(out, "\r\n\r\n"), "\r\n\r\n");
    pair_fini(&p);
    /* nor a request line for a field */
    out = exchange(&p, "GET /:text HTTP/1.1\r\n\r\n");
    ck_assert_ptr_nonnull(strstr(out, "400 Bad Request"));
    pair_fini(&p);
    limits.header_max_count = 1;
    out = exchange(&p, "GET /livez HTTP/1.1\r\nAccept: text/plain\r\nA: b\r\n\r\n");
    ck_assert_ptr_nonnull(strstr(out, "431 Request Header"));
    ck_assert_ptr_nonnull(strstr(out, "Content-Type: text/plain"));
    pair_fini(&p);
}
END_TEST

START_TEST(continue_is_sent_before_the_body_is_read)
{
    test_app_init(&app, &limits);
    struct pair_io p;
    static const char in[] = "POST /profile/reset HTTP/1.1\r\nExpect: 100-Continue\r\n"
                             "Content-Length: 5\r\n" HOST "\r\nhello";
    pair_init(&p, in, strlen(in));
    p.at_end = -EAGAIN;
    p.split = strlen(in) - 5;
    ck_assert(!converse(&p));
    ck_assert_int_eq(strncmp(pair_out(&p), "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n", 42),
                     0);
    ck_assert_ptr_nonnull(strstr(pair_out(&p), "\r\n\r\nhello"));
    pair_fini(&p);
    /* the body is there already: no need to say it */
    ck_assert_ptr_null(strstr(exchange(&p, in), "100 Continue"));
    pair_fini(&p);
}
END_TEST

START_TEST(a_body_nobody_asked_for_is_not_awaited_without_continue)
{
    test_app_init(&app, &limits);
    struct pair_io p;
    static const char in[] = "POST /livez HTTP/1.1\r\nExpect: 100-continue\r\n"
                             "Content-Length: 5\r\n" HOST "\r\n";
    pair_init(&p, in, strlen(in));
    ck_assert(converse(&p));
    ck_assert_ptr_nonnull(strstr(pair_out(&p), "405 Method Not Allowed"));
    ck_assert(p.is_shut);
    pair_fini(&p);
}
END_TEST

START_TEST(body_over_the_limit)
{
    test_app_init(&app, &limits);
    limits.body_max_bytes = 10;
    struct pair_io p;
    const char *out =
        exchange(&p, "POST /profile/reset HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" HOST
                     "\r\nb\r\nhello world\r\n0\r\n\r\n");
    ck_assert_ptr_nonnull(strstr(out, "413 Content Too Large"));
    ck_assert_int_eq(test_seen.why, HTTP_CLOSE_TOO_LARGE);
    pair_fini(&p);
    out = exchange(&p,
                   "POST /profile/reset HTTP/1.1\r\nContent-Length: 10\r\n" HOST "\r\nhelloworld");
    ck_assert_ptr_nonnull(strstr(out, "200 OK"));
    pair_fini(&p);
    /* a stream has no such limit */
    out = exchange(&p, "POST /domain HTTP/1.1\r\nContent-Length: 11\r\n" HOST "\r\nhello world");
    ck_assert_ptr_nonnull(strstr(out, "\r\n\r\n11\n"));
    pair_fini(&p);
}
END_TEST

START_TEST(streams_are_chunked_and_whole)
{
    test_app_init(&app, &limits);
    struct pair_io p;
    const char *in = "POST /mirror HTTP/1.1\r\nContent-Length: 5\r\n" HOST "\r\nhello"
                     "GET /livez HTTP/1.1\r\n" HOST "\r\n";
    const char *out = exchange(&p, in);
    ck_assert_ptr_nonnull(strstr(out, "Transfer-Encoding: chunked\r\n"));
    ck_assert_ptr_nonnull(strstr(out, "\r\n\r\n5\r\nhello\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n"));
    ck_assert_uint_eq(test_seen.bytes_out, p.out.len);
    pair_fini(&p);
    /* HTTP/1.0 knows no chunks: the connection's end is the stream's */
    in = "POST /mirror HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello";
    pair_init(&p, in, strlen(in));
    p.at_end = -EAGAIN;
    ck_assert(converse(&p));
    ck_assert_ptr_null(strstr(pair_out(&p), "chunked"));
    ck_assert_ptr_nonnull(strstr(pair_out(&p), "Connection: close\r\n"));
    ck_assert_ptr_nonnull(strstr(pair_out(&p), "\r\n\r\nhello"));
    pair_fini(&p);
}
END_TEST

START_TEST(a_broken_stream_does_not_look_finished)
{
    test_app_init(&app, &limits);
    struct pair_io p;
    const char *in =
        "POST /mirror HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" HOST "\r\n5\r\nhello\r\nX";
    pair_init(&p, in, strlen(in));
    ck_assert(converse(&p));
    ck_assert_ptr_null(strstr(pair_out(&p), "\r\n0\r\n\r\n"));
    ck_assert(!ended_in_reset);
    pair_fini(&p);
    /* without chunks only a reset tells */
    in = "POST /mirror HTTP/1.0\r\nContent-Length: 9\r\n\r\nhello";
    pair_init(&p, in, strlen(in));
    ck_assert(converse(&p));
    ck_assert_ptr_nonnull(strstr(pair_out(&p), "\r\n\r\nhello"));
    ck_assert(ended_in_reset);
    ck_assert(!p.is_shut);
    pair_fini(&p);
}
END_TEST

START_TEST(slow_heads_are_answered_408)
{
    test_app_init(&app, &limits);
    struct pair_io p;
    const char *in = "GET /livez HTTP/1.1\r\n";
    pair_init(&p, in, strlen(in));
    p.at_end = -ETIMEDOUT;
    ck_assert(converse(&p));
    ck_assert_int_eq(strncmp(pair_out(&p), "HTTP/1.1 408 ", 13), 0);
    ck_assert_int_eq(test_seen.why, HTTP_CLOSE_HEADER_TIMEOUT);
    pair_fini(&p);
    /* one byte each 3 s: the deadline is for the whole head */
    pair_init(&p, in, strlen(in));
    p.step = 1;
    p.step_ns = 3 * NS_PER_S;
    ck_assert(converse(&p));
    ck_assert_int_eq(strncmp(pair_out(&p), "HTTP/1.1 408 ", 13), 0);
    ck_assert_uint_eq(p.reads, 4); /* the fifth would come 12 s after the first */
    pair_fini(&p);
    /* nothing at all: nothing is said */
    pair_init(&p, in, 0);
    p.at_end = -ETIMEDOUT;
    ck_assert(converse(&p));
    ck_assert_uint_eq(p.out.len, 0);
    pair_fini(&p);
}
END_TEST

START_TEST(slow_bodies_are_answered_408)
{
    test_app_init(&app, &limits);
    struct pair_io p;
    const char *in = "POST /profile/reset HTTP/1.1\r\nContent-Length: 100\r\n" HOST "\r\nhello";
    pair_init(&p, in, strlen(in));
    p.at_end = -ETIMEDOUT;
    ck_assert(converse(&p));
    ck_assert_int_eq(strncmp(pair_out(&p), "HTTP/1.1 408 ", 13), 0);
    ck_assert_int_eq(test_seen.why, HTTP_CLOSE_BODY_TIMEOUT);
    pair_fini(&p);
}
END_TEST

START_TEST(a_fault_is_why_even_where_the_end_was_planned)
{
    test_app_init(&app, &limits);
    struct pair_io p;
    const char *in = "POST /profile/reset HTTP/1.1\r\nConnection: close\r\n"
                     "Content-Length: 100\r\n" HOST "\r\nhello";
    pair_init(&p, in, strlen(in));
    p.at_end = -ETIMEDOUT;
    ck_assert(converse(&p));
    ck_assert_int_eq(test_seen.why, HTTP_CLOSE_BODY_TIMEOUT);
    pair_fini(&p);
}
END_TEST

START_TEST(half_a_body_gets_no_success)
{
    test_app_init(&app, &limits);
    struct pair_io p;
    const char *in = "POST /profile/reset HTTP/1.1\r\nContent-Length: 100\r\n" HOST "\r\nhello";
    pair_init(&p, in, strlen(in));
    ck_assert(converse(&p));
    ck_assert_int_eq(strncmp(pair_out(&p), "HTTP/1.1 400 ", 13), 0);
    ck_assert_int_eq(test_seen.why, HTTP_CLOSE_ABORTED);
    pair_fini(&p);
}
END_TEST

START_TEST(lost_clients_cost_their_connection)
{
    static const struct {
        int at_end;
        int write_error;
        enum http_close_reason why;
    } cases[] = {
        {0, 0, HTTP_CLOSE_PEER},
        {-ECONNRESET, 0, HTTP_CLOSE_ABORTED},
        {-ECANCELED, 0, HTTP_CLOSE_CANCELLED},
        {-EIO, 0, HTTP_CLOSE_ERROR},
        {-ETIMEDOUT, 0, HTTP_CLOSE_IDLE},
        {0, -EPIPE, HTTP_CLOSE_ABORTED},
        {0, -ETIMEDOUT, HTTP_CLOSE_WRITE_TIMEOUT},
        {0, -ECANCELED, HTTP_CLOSE_CANCELLED},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        test_app_init(&app, &limits);
        struct pair_io p;
        const char *in = "GET /livez HTTP/1.1\r\n" HOST "\r\n";
        pair_init(&p, in, strlen(in));
        p.at_end = cases[i].at_end;
        p.write_error = cases[i].write_error;
        ck_assert(converse(&p));
        ck_assert_int_eq(test_seen.why, cases[i].why);
        ck_assert_int_eq(test_seen.opened, 1);
        ck_assert_int_eq(test_seen.closed, 1);
        pair_fini(&p);
    }
}
END_TEST

START_TEST(a_half_request_is_an_abort)
{
    test_app_init(&app, &limits);
    struct pair_io p;
    pair_init(&p, "GET /li", 7);
    ck_assert(converse(&p));
    ck_assert_uint_eq(p.out.len, 0);
    ck_assert_int_eq(test_seen.why, HTTP_CLOSE_ABORTED);
    pair_fini(&p);
}
END_TEST

START_TEST(draining_answers_what_came_and_closes)
{
    test_app_init(&app, &limits);
    app.draining = true;
    struct pair_io p;
    const char *one = "GET /livez HTTP/1.1\r\n" HOST "\r\n";
    char in[128];
    snprintf(in, sizeof in, "%s%s", one, one);
    pair_init(&p, in, strlen(in));
    p.at_end = -EAGAIN;
    ck_assert(converse(&p));
    int statuses[2];
    ck_assert_int_eq(read_statuses(pair_out(&p), false, statuses, 2), 2);
    ck_assert_ptr_nonnull(strstr(pair_out(&p), "Connection: close\r\n"));
    ck_assert_int_eq(test_seen.why, HTTP_CLOSE_DRAIN);
    ck_assert(p.is_shut); /* and reads on: one more request on its way is no reset ... */
    ck_assert_int_lt(p.last_deadline_ns, p.now_ns + NS_PER_S); /* ... but not for long */
    pair_fini(&p);
}
END_TEST

START_TEST(requests_per_connection_end_it)
{
    test_app_init(&app, &limits);
    limits.requests_per_connection = 2;
    struct pair_io p;
    const char *one = "GET /livez HTTP/1.1\r\n" HOST "\r\n";
    char in[128];
    snprintf(in, sizeof in, "%s%s%s", one, one, one);
    pair_init(&p, in, strlen(in));
    p.at_end = -EAGAIN;
    ck_assert(converse(&p));
    int statuses[3];
    ck_assert_int_eq(read_statuses(pair_out(&p), false, statuses, 3), 2);
    ck_assert_int_eq(test_seen.why, HTTP_CLOSE_SERVED);
    pair_fini(&p);
}
END_TEST

START_TEST(a_large_body_behind_a_long_pipeline_finds_room)
{
    test_app_init(&app, &limits);
    struct pair_io p;
    struct buf in;
    buf_init(&in, 1 << 20);
    for (int i = 0; i < 1150; i++)
        ck_assert_int_eq(buf_append_str(&in, "GET /livez HTTP/1.1\r\n" HOST "\r\n"), 0);
    ck_assert_int_eq(
        buf_append_str(&in,
                       "POST /profile/reset HTTP/1.1\r\nContent-Length: 200000\r\n" HOST "\r\n"),
        0);
    ck_assert_int_eq(buf_reserve(&in, 200000), 0);
    memset(in.data + in.len, 'b', 200000);
    in.len += 200000;
    pair_init(&p, in.data, in.len);
    p.at_end = -EAGAIN;
    ck_assert(!converse(&p));
    ck_assert_int_eq(test_seen.requests, 1151);
    ck_assert_int_eq(test_seen.last_status, 200);
    ck_assert_uint_eq(test_seen.bytes_in, in.len);
    pair_fini(&p);
    buf_fini(&in);
}
END_TEST

SUITE_MAIN("session", SUITE_TEST(conformance_table_holds_at_every_split),
           SUITE_TEST(one_read_one_write_for_a_pipeline),
           SUITE_TEST(answers_to_a_long_pipeline_go_out_in_between),
           SUITE_TEST(head_is_get_without_body), SUITE_TEST(methods_are_told),
           SUITE_TEST(admin_routes_refuse_without_a_judge),
           SUITE_TEST(cors_is_off_until_configured), SUITE_TEST(request_ids_are_echoed_if_sane),
           SUITE_TEST(problems_are_json_or_text_and_never_raw),
           SUITE_TEST(a_refused_head_is_answered_as_its_sound_part_asks),
           SUITE_TEST(continue_is_sent_before_the_body_is_read),
           SUITE_TEST(a_body_nobody_asked_for_is_not_awaited_without_continue),
           SUITE_TEST(body_over_the_limit), SUITE_TEST(streams_are_chunked_and_whole),
           SUITE_TEST(a_broken_stream_does_not_look_finished),
           SUITE_TEST(slow_heads_are_answered_408), SUITE_TEST(slow_bodies_are_answered_408),
           SUITE_TEST(half_a_body_gets_no_success),
           SUITE_TEST(a_fault_is_why_even_where_the_end_was_planned),
           SUITE_TEST(lost_clients_cost_their_connection), SUITE_TEST(a_half_request_is_an_abort),
           SUITE_TEST(draining_answers_what_came_and_closes),
           SUITE_TEST(requests_per_connection_end_it),
           SUITE_TEST(a_large_body_behind_a_long_pipeline_finds_room))
