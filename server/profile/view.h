/* server/profile/view.h - which rows, in which order: pstats' sort keys and
 * restrictions, to the letter.
 *
 *   returns    0, or -EINVAL and a message for the person who asked
 *   ownership  texts are copied or compiled at once */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coro/base/attr.h"
#include "coro/base/buf.h"
#include "server/profile/report.h"

#define PROFILE_SORTS_MAX        8
#define PROFILE_RESTRICTIONS_MAX 8
#define PROFILE_MESSAGE_BYTES    256

enum profile_table_kind { PROFILE_STATS, PROFILE_CALLERS, PROFILE_CALLEES };

/* One of print_stats' arguments. */
struct profile_restriction {
    enum { PROFILE_FIRST, PROFILE_FRACTION, PROFILE_REGEX } kind;
    int64_t first;
    double fraction;
    char *pattern; /* as given */
    void *regex;   /* compiled */
};

struct profile_view {
    enum profile_table_kind table;
    uint8_t sorts[PROFILE_SORTS_MAX]; /* rows of the key table */
    size_t sort_count;                /* 0: order of appearance */
    struct profile_restriction restrictions[PROFILE_RESTRICTIONS_MAX];
    size_t restriction_count;
};

void profile_view_init(struct profile_view *v);
void profile_view_fini(struct profile_view *v);

/* "tottime", "time,name", a unique prefix, or one of the old numbers -1 0 1 2;
 * "none" for the order of appearance.  Replaces what was set. */
MUST_USE int profile_view_sort(struct profile_view *v, const char *keys,
                               char ret_message[PROFILE_MESSAGE_BYTES]);
/* "10" (rows) or "0.1" (fraction of the rows). */
MUST_USE int profile_view_limit(struct profile_view *v, const char *amount,
                                char ret_message[PROFILE_MESSAGE_BYTES]);
/* A regular expression, searched for in the printed name. */
MUST_USE int profile_view_match(struct profile_view *v, const char *pattern,
                                char ret_message[PROFILE_MESSAGE_BYTES]);

/* All keys, for messages: "calls, ncalls, ...". */
MUST_USE int profile_view_keys(struct buf *out);

/* The rows of `r` to show, in order, and pstats' words about it
 * ("   Ordered by: ...\n" and one line per restriction that cut).
 * -ENOMEM otherwise; *ret_rows is the caller's to free. */
MUST_USE int profile_view_apply(const struct profile_view *v, const struct profile_report *r,
                                uint32_t **ret_rows, uint32_t *ret_count, struct buf *message);
