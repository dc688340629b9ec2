/* One answer as JSON, byte for byte. */
#include <stdio.h>

#include "coro/base/json.h"
#include "server/domain/format.h"
#include "suite.h"

static const char list[] = "com\nuk\nco.uk\n"
                           "// ===BEGIN PRIVATE DOMAINS===\nblogspot.com\n"
                           "// ===END PRIVATE DOMAINS===\n";

struct format_case {
    const char *url;
    const char *json;
};

static const struct format_case format_cases[] = {
    {"https://www.a.co.uk/x",
     "{\"url\":\"https://www.a.co.uk/x\",\"domain\":\"www.a.co.uk\",\"kind\":\"domain\","
     "\"port\":null,\"subdomain\":\"www\",\"registrable\":\"a.co.uk\",\"suffix\":\"co.uk\","
     "\"suffix_kind\":\"icann\",\"unicode\":\"www.a.co.uk\",\"flags\":[]}"},
    {"http://a.blogspot.com:81/",
     "{\"url\":\"http://a.blogspot.com:81/\",\"domain\":\"a.blogspot.com\",\"kind\":\"domain\","
     "\"port\":81,\"subdomain\":null,\"registrable\":\"a.blogspot.com\","
     "\"suffix\":\"blogspot.com\",\"suffix_kind\":\"private\",\"unicode\":\"a.blogspot.com\","
     "\"flags\":[\"sample_differs\"]}"},
    {"http://u@1.2.3.4/",
     "{\"url\":\"http://u@1.2.3.4/\",\"domain\":\"1.2.3.4\",\"kind\":\"ipv4\",\"port\":null,"
     "\"subdomain\":null,\"registrable\":null,\"suffix\":null,\"suffix_kind\":null,"
     "\"unicode\":\"1.2.3.4\",\"flags\":[\"userinfo\",\"sample_differs\"]}"},
    {"http://a\"b/\"\xff\n",
     "{\"url\":\"http://a\\\"b/\\\"\xef\xbf\xbd\\n\",\"domain\":\"a\\\"b\",\"kind\":\"domain\","
     "\"port\":null,\"subdomain\":null,\"registrable\":null,\"suffix\":\"a\\\"b\","
     "\"suffix_kind\":\"unlisted\",\"unicode\":\"a\\\"b\",\"flags\":[]}"},
    {"http://xn--bcher-kva.com/",
     "{\"url\":\"http://xn--bcher-kva.com/\",\"domain\":\"xn--bcher-kva.com\",\"kind\":\"domain\","
     "\"port\":null,\"subdomain\":null,\"registrable\":\"xn--bcher-kva.com\",\"suffix\":\"com\","
     "\"suffix_kind\":\"icann\",\"unicode\":\"b\xc3\xbc"
     "cher.com\",\"flags\":[]}"},
};

START_TEST(json)
{
    const struct format_case *c = &format_cases[_i];
    struct domain_suffixes *s;
    struct domain_load_error why;
    struct domain_result r;
    struct buf out;
    buf_init(&out, 1 << 20);
    ck_assert_int_eq(domain_suffixes_parse(list, sizeof list - 1, &s, &why), 0);
    ck_assert_int_eq(domain_parse(s, c->url, strlen(c->url), &r), DOMAIN_OK);
    ck_assert_int_eq(domain_format_json(&out, c->url, strlen(c->url), &r, &r.all), 0);
    ck_assert_msg(out.len == strlen(c->json) && memcmp(out.data, c->json, out.len) == 0, "%.*s",
                  (int)out.len, out.data);
    buf_fini(&out);
    domain_suffixes_unref(s);
}
END_TEST

/* A byte that needs escaping, at every place of strings around the block size. */
START_TEST(odd_bytes_anywhere)
{
    static const unsigned char odd[] = {'"', '\\', 0x1f, 0x7f, 0x80, '\n'};
    char text[64], expected[64];
    for (size_t n = 1; n < 50; n++) {
        for (size_t at = 0; at < n; at++) {
            struct buf out, reference;
            buf_init(&out, 1 << 20);
            buf_init(&reference, 1 << 20);
            memset(text, 'a', n);
            text[at] = (char)odd[(n + at) % sizeof odd];
            ck_assert_int_eq(domain_format_error(&out, text, n, 0, "w", "t"), 0);
            ck_assert_int_eq(json_append_string(&reference, text, n), 0);
            snprintf(expected, sizeof expected, "{\"url\":");
            size_t head = strlen(expected);
            ck_assert_int_eq(memcmp(out.data, expected, head), 0);
            ck_assert_msg(memcmp(out.data + head, reference.data, reference.len) == 0, "%zu of %zu",
                          at, n);
            buf_fini(&out);
            buf_fini(&reference);
        }
    }
}
END_TEST

START_TEST(worst_case_strings_fit)
{
    static const char hostile[3000]; /* every byte becomes six */
    struct buf out;
    buf_init(&out, 1 << 20);
    ck_assert_int_eq(
        domain_format_error(&out, hostile, sizeof hostile, UINT64_MAX, "word", hostile), 0);
    ck_assert_uint_gt(out.len, 6 * sizeof hostile);
    buf_fini(&out);
}
END_TEST

START_TEST(an_error_and_its_line)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    ck_assert_int_eq(domain_format_error(&out, "x", 1, 7, "ipv4", "no"), 0);
    ck_assert_int_eq(buf_append_char(&out, '\0'), 0);
    ck_assert_str_eq(out.data, "{\"url\":\"x\",\"line\":7,\"error\":\"ipv4\",\"detail\":\"no\"}");
    buf_fini(&out);
}
END_TEST

SUITE_MAIN("domain_format", SUITE_LOOP(json, format_cases), SUITE_TEST(odd_bytes_anywhere),
           SUITE_TEST(worst_case_strings_fit), SUITE_TEST(an_error_and_its_line))
