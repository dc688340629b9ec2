/* server/profile/format.h - the reports, one function per format; all append to a
 * buffer.
 *
 *   returns  0, or -ENOMEM / -EMSGSIZE of the buffer */
#pragma once

#include "coro/base/attr.h"
#include "coro/base/buf.h"
#include "server/profile/report.h"
#include "server/profile/view.h"

/* What pstats prints (print_stats, print_callers or print_callees) for the
 * file that profile_pstats writes, byte for byte, after its file-name line. */
MUST_USE int profile_text(struct buf *out, const struct profile_report *r,
                          const struct profile_view *v);
/* The file that pstats.Stats, snakeviz and gprof2dot load. */
MUST_USE int profile_pstats(struct buf *out, const struct profile_report *r);
