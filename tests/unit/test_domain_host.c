/* The host parser: percent signs, removed characters, what is forbidden, lengths. */
#include "server/domain/internal.h"
#include "suite.h"

static const struct {
    const char *raw;
    size_t len;       /* 0: strlen */
    const char *host; /* NULL: error */
    enum domain_error error;
    unsigned flags;
} cases[] = {
    {"ExAmple.COM", 0, "example.com", DOMAIN_OK, 0},
    {"ex%61mple.c%6Fm", 0, "example.com", DOMAIN_OK, DOMAIN_PCT_HOST},
    {"ex%6\t1mple.com", 0, "example.com", DOMAIN_OK, DOMAIN_PCT_HOST}, /* removed in between */
    {"a\nb\r\t.com", 0, "ab.com", DOMAIN_OK, 0},
    {"\n\t", 0, NULL, DOMAIN_ERROR_NO_HOST, 0},
    {"", 0, NULL, DOMAIN_ERROR_NO_HOST, 0},
    {"b%C3%BCcher.de", 0, "xn--bcher-kva.de", DOMAIN_OK, DOMAIN_PCT_HOST},
    {"b\u00fccher.de", 0, "xn--bcher-kva.de", DOMAIN_OK, 0},
    {"xn--b\u00fccher.de", 0, NULL, DOMAIN_ERROR_HOST_IDNA, 0},
    {"a%2525b", 0, NULL, DOMAIN_ERROR_HOST_CHARACTER, 0}, /* decoded once: a % is left */
    {"a%zzb", 0, NULL, DOMAIN_ERROR_HOST_CHARACTER, 0},
    {"a%4", 0, NULL, DOMAIN_ERROR_HOST_CHARACTER, 0},
    {"a%", 0, NULL, DOMAIN_ERROR_HOST_CHARACTER, 0},
    {"a%00b", 0, NULL, DOMAIN_ERROR_HOST_CHARACTER, 0},
    {"a\0b", 3, NULL, DOMAIN_ERROR_HOST_CHARACTER, 0},
    {"a b", 0, NULL, DOMAIN_ERROR_HOST_CHARACTER, 0},
    {"a%40b", 0, NULL, DOMAIN_ERROR_HOST_CHARACTER, 0},
    {"a^b", 0, NULL, DOMAIN_ERROR_HOST_CHARACTER, 0},
    {"a\x7f", 0, NULL, DOMAIN_ERROR_HOST_CHARACTER, 0},
    {"a,b_c'(d)!~*;=$&+", 0, "a,b_c'(d)!~*;=$&+", DOMAIN_OK, 0}, /* all allowed */
    {"%30x7f.1", 0, "127.0.0.1", DOMAIN_OK, DOMAIN_PCT_HOST | DOMAIN_NUMERIC_IP},
    {"1.2.3.256", 0, NULL, DOMAIN_ERROR_IPV4, 0},
    {"[::\t1]", 0, "[::1]", DOMAIN_OK, 0},
    {"[::1", 0, NULL, DOMAIN_ERROR_IPV6, 0},
    {"[::1]x", 0, NULL, DOMAIN_ERROR_IPV6, 0},
    {"[", 0, NULL, DOMAIN_ERROR_IPV6, 0},
    {"[%3A:1]", 0, NULL, DOMAIN_ERROR_IPV6, 0}, /* not decoded in brackets */
    {"[0000000000000000000000000000000000000000000000000000000000000000000]", 0, NULL,
     DOMAIN_ERROR_IPV6, 0},
};

START_TEST(hosts)
{
    struct domain_result r;
    size_t len = cases[_i].len != 0 ? cases[_i].len : strlen(cases[_i].raw);
    r.flags = 0;
    ck_assert_int_eq(host_parse(cases[_i].raw, len, &r), cases[_i].error);
    if (cases[_i].host == NULL)
        return;
    ck_assert_uint_eq(r.host_len, strlen(cases[_i].host));
    ck_assert_mem_eq(r.host, cases[_i].host, r.host_len);
    ck_assert_uint_eq(r.flags, cases[_i].flags);
}
END_TEST

START_TEST(flags_are_added)
{
    struct domain_result r;
    r.flags = DOMAIN_USERINFO;
    ck_assert_int_eq(host_parse("%61", 3, &r), DOMAIN_OK);
    ck_assert_uint_eq(r.flags, DOMAIN_USERINFO | DOMAIN_PCT_HOST);
}
END_TEST

START_TEST(the_longest_host)
{
    char raw[3 * DOMAIN_HOST_MAX_BYTES + 4];
    struct domain_result r;
    memset(raw, 'A', sizeof raw);
    r.flags = 0;
    ck_assert_int_eq(host_parse(raw, DOMAIN_HOST_MAX_BYTES, &r), DOMAIN_OK);
    ck_assert_uint_eq(r.host_len, DOMAIN_HOST_MAX_BYTES);
    ck_assert_int_eq(r.host[DOMAIN_HOST_MAX_BYTES - 1], 'a');
    ck_assert_int_eq(host_parse(raw, DOMAIN_HOST_MAX_BYTES + 1, &r), DOMAIN_ERROR_HOST_TOO_LONG);
    /* the limit is for what comes out */
    for (size_t i = 0; i + 3 <= sizeof raw; i += 3)
        memcpy(raw + i, "%41", 3);
    ck_assert_int_eq(host_parse(raw, 3 * DOMAIN_HOST_MAX_BYTES, &r), DOMAIN_OK);
    ck_assert_uint_eq(r.host_len, DOMAIN_HOST_MAX_BYTES);
    ck_assert_int_eq(host_parse(raw, 3 * (DOMAIN_HOST_MAX_BYTES + 1), &r),
                     DOMAIN_ERROR_HOST_TOO_LONG);
}
END_TEST

SUITE_MAIN("domain_host", SUITE_LOOP(hosts, cases), SUITE_TEST(flags_are_added),
           SUITE_TEST(the_longest_host))
