/* server/profile/callgrind.c - a profile data file for callgrind_annotate and
 * kcachegrind: self cost per function, inclusive cost per caller and callee.
 * Format: Valgrind manual, "Callgrind Format Specification". */
#include <inttypes.h>
#include <math.h>

#include "server/profile/format.h"

static int64_t to_ns(const struct profile_report *r, int64_t ticks)
{
    return llround(profile_ns(r, ticks));
}

static int append_callee(struct buf *out, const struct profile_report *r,
                         const struct profile_function *f, const struct profile_edge *e)
{
    const struct profile_function *callee = &r->functions[e->callee];
    return buf_printf(
        out, "cfi=%s\ncfn=%s\ncalls=%" PRId64 " %" PRIu32 "\n%" PRIu32 " %" PRId64 " 0\n",
        callee->file, callee->site->name, e->calls, callee->line, f->line, to_ns(r, e->total));
}

int profile_callgrind(struct buf *out, const struct profile_report *r)
{
    int64_t self = 0, wait = 0;
    for (uint32_t i = 0; i < r->function_count; i++) {
        self += to_ns(r, r->functions[i].self);
        wait += to_ns(r, r->functions[i].wait);
    }
    int rv = buf_printf(out,
                        "# callgrind format\nversion: 1\ncreator: domaind %s\n"
                        "positions: line\nevents: ns Wait\nsummary: %" PRId64 " %" PRId64 "\n",
                        DOMAIND_VERSION, self, wait);
    for (uint32_t i = 0; i < r->function_count && rv == 0; i++) {
        const struct profile_function *f = &r->functions[i];
        if (!f->is_shown)
            continue;
        rv = buf_printf(out, "\nfl=%s\nfn=%s\n%" PRIu32 " %" PRId64 " %" PRId64 "\n", f->file,
                        f->site->name, f->line, to_ns(r, f->self), to_ns(r, f->wait));
        for (uint32_t e = f->first_callee; e != PROFILE_NONE && rv == 0;
             e = r->edges[e].next_callee)
            if (profile_edge_is_shown(r, e))
                rv = append_callee(out, r, f, &r->edges[e]);
    }
    return rv;
}
