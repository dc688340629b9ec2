/* GET and POST /domain: the url rule, formats, refusals; batches cut anywhere. */
#include <stdio.h>
#include <stdlib.h>

#include "pair_io.h"
#include "server/domain/domain.h"
#include "server/endpoint/endpoint.h"
#include "server/http/session.h"
#include "suite.h"

static const struct http_route routes[] = {
    {"/domain", "GET, HEAD, POST, OPTIONS", endpoint_domain, HTTP_ROUTE_STREAM},
};

static int no_give_way(void)
{
    return 0;
}

static void install_list(void)
{
    static const char list[] = "com\nuk\nco.uk\n// ===BEGIN PRIVATE DOMAINS===\nblogspot.com\n"
                               "// ===END PRIVATE DOMAINS===\n";
    struct domain_suffixes *s;
    struct domain_load_error why;
    ck_assert_int_eq(domain_suffixes_parse(list, sizeof list - 1, &s, &why), 0);
    domain_suffixes_install(s);
}

/* The whole answer in p->out; the client sends `step` bytes at a time (0: all). */
static void exchange(struct pair_io *p, const char *request, size_t len, size_t step, bool tests)
{
    struct endpoint_settings settings = {.test_endpoints = tests, .give_way = no_give_way};
    struct http_limits limits = http_limits_default;
    struct http_app app = {
        .routes = routes, .route_count = ARRAY_LEN(routes), .limits = &limits, .user = &settings};
    struct http_session s;
    install_list();
    pair_init(p, request, len);
    p->step = step;
    enum http_turn turn = http_session_init(&s, &app, &p->io, NULL, 0);
    while (turn != HTTP_TURN_CLOSE && p->at < p->in_len)
        turn = http_session_turn(&s);
    http_session_fini(&s);
    ck_assert_int_eq(buf_append_char(&p->out, '\0'), 0);
    domain_suffixes_install(NULL);
}

/* ---- GET ---- */

struct get_case {
    const char *target;
    const char *accept;
    bool tests;
    int status;
    const char *body; /* a part of it */
};

static const struct get_case get_cases[] = {
    {"/domain?url=https://www.a.co.uk/x", "*/*", false, 200, "\"registrable\":\"a.co.uk\""},
    {"/domain?url=https://a.com/s?q=1&b=2&c", "*/*", false, 200,
     "\"url\":\"https://a.com/s?q=1&b=2&c\""},
    {"/domain?url=https://a.com/s?q=1&format=text", "*/*", false, 200, "\r\n\r\na.com\n"},
    {"/domain?format=text&url=https://a.com/&x=1", "*/*", false, 200, "\r\n\r\na.com\n"},
    {"/domain?x=1&url=https://a.com/", "text/plain", false, 200, "\r\n\r\na.com\n"},
    {"/domain?url=https%3A%2F%2Fa.com%2F%25+b", "*/*", false, 200, "\"url\":\"https://a.com/%+b\""},
    {"/domain?url=https://a.com/100%", "*/*", false, 200, "\"url\":\"https://a.com/100%\""},
    {"/domain?url=http://b%C3%BCcher.com/", "*/*", false, 200, "\"domain\":\"xn--bcher-kva.com\""},
    {"/domain?url=http://x.blogspot.com/", "*/*", false, 200, "\"suffix_kind\":\"private\""},
    {"/domain?url=http://x.blogspot.com/&suffixes=icann", "*/*", false, 200,
     "\"registrable\":\"blogspot.com\""},
    {"/domain?url=http://co.uk/", "*/*", false, 200,
     "\"registrable\":null,\"suffix\":\"co.uk\",\"suffix_kind\":\"icann\""},
    {"/domain", "*/*", false, 400, "give the URL as"},
    {"/domain?format=text", "*/*", false, 400, "give the URL as"},
    {"/domain?url=a.com&format=xml", "*/*", false, 400, "format is json or text"},
    {"/domain?url=a.com&suffixes=x", "*/*", false, 400, "suffixes is all or icann"},
    {"/domain?url=a.com&url=b.com", "*/*", false, 400, "given twice"},
    {"/domain?url=a.com", "image/png", false, 406, "application/json"},
    {"/domain?url=", "*/*", false, 422, "the URL is empty"},
    {"/domain?url=http://1.2.3.256/", "*/*", false, 422, "not an IPv4 address"},
    {"/domain?url=a.com&engine=regex", "*/*", false, 403, "--test-endpoints"},
    {"/domain?url=a.com&engine=scan", "*/*", false, 200, "\"domain\":\"a.com\""},
    {"/domain?url=a.com&engine=perl", "*/*", true, 400, "no engine 'perl'"},
    {"/domain?url=http://u@A.com/&engine=regex", "*/*", true, 200,
     "{\"url\":\"http://u@A.com/\",\"domain\":\"u@A.com\",\"engine\":\"regex\"}\n"},
    {"/domain?url=http://A.com&engine=pcre&format=text", "*/*", true, 200, "\r\n\r\n\n"},
    {"/domain?url=http://A.com/&engine=regex-each&format=text", "*/*", true, 200,
     "\r\n\r\nA.com\n"},
};

START_TEST(one_url)
{
    const struct get_case *c = &get_cases[_i];
    struct pair_io p;
    char request[512], status[32];
    int n = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: h\r\nAccept: %s\r\n\r\n",
                     c->target, c->accept);
    snprintf(status, sizeof status, "HTTP/1.1 %d ", c->status);
    exchange(&p, request, (size_t)n, 0, c->tests);
    ck_assert_msg(strncmp(p.out.data, status, strlen(status)) == 0, "%s: %s", c->target,
                  p.out.data);
    ck_assert_msg(strstr(p.out.data, c->body) != NULL, "%s: %s", c->target, p.out.data);
    pair_fini(&p);
}
END_TEST

/* ---- POST ---- */

/* The chunks of the answer's body, joined, NUL terminated (free it). */
static char *unchunk(const struct pair_io *p)
{
    const char *at = strstr(p->out.data, "\r\n\r\n");
    ck_assert_ptr_nonnull(at);
    char *body = malloc(p->out.len), *to = body;
    at += 4;
    for (;;) {
        char *end;
        size_t n = strtoul(at, &end, 16);
        ck_assert_msg(memcmp(end, "\r\n", 2) == 0, "%s", at);
        if (n == 0)
            break;
        memcpy(to, end + 2, n);
        to += n;
        at = end + 2 + n + 2;
    }
    *to = '\0';
    return body;
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
    exchange(&p, request, (size_t)n, (size_t)_i, false);
    char *body = unchunk(&p);
    ck_assert_str_eq(body, text_answer);
    free(body);
    pair_fini(&p);
}
END_TEST

struct ndjson_case {
    const char *line;
    const char *part; /* of the answer */
};

static const struct ndjson_case ndjson_cases[] = {
    {"\"http://a.com/\"", "\"domain\":\"a.com\""},
    {"{\"url\":\"http://a.com/\"}", "\"domain\":\"a.com\""},
    {" { \"id\" : [1, {\"url\": \"x\"}, \"]\"], \"url\" : \"http:\\/\\/a.com/\" , \"z\":null} ",
     "\"domain\":\"a.com\""},
    {"{\"url\":\"http://b\\u00fccher.com/\"}", "\"domain\":\"xn--bcher-kva.com\""},
    {"{\"url\":\"http://\\ud83d\\ude00.com/\"}", "\"domain\":\"xn--e28h.com\""},
    {"{\"url\":\"http://\\ud83d.com/\"}", "\"error\":\"host_idna\""},
    {"{\"url\":\"http://1.2.3.256/\"}", "\"error\":\"ipv4\""},
    {"http://a.com/", "\"error\":\"json\""},
    {"{\"url\":5}", "\"error\":\"json\""},
    {"{\"url\":\"x\"", "\"error\":\"json\""},
    {"{\"url\":\"x\\", "\"error\":\"json\""},
    {"{\"url\":\"\\q\"}", "\"error\":\"json\""},
    {"{\"url\":\"a.com\"} x", "\"error\":\"json\""},
    {"{}", "\"error\":\"json\""},
    {"[[[[", "\"error\":\"json\""},
    {"", "\"error\":\"json\""},
};

START_TEST(ndjson_lines)
{
    const struct ndjson_case *c = &ndjson_cases[_i];
    struct pair_io p;
    char request[1024], line[512];
    int len = snprintf(line, sizeof line, "%s\n", c->line);
    int n = request_of(request, sizeof request, "application/x-ndjson", line, (size_t)len);
    exchange(&p, request, (size_t)n, 0, false);
    char *body = unchunk(&p);
    ck_assert_msg(strstr(body, c->part) != NULL, "%s gave %s", c->line, body);
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
    exchange(&p, request, (size_t)n, (size_t)_i * 4099, false);
    char *answer = unchunk(&p);
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
    exchange(&p, request, (size_t)n, 0, false);
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
    exchange(&p, request, sizeof request - 1, 0, false);
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
    exchange(&p, request, (size_t)n, 0, false);
    char *body = unchunk(&p);
    ck_assert_str_eq(body, "");
    free(body);
    pair_fini(&p);
}
END_TEST

/* openapi.json has every flag and every error of the tables. */
START_TEST(the_description_knows_every_word)
{
    static char text[1 << 18];
    FILE *f = fopen(DOMAIND_ROOT "/server/endpoint/openapi.json", "rb");
    ck_assert_ptr_nonnull(f);
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    ck_assert_uint_gt(n, 0);
    for (int i = 0; i < DOMAIN_FLAG_COUNT + DOMAIN_ERROR_COUNT - 1; i++) {
        char quoted[64];
        snprintf(quoted, sizeof quoted, "\"%s\"",
                 i < DOMAIN_FLAG_COUNT
                     ? domain_flag_word((enum domain_flag_bit)i)
                     : domain_error_word((enum domain_error)(i - DOMAIN_FLAG_COUNT + 1)));
        ck_assert_msg(strstr(text, quoted) != NULL, "openapi.json lacks %s", quoted);
        if (i < DOMAIN_FLAG_COUNT)
            ck_assert_msg(strstr(text, domain_flag_meaning((enum domain_flag_bit)i)) != NULL,
                          "openapi.json explains %s otherwise", quoted);
    }
}
END_TEST

static const char every_split[sizeof text_body + 200];

SUITE_MAIN("endpoint_domain", SUITE_LOOP(one_url, get_cases),
           SUITE_LOOP(text_lines_cut_anywhere, every_split), SUITE_LOOP(ndjson_lines, ndjson_cases),
           {lines_that_are_too_long, 8}, SUITE_LOOP(other_types_are_refused, unsupported),
           SUITE_TEST(a_body_that_breaks_off_gives_an_answer_that_breaks_off),
           SUITE_TEST(an_empty_body_is_an_empty_answer),
           SUITE_TEST(the_description_knows_every_word))
