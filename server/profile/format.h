/* server/profile/format.h - the reports, one function per format; all append to a
 * buffer.
 *
 *   returns  0, or -ENOMEM / -EMSGSIZE of the buffer */
#pragma once

#include "coro/base/attr.h"
#include "coro/base/buf.h"
#include "server/profile/report.h"
#include "server/profile/view.h"

struct prof_snapshot;

/* What pstats prints (print_stats, print_callers or print_callees) for the
 * file that profile_pstats writes, byte for byte, after its file-name line. */
MUST_USE int profile_text(struct buf *out, const struct profile_report *r,
                          const struct profile_view *v);
/* The file that pstats.Stats, snakeviz and gprof2dot load. */
MUST_USE int profile_pstats(struct buf *out, const struct profile_report *r);

/* What the report is about, for the formats that can say so. */
struct profile_about {
    const struct prof_snapshot *snapshot;     /* the later moment */
    uint64_t base_id;                         /* 0: none */
    int64_t span_ns;                          /* 0: since the start */
    const char *mode;                         /* may be NULL */
    int64_t slot;                             /* -1: all workers */
    const char *endpoint;                     /* NULL: all */
    const struct profile_endpoint *endpoints; /* ends with a NULL path; NULL: unknown */
    bool is_cpu; /* pprof: samples and cpu, as Go's profile has, instead of calls, wait, run */
};

/* Everything: functions with every column, edges, the tree, the workers, and
 * whether the sums agree. */
MUST_USE int profile_json(struct buf *out, const struct profile_report *r,
                          const struct profile_view *v, const struct profile_about *about);
/* For callgrind_annotate and kcachegrind. */
MUST_USE int profile_callgrind(struct buf *out, const struct profile_report *r);
/* "a;b;c 123" (ns of self time): for flame graph tools. */
MUST_USE int profile_collapsed(struct buf *out, const struct profile_report *r);
/* For www.speedscope.app, by its file format. */
MUST_USE int profile_speedscope(struct buf *out, const struct profile_report *r,
                                const struct profile_about *about);
/* profile.proto, compressed: for pprof, Parca, Pyroscope.  Takes trees kept apart too. */
MUST_USE int profile_pprof(struct buf *out, const struct profile_report *r,
                           const struct profile_about *about);
