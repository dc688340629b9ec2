/* One line's answer in every format: fields, escapes, lines that are bad. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client/extract.h"
#include "suite.h"

static const char list[] = "com\nuk\nco.uk\n// ===BEGIN PRIVATE DOMAINS===\nblogspot.com\n"
                           "// ===END PRIVATE DOMAINS===\n";
static const char every_field[] = "line,url,domain,kind,port,subdomain,registrable,suffix,"
                                  "suffix_kind,unicode,flags,error";

struct row_case {
    const char *url;
    const char *fields; /* NULL: every_field */
    enum extract_format format;
    bool is_icann_only;
    bool is_too_long;
    bool by_regex; /* a regex engine's answer: the domain alone */
    const char *row;
};

static const struct row_case row_cases[] = {
    {"http://u@www.a.co.uk:81/", NULL, EXTRACT_TSV, false, false, false,
     "7\thttp://u@www.a.co.uk:81/\twww.a.co.uk\tdomain\t81\twww\ta.co.uk\tco.uk\ticann\t"
     "www.a.co.uk\tuserinfo,sample_differs\t\n"},
    {"http://1.2.3.4/", NULL, EXTRACT_TSV, false, false, false,
     "7\thttp://1.2.3.4/\t1.2.3.4\tipv4\t\t\t\t\t\t1.2.3.4\t\t\n"},
    {"http:\\\\a.com:80", "flags,port,domain", EXTRACT_TSV, false, false, false,
     "backslash,sample_differs\t\ta.com\n"},
    {"x.blogspot.com", "registrable,suffix_kind", EXTRACT_TSV, false, false, false,
     "x.blogspot.com\tprivate\n"},
    {"x.blogspot.com", "registrable,suffix_kind", EXTRACT_TSV, true, false, false,
     "blogspot.com\ticann\n"},
    {"b\u00fccher.com", "domain,unicode", EXTRACT_TSV, false, false, false,
     "xn--bcher-kva.com\tb\u00fccher.com\n"},
    {"http://a.com/\t\\\r!", "url", EXTRACT_TSV, false, false, false, "http://a.com/\\t\\\\\\r!\n"},
    {"http://a b/", "domain,error,url", EXTRACT_TSV, false, false, false,
     "\thost_character\thttp://a b/\n"},
    {"http://a.com/", "domain,error", EXTRACT_TSV, false, true, false, "\tline_too_long\n"},
    {"http://x\ty/", "domain,registrable", EXTRACT_TSV, false, false, true, "x\\ty\t\n"},
    {"http://www.a.com/", "domain", EXTRACT_TEXT, false, false, false, "www.a.com\n"},
    {"http://a b/", "domain", EXTRACT_TEXT, false, false, false, "\n"},
    {"http://a.com/", "domain", EXTRACT_TEXT, false, true, false, "\n"},
};

static void make_row(const struct row_case *c, const struct domain_suffixes *s,
                     struct domain_result *r, struct extract_row *row)
{
    *row = (struct extract_row){.url = c->url, .url_len = strlen(c->url), .line = 7};
    row->is_too_long = c->is_too_long;
    if (c->by_regex) {
        row->domain = (struct domain_text){c->url + strlen("http://"), 3};
        return;
    }
    row->error = domain_parse(s, row->url, row->url_len, r);
    row->result = r;
    row->domain = (struct domain_text){r->host, r->host_len};
}

static void put(const struct row_case *c, struct buf *out)
{
    struct domain_suffixes *s;
    struct domain_load_error why;
    struct domain_result r;
    struct extract_row row;
    char bad[32];
    struct extract_options o = {.format = c->format, .is_icann_only = c->is_icann_only};
    ck_assert_int_eq(domain_suffixes_parse(list, sizeof list - 1, &s, &why), 0);
    ck_assert_int_eq(
        extract_parse_fields(&o, c->fields != NULL ? c->fields : every_field, bad, sizeof bad), 0);
    make_row(c, s, &r, &row);
    buf_init(out, 1 << 20);
    ck_assert_int_eq(extract_put_row(&o, out, &row), 0);
    ck_assert_int_eq(buf_append_char(out, '\0'), 0);
    domain_suffixes_unref(s);
}

START_TEST(rows)
{
    struct buf out;
    put(&row_cases[_i], &out);
    ck_assert_str_eq(out.data, row_cases[_i].row);
    buf_fini(&out);
}
END_TEST

static const struct {
    struct row_case c;
    const char *part;
} json_cases[] = {
    {{"http://www.a.co.uk/", "domain", EXTRACT_NDJSON, false, false, false, NULL},
     "\"domain\":\"www.a.co.uk\",\"kind\":\"domain\""},
    {{"http://a b/", "domain", EXTRACT_NDJSON, false, false, false, NULL},
     "\"error\":\"host_character\""},
    {{"http://a b/", "domain", EXTRACT_NDJSON, false, false, false, NULL}, "\"line\":7"},
    {{"x.blogspot.com", "domain", EXTRACT_NDJSON, true, false, false, NULL},
     "\"registrable\":\"blogspot.com\""},
    {{"http://x\ty/", "domain", EXTRACT_NDJSON, false, false, true, NULL}, "\"domain\":\"x\\ty\""},
};

START_TEST(json_rows)
{
    struct buf out;
    put(&json_cases[_i].c, &out);
    ck_assert_msg(strstr(out.data, json_cases[_i].part) != NULL, "%s", out.data);
    ck_assert_ptr_eq(strchr(out.data, '\n'), out.data + strlen(out.data) - 1);
    buf_fini(&out);
}
END_TEST

/* What was cut is shown in part only: 64 KiB of a line help nobody. */
START_TEST(a_too_long_line_is_shown_in_part)
{
    static char url[70000];
    struct buf out;
    memset(url, 'x', sizeof url - 1);
    put(&(struct row_case){url, "domain", EXTRACT_NDJSON, false, true, false, NULL}, &out);
    ck_assert_ptr_nonnull(strstr(out.data, "\"error\":\"line_too_long\""));
    ck_assert_uint_lt(out.len, 500);
    buf_fini(&out);
}
END_TEST

static const struct {
    const char *fields;
    const char *bad; /* NULL: good */
} field_cases[] = {
    {"url", NULL},
    {"line,line", NULL},
    {"", ""},
    {"url,", ""},
    {"urls", "urls"},
    {"url,Domain", "Domain"},
    {"url,a-name-that-is-far-too-long-for-the-room", "a-name-"},
    {"url,url,url,url,url,url,url,url,url,url,url,url,url,url,url,url", NULL},
    {"url,url,url,url,url,url,url,url,url,url,url,url,url,url,url,url,kind", "kind"},
};

START_TEST(fields_are_known_words)
{
    struct extract_options o = {0};
    char bad[8] = "";
    int rv = extract_parse_fields(&o, field_cases[_i].fields, bad, sizeof bad);
    ck_assert_int_eq(rv, field_cases[_i].bad == NULL ? 0 : -EINVAL);
    if (rv < 0)
        ck_assert_str_eq(bad, field_cases[_i].bad);
}
END_TEST

SUITE_MAIN("extract_row", SUITE_LOOP(rows, row_cases), SUITE_LOOP(json_rows, json_cases),
           SUITE_TEST(a_too_long_line_is_shown_in_part),
           SUITE_LOOP(fields_are_known_words, field_cases))
