/* The suffix table: both readings of a list, what a wildcard says, odd names. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "server/domain/domain.h"
#include "suite.h"

static const char list[] = "// VERSION: 2026-01-02_03-04-05_UTC\n"
                           "// ===BEGIN ICANN DOMAINS===\n"
                           "com\nuk\nco.uk\nio\njp  a comment\n*.kobe.jp\n!city.kobe.jp\n"
                           "cn\n\xe5\x85\xac\xe5\x8f\xb8.cn\n*.ck\n!www.ck\nCOM.AC\r\n*\n"
                           "a-label-of-more-than-eight-bytes.com\n"
                           "// ===END ICANN DOMAINS===\n"
                           "// ===BEGIN PRIVATE DOMAINS===\n"
                           "github.io\n*.compute.amazonaws.com\nblogspot.co.uk\n"
                           "// ===END PRIVATE DOMAINS===\n";

static struct domain_suffixes *load(const char *text, size_t len)
{
    struct domain_suffixes *s;
    struct domain_load_error why;
    int rv = domain_suffixes_parse(text, len, &s, &why);
    ck_assert_msg(rv == 0, "%u: %s", why.line, why.what);
    return s;
}

struct cut_case {
    const char *host;
    const char *registrable; /* NULL: none */
    const char *suffix;
    const char *section;
    const char *icann_registrable;
    const char *icann_suffix;
};

static const struct cut_case cut_cases[] = {
    {"www.example.com", "example.com", "com", "icann", "example.com", "com"},
    {"com", NULL, "com", "icann", NULL, "com"},
    {"a.b.co.uk", "b.co.uk", "co.uk", "icann", "b.co.uk", "co.uk"},
    {"me.github.io", "me.github.io", "github.io", "private", "github.io", "io"},
    {"github.io", NULL, "github.io", "private", "github.io", "io"},
    {"x.blogspot.co.uk", "x.blogspot.co.uk", "blogspot.co.uk", "private", "blogspot.co.uk",
     "co.uk"},
    {"amazonaws.com", "amazonaws.com", "com", "icann", "amazonaws.com", "com"},
    {"compute.amazonaws.com", "amazonaws.com", "com", "icann", "amazonaws.com", "com"},
    {"eu.compute.amazonaws.com", NULL, "eu.compute.amazonaws.com", "private", "amazonaws.com",
     "com"},
    {"a.eu.compute.amazonaws.com", "a.eu.compute.amazonaws.com", "eu.compute.amazonaws.com",
     "private", "amazonaws.com", "com"},
    {"kobe.jp", "kobe.jp", "jp", "icann", "kobe.jp", "jp"},
    {"x.kobe.jp", NULL, "x.kobe.jp", "icann", NULL, "x.kobe.jp"},
    {"y.x.kobe.jp", "y.x.kobe.jp", "x.kobe.jp", "icann", "y.x.kobe.jp", "x.kobe.jp"},
    {"city.kobe.jp", "city.kobe.jp", "kobe.jp", "icann", "city.kobe.jp", "kobe.jp"},
    {"a.city.kobe.jp", "city.kobe.jp", "kobe.jp", "icann", "city.kobe.jp", "kobe.jp"},
    {"ck", NULL, "ck", "unlisted", NULL, "ck"},
    {"x.ck", NULL, "x.ck", "icann", NULL, "x.ck"},
    {"www.ck", "www.ck", "ck", "icann", "www.ck", "ck"},
    {"a.xn--55qx5d.cn", "a.xn--55qx5d.cn", "xn--55qx5d.cn", "icann", "a.xn--55qx5d.cn",
     "xn--55qx5d.cn"},
    {"x.com.ac", "x.com.ac", "com.ac", "icann", "x.com.ac", "com.ac"},
    {"localhost", NULL, "localhost", "unlisted", NULL, "localhost"},
    {"a.b.test", "b.test", "test", "unlisted", "b.test", "test"},
    {"www.example.com.", "example.com.", "com.", "icann", "example.com.", "com."},
    {"com.", NULL, "com.", "icann", NULL, "com."},
    {"x.a-label-of-more-than-eight-bytes.com", "x.a-label-of-more-than-eight-bytes.com",
     "a-label-of-more-than-eight-bytes.com", "icann", "x.a-label-of-more-than-eight-bytes.com",
     "a-label-of-more-than-eight-bytes.com"},
    {"x.b-label-of-more-than-eight-bytes.com", "b-label-of-more-than-eight-bytes.com", "com",
     "icann", "b-label-of-more-than-eight-bytes.com", "com"},
    {"a..com", NULL, NULL, NULL, NULL, NULL},
    {".com", NULL, NULL, NULL, NULL, NULL},
    {"example.com..", NULL, NULL, NULL, NULL, NULL},
    {".", NULL, NULL, NULL, NULL, NULL},
    /* hosts longer than the 63 bytes whose dots fit one word */
    {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.b.github.io",
     "b.github.io", "github.io", "private", "github.io", "io"},
    {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa..com", NULL, NULL,
     NULL, NULL, NULL},
};

static void check(const char *host, const char *what, struct domain_text got, const char *expected)
{
    if (expected == NULL)
        ck_assert_msg(got.at == NULL, "%s: %s is %.*s", host, what, (int)got.len, got.at);
    else
        ck_assert_msg(got.len == strlen(expected) && memcmp(got.at, expected, got.len) == 0,
                      "%s: %s is %.*s", host, what, (int)got.len, got.at);
}

START_TEST(both_readings)
{
    static const char *const frames[][2] = {
        {"http://", "/"}, {"http://", ""}, {"HTTP://", "/"}, {"", ""}};
    const struct cut_case *c = &cut_cases[_i];
    struct domain_suffixes *s = load(list, sizeof list - 1);
    for (size_t i = 0; i < ARRAY_LEN(frames); i++) {
        char url[256];
        struct domain_result r;
        snprintf(url, sizeof url, "%s%s%s", frames[i][0], c->host, frames[i][1]);
        ck_assert_int_eq(domain_parse(s, url, strlen(url), &r), DOMAIN_OK);
        check(url, "registrable", domain_registrable(&r, &r.all), c->registrable);
        check(url, "suffix", domain_suffix(&r, &r.all), c->suffix);
        check(url, "icann registrable", domain_registrable(&r, &r.icann), c->icann_registrable);
        check(url, "icann suffix", domain_suffix(&r, &r.icann), c->icann_suffix);
        const char *section = domain_section_word((enum domain_section)r.all.section);
        ck_assert_msg(c->section == NULL ? section == NULL : strcmp(section, c->section) == 0,
                      "%s: %s", url, section);
    }
    domain_suffixes_unref(s);
}
END_TEST

START_TEST(addresses_have_no_suffix)
{
    static const char *const urls[] = {"http://127.0.0.1/", "http://[::1]/"};
    struct domain_suffixes *s = load(list, sizeof list - 1);
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        struct domain_result r;
        ck_assert_int_eq(domain_parse(s, urls[i], strlen(urls[i]), &r), DOMAIN_OK);
        ck_assert_ptr_null(domain_suffix(&r, &r.all).at);
        ck_assert_ptr_null(domain_registrable(&r, &r.icann).at);
    }
    domain_suffixes_unref(s);
}
END_TEST

START_TEST(what_is_known_about_a_list)
{
    struct domain_suffixes *s = load(list, sizeof list - 1);
    struct domain_suffixes_info info = domain_suffixes_info(s);
    ck_assert_uint_eq(info.icann_rules, 13);
    ck_assert_uint_eq(info.private_rules, 3);
    ck_assert_uint_eq(info.wildcards, 3);
    ck_assert_uint_eq(info.exceptions, 2);
    ck_assert_str_eq(info.version, "2026-01-02_03-04-05_UTC");
    domain_suffixes_unref(s);
}
END_TEST

/* Many names that share labels and slots: each is found, its neighbours are not. */
START_TEST(large_lists)
{
    enum { RULES = 20000 };
    char *text = malloc(RULES * 24), *to = text;
    for (int i = 0; i < RULES; i++)
        to += sprintf(to, "s%d.t%d\n", i, i % 97);
    struct domain_suffixes *s = load(text, (size_t)(to - text));
    for (int i = 0; i < RULES; i++) {
        char url[64];
        struct domain_result r;
        sprintf(url, "http://x.s%d.t%d/", i, i % 97);
        ck_assert_int_eq(domain_parse(s, url, strlen(url), &r), DOMAIN_OK);
        ck_assert_uint_eq(r.all.registrable_at, 0);
        sprintf(url, "http://x.s%d.t%d/", i, (i + 1) % 97);
        ck_assert_int_eq(domain_parse(s, url, strlen(url), &r), DOMAIN_OK);
        ck_assert_uint_eq(r.all.registrable_at, 2);
    }
    domain_suffixes_unref(s);
    free(text);
}
END_TEST

struct bad_list {
    const char *text;
    unsigned line;
    const char *what;
};

static const struct bad_list bad_lists[] = {
    {"", 0, "no suffix rules in it"},
    {"// only comments\n\n", 0, "no suffix rules in it"},
    {"<!DOCTYPE html>\n<html>\n", 1, "not a suffix rule: '<!DOCTYPE'"},
    {"<html>\n", 1, "not a suffix rule: '<html>'"},
    {"com\na..b\n", 2, "not a suffix rule: 'a..b'"},
    {"com\n.uk\n", 2, "not a suffix rule: '.uk'"},
    {"com\nuk.\n", 2, "not a suffix rule: 'uk.'"},
    {"com\na.*.b\n", 2, "not a suffix rule: 'a.*.b'"},
    {"com\n\xff\x80\n", 2, "not a suffix rule: '\?\?'"},
    {"com\n!jp\n", 2, "an exception of one label: '!jp'"},
    {"com\n!\n", 2, "an exception of one label: '!'"},
    {"com\nhttp://x/\n", 2, "not a suffix rule: 'http://x/'"},
    {"com\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n", 2,
     "not a suffix rule: "},
};

START_TEST(broken_lists_are_refused)
{
    const struct bad_list *c = &bad_lists[_i];
    struct domain_suffixes *s;
    struct domain_load_error why;
    ck_assert_int_eq(domain_suffixes_parse(c->text, strlen(c->text), &s, &why), -EINVAL);
    ck_assert_uint_eq(why.line, c->line);
    ck_assert_msg(strncmp(why.what, c->what, strlen(c->what)) == 0, "%s", why.what);
}
END_TEST

START_TEST(files)
{
    struct domain_suffixes *s;
    struct domain_load_error why;
    char path[] = "/tmp/domaind-test-XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, list, sizeof list - 1), sizeof list - 1);
    close(fd);
    ck_assert_int_eq(domain_suffixes_load(path, &s, &why), 0);
    domain_suffixes_unref(s);
    unlink(path);
    ck_assert_int_eq(domain_suffixes_load(path, &s, &why), -ENOENT);
    ck_assert_str_eq(why.what, "No such file or directory");
    ck_assert_int_eq(domain_suffixes_load("/tmp", &s, &why), -EISDIR);
}
END_TEST

SUITE_MAIN("suffix", SUITE_LOOP(both_readings, cut_cases), SUITE_TEST(addresses_have_no_suffix),
           SUITE_TEST(what_is_known_about_a_list), SUITE_TEST(large_lists),
           SUITE_LOOP(broken_lists_are_refused, bad_lists), SUITE_TEST(files))
