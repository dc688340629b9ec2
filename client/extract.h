/* client/extract.h - the pieces of domainc extract: rows, counts, the pipeline.
 *
 *   returns    0, or -errno
 *   ownership  everything handed in is borrowed for the call */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coro/base/buf.h"
#include "server/domain/domain.h"
#include "server/domain/engine.h"

enum extract_format { EXTRACT_TEXT, EXTRACT_TSV, EXTRACT_NDJSON };
enum extract_errors { EXTRACT_KEEP, EXTRACT_SKIP, EXTRACT_STOP };

enum extract_field {
#define EXTRACT_FIELD(NAME, word) EXTRACT_FIELD_##NAME,
#include "client/extract_field.def"
#undef EXTRACT_FIELD
    EXTRACT_FIELD_COUNT
};

enum {
    EXTRACT_FIELDS_MAX = 16,
    EXTRACT_LINE_MAX_BYTES = 64 << 10, /* a longer line is a bad line */
};

struct extract_options {
    enum extract_format format;
    enum extract_errors errors;
    enum domain_engine_kind engine;
    const struct domain_suffixes *suffixes;
    const char *suffix_list; /* path */
    bool is_icann_only;
    bool is_quiet;                      /* no progress, no reports of single lines */
    uint8_t fields[EXTRACT_FIELDS_MAX]; /* enum extract_field */
    size_t field_count;
    unsigned jobs;
    int64_t count_top;        /* print this many of the most frequent; 0: rows instead */
    int64_t repeat;           /* calls on one URL; 0: files */
    const char *profile_sort; /* NULL: no profile */
    char **paths;             /* "-": standard input */
    size_t path_count;
};

/* ---- extract_row.c ---- */

/* One input line and what came of it. */
struct extract_row {
    const char *url;
    size_t url_len;
    uint64_t line;
    enum domain_error error; /* DOMAIN_OK: the rest is valid */
    bool is_too_long;        /* the line was cut: an error too */
    struct domain_text domain;
    const struct domain_result *result; /* NULL: a regex engine found the domain */
};

static inline bool extract_is_bad(const struct extract_row *row)
{
    return row->error != DOMAIN_OK || row->is_too_long;
}
const char *extract_error_word(const struct extract_row *row);
const char *extract_error_text(const struct extract_row *row);

/* "url,domain,..." into o->fields.  -EINVAL: *ret_bad is the word that is no field. */
MUST_USE int extract_parse_fields(struct extract_options *o, const char *text, char *ret_bad,
                                  size_t cap);
/* Whether a line has the field also when a regex engine took the domain. */
bool extract_is_sample_field(enum extract_field field);
/* The row in the format wanted, with its newline. */
MUST_USE int extract_put_row(const struct extract_options *o, struct buf *out,
                             const struct extract_row *row);
/* A value of a TSV column: a tab as \t, a carriage return as \r, a backslash as \\. */
MUST_USE int extract_put_escaped(struct buf *out, const char *at, size_t n);

#define EXTRACT_SCRATCH_BYTES DOMAIN_UNICODE_MAX_BYTES
/* One field's text; at NULL: it has no value.  scratch holds what is not in the row. */
struct domain_text extract_field_text(const struct extract_options *o,
                                      const struct extract_row *row, enum extract_field field,
                                      char scratch[EXTRACT_SCRATCH_BYTES]);

/* ---- extract_count.c ---- */

struct extract_counts;

MUST_USE int extract_counts_new(struct extract_counts **ret_counts);
void extract_counts_free(struct extract_counts *counts);
MUST_USE int extract_counts_add(struct extract_counts *counts, const char *key, size_t len,
                                uint64_t times);
MUST_USE int extract_counts_merge(struct extract_counts *into, const struct extract_counts *from);
/* "TIMES\tKEY" lines, the most frequent first, equals by key; top of them. */
MUST_USE int extract_counts_print(struct extract_counts *counts, size_t top, struct buf *out);

/* ---- extract_run.c ---- */

/* The files' lines through o->jobs workers to standard output, in order.
 * Returns the exit code; what went wrong has been said. */
int extract_run(const struct extract_options *o);
