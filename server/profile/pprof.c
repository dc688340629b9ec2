/* server/profile/pprof.c - profile.proto (github.com/google/pprof), gzipped.
 *
 * One sample per call path, leaf first; per worker too, when their trees were
 * kept apart, with the worker's number as a label.  Consumers want: string 0 empty, ids
 * from 1 without gaps, as many values as sample types, and one mapping that
 * says it has functions, file names and lines, or they try to symbolize on
 * their own.
 *
 * The wire format is varints and nested lengths; a message is built in a
 * buffer and then appended with its length. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "server/profile/build_id.h"
#include "server/profile/format.h"

enum profile_field {
    PROFILE_SAMPLE_TYPE = 1,
    PROFILE_SAMPLE = 2,
    PROFILE_MAPPING = 3,
    PROFILE_LOCATION = 4,
    PROFILE_FUNCTION = 5,
    PROFILE_STRING_TABLE = 6,
    PROFILE_TIME_NANOS = 9,
    PROFILE_DURATION_NANOS = 10,
    PROFILE_PERIOD_TYPE = 11,
    PROFILE_PERIOD = 12,
    PROFILE_DEFAULT_SAMPLE_TYPE = 14,
};
enum { VALUE_TYPE_TYPE = 1, VALUE_TYPE_UNIT };
enum { SAMPLE_LOCATION_ID = 1, SAMPLE_VALUE, SAMPLE_LABEL };
enum { LABEL_KEY = 1, LABEL_STR };
enum {
    MAPPING_ID = 1,
    MAPPING_START,
    MAPPING_LIMIT,
    MAPPING_FILENAME = 5,
    MAPPING_BUILD_ID,
    MAPPING_HAS_FUNCTIONS = 7,
    MAPPING_HAS_FILENAMES,
    MAPPING_HAS_LINES
};
enum { LOCATION_ID = 1, LOCATION_MAPPING_ID, LOCATION_ADDRESS, LOCATION_LINE };
enum { LINE_FUNCTION_ID = 1, LINE_LINE };
enum {
    FUNCTION_ID = 1,
    FUNCTION_NAME,
    FUNCTION_SYSTEM_NAME,
    FUNCTION_FILENAME,
    FUNCTION_START_LINE
};

/* The first strings of the table; the functions' names and files follow. */
enum string {
    STRING_EMPTY,
    STRING_CALLS,
    STRING_COUNT,
    STRING_WAIT,
    STRING_RUN,
    STRING_NANOSECONDS,
    STRING_SAMPLES,
    STRING_CPU,
    STRING_PROGRAM,
    STRING_MODE_KEY,
    STRING_MODE,
    STRING_ENDPOINT_KEY,
    STRING_WORKER_KEY,
    STRING_BUILD_ID,
    STRING_FIRST_FREE,
};

/* ---- the wire ---- */

static int append_varint(struct buf *out, uint64_t value)
{
    char bytes[10];
    size_t n = 0;
    for (; value >= 0x80; value >>= 7)
        bytes[n++] = (char)(value | 0x80);
    bytes[n++] = (char)value;
    return buf_append(out, bytes, n);
}

static int append_number(struct buf *out, unsigned field, uint64_t value)
{
    int rv = append_varint(out, (uint64_t)field << 3);
    return rv < 0 ? rv : append_varint(out, value);
}

static int append_bytes(struct buf *out, unsigned field, const void *bytes, size_t n)
{
    int rv = append_varint(out, (uint64_t)field << 3 | 2);
    if (rv == 0)
        rv = append_varint(out, n);
    return rv < 0 ? rv : buf_append(out, bytes, n);
}

/* The finished part, which is empty again afterwards. */
static int append_part(struct buf *out, unsigned field, struct buf *part)
{
    int rv = append_bytes(out, field, part->data, part->len);
    buf_clear(part);
    return rv;
}

/* ---- messages ---- */

struct writing {
    const struct profile_report *report;
    const struct profile_about *about;
    struct buf *out;
    struct buf part;  /* of the top message */
    struct buf inner; /* of the part */
    struct profile_build build;
    uint32_t first_endpoint; /* strings */
    uint32_t first_worker;
    uint32_t worker_count; /* beyond the greatest number; 0: trees are merged */
};

static int append_type(struct writing *w, unsigned field, enum string type, enum string unit)
{
    int rv = append_number(&w->part, VALUE_TYPE_TYPE, type);
    if (rv == 0)
        rv = append_number(&w->part, VALUE_TYPE_UNIT, unit);
    return rv < 0 ? rv : append_part(w->out, field, &w->part);
}

static int append_types(struct writing *w)
{
    if (w->about->is_cpu) {
        int rv = append_type(w, PROFILE_SAMPLE_TYPE, STRING_SAMPLES, STRING_COUNT);
        return rv < 0 ? rv : append_type(w, PROFILE_SAMPLE_TYPE, STRING_CPU, STRING_NANOSECONDS);
    }
    int rv = append_type(w, PROFILE_SAMPLE_TYPE, STRING_CALLS, STRING_COUNT);
    if (rv == 0)
        rv = append_type(w, PROFILE_SAMPLE_TYPE, STRING_WAIT, STRING_NANOSECONDS);
    return rv < 0 ? rv : append_type(w, PROFILE_SAMPLE_TYPE, STRING_RUN, STRING_NANOSECONDS);
}

static int append_label(struct writing *w, uint64_t key, uint64_t value)
{
    int rv = append_number(&w->inner, LABEL_KEY, key);
    if (rv == 0)
        rv = append_number(&w->inner, LABEL_STR, value);
    return rv < 0 ? rv : append_part(&w->part, SAMPLE_LABEL, &w->inner);
}

/* The route whose handler the path goes through; 0: none. */
static uint32_t endpoint_of(const struct writing *w, uint32_t node)
{
    const struct profile_endpoint *e = w->about->endpoints;
    for (uint32_t i = node; e != NULL && w->report->nodes[i].function != PROFILE_NONE;
         i = w->report->nodes[i].parent) {
        const char *name = w->report->functions[w->report->nodes[i].function].site->name;
        for (uint32_t n = 0; e[n].path != NULL; n++)
            if (strcmp(e[n].function, name) == 0)
                return n + 1;
    }
    return 0;
}

static int append_values(struct writing *w, uint32_t node)
{
    const struct profile_node *n = &w->report->nodes[node];
    int rv = append_varint(&w->inner, (uint64_t)n->calls);
    if (rv == 0 && !w->about->is_cpu)
        rv = append_varint(&w->inner, (uint64_t)llround(profile_ns(w->report, n->wait)));
    if (rv == 0)
        rv = append_varint(&w->inner, (uint64_t)llround(profile_ns(w->report, n->self)));
    return rv < 0 ? rv : append_part(&w->part, SAMPLE_VALUE, &w->inner);
}

/* Locations are functions: the same id for both. */
static int append_sample(struct writing *w, uint32_t node)
{
    const struct profile_report *r = w->report;
    const struct profile_node *n = &r->nodes[node];
    int rv = 0;
    if (n->function == PROFILE_NONE || (n->calls == 0 && n->self == 0 && n->wait == 0))
        return 0;
    for (uint32_t i = node; r->nodes[i].function != PROFILE_NONE && rv == 0; i = r->nodes[i].parent)
        rv = append_varint(&w->inner, r->nodes[i].function + 1);
    if (rv == 0)
        rv = append_part(&w->part, SAMPLE_LOCATION_ID, &w->inner);
    if (rv == 0)
        rv = append_values(w, node);
    if (rv == 0 && w->about->mode != NULL)
        rv = append_label(w, STRING_MODE_KEY, STRING_MODE);
    uint32_t endpoint = endpoint_of(w, node);
    if (rv == 0 && endpoint != 0)
        rv = append_label(w, STRING_ENDPOINT_KEY, w->first_endpoint + endpoint - 1);
    if (rv == 0 && n->slot != PROFILE_NONE)
        rv = append_label(w, STRING_WORKER_KEY, w->first_worker + n->slot);
    return rv < 0 ? rv : append_part(w->out, PROFILE_SAMPLE, &w->part);
}

static int append_mapping(struct writing *w)
{
    int rv = append_number(&w->part, MAPPING_ID, 1);
    if (rv == 0)
        rv = append_number(&w->part, MAPPING_START, w->build.start);
    if (rv == 0)
        rv = append_number(&w->part, MAPPING_LIMIT, w->build.end);
    if (rv == 0)
        rv = append_number(&w->part, MAPPING_FILENAME, STRING_PROGRAM);
    if (rv == 0)
        rv = append_number(&w->part, MAPPING_BUILD_ID, STRING_BUILD_ID);
    for (unsigned has = MAPPING_HAS_FUNCTIONS; has <= MAPPING_HAS_LINES && rv == 0; has++)
        rv = append_number(&w->part, has, 1);
    return rv < 0 ? rv : append_part(w->out, PROFILE_MAPPING, &w->part);
}

static int append_function(struct writing *w, uint32_t i)
{
    const struct profile_function *f = &w->report->functions[i];
    uint64_t id = (uint64_t)i + 1, name = STRING_FIRST_FREE + 2 * (uint64_t)i;
    int rv = append_number(&w->inner, LINE_FUNCTION_ID, id);
    if (rv == 0)
        rv = append_number(&w->inner, LINE_LINE, f->line);
    if (rv == 0)
        rv = append_number(&w->part, LOCATION_ID, id);
    if (rv == 0)
        rv = append_number(&w->part, LOCATION_MAPPING_ID, 1);
    if (rv == 0) /* what /debug/pprof/symbol knows it by */
        rv = append_number(&w->part, LOCATION_ADDRESS, (uintptr_t)f->site);
    if (rv == 0)
        rv = append_part(&w->part, LOCATION_LINE, &w->inner);
    if (rv == 0)
        rv = append_part(w->out, PROFILE_LOCATION, &w->part);
    if (rv == 0)
        rv = append_number(&w->part, FUNCTION_ID, id);
    if (rv == 0)
        rv = append_number(&w->part, FUNCTION_NAME, name);
    if (rv == 0)
        rv = append_number(&w->part, FUNCTION_SYSTEM_NAME, name);
    if (rv == 0)
        rv = append_number(&w->part, FUNCTION_FILENAME, name + 1);
    if (rv == 0)
        rv = append_number(&w->part, FUNCTION_START_LINE, f->line);
    return rv < 0 ? rv : append_part(w->out, PROFILE_FUNCTION, &w->part);
}

static int append_string(struct writing *w, const char *text)
{
    return append_bytes(w->out, PROFILE_STRING_TABLE, text, strlen(text));
}

static int append_strings(struct writing *w)
{
    const char *mode = w->about->mode == NULL ? "" : w->about->mode;
    const char *const fixed[] = {
        [STRING_EMPTY] = "",
        [STRING_CALLS] = "calls",
        [STRING_COUNT] = "count",
        [STRING_WAIT] = "wait",
        [STRING_RUN] = "run",
        [STRING_NANOSECONDS] = "nanoseconds",
        [STRING_SAMPLES] = "samples",
        [STRING_CPU] = "cpu",
        [STRING_PROGRAM] = "domaind",
        [STRING_MODE_KEY] = "mode",
        [STRING_MODE] = mode,
        [STRING_ENDPOINT_KEY] = "endpoint",
        [STRING_WORKER_KEY] = "worker",
        [STRING_BUILD_ID] = w->build.id,
    };
    int rv = 0;
    for (size_t i = 0; i < ARRAY_LEN(fixed) && rv == 0; i++)
        rv = append_string(w, fixed[i]);
    for (uint32_t i = 0; i < w->report->function_count && rv == 0; i++) {
        rv = append_string(w, w->report->functions[i].site->name);
        if (rv == 0)
            rv = append_string(w, w->report->functions[i].file);
    }
    const struct profile_endpoint *e = w->about->endpoints;
    for (; e != NULL && e->path != NULL && rv == 0; e++)
        rv = append_string(w, e->path);
    for (uint32_t i = 0; i < w->worker_count && rv == 0; i++) {
        char number[16];
        snprintf(number, sizeof number, "%" PRIu32, i);
        rv = append_string(w, number);
    }
    return rv;
}

static void number_strings(struct writing *w)
{
    const struct profile_report *r = w->report;
    const struct profile_endpoint *e = w->about->endpoints;
    w->first_endpoint = STRING_FIRST_FREE + 2 * r->function_count;
    w->first_worker = w->first_endpoint;
    for (; e != NULL && e->path != NULL; e++)
        w->first_worker++;
    for (uint32_t i = 0; i < r->node_count; i++)
        if (r->nodes[i].slot != PROFILE_NONE && r->nodes[i].slot >= w->worker_count)
            w->worker_count = r->nodes[i].slot + 1;
}

static int append_profile(struct writing *w)
{
    const struct profile_report *r = w->report;
    number_strings(w);
    int rv = append_types(w);
    for (uint32_t i = 1; i < r->node_count && rv == 0; i++)
        rv = append_sample(w, i);
    if (rv == 0)
        rv = append_mapping(w);
    for (uint32_t i = 0; i < r->function_count && rv == 0; i++)
        rv = append_function(w, i);
    if (rv == 0)
        rv = append_strings(w);
    if (rv == 0)
        rv = append_number(w->out, PROFILE_TIME_NANOS,
                           (uint64_t)(w->about->snapshot->wall_ns - w->about->span_ns));
    if (rv == 0)
        rv = append_number(w->out, PROFILE_DURATION_NANOS, (uint64_t)w->about->span_ns);
    if (rv == 0)
        rv = append_type(w, PROFILE_PERIOD_TYPE, w->about->is_cpu ? STRING_CPU : STRING_RUN,
                         STRING_NANOSECONDS);
    if (rv == 0)
        rv = append_number(w->out, PROFILE_PERIOD, 1);
    return rv < 0 ? rv
                  : append_number(w->out, PROFILE_DEFAULT_SAMPLE_TYPE,
                                  w->about->is_cpu ? STRING_CPU : STRING_RUN);
}

static int append_gzip(struct buf *out, const struct buf *raw)
{
    enum { GZIP_WINDOW = 15 + 16, MEMORY_LEVEL = 8 };
    z_stream z = {.next_in = (Bytef *)(void *)raw->data, .avail_in = (uInt)raw->len};
    if (deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) !=
        Z_OK)
        return -ENOMEM;
    size_t bound = deflateBound(&z, raw->len);
    int rv = buf_reserve(out, bound);
    if (rv == 0) {
        z.next_out = (Bytef *)(void *)(out->data + out->len);
        z.avail_out = (uInt)bound;
        rv = deflate(&z, Z_FINISH) == Z_STREAM_END ? 0 : -EIO;
        out->len += bound - z.avail_out;
    }
    deflateEnd(&z);
    return rv;
}

int profile_pprof(struct buf *out, const struct profile_report *r,
                  const struct profile_about *about)
{
    struct buf raw;
    struct writing w = {.report = r, .about = about, .out = &raw};
    profile_build_get(&w.build);
    buf_init(&raw, out->max_bytes);
    buf_init(&w.part, out->max_bytes);
    buf_init(&w.inner, out->max_bytes);
    int rv = append_profile(&w);
    if (rv == 0)
        rv = append_gzip(out, &raw);
    buf_fini(&raw);
    buf_fini(&w.part);
    buf_fini(&w.inner);
    return rv;
}
