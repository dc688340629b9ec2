/* Any bytes as a URL: no crash; what comes out is a host that the library itself
 * reads as the same host, with parts in their places and as valid JSON text. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/domain/format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "not so: %s\n", #condition);                                           \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static const char list[] = "com\nuk\nco.uk\njp\n*.kobe.jp\n!city.kobe.jp\ncn\n"
                           "\xe5\x85\xac\xe5\x8f\xb8.cn\n"
                           "// ===BEGIN PRIVATE DOMAINS===\ngithub.io\n*.compute.amazonaws.com\n"
                           "// ===END PRIVATE DOMAINS===\n";

static struct domain_suffixes *suffixes(void)
{
    static struct domain_suffixes *s;
    struct domain_load_error why;
    if (s == NULL)
        CHECK(domain_suffixes_parse(list, sizeof list - 1, &s, &why) == 0);
    return s;
}

static void check_cut(const struct domain_result *r, const struct domain_cut *cut)
{
    if (cut->suffix_at == DOMAIN_NONE) {
        CHECK(cut->registrable_at == DOMAIN_NONE && cut->section == DOMAIN_SECTION_NONE);
        return;
    }
    CHECK(cut->suffix_at < r->host_len && cut->section != DOMAIN_SECTION_NONE);
    CHECK(cut->suffix_at == 0 || r->host[cut->suffix_at - 1] == '.');
    if (cut->registrable_at == DOMAIN_NONE) {
        CHECK(cut->suffix_at == 0);
        return;
    }
    CHECK(cut->registrable_at < cut->suffix_at);
    CHECK(cut->registrable_at == 0 || r->host[cut->registrable_at - 1] == '.');
}

static void check_same(const struct domain_cut *a, const struct domain_cut *b)
{
    CHECK(a->suffix_at == b->suffix_at && a->registrable_at == b->registrable_at);
    CHECK(a->section == b->section);
}

/* http://HOST/ has the same host, kind and parts. */
static void check_again(const struct domain_result *r)
{
    char url[DOMAIN_HOST_MAX_BYTES + 16];
    struct domain_result again;
    int n = snprintf(url, sizeof url, "http://%.*s/", r->host_len, r->host);
    CHECK(domain_parse(suffixes(), url, (size_t)n, &again) == DOMAIN_OK);
    CHECK(again.host_len == r->host_len && memcmp(again.host, r->host, r->host_len) == 0);
    CHECK(again.kind == r->kind && again.port == -1);
    check_same(&again.all, &r->all);
    check_same(&again.icann, &r->icann);
    CHECK((again.flags & ~(unsigned)DOMAIN_TRAILING_DOT) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* a copy of exactly this size, so that a read beyond it is seen */
    char *url = malloc(size > 0 ? size : 1);
    struct domain_result r;
    CHECK(url != NULL);
    memcpy(url, data, size);
    if (domain_parse(suffixes(), url, size, &r) == DOMAIN_OK) {
        CHECK(r.host_len > 0 && r.host_len <= DOMAIN_HOST_MAX_BYTES);
        for (size_t i = 0; i < r.host_len; i++)
            CHECK((unsigned char)r.host[i] < 0x80 && !(r.host[i] >= 'A' && r.host[i] <= 'Z'));
        check_cut(&r, &r.all);
        check_cut(&r, &r.icann);
        check_again(&r);
        char text[DOMAIN_UNICODE_MAX_BYTES];
        CHECK(domain_unicode(r.host, r.host_len, text) <= sizeof text);
        struct buf out;
        buf_init(&out, 1 << 24);
        CHECK(domain_format_json(&out, url, size, &r, &r.all) == 0);
        for (size_t i = 0; i < out.len; i++)
            CHECK((unsigned char)out.data[i] >= 0x20);
        buf_fini(&out);
    }
    free(url);
    return 0;
}
