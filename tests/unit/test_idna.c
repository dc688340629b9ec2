/* Internationalised hosts: mapping, NFC, validity, Bidi and joiner rules, display. */
#include <stdio.h>

#include "server/domain/domain.h"
#include "server/domain/internal.h"
#include "suite.h"

struct idna_case {
    const char *host;
    const char *ascii; /* NULL: not valid */
    unsigned flags;
};

static const struct idna_case idna_cases[] = {
    {"b\u00fccher.de", "xn--bcher-kva.de", 0},
    {"B\u00dcCHER.DE", "xn--bcher-kva.de", 0},
    {"bu\u0308cher.de", "xn--bcher-kva.de", 0}, /* composed */
    {"fa\u00df.de", "xn--fa-hia.de", 0},        /* non-transitional: sharp s stays */
    {"\u1e9e.de", "xn--zca.de", 0},             /* capital sharp s maps to it */
    {"\uff45\uff58.com", "ex.com", DOMAIN_FULLWIDTH},
    {"ex\u3002com", "ex.com", DOMAIN_FULLWIDTH},
    {"\uff11\uff12\uff17.0.0.1", "127.0.0.1", DOMAIN_FULLWIDTH},
    {"a\u00adb.com", "ab.com", 0},
    {"\u00ad", NULL, 0},
    {"\u2603.net", "xn--n3h.net", 0},
    {"\U0001f600.net", "xn--e28h.net", 0},
    {"a\uff05b.com", NULL, 0}, /* maps to a percent sign */
    {"\u0300a.com", NULL, 0},  /* begins with a mark */
    {"a\u0378.com", NULL, 0},  /* not assigned */
    {"\xff.com", NULL, 0},     /* not UTF-8 */
    {"\xc3.com", NULL, 0},
    {"xn--bcher-kva.\u00fc", "xn--bcher-kva.xn--tda", 0},
    {"xn--a.\u00fc", NULL, 0}, /* no such punycode, and the name is not all ASCII */
    {"xn--a", "xn--a", 0},     /* which is taken as it is when it is */
    {"xn--a-.\u00fc", NULL, 0},
    {"\u05d0\u05d1.com", "xn--4dbc.com", 0},
    {"\u05d0a.com", NULL, 0},       /* Bidi: a left-to-right letter behind */
    {"1\u05d0.com", NULL, 0},       /* begins with a number */
    {"\u05d01\u0661.com", NULL, 0}, /* both kinds of numbers */
    {"\u05d0.1a", NULL, 0},         /* the rule holds for every label of such a name */
    {"\u0915\u094d\u200d\u0937.com", "xn--11b2ezcw70k.com", 0}, /* joiner behind a virama */
    {"a\u200db.com", NULL, 0},
    {"\u0646\u0627\u0645\u0647\u200c\u0627\u06cc.com", "xn--mgba3gch31f060k.com", 0},
    {"\u1112\u1161\u11ab.kr", "xn--6q8b.kr", 0}, /* jamo to a syllable */
};

START_TEST(to_ascii)
{
    static const char list[] = "com\n";
    const struct idna_case *c = &idna_cases[_i];
    struct domain_suffixes *s;
    struct domain_load_error why;
    struct domain_result r;
    char url[256];
    ck_assert_int_eq(domain_suffixes_parse(list, sizeof list - 1, &s, &why), 0);
    snprintf(url, sizeof url, "http://%s/", c->host);
    enum domain_error error = domain_parse(s, url, strlen(url), &r);
    if (c->ascii == NULL) {
        ck_assert_msg(error != DOMAIN_OK, "%s gave %.*s", c->host, r.host_len, r.host);
    } else {
        ck_assert_msg(error == DOMAIN_OK, "%s: %s", c->host, domain_error_text(error));
        ck_assert_msg(r.host_len == strlen(c->ascii) && memcmp(r.host, c->ascii, r.host_len) == 0,
                      "%s gave %.*s", c->host, r.host_len, r.host);
        ck_assert_uint_eq(r.flags & DOMAIN_FULLWIDTH, c->flags);
    }
    domain_suffixes_unref(s);
}
END_TEST

struct display_case {
    const char *ascii;
    const char *shown;
};

static const struct display_case display_cases[] = {
    {"www.example.com", "www.example.com"},
    {"www.xn--bcher-kva.de.", "www.b\u00fccher.de."},
    {"xn--n3h.xn--n3h", "\u2603.\u2603"},
    {"xn--a.com", "xn--a.com"},       /* not punycode */
    {"xn--abc-.com", "xn--abc-.com"}, /* nobody would have encoded it */
    {"xn--zn7c.com", "xn--zn7c.com"}, /* U+FFFD */
    {"xn--.com", "xn--.com"},
    {"xn--a-xbba.de", "xn--a-xbba.de"},
};

START_TEST(display)
{
    const struct display_case *c = &display_cases[_i];
    char shown[DOMAIN_UNICODE_MAX_BYTES];
    size_t n = domain_unicode(c->ascii, strlen(c->ascii), shown);
    ck_assert_msg(n == strlen(c->shown) && memcmp(shown, c->shown, n) == 0, "%s gave %.*s",
                  c->ascii, (int)n, shown);
}
END_TEST

/* RFC 3492, section 7.1, and back. */
struct punycode_case {
    uint32_t points[8];
    size_t count;
    const char *text;
};

static const struct punycode_case punycode_cases[] = {
    {{0xfc}, 1, "tda"},
    {{'b', 0xfc, 'c', 'h', 'e', 'r'}, 6, "bcher-kva"},
    {{'a', '-', 0x2020, '-', '-'}, 5, "a----kp0a"},
    {{0x4ed6, 0x4eec}, 2, "6qqp6w"},
    {{0x10ffff}, 1, "dn32g"},
};

START_TEST(punycode)
{
    const struct punycode_case *c = &punycode_cases[_i];
    char text[64];
    uint32_t points[8];
    size_t n = punycode_encode(c->points, c->count, text, sizeof text);
    ck_assert_uint_gt(n, 0);
    ck_assert_uint_eq(punycode_decode(text, n, points, ARRAY_LEN(points)), c->count);
    ck_assert_int_eq(memcmp(points, c->points, c->count * sizeof *points), 0);
    ck_assert_uint_eq(punycode_encode(c->points, c->count, text, n), n);
    ck_assert_uint_eq(punycode_encode(c->points, c->count, text, n - 1), 0);
    ck_assert_uint_eq(punycode_decode(text, n, points, c->count - 1), 0);
}
END_TEST

START_TEST(hosts_at_the_limit)
{
    char url[2 * DOMAIN_HOST_MAX_BYTES];
    static const char list[] = "com\n";
    struct domain_suffixes *s;
    struct domain_load_error why;
    struct domain_result r;
    ck_assert_int_eq(domain_suffixes_parse(list, sizeof list - 1, &s, &why), 0);
    for (size_t over = 0; over < 2; over++) {
        size_t n = 7 + DOMAIN_HOST_MAX_BYTES + over;
        memcpy(url, "http://", 7);
        memset(url + 7, 'a', n - 7);
        ck_assert_int_eq(domain_parse(s, url, n, &r),
                         over == 0 ? DOMAIN_OK : DOMAIN_ERROR_HOST_TOO_LONG);
    }
    /* fits as it is, not in its ASCII form */
    size_t n = 7;
    while (n + 4 < 7 + DOMAIN_HOST_MAX_BYTES) {
        memcpy(url + n, "\u00fc.\u00fc.", 6);
        n += 6;
    }
    ck_assert_int_eq(domain_parse(s, url, n - 6, &r), DOMAIN_ERROR_HOST_TOO_LONG);
    domain_suffixes_unref(s);
}
END_TEST

SUITE_MAIN("idna", SUITE_LOOP(to_ascii, idna_cases), SUITE_LOOP(display, display_cases),
           SUITE_LOOP(punycode, punycode_cases), SUITE_TEST(hosts_at_the_limit))
