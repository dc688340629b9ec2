/* server/profile/query.h - one question about the call-table, and its answer.
 *
 *   returns    0, or -errno; -EINVAL and -ENOENT come with a message for the
 *              person who asked
 *   context    profile_answer: any thread; sleeps for PROFILE_PATIENCE_NS at
 *              most when a worker is stuck, computes for a millisecond or two:
 *              not on an event loop */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coro/base/attr.h"
#include "coro/base/buf.h"
#include "server/profile/report.h"
#include "server/profile/view.h"

enum profile_format {
#define PROFILE_FORMAT(ID, name, type, file) PROFILE_FORMAT_##ID,
#include "server/profile/format.def"
#undef PROFILE_FORMAT
    PROFILE_FORMAT_COUNT
};
extern const char *const profile_format_type[PROFILE_FORMAT_COUNT];
extern const char *const profile_format_file[PROFILE_FORMAT_COUNT];

struct profile_query {
    enum profile_format format;
    bool has_format; /* asked for, not the default */
    struct profile_view view;
    struct profile_filter filter;
    int64_t window_ns; /* 0: since the start, or the last reset */
    uint64_t base_id;  /* 0: none */
    /* That snapshot itself, owned: the store may forget it before the report is made.
     * NULL: the store has it. */
    struct prof_snapshot *base;
    uint64_t snapshot_id;
    const struct profile_endpoint *endpoints; /* borrowed; ends with a NULL path */
    bool is_cpu;                              /* pprof as Go's /debug/pprof/profile has it */
    const char *mode; /* how the server runs: a label in some formats; may be NULL */
};

/* Where the answer comes from. */
struct profile_answer {
    uint64_t snapshot_id;
    int64_t at_ns;   /* monotonic */
    int64_t wall_ns; /* since the epoch */
    int64_t span_ns; /* what it covers, up to at_ns; 0: since the start */
    bool is_stale;   /* some worker did not answer in time */
};

/* Text, sorted by cumulative time. */
void profile_query_init(struct profile_query *q);
void profile_query_fini(struct profile_query *q);
/* Set one parameter from text. */
MUST_USE int profile_query_set(struct profile_query *q, const char *name, const char *value,
                               char ret_message[PROFILE_MESSAGE_BYTES]);
/* "format=text|..., sort=KEYS, ...": for messages and help. */
MUST_USE int profile_query_names(struct buf *out);

/* Take (or find) the snapshots, derive, render into `out`. */
MUST_USE int profile_query_answer(const struct profile_query *q, struct buf *out,
                                  struct profile_answer *ret_answer,
                                  char ret_message[PROFILE_MESSAGE_BYTES]);
