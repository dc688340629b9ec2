/* URL to host, over small cases of our own and, where it is, the large table
 * of web-platform-tests cases. */
#include "server/domain/domain.h"
#include "suite.h"

static struct domain_suffixes *suffixes(void)
{
    static const char list[] = "com\nuk\nco.uk\n";
    struct domain_suffixes *s;
    struct domain_load_error why;
    ck_assert_int_eq(domain_suffixes_parse(list, sizeof list - 1, &s, &why), 0);
    return s;
}

struct url_case {
    const char *url;
    const char *host; /* NULL: an error */
    int port;
    unsigned flags;
    enum domain_error error;
};

static const struct url_case url_cases[] = {
    {"https://www.example.com/a", "www.example.com", -1, 0, 0},
    {"http://www.example.com", "www.example.com", -1, DOMAIN_SAMPLE_DIFFERS, 0},
    {"http://www.example.com?a/b", "www.example.com", -1, DOMAIN_SAMPLE_DIFFERS, 0},
    {"http://example.com:8080/", "example.com", 8080, DOMAIN_SAMPLE_DIFFERS, 0},
    {"http://example.com:80/", "example.com", -1, DOMAIN_SAMPLE_DIFFERS, 0},
    {"https://example.com:80/", "example.com", 80, DOMAIN_SAMPLE_DIFFERS, 0},
    {"http://example.com:65536/", NULL, 0, 0, DOMAIN_ERROR_PORT},
    {"http://example.com:8a/", NULL, 0, 0, DOMAIN_ERROR_PORT},
    {"HTTP://EXAMPLE.com/", "example.com", -1, DOMAIN_SAMPLE_DIFFERS, 0},
    {"http://u:p@h.com/", "h.com", -1, DOMAIN_USERINFO | DOMAIN_SAMPLE_DIFFERS, 0},
    {"http://1234@h.com/", "h.com", -1, DOMAIN_USERINFO | DOMAIN_SAMPLE_DIFFERS, 0},
    {"http://a:1234@h.com/", "h.com", -1, DOMAIN_USERINFO | DOMAIN_SAMPLE_DIFFERS, 0},
    {"http://a@b@c/", "c", -1, DOMAIN_USERINFO | DOMAIN_MULTI_AT | DOMAIN_SAMPLE_DIFFERS, 0},
    {"http://evil.com\\@good.com/", "evil.com", -1, DOMAIN_BACKSLASH | DOMAIN_SAMPLE_DIFFERS, 0},
    {"http:\\\\good.com\\x", "good.com", -1, DOMAIN_BACKSLASH | DOMAIN_SAMPLE_DIFFERS, 0},
    {"http:///good.com/x", "good.com", -1, DOMAIN_SAMPLE_DIFFERS, 0},
    {"http://ho\tst/", "host", -1, DOMAIN_TAB_NEWLINE | DOMAIN_SAMPLE_DIFFERS, 0},
    {"ht\ntp://host/", "host", -1, DOMAIN_TAB_NEWLINE | DOMAIN_SAMPLE_DIFFERS, 0},
    {" http://host/ ", "host", -1, DOMAIN_SAMPLE_DIFFERS, 0},
    {"http://ex%61mple.com/", "example.com", -1, DOMAIN_PCT_HOST | DOMAIN_SAMPLE_DIFFERS, 0},
    {"http://a%40b.com/", NULL, 0, 0, DOMAIN_ERROR_HOST_CHARACTER},
    {"http://a b.com/", NULL, 0, 0, DOMAIN_ERROR_HOST_CHARACTER},
    {"http://h.com./", "h.com.", -1, DOMAIN_TRAILING_DOT, 0},
    {"http://h.com../", "h.com..", -1, DOMAIN_TRAILING_DOT, 0},
    {"http://a,b.com/", "a,b.com", -1, 0, 0},
    {"http://127.0.0.1/", "127.0.0.1", -1, 0, 0},
    {"http://0x7f.1/", "127.0.0.1", -1, DOMAIN_NUMERIC_IP | DOMAIN_SAMPLE_DIFFERS, 0},
    {"http://2130706433/", "127.0.0.1", -1, DOMAIN_NUMERIC_IP | DOMAIN_SAMPLE_DIFFERS, 0},
    {"http://1.2.3.256/", NULL, 0, 0, DOMAIN_ERROR_IPV4},
    {"http://[2001:DB8::0:1]:81/", "[2001:db8::1]", 81, DOMAIN_SAMPLE_DIFFERS, 0},
    {"http://[::ffff:1.2.3.4]/", "[::ffff:102:304]", -1, DOMAIN_SAMPLE_DIFFERS, 0},
    {"http://[1:0:0:2:0:0:0:0]/", "[1:0:0:2::]", -1, DOMAIN_SAMPLE_DIFFERS, 0},
    {"http://[0:0:0:2:0:0:0:3]/", "[::2:0:0:0:3]", -1, DOMAIN_SAMPLE_DIFFERS, 0},
    {"http://[0:0:0:0:0:0:0:0]/", "[::]", -1, DOMAIN_SAMPLE_DIFFERS, 0},
    {"http://[1:2:3:4:5:6:0:8]/", "[1:2:3:4:5:6:0:8]", -1, 0, 0},
    {"http://[::1]good.com/", NULL, 0, 0, DOMAIN_ERROR_IPV6},
    {"http://[fe80::1%25eth0]/", NULL, 0, 0, DOMAIN_ERROR_IPV6},
    {"h.com/x", "h.com", -1, DOMAIN_SCHEMELESS | DOMAIN_SAMPLE_DIFFERS, 0},
    {"h.com:8080/x", "h.com", 8080, DOMAIN_SCHEMELESS | DOMAIN_SAMPLE_DIFFERS, 0},
    {"localhost", "localhost", -1, DOMAIN_SCHEMELESS | DOMAIN_SAMPLE_DIFFERS, 0},
    {"//h.com/x", "h.com", -1, DOMAIN_SCHEMELESS | DOMAIN_SAMPLE_DIFFERS, 0},
    {"[::1]:80", "[::1]", -1, DOMAIN_SCHEMELESS | DOMAIN_SAMPLE_DIFFERS, 0},
    {"git://GitHub.com:443/x", "github.com", 443, DOMAIN_OTHER_SCHEME | DOMAIN_SAMPLE_DIFFERS, 0},
    {"/x", NULL, 0, 0, DOMAIN_ERROR_NO_HOST},
    {"?x", NULL, 0, 0, DOMAIN_ERROR_NO_HOST},
    {"http://", NULL, 0, 0, DOMAIN_ERROR_NO_HOST},
    {"http://u@/x", NULL, 0, 0, DOMAIN_ERROR_NO_HOST},
    {"file:///etc/passwd", NULL, 0, 0, DOMAIN_ERROR_NO_HOST},
    {"mailto:a@b.com", NULL, 0, 0, DOMAIN_ERROR_NO_AUTHORITY},
    {"", NULL, 0, 0, DOMAIN_ERROR_EMPTY},
    {" \t\n", NULL, 0, 0, DOMAIN_ERROR_EMPTY},
};

START_TEST(hosts_flags_and_errors)
{
    const struct url_case *c = &url_cases[_i];
    struct domain_suffixes *s = suffixes();
    struct domain_result r;
    enum domain_error error = domain_parse(s, c->url, strlen(c->url), &r);
    ck_assert_msg(error == c->error, "%s: %s", c->url, domain_error_word(error));
    if (c->host != NULL) {
        ck_assert_msg(r.host_len == strlen(c->host) && memcmp(r.host, c->host, r.host_len) == 0,
                      "%s gave %.*s", c->url, r.host_len, r.host);
        ck_assert_msg(r.port == c->port, "%s: port %d", c->url, r.port);
        ck_assert_msg(r.flags == c->flags, "%s: flags %#x, not %#x", c->url, r.flags, c->flags);
    }
    domain_suffixes_unref(s);
}
END_TEST

SUITE_MAIN("url", SUITE_LOOP(hosts_flags_and_errors, url_cases))
