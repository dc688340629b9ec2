/* GET /domain: the url rule, formats, refusals; and the words of the description. */
#include <stdio.h>
#include <stdlib.h>

#include "exchange.h"
#include "server/domain/domain.h"
#include "server/endpoint/endpoint.h"
#include "suite.h"

static const struct http_route routes[] = {
    {"/domain", "GET, HEAD, POST, OPTIONS", endpoint_domain, HTTP_ROUTE_STREAM},
};

static void install_list(void)
{
    static const char list[] = "com\nuk\nco.uk\n// ===BEGIN PRIVATE DOMAINS===\nblogspot.com\n"
                               "// ===END PRIVATE DOMAINS===\n";
    struct domain_suffixes *s;
    struct domain_load_error why;
    ck_assert_int_eq(domain_suffixes_parse(list, sizeof list - 1, &s, &why), 0);
    domain_suffixes_install(s);
}

static void get(struct pair_io *p, const char *target, const char *accept, bool tests)
{
    struct endpoint_settings settings = {.test_endpoints = tests};
    struct http_app app = {.routes = routes, .route_count = ARRAY_LEN(routes), .user = &settings};
    install_list();
    exchange_get(p, &app, target, accept);
    domain_suffixes_install(NULL);
}

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
    {"/domain?url=a.com&engine=perl", "*/*", true, 400,
     "engine is one of scan, regex-each, regex, pcre, pcre-jit, not 'perl'"},
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
    get(&p, c->target, c->accept, c->tests);
    ck_assert_msg(exchange_status(&p) == c->status, "%s: %s", c->target, p.out.data);
    ck_assert_msg(strstr(p.out.data, c->body) != NULL, "%s: %s", c->target, p.out.data);
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

SUITE_MAIN("endpoint_domain", SUITE_LOOP(one_url, get_cases),
           SUITE_TEST(the_description_knows_every_word))
