/* server/profile/json.c - everything a page or a script may want to show.
 *
 * Times are nanoseconds.  `functions` are the rows (sorted and restricted as
 * asked), `edges` and `tree` refer to them by index; a tree node is
 *   {"f": function, "calls", "self", "total", "wait", "ready", "slice",
 *    "in_flight", "children": [...]}
 * with f null at the root.  Functions that restrictions cut are still listed,
 * with "shown": false, so that edges and tree stay whole.  "slice" is the longest
 * since the last reset; "slice_recent" says that it lies in the span of this report. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coro/base/json.h"
#include "coro/prof/prof.h"
#include "server/profile/format.h"

static int64_t to_ns(const struct profile_report *r, int64_t ticks)
{
    return llround(profile_ns(r, ticks));
}

static int append_name(struct buf *out, const char *key, const char *text)
{
    int rv = buf_printf(out, "\"%s\":", key);
    if (rv < 0)
        return rv;
    return text == NULL ? buf_append_str(out, "null") : json_append_string(out, text, strlen(text));
}

static int append_function(struct buf *out, const struct profile_report *r,
                           const struct profile_function *f, bool is_shown)
{
    int rv = buf_append_str(out, "{");
    if (rv == 0)
        rv = append_name(out, "label", f->label);
    if (rv == 0)
        rv = buf_append_str(out, ",");
    if (rv == 0)
        rv = append_name(out, "file", f->file);
    if (rv == 0)
        rv = buf_printf(out, ",\"line\":%" PRIu32 ",", f->line);
    if (rv == 0)
        rv = append_name(out, "name", f->name);
    return rv < 0
               ? rv
               : buf_printf(out,
                            ",\"shown\":%s,\"calls\":%" PRId64 ",\"primitive\":%" PRId64
                            ",\"self\":%" PRId64 ",\"total\":%" PRId64 ",\"wait\":%" PRId64
                            ",\"ready\":%" PRId64 ",\"slice\":%" PRId64
                            ",\"slice_recent\":%s,\"in_flight\":%" PRId64 ",\"cost\":%" PRId64 "}",
                            is_shown ? "true" : "false", f->calls, f->primitive, to_ns(r, f->self),
                            to_ns(r, f->total), to_ns(r, f->wait), to_ns(r, f->ready),
                            to_ns(r, f->slice), f->is_slice_recent ? "true" : "false", f->in_flight,
                            (int64_t)((double)f->calls * prof_scope_cost_ns()));
}

/* Rows first, in their order; then the functions that have none.  place[f] is
 * where function f went. */
static int append_functions(struct buf *out, const struct profile_report *r,
                            const struct profile_view *v, uint32_t *place)
{
    uint32_t *rows = NULL, count = 0, next = 0;
    struct buf unused;
    buf_init(&unused, 1 << 16);
    int rv = profile_view_apply(v, r, &rows, &count, &unused);
    for (uint32_t i = 0; i < r->function_count && rv == 0; i++)
        place[i] = PROFILE_NONE;
    if (rv == 0)
        rv = buf_append_str(out, "\"functions\":[");
    for (uint32_t i = 0; i < count && rv == 0; i++) {
        place[rows[i]] = next;
        rv = next++ == 0 ? 0 : buf_append_str(out, ",\n");
        if (rv == 0)
            rv = append_function(out, r, &r->functions[rows[i]], true);
    }
    for (uint32_t i = 0; i < r->function_count && rv == 0; i++) {
        if (place[i] != PROFILE_NONE)
            continue;
        place[i] = next;
        rv = next++ == 0 ? 0 : buf_append_str(out, ",\n");
        if (rv == 0)
            rv = append_function(out, r, &r->functions[i], false);
    }
    free(rows);
    buf_fini(&unused);
    return rv < 0 ? rv : buf_append_str(out, "],\n");
}

static int append_edges(struct buf *out, const struct profile_report *r, const uint32_t *place)
{
    int rv = buf_append_str(out, "\"edges\":[");
    bool is_first = true;
    for (uint32_t i = 0; i < r->edge_count && rv == 0; i++) {
        const struct profile_edge *e = &r->edges[i];
        if (!profile_edge_is_shown(r, i))
            continue;
        rv = buf_printf(out,
                        "%s{\"caller\":%" PRIu32 ",\"callee\":%" PRIu32 ",\"calls\":%" PRId64
                        ",\"primitive\":%" PRId64 ",\"self\":%" PRId64 ",\"total\":%" PRId64 "}",
                        is_first ? "" : ",\n", place[e->caller], place[e->callee], e->calls,
                        e->primitive, to_ns(r, e->self), to_ns(r, e->total));
        is_first = false;
    }
    return rv < 0 ? rv : buf_append_str(out, "],\n");
}

static int open_node(struct buf *out, const struct profile_report *r, uint32_t i,
                     const uint32_t *place)
{
    const struct profile_node *n = &r->nodes[i];
    int rv = n->function == PROFILE_NONE ? buf_append_str(out, "{\"f\":null")
                                         : buf_printf(out, "{\"f\":%" PRIu32, place[n->function]);
    return rv < 0 ? rv
                  : buf_printf(out,
                               ",\"calls\":%" PRId64 ",\"self\":%" PRId64 ",\"total\":%" PRId64
                               ",\"wait\":%" PRId64 ",\"ready\":%" PRId64 ",\"slice\":%" PRId64
                               ",\"in_flight\":%" PRId64 ",\"children\":[",
                               n->calls, to_ns(r, n->self), to_ns(r, n->total), to_ns(r, n->wait),
                               to_ns(r, n->ready), to_ns(r, n->slice), n->in_flight);
}

/* Depth-first without recursion. */
static int append_tree(struct buf *out, const struct profile_report *r, const uint32_t *place)
{
    int rv = buf_append_str(out, "\"tree\":");
    uint32_t i = 0;
    while (rv == 0) {
        rv = open_node(out, r, i, place);
        if (r->nodes[i].first_child != PROFILE_NONE) {
            i = r->nodes[i].first_child;
            continue;
        }
        if (rv == 0)
            rv = buf_append_str(out, "]}");
        while (rv == 0 && i != 0 && r->nodes[i].next_sibling == PROFILE_NONE) {
            i = r->nodes[i].parent;
            rv = buf_append_str(out, "]}");
        }
        if (i == 0)
            break;
        i = r->nodes[i].next_sibling;
        if (rv == 0)
            rv = buf_append_str(out, ",\n");
    }
    return rv < 0 ? rv : buf_append_str(out, "\n}\n");
}

static int append_workers(struct buf *out, const struct prof_snapshot *s)
{
    int rv = buf_append_str(out, "\"workers\":[");
    for (uint32_t i = 0; i < s->worker_count && rv == 0; i++) {
        const struct prof_snapshot_worker *w = &prof_snapshot_workers(s)[i];
        uint64_t self = 0;
        int64_t in_flight = 0;
        for (uint32_t n = 0; n < w->node_count; n++) {
            self += prof_snapshot_nodes(s)[w->first_node + n].self;
            in_flight += prof_snapshot_nodes(s)[w->first_node + n].in_flight;
        }
        rv = buf_printf(out, "%s{\"worker\":%" PRIu32 ",", i == 0 ? "" : ",\n", w->slot);
        if (rv == 0)
            rv = append_name(out, "name", w->name);
        if (rv == 0)
            rv = buf_printf(
                out,
                ",\"pid\":%d,\"tid\":%d,\"open\":%s,\"stale\":%s,\"generation\":%" PRIu32
                ",\"run\":%lld,\"self\":%lld,\"exact\":%s,\"switches\":%" PRIu64
                ",\"in_flight\":%" PRId64 ",\"abandoned\":%" PRIu32 ",\"overflowed\":%" PRIu64
                ",\"nodes\":%" PRIu32 "}",
                (int)w->pid, (int)w->tid, w->is_open ? "true" : "false",
                w->is_stale ? "true" : "false", w->generation, llround((double)w->run * s->tick_ns),
                llround((double)self * s->tick_ns), self == w->run ? "true" : "false", w->switches,
                in_flight, w->abandoned, w->overflowed, w->node_count);
    }
    return rv < 0 ? rv : buf_append_str(out, "],\n");
}

static int append_head(struct buf *out, const struct profile_report *r,
                       const struct profile_about *about)
{
    const struct prof_snapshot *s = about->snapshot;
    int64_t calls = 0;
    for (uint32_t i = 0; i < r->function_count; i++)
        calls += r->functions[i].calls;
    double cost_ns = prof_scope_cost_ns();
    int rv =
        buf_printf(out,
                   "{\"snapshot\":%" PRIu64 ",\"base\":%" PRIu64 ",\"at\":%.3f,\"span\":%" PRId64
                   ",\"recording\":%s,\"unit\":\"ns\",\"clock\":\"%s\",",
                   s->id, about->base_id, (double)s->wall_ns / 1e9, about->span_ns,
                   s->is_recording ? "true" : "false", prof_ticks_are_tsc ? "tsc" : "monotonic");
    if (rv == 0)
        rv = append_name(out, "mode", about->mode);
    if (rv == 0)
        rv = buf_append_str(out, ",");
    if (rv == 0)
        rv = append_name(out, "endpoint", about->endpoint);
    return rv < 0
               ? rv
               : buf_printf(
                     out,
                     ",\n\"run\":%" PRId64 ",\"self\":%" PRId64
                     ",\"conserved\":%s,\"calls\":%" PRId64
                     ",\"overhead\":{\"scope_ns\":%.1f,\"total\":%lld},\"missed\":%" PRIu64 ",\n",
                     to_ns(r, r->run), to_ns(r, r->self), r->run == r->self ? "true" : "false",
                     calls, cost_ns, llround((double)calls * cost_ns), s->missed);
}

static int append_endpoints(struct buf *out, const struct profile_endpoint *e)
{
    int rv = buf_append_str(out, "\"endpoints\":[");
    for (bool is_first = true; e != NULL && e->path != NULL && rv == 0; e++, is_first = false) {
        rv = is_first ? 0 : buf_append_char(out, ',');
        if (rv == 0)
            rv = json_append_string(out, e->path, strlen(e->path));
    }
    return rv < 0 ? rv : buf_append_str(out, "],\n");
}

int profile_json(struct buf *out, const struct profile_report *r, const struct profile_view *v,
                 const struct profile_about *about)
{
    uint32_t *place = calloc(r->function_count + 1, sizeof *place);
    if (place == NULL)
        return -ENOMEM;
    int rv = append_head(out, r, about);
    if (rv == 0)
        rv = append_endpoints(out, about->endpoints);
    if (rv == 0)
        rv = append_workers(out, about->snapshot);
    if (rv == 0)
        rv = append_functions(out, r, v, place);
    if (rv == 0)
        rv = append_edges(out, r, place);
    if (rv == 0)
        rv = append_tree(out, r, place);
    free(place);
    return rv;
}
