/* The conformance tables beside the project: web-platform-tests' URL hosts and
 * domain-to-ASCII cases, the Public Suffix List's own vectors, and libpsl as
 * the oracle over real URLs.  Each test says when its table is not here. */
#include <libpsl.h>

#include "server/domain/domain.h"
#include "shared_data.h"
#include "suite.h"

enum { TEXT_BYTES = 8192 };

static struct domain_suffixes *load_shared_list(char **ret_text, size_t *ret_len)
{
    struct domain_suffixes *s;
    struct domain_load_error why;
    *ret_text = shared_data_read("psl/public_suffix_list.dat", ret_len);
    if (*ret_text == NULL)
        return NULL;
    ck_assert_msg(domain_suffixes_parse(*ret_text, *ret_len, &s, &why) == 0, "%s", why.what);
    return s;
}

static struct domain_suffixes *small_list(void)
{
    static const char list[] = "com\n";
    struct domain_suffixes *s;
    struct domain_load_error why;
    ck_assert_int_eq(domain_suffixes_parse(list, sizeof list - 1, &s, &why), 0);
    return s;
}

static bool is(struct domain_text text, const char *expected, size_t len)
{
    return text.len == len && memcmp(text.at, expected, len) == 0;
}

/* ---- web-platform-tests: hosts ---- */

/* One line of host_cases.jsonl; true when it agrees. */
static bool check_host_case(const struct domain_suffixes *s, const char *line, const char *end)
{
    char input[TEXT_BYTES], host[TEXT_BYTES], port[TEXT_BYTES];
    size_t input_len = 0, host_len = 0, port_len = 0;
    struct domain_result r;
    ck_assert(json_find_string(line, end, "input", input, &input_len));
    enum domain_error error = domain_parse(s, input, input_len, &r);
    if (!json_find_string(line, end, "hostname", host, &host_len))
        return error != DOMAIN_OK;
    if (error != DOMAIN_OK || !is((struct domain_text){r.host, r.host_len}, host, host_len))
        return false;
    ck_assert(json_find_string(line, end, "port", port, &port_len));
    port[port_len] = '\0';
    return r.port == (port_len == 0 ? -1 : atoi(port));
}

START_TEST(wpt_hosts)
{
    size_t len;
    unsigned total = 0, failed = 0;
    char *text = shared_data_read("wpt/host_cases.jsonl", &len);
    if (text == NULL)
        return;
    struct domain_suffixes *s = small_list();
    for (char *line = text, *end; line < text + len; line = end + 1) {
        end = strchrnul(line, '\n');
        total++;
        if (!check_host_case(s, line, end)) {
            printf("differs: %.*s\n", (int)(end - line), line);
            failed++;
        }
    }
    printf("wpt hosts: %u of %u\n", total - failed, total);
    ck_assert_uint_gt(total, 0);
    ck_assert_uint_eq(failed, 0);
    domain_suffixes_unref(s);
    free(text);
}
END_TEST

/* ---- web-platform-tests: domain to ASCII ---- */

START_TEST(wpt_to_ascii)
{
    size_t len;
    unsigned total = 0, failed = 0;
    char *text = shared_data_read("wpt/toascii.json", &len);
    if (text == NULL)
        return;
    struct domain_suffixes *s = small_list();
    for (char *at = strchr(text, '{'); at != NULL; at = strchr(at + 1, '{')) {
        char url[TEXT_BYTES] = "http://", output[TEXT_BYTES];
        size_t url_len, output_len = 0;
        char *end = strchr(at, '}');
        struct domain_result r;
        ck_assert(json_find_string(at, end, "input", url + 7, &url_len));
        bool expected = json_find_string(at, end, "output", output, &output_len);
        bool got = domain_parse(s, url, url_len + 7, &r) == DOMAIN_OK;
        total++;
        if (got != expected ||
            (got && !is((struct domain_text){r.host, r.host_len}, output, output_len))) {
            printf("differs: %.*s\n", (int)(end - at), at);
            failed++;
        }
    }
    printf("wpt domain to ASCII: %u of %u\n", total - failed, total);
    ck_assert_uint_gt(total, 0);
    ck_assert_uint_eq(failed, 0);
    domain_suffixes_unref(s);
    free(text);
}
END_TEST

/* ---- the suffix list's own vectors ---- */

/* A vector's expectation may be in Unicode: compared in its ASCII form. */
static void to_ascii(const struct domain_suffixes *s, const char *name, size_t len, char *ret_name)
{
    struct domain_result r;
    ck_assert_int_eq(domain_parse(s, name, len, &r), DOMAIN_OK);
    memcpy(ret_name, r.host, r.host_len);
    ret_name[r.host_len] = '\0';
}

START_TEST(suffix_list_vectors)
{
    size_t len, list_len;
    unsigned total = 0, failed = 0;
    char *list, *text = shared_data_read("psl/test_psl.tsv", &len);
    struct domain_suffixes *s = load_shared_list(&list, &list_len);
    if (text == NULL || s == NULL)
        return;
    for (char *line = text, *end; line < text + len; line = end + 1) {
        end = strchrnul(line, '\n');
        char *tab = memchr(line, '\t', (size_t)(end - line));
        ck_assert_ptr_nonnull(tab);
        size_t expected_len = (size_t)(end - tab - 1);
        struct domain_result r;
        bool ok = domain_parse(s, line, (size_t)(tab - line), &r) == DOMAIN_OK;
        struct domain_text got = {NULL, 0};
        if (ok)
            got = domain_registrable(&r, &r.all);
        char expected[TEXT_BYTES] = "null";
        if (expected_len != 4 || memcmp(tab + 1, "null", 4) != 0)
            to_ascii(s, tab + 1, expected_len, expected);
        total++;
        if (got.at == NULL ? strcmp(expected, "null") != 0 : !is(got, expected, strlen(expected))) {
            printf("differs: %.*s got %.*s\n", (int)(end - line), line, (int)got.len, got.at);
            failed++;
        }
    }
    printf("suffix list vectors: %u of %u\n", total - failed, total);
    ck_assert_uint_gt(total, 0);
    ck_assert_uint_eq(failed, 0);
    domain_suffixes_unref(s);
    free(list);
    free(text);
}
END_TEST

/* ---- libpsl over real hosts ---- */

struct oracle {
    psl_ctx_t *psl;
    struct domain_suffixes *suffixes;
    unsigned hosts, addresses, bases, failed;
};

/* libpsl calls the base of a wildcard (kobe.jp of *.kobe.jp) a suffix of its own; the
 * list's algorithm, and so ours, does not.  Is that the difference? */
static bool is_wildcard_base(const struct oracle *o, const char *suffix)
{
    char below[TEXT_BYTES];
    snprintf(below, sizeof below, "a.%s", suffix);
    return psl_is_public_suffix(o->psl, suffix) && psl_is_public_suffix(o->psl, below);
}

static bool is_icann_suffix(const struct oracle *o, struct domain_text name, bool has_dot)
{
    char text[DOMAIN_HOST_MAX_BYTES + 1];
    memcpy(text, name.at, name.len - has_dot);
    text[name.len - has_dot] = '\0';
    return psl_is_public_suffix2(o->psl, text, PSL_TYPE_ICANN) != 0;
}

/* By the ICANN section alone: our suffix is one, our registrable domain is none. */
static void compare_icann(struct oracle *o, const struct domain_result *r)
{
    bool has_dot = r->host[r->host_len - 1] == '.';
    struct domain_text suffix = domain_suffix(r, &r->icann),
                       registrable = domain_registrable(r, &r->icann);
    if (suffix.at == NULL)
        return;
    if (is_icann_suffix(o, suffix, has_dot) &&
        (registrable.at == NULL || !is_icann_suffix(o, registrable, has_dot)))
        return;
    printf("differs by ICANN: %.*s\n", r->host_len, r->host);
    o->failed++;
}

static void compare(struct oracle *o, const char *line, size_t len)
{
    struct domain_result r;
    char host[DOMAIN_HOST_MAX_BYTES + 1];
    if (domain_parse(o->suffixes, line, len, &r) != DOMAIN_OK)
        return;
    if (r.kind != DOMAIN_KIND_NAME) {
        o->addresses++; /* libpsl reads addresses as names */
        return;
    }
    size_t host_len = r.host_len;
    bool has_dot = r.host[host_len - 1] == '.'; /* libpsl has no right answer with it */
    host_len -= has_dot;
    memcpy(host, r.host, host_len);
    host[host_len] = '\0';
    compare_icann(o, &r);
    struct domain_text ours = domain_registrable(&r, &r.all);
    const char *theirs = psl_registrable_domain(o->psl, host);
    o->hosts++;
    if (theirs == NULL ? ours.at == NULL
                       : ours.at != NULL && is((struct domain_text){ours.at, ours.len - has_dot},
                                               theirs, strlen(theirs)))
        return;
    const char *unregistrable = psl_unregistrable_domain(o->psl, host);
    if (unregistrable != NULL && is_wildcard_base(o, unregistrable)) {
        o->bases++;
        return;
    }
    printf("differs: %s: %.*s, libpsl %s\n", host, (int)ours.len, ours.at, theirs);
    o->failed++;
}

START_TEST(libpsl_over_real_urls)
{
    size_t len, list_len;
    char *list = NULL, *text = shared_data_read("urls/real_mix.txt", &len);
    struct oracle o = {.suffixes = load_shared_list(&list, &list_len)};
    if (text == NULL || o.suffixes == NULL)
        return;
    FILE *file = fmemopen(list, list_len, "r");
    ck_assert_ptr_nonnull(file);
    o.psl = psl_load_fp(file);
    fclose(file);
    ck_assert_ptr_nonnull(o.psl);
    for (char *line = text, *end; line < text + len; line = end + 1) {
        end = strchrnul(line, '\n');
        compare(&o, line, (size_t)(end - line));
    }
    printf("libpsl: %u hosts, %u differ, %u wildcard bases, %u addresses left out\n", o.hosts,
           o.failed, o.bases, o.addresses);
    ck_assert_uint_gt(o.hosts, 0);
    ck_assert_uint_eq(o.failed, 0);
    psl_free(o.psl);
    domain_suffixes_unref(o.suffixes);
    free(list);
    free(text);
}
END_TEST

SUITE_MAIN("conformance", SUITE_TEST(wpt_hosts), SUITE_TEST(wpt_to_ascii),
           SUITE_TEST(suffix_list_vectors), SUITE_TEST(libpsl_over_real_urls))
