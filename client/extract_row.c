/* One line's answer as text, TSV or NDJSON.
 *
 * TSV values cannot hold what separates them: in a URL (or a piece of it that a
 * regex engine took) a tab becomes \t, a
 * carriage return \r, a backslash \\. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/extract.h"
#include "server/domain/format.h"

enum {
    TOO_LONG_SHOWN_BYTES = 200, /* of a line that is not even looked at */
    NUMBER_BYTES = 24,
};

static const char *const field_words[] = {
#define EXTRACT_FIELD(NAME, word) word,
#include "client/extract_field.def"
#undef EXTRACT_FIELD
};

int extract_parse_fields(struct extract_options *o, const char *text, char *ret_bad, size_t cap)
{
    o->field_count = 0;
    for (;;) {
        size_t len = strcspn(text, ","), i = 0;
        while (i < ARRAY_LEN(field_words) &&
               (strlen(field_words[i]) != len || memcmp(field_words[i], text, len) != 0))
            i++;
        if (i == ARRAY_LEN(field_words) || o->field_count == EXTRACT_FIELDS_MAX) {
            snprintf(ret_bad, cap, "%.*s", (int)len, text);
            return -EINVAL;
        }
        o->fields[o->field_count++] = (uint8_t)i;
        if (text[len] == '\0')
            return 0;
        text += len + 1;
    }
}

bool extract_is_sample_field(enum extract_field field)
{
    return field == EXTRACT_FIELD_URL || field == EXTRACT_FIELD_LINE ||
           field == EXTRACT_FIELD_DOMAIN || field == EXTRACT_FIELD_ERROR;
}

const char *extract_error_word(const struct extract_row *row)
{
    return row->is_too_long ? "line_too_long" : domain_error_word(row->error);
}

const char *extract_error_text(const struct extract_row *row)
{
    return row->is_too_long ? "the line is longer than 64 KiB" : domain_error_text(row->error);
}

/* ---- fields ---- */

static const struct domain_text nothing = {NULL, 0};

static struct domain_text word_text(const char *word)
{
    return word == NULL ? nothing : (struct domain_text){word, strlen(word)};
}

static struct domain_text number_text(uint64_t number, char *scratch)
{
    int n = snprintf(scratch, NUMBER_BYTES, "%" PRIu64, number);
    return (struct domain_text){scratch, (size_t)n};
}

static struct domain_text flags_text(unsigned flags, char *scratch)
{
    size_t n = 0;
    for (; flags != 0; flags &= flags - 1) {
        const char *word = domain_flag_word((enum domain_flag_bit)__builtin_ctz(flags));
        size_t len = strlen(word);
        if (n > 0)
            scratch[n++] = ',';
        memcpy(scratch + n, word, len);
        n += len;
    }
    return (struct domain_text){scratch, n};
}

/* A field that only a result has. */
static struct domain_text result_text(const struct domain_result *r, const struct domain_cut *cut,
                                      enum extract_field field, char *scratch)
{
    switch (field) {
    case EXTRACT_FIELD_REGISTRABLE:
        return domain_registrable(r, cut);
    case EXTRACT_FIELD_SUFFIX:
        return domain_suffix(r, cut);
    case EXTRACT_FIELD_SUBDOMAIN:
        return domain_subdomain(r, cut);
    case EXTRACT_FIELD_KIND:
        return word_text(domain_kind_word((enum domain_kind)r->kind));
    case EXTRACT_FIELD_SUFFIX_KIND:
        return word_text(domain_section_word((enum domain_section)cut->section));
    case EXTRACT_FIELD_PORT:
        return r->port < 0 ? nothing : number_text((uint64_t)r->port, scratch);
    case EXTRACT_FIELD_UNICODE:
        return (struct domain_text){scratch, domain_unicode(r->host, r->host_len, scratch)};
    case EXTRACT_FIELD_FLAGS:
        return flags_text(r->flags, scratch);
    default:
        return nothing;
    }
}

struct domain_text extract_field_text(const struct extract_options *o,
                                      const struct extract_row *row, enum extract_field field,
                                      char scratch[EXTRACT_SCRATCH_BYTES])
{
    bool is_bad = extract_is_bad(row);
    if (field == EXTRACT_FIELD_URL)
        return (struct domain_text){row->url, row->url_len};
    if (field == EXTRACT_FIELD_LINE)
        return number_text(row->line, scratch);
    if (field == EXTRACT_FIELD_ERROR)
        return is_bad ? word_text(extract_error_word(row)) : nothing;
    if (is_bad)
        return nothing;
    if (field == EXTRACT_FIELD_DOMAIN)
        return row->domain;
    const struct domain_result *r = row->result;
    if (r == NULL)
        return nothing;
    return result_text(r, o->is_icann_only ? &r->icann : &r->all, field, scratch);
}

/* ---- rows ---- */

static inline void put(struct buf *out, const char *at, size_t n)
{
    memcpy(out->data + out->len, at, n);
    out->len += n;
}

static char escape_of(char c)
{
    return c == '\t' ? 't' : c == '\r' ? 'r' : c == '\\' ? '\\' : '\0';
}

/* A value; there is room for every byte twice. */
static void put_escaped(struct buf *out, const char *at, size_t n)
{
    if (LIKELY(memchr(at, '\\', n) == NULL && memchr(at, '\t', n) == NULL &&
               memchr(at, '\r', n) == NULL)) {
        put(out, at, n);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        char escape = escape_of(at[i]);
        if (escape != '\0') {
            out->data[out->len++] = '\\';
            out->data[out->len++] = escape;
        } else {
            out->data[out->len++] = at[i];
        }
    }
}

int extract_put_escaped(struct buf *out, const char *at, size_t n)
{
    int rv = buf_reserve(out, 2 * n);
    if (rv == 0)
        put_escaped(out, at, n);
    return rv;
}

static int put_tsv(const struct extract_options *o, struct buf *out, const struct extract_row *row)
{
    char scratch[EXTRACT_SCRATCH_BYTES];
    for (size_t i = 0; i < o->field_count; i++) {
        enum extract_field field = (enum extract_field)o->fields[i];
        struct domain_text value = extract_field_text(o, row, field, scratch);
        int rv = buf_reserve(out, 2 * value.len + 1);
        if (rv < 0)
            return rv;
        bool is_raw = field == EXTRACT_FIELD_URL ||
                      (field == EXTRACT_FIELD_DOMAIN && row->result == NULL && value.len > 0);
        if (is_raw)
            put_escaped(out, value.at, value.len);
        else if (value.len > 0)
            put(out, value.at, value.len);
        out->data[out->len++] = i + 1 < o->field_count ? '\t' : '\n';
    }
    return 0;
}

static int put_ndjson(const struct extract_options *o, struct buf *out,
                      const struct extract_row *row)
{
    const struct domain_result *r = row->result;
    int rv;
    if (extract_is_bad(row)) {
        size_t shown = row->is_too_long ? TOO_LONG_SHOWN_BYTES : row->url_len;
        rv = domain_format_error(out, row->url, shown, row->line, extract_error_word(row),
                                 extract_error_text(row));
    } else if (r == NULL) {
        rv = domain_format_sample(out, row->url, row->url_len, row->domain,
                                  domain_engine_word(o->engine));
    } else {
        rv = domain_format_json(out, row->url, row->url_len, r,
                                o->is_icann_only ? &r->icann : &r->all);
    }
    return rv < 0 ? rv : buf_append_char(out, '\n');
}

int extract_put_row(const struct extract_options *o, struct buf *out, const struct extract_row *row)
{
    if (o->format == EXTRACT_TSV)
        return put_tsv(o, out, row);
    if (o->format == EXTRACT_NDJSON)
        return put_ndjson(o, out, row);
    size_t len = extract_is_bad(row) ? 0 : row->domain.len;
    int rv = buf_reserve(out, len + 1);
    if (rv < 0)
        return rv;
    if (len > 0)
        put(out, row->domain.at, len);
    out->data[out->len++] = '\n';
    return 0;
}
