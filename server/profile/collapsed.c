/* server/profile/collapsed.c - one line per call path, "a;b;c 123" with ns of self
 * time, as flame graph tools read it; and the same paths for speedscope. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coro/base/json.h"
#include "server/profile/format.h"

static int64_t self_ns(const struct profile_report *r, uint32_t node)
{
    return llround(profile_ns(r, r->nodes[node].self));
}

/* The nodes from below the root down to `node`; how many. */
static uint32_t path_to(const struct profile_report *r, uint32_t node, uint32_t *path)
{
    uint32_t depth = 0;
    for (uint32_t i = node; i != 0; i = r->nodes[i].parent)
        depth++;
    uint32_t at = depth;
    for (uint32_t i = node; i != 0; i = r->nodes[i].parent)
        path[--at] = i;
    return depth;
}

static const char *name_of(const struct profile_report *r, uint32_t node)
{
    return r->functions[r->nodes[node].function].site->name;
}

/* A semicolon would end the frame. */
static int append_frame(struct buf *out, const char *name)
{
    int rv = 0;
    for (const char *c = name; *c != '\0' && rv == 0; c++)
        rv = buf_append_char(out, *c == ';' ? ',' : *c);
    return rv;
}

int profile_collapsed(struct buf *out, const struct profile_report *r)
{
    uint32_t *path = calloc(r->node_count, sizeof *path);
    int rv = path == NULL ? -ENOMEM : 0;
    if (rv == 0 && self_ns(r, 0) > 0)
        rv = buf_printf(out, "{unscoped} %" PRId64 "\n", self_ns(r, 0));
    for (uint32_t i = 1; i < r->node_count && rv == 0; i++) {
        if (self_ns(r, i) <= 0)
            continue;
        uint32_t depth = path_to(r, i, path);
        for (uint32_t d = 0; d < depth && rv == 0; d++) {
            rv = append_frame(out, name_of(r, path[d]));
            if (rv == 0)
                rv = buf_append_char(out, d + 1 < depth ? ';' : ' ');
        }
        if (rv == 0)
            rv = buf_printf(out, "%" PRId64 "\n", self_ns(r, i));
    }
    free(path);
    return rv;
}

/* ---- speedscope ---- */

static int append_frames(struct buf *out, const struct profile_report *r)
{
    int rv = buf_append_str(out, "\"shared\":{\"frames\":[");
    for (uint32_t i = 0; i < r->function_count && rv == 0; i++) {
        const struct profile_function *f = &r->functions[i];
        rv = buf_append_str(out, i == 0 ? "{\"name\":" : ",\n{\"name\":");
        if (rv == 0)
            rv = json_append_string(out, f->site->name, strlen(f->site->name));
        if (rv == 0 && f->line != 0)
            rv = buf_append_str(out, ",\"file\":");
        if (rv == 0 && f->line != 0)
            rv = json_append_string(out, f->file, strlen(f->file));
        if (rv == 0 && f->line != 0)
            rv = buf_printf(out, ",\"line\":%" PRIu32, f->line);
        if (rv == 0)
            rv = buf_append_char(out, '}');
    }
    return rv < 0 ? rv : buf_append_str(out, "]},\n");
}

static int append_samples(struct buf *out, const struct profile_report *r, uint32_t *path)
{
    int rv = buf_append_str(out, "\"samples\":[");
    bool is_first = true;
    for (uint32_t i = 1; i < r->node_count && rv == 0; i++) {
        if (self_ns(r, i) <= 0)
            continue;
        rv = buf_append_str(out, is_first ? "[" : ",\n[");
        is_first = false;
        uint32_t depth = path_to(r, i, path);
        for (uint32_t d = 0; d < depth && rv == 0; d++)
            rv = buf_printf(out, "%s%" PRIu32, d == 0 ? "" : ",", r->nodes[path[d]].function);
        if (rv == 0)
            rv = buf_append_char(out, ']');
    }
    return rv < 0 ? rv : buf_append_str(out, "],\n\"weights\":[");
}

static int append_weights(struct buf *out, const struct profile_report *r)
{
    int rv = 0;
    bool is_first = true;
    for (uint32_t i = 1; i < r->node_count && rv == 0; i++) {
        if (self_ns(r, i) <= 0)
            continue;
        rv = buf_printf(out, "%s%" PRId64, is_first ? "" : ",", self_ns(r, i));
        is_first = false;
    }
    return rv;
}

int profile_speedscope(struct buf *out, const struct profile_report *r,
                       const struct profile_about *about)
{
    int64_t total = 0;
    for (uint32_t i = 1; i < r->node_count; i++)
        total += self_ns(r, i) > 0 ? self_ns(r, i) : 0;
    uint32_t *path = calloc(r->node_count, sizeof *path);
    if (path == NULL)
        return -ENOMEM;
    int rv = buf_append_str(
        out, "{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\",\n");
    if (rv == 0)
        rv = append_frames(out, r);
    if (rv == 0)
        rv = buf_printf(
            out,
            "\"profiles\":[{\"type\":\"sampled\",\"name\":\"domaind%s%s, snapshot %" PRIu64
            "\",\"unit\":\"nanoseconds\",\"startValue\":0,\"endValue\":%" PRId64 ",\n",
            about->mode == NULL ? "" : " ", about->mode == NULL ? "" : about->mode,
            about->snapshot->id, total);
    if (rv == 0)
        rv = append_samples(out, r, path);
    if (rv == 0)
        rv = append_weights(out, r);
    free(path);
    return rv < 0 ? rv : buf_printf(out, "]}],\n\"exporter\":\"domaind %s\"}\n", DOMAIND_VERSION);
}
