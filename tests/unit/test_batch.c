/* POST /domain: batches cut anywhere, lines that are wrong, answers that break off. */
#include <stdlib.h>

#include "exchange.h"
#include "server/domain/domain.h"
#include "server/endpoint/batch.h"
#include "server/endpoint/endpoint.h"
#include "suite.h"

static const struct http_route routes[] = {
    {"/domain", "GET, HEAD, POST, OPTIONS", batch_answer, HTTP_ROUTE_STREAM},
};

static int ways_given;

static int give_way(void)
{
    ways_given++;
    return 0;
}

static void install_list(void)
{
    static const char list[] = "com\nuk\nco.uk\n";
    struct domain_suffixes *s;
    struct domain_load_error why;
    ck_assert_int_eq(domain_suffixes_parse(list, sizeof list - 1, &s, &why), 0);
    domain_suffixes_install(s);
}

static void post(struct pair_io *p, const char *request, size_t len, size_t step)
{
    struct endpoint_settings settings = {.give_way = give_way};
    struct http_app app = {.routes = routes, .route_count = ARRAY_LEN(routes), .user = &settings};
    install_list();
    ways_given = 0;
    exchange(p, &app, request, len, step);
    domain_suffixes_install(NULL);
}

static int request_of(char *request, size_t cap, const char *type, const char *body, size_t len)
{
    int n = snprintf(request, cap,
                     "POST /domain HTTP/1.1\r\nHost: h\r\nContent-Type: %s\r\n"
                     "Content-Length: %zu\r\n\r\n",
                     type, len);
    memcpy(request + n, body, len);
    return n + (int)len;
}

static const char text_body[] =
    "\xef\xbb\xbfhttp://www.a.co.uk/\r\n\nhttp://1.2.3.256/\nhttp://b.com:81";
static const char text_answer[] =
    "{\"url\":\"http://www.a.co.uk/\",\"domain\":\"www.a.co.uk\",\"kind\":\"domain\",\"port\":null,"
    "\"subdomain\":\"www\",\"registrable\":\"a.co.uk\",\"suffix\":\"co.uk\",\"suffix_kind\":"
    "\"icann\",\"unicode\":\"www.a.co.uk\",\"flags\":[]}\n"
    "{\"url\":\"\",\"line\":2,\"error\":\"empty\",\"detail\":\"the URL is empty\"}\n"
    "{\"url\":\"http://1.2.3.256/\",\"line\":3,\"error\":\"ipv4\",\"detail\":\"the host ends in a "
    "number but is not an IPv4 address\"}\n"
    "{\"url\":\"http://b.com:81\",\"domain\":\"b.com\",\"kind\":\"domain\",\"port\":81,"
    "\"subdomain\":null,\"registrable\":\"b.com\",\"suffix\":\"com\",\"suffix_kind\":\"icann\","
    "\"unicode\":\"b.com\",\"flags\":[\"sample_differs\"]}\n";

START_TEST(text_lines_cut_anywhere)
{
    struct pair_io p;
    char request[1024];
    int n = request_of(request, sizeof request, "text/plain; charset=utf-8", text_body,
                       sizeof text_body - 1);
    post(&p, request, (size_t)n, (size_t)_i);
    char *body = exchange_unchunked(&p);
    ck_assert_str_eq(body, text_answer);
    free(body);
    pair_fini(&p);
}
END_TEST

static const struct {
    const char *line;
    const char *part; /* of the answer */
} ndjson[] = {
    {"\"http://a.com/\"", "{\"url\":\"http://a.com/\",\"domain\":\"a.com\""},
    {"{\"url\":\"http://b\\u00fccher.com/\"}", "\"domain\":\"xn--bcher-kva.com\""},
    {"{\"url\":\"http://1.2.3.256/\"}",
     "{\"url\":\"http://1.2.3.256/\",\"line\":1,\"error\":\"ipv4\""},
    {"{\"url\":5}", "\"line\":1,\"error\":\"json\""},
    {"", "\"line\":1,\"error\":\"json\""},
};

START_TEST(ndjson_lines)
{
    struct pair_io p;
    char request[1024], line[512];
    int len = snprintf(line, sizeof line, "%s\n", ndjson[_i].line);
    int n = request_of(request, sizeof request, "application/x-ndjson", line, (size_t)len);
    post(&p, request, (size_t)n, 0);
    char *body = exchange_unchunked(&p);
    ck_assert_msg(strstr(body, ndjson[_i].part) != NULL, "%s", body);
    ck_assert_ptr_eq(strchr(body, '\n'), body + strlen(body) - 1);
    free(body);
    pair_fini(&p);
}
END_TEST

START_TEST(lines_that_are_too_long)
{
    enum { LONG = 200000 };
    struct pair_io p;
    char *body = malloc(LONG + 64), *request = malloc(LONG + 1024);
    memcpy(body, "http://a.com/\n", 14);
    memset(body + 14, 'x', LONG);
    memcpy(body + 14 + LONG, "\nhttp://b.com/\n", 15);
    int n = request_of(request, LONG + 1024, "text/plain", body, 14 + LONG + 15);
    post(&p, request, (size_t)n, (size_t)_i * 4099);
    char *answer = exchange_unchunked(&p);
    ck_assert_ptr_nonnull(strstr(answer, "\"domain\":\"a.com\""));
    ck_assert_ptr_nonnull(strstr(answer, "\"line\":2,\"error\":\"line_too_long\""));
    ck_assert_ptr_nonnull(strstr(answer, "\"domain\":\"b.com\""));
    free(answer);
    free(body);
    free(request);
    pair_fini(&p);
}
END_TEST

static const char *const unsupported[] = {"application/x-www-form-urlencoded", "text/plainx",
                                          "application/json", ""};

START_TEST(other_types_are_refused)
{
    struct pair_io p;
    char request[512];
    int n = request_of(request, sizeof request, unsupported[_i], "http://a.com/\n", 14);
    post(&p, request, (size_t)n, 0);
    ck_assert_msg(strncmp(p.out.data, "HTTP/1.1 415 ", 13) == 0, "%s", p.out.data);
    ck_assert_ptr_nonnull(strstr(p.out.data, "\r\nAccept: text/plain, application/x-ndjson\r\n"));
    pair_fini(&p);
}
END_TEST

START_TEST(a_body_that_breaks_off_gives_an_answer_that_breaks_off)
{
    struct pair_io p;
    static const char request[] = "POST /domain HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain\r\n"
                                  "Transfer-Encoding: chunked\r\n\r\ne\r\nhttp://a.com/\n\r\n";
    post(&p, request, sizeof request - 1, 0);
    ck_assert_ptr_nonnull(strstr(p.out.data, "\"domain\":\"a.com\""));
    ck_assert_ptr_null(strstr(p.out.data, "\r\n0\r\n\r\n"));
    pair_fini(&p);
}
END_TEST

START_TEST(an_empty_body_is_an_empty_answer)
{
    struct pair_io p;
    char request[512];
    int n = request_of(request, sizeof request, "text/plain", "", 0);
    post(&p, request, (size_t)n, 0);
    char *body = exchange_unchunked(&p);
    ck_assert_str_eq(body, "");
    free(body);
    pair_fini(&p);
}
END_TEST

/* Else a client with a fast line would have the loop to itself. */
START_TEST(others_run_between_two_pieces)
{
    enum { LINES = 20000 };
    struct pair_io p;
    char *body = malloc(LINES * 7), *request = malloc(LINES * 7 + 1024);
    for (size_t i = 0; i < LINES; i++)
        memcpy(body + 7 * i, "ab.com\n", 7);
    int n = request_of(request, LINES * 7 + 1024, "text/plain", body, LINES * 7);
    post(&p, request, (size_t)n, 0);
    ck_assert_int_ge(ways_given, 2);
    char *answer = exchange_unchunked(&p);
    size_t lines = 0;
    for (const char *at = answer; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    ck_assert_uint_eq(lines, LINES);
    free(answer);
    free(body);
    free(request);
    pair_fini(&p);
}
END_TEST

static const char every_split[sizeof text_body + 200];

SUITE_MAIN("batch", SUITE_LOOP(text_lines_cut_anywhere, every_split),
           SUITE_LOOP(ndjson_lines, ndjson), {lines_that_are_too_long, 8},
           SUITE_LOOP(other_types_are_refused, unsupported),
           SUITE_TEST(a_body_that_breaks_off_gives_an_answer_that_breaks_off),
           SUITE_TEST(an_empty_body_is_an_empty_answer), SUITE_TEST(others_run_between_two_pieces))
