#include "server/profile/query.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coro/base/units.h"
#include "server/profile/format.h"
#include "server/profile/window.h"

#define WINDOW_MAX_NS (3600 * NS_PER_S)

static const char *const format_names[] = {
#define PROFILE_FORMAT(ID, name, type, file) name,
#include "server/profile/format.def"
#undef PROFILE_FORMAT
};

const char *const profile_format_type[PROFILE_FORMAT_COUNT] = {
#define PROFILE_FORMAT(ID, name, type, file) type,
#include "server/profile/format.def"
#undef PROFILE_FORMAT
};

const char *const profile_format_file[PROFILE_FORMAT_COUNT] = {
#define PROFILE_FORMAT(ID, name, type, file) file,
#include "server/profile/format.def"
#undef PROFILE_FORMAT
};

void profile_query_init(struct profile_query *q)
{
    char unused[PROFILE_MESSAGE_BYTES];
    *q = (struct profile_query){.format = PROFILE_FORMAT_TEXT, .filter = {.slot = -1}};
    profile_view_init(&q->view);
    int rv = profile_view_sort(&q->view, "cumulative", unused);
    (void)rv; /* a key of the table */
}

void profile_query_fini(struct profile_query *q)
{
    profile_view_fini(&q->view);
    prof_snapshot_free(q->base);
    q->base = NULL;
}

/* ---- parameters ---- */

static int set_format(struct profile_query *q, const char *value, char *message)
{
    for (size_t i = 0; i < ARRAY_LEN(format_names); i++)
        if (strcmp(value, format_names[i]) == 0) {
            q->format = (enum profile_format)i;
            q->has_format = true;
            return 0;
        }
    int n = snprintf(message, PROFILE_MESSAGE_BYTES, "format is not '%.40s' but one of", value);
    for (size_t i = 0; i < ARRAY_LEN(format_names); i++)
        n += snprintf(message + n, PROFILE_MESSAGE_BYTES - (size_t)n, " %s", format_names[i]);
    /* the route itself takes html, which is no report */
    snprintf(message + n, PROFILE_MESSAGE_BYTES - (size_t)n, " html");
    return -EINVAL;
}

static int set_sort(struct profile_query *q, const char *value, char *message)
{
    int rv = profile_view_sort(&q->view, value, message);
    if (rv == -EINVAL) {
        struct buf keys;
        buf_init(&keys, PROFILE_MESSAGE_BYTES);
        size_t n = strlen(message);
        if (profile_view_keys(&keys) == 0)
            snprintf(message + n, PROFILE_MESSAGE_BYTES - n, "; keys: %.*s", (int)keys.len,
                     keys.data);
        buf_fini(&keys);
    }
    return rv;
}

static int set_limit(struct profile_query *q, const char *value, char *message)
{
    return profile_view_limit(&q->view, value, message);
}

static int set_filter(struct profile_query *q, const char *value, char *message)
{
    return profile_view_match(&q->view, value, message);
}

static int set_table(struct profile_query *q, const char *value, enum profile_table_kind kind,
                     char *message)
{
    if (strcmp(value, "0") != 0 && strcmp(value, "1") != 0) {
        snprintf(message, PROFILE_MESSAGE_BYTES, "callers and callees are 0 or 1, not '%.40s'",
                 value);
        return -EINVAL;
    }
    if (value[0] == '1')
        q->view.table = kind;
    return 0;
}

static int set_callers(struct profile_query *q, const char *value, char *message)
{
    return set_table(q, value, PROFILE_CALLERS, message);
}

static int set_callees(struct profile_query *q, const char *value, char *message)
{
    return set_table(q, value, PROFILE_CALLEES, message);
}

static int set_endpoint(struct profile_query *q, const char *value, char *message)
{
    const struct profile_endpoint *e = q->endpoints;
    q->filter.endpoint_count = 0;
    for (; e != NULL && e->path != NULL; e++)
        if (strcmp(e->path, value) == 0 && q->filter.endpoint_count < PROFILE_ENDPOINTS_MAX)
            q->filter.endpoints[q->filter.endpoint_count++] = e->function;
    if (q->filter.endpoint_count > 0)
        return 0;
    int n = snprintf(message, PROFILE_MESSAGE_BYTES, "no route '%.40s'; routes:", value);
    for (e = q->endpoints; e != NULL && e->path != NULL && n < PROFILE_MESSAGE_BYTES; e++)
        n += snprintf(message + n, PROFILE_MESSAGE_BYTES - (size_t)n, " %s", e->path);
    return -EINVAL;
}

static int set_number(const char *what, const char *value, int64_t min, int64_t *ret_number,
                      char *message)
{
    if (units_parse_int(value, min, INT64_MAX, ret_number) == 0)
        return 0;
    snprintf(message, PROFILE_MESSAGE_BYTES, "%s is a number, not '%.40s'", what, value);
    return -EINVAL;
}

static int set_worker(struct profile_query *q, const char *value, char *message)
{
    return set_number("worker", value, 0, &q->filter.slot, message);
}

static int set_window(struct profile_query *q, const char *value, char *message)
{
    if (units_parse_ns(value, &q->window_ns) == 0 && q->window_ns > 0 &&
        q->window_ns <= WINDOW_MAX_NS)
        return 0;
    snprintf(message, PROFILE_MESSAGE_BYTES, "window is a time up to 1h, such as 10s, not '%.40s'",
             value);
    return -EINVAL;
}

static int set_base(struct profile_query *q, const char *value, char *message)
{
    int64_t id;
    int rv = set_number("base", value, 1, &id, message);
    if (rv == 0)
        q->base_id = (uint64_t)id;
    return rv;
}

static int set_snapshot(struct profile_query *q, const char *value, char *message)
{
    int64_t id;
    int rv = set_number("snapshot", value, 1, &id, message);
    if (rv == 0)
        q->snapshot_id = (uint64_t)id;
    return rv;
}

static const struct param {
    const char *name;
    const char *value;
    int (*set)(struct profile_query *q, const char *value, char *message);
} params[] = {
#define PROFILE_PARAM(name, value, meaning) {#name, value, set_##name},
#include "server/profile/query.def"
#undef PROFILE_PARAM
};

int profile_query_names(struct buf *out)
{
    int rv = 0;
    for (size_t i = 0; i < ARRAY_LEN(params) && rv == 0; i++)
        rv = buf_printf(out, "%s%s=%s", i == 0 ? "" : ", ", params[i].name, params[i].value);
    return rv;
}

int profile_query_set(struct profile_query *q, const char *name, const char *value,
                      char ret_message[PROFILE_MESSAGE_BYTES])
{
    for (size_t i = 0; i < ARRAY_LEN(params); i++)
        if (strcmp(params[i].name, name) == 0)
            return params[i].set(q, value, ret_message);
    snprintf(ret_message, PROFILE_MESSAGE_BYTES, "no parameter '%.40s'", name);
    return -EINVAL;
}

/* ---- the answer ---- */

/* Workers that pprof files keep apart. */
#define LABELLED_WORKERS_MAX 64

/* The moments that make up a report: at most two windows, each end minus start. */
struct moments {
    struct prof_snapshot *now;
    struct prof_snapshot *start;
    struct prof_snapshot *base;
    struct prof_snapshot *base_start;
    bool is_base_borrowed; /* it is the query's */
};

static void free_moments(struct moments *m)
{
    prof_snapshot_free(m->now);
    prof_snapshot_free(m->start);
    if (!m->is_base_borrowed)
        prof_snapshot_free(m->base);
    prof_snapshot_free(m->base_start);
}

static int get(const char *what, uint64_t id, struct prof_snapshot **ret_snapshot, char *message)
{
    int rv = profile_store_get(id, ret_snapshot);
    if (rv == -ENOENT)
        snprintf(message, PROFILE_MESSAGE_BYTES,
                 "there is no snapshot %llu (any more); %s must name one that a report gave",
                 (unsigned long long)id, what);
    return rv;
}

static int take(struct prof_snapshot **ret_snapshot, char *message)
{
    int rv = profile_store_take(ret_snapshot);
    if (rv == -ENOENT) /* no ring (a program of one run): the moment alone */
        rv = prof_snapshot_take(PROFILE_PATIENCE_NS, ret_snapshot);
    if (rv == -ENOENT)
        snprintf(message, PROFILE_MESSAGE_BYTES,
                 "nothing is recorded: the recorder was off at "
                 "start (profile=off)");
    return rv;
}

/* Where the window before `end` starts, but not before the last reset. */
static int find_start(const struct prof_snapshot *end, int64_t window_ns,
                      struct prof_snapshot **ret_start)
{
    struct prof_snapshot *origin = NULL, *start = NULL;
    int rv = profile_store_origin(&origin);
    if (rv == 0 && origin->at_ns > end->at_ns) { /* a moment from before the reset */
        prof_snapshot_free(origin);
        origin = NULL;
    }
    if (rv == 0 || rv == -ENOENT)
        rv = window_ns == 0 ? -ENOENT : profile_store_before(end->at_ns - window_ns, &start);
    if (rv < 0 && rv != -ENOENT) {
        prof_snapshot_free(origin);
        return rv;
    }
    bool is_origin_later = origin != NULL && (start == NULL || start->at_ns < origin->at_ns);
    *ret_start = is_origin_later ? origin : start;
    prof_snapshot_free(is_origin_later ? start : origin);
    return 0;
}

static int find_moments(const struct profile_query *q, struct moments *m, char *message)
{
    int rv = q->snapshot_id != 0 ? get("snapshot", q->snapshot_id, &m->now, message)
                                 : take(&m->now, message);
    m->base = q->base;
    m->is_base_borrowed = q->base != NULL;
    if (rv == 0 && q->base == NULL && q->base_id != 0)
        rv = get("base", q->base_id, &m->base, message);
    /* without a window, base is itself where the report starts */
    if (rv == 0 && (q->base_id == 0 || q->window_ns != 0))
        rv = find_start(m->now, q->window_ns, &m->start);
    if (rv == 0 && q->base_id != 0 && q->window_ns != 0)
        rv = find_start(m->base, q->window_ns, &m->base_start);
    return rv;
}

static int derive(const struct moments *m, const struct profile_query *q, struct profile_report *r)
{
    /* pprof takes labels; with a thread or a child each, so many say nothing */
    struct profile_filter filter = q->filter;
    filter.is_by_worker =
        q->format == PROFILE_FORMAT_PPROF && m->now->worker_count <= LABELLED_WORKERS_MAX;
    int rv = profile_report_add(r, m->now, 1, &filter);
    if (rv == 0 && m->start != NULL)
        rv = profile_report_add(r, m->start, -1, &filter);
    if (rv == 0 && m->base != NULL)
        rv = profile_report_add(r, m->base, -1, &filter);
    if (rv == 0 && m->base_start != NULL)
        rv = profile_report_add(r, m->base_start, 1, &filter);
    return rv < 0 || filter.is_by_worker ? rv : profile_report_finish(r);
}

static int render(const struct profile_query *q, const struct profile_report *r,
                  const struct profile_about *about, struct buf *out)
{
    switch (q->format) {
    case PROFILE_FORMAT_TEXT:
        return profile_text(out, r, &q->view);
    case PROFILE_FORMAT_JSON:
        return profile_json(out, r, &q->view, about);
    case PROFILE_FORMAT_PSTATS:
        return profile_pstats(out, r);
    case PROFILE_FORMAT_CALLGRIND:
        return profile_callgrind(out, r);
    case PROFILE_FORMAT_COLLAPSED:
        return profile_collapsed(out, r);
    case PROFILE_FORMAT_SPEEDSCOPE:
        return profile_speedscope(out, r, about);
    case PROFILE_FORMAT_PPROF:
        return profile_pprof(out, r, about);
    case PROFILE_FORMAT_COUNT:
        break;
    }
    return -EINVAL;
}

static void describe(const struct moments *m, struct profile_answer *ret_answer)
{
    const struct prof_snapshot *from = m->start != NULL ? m->start : m->base;
    *ret_answer = (struct profile_answer){
        .snapshot_id = m->now->id,
        .at_ns = m->now->at_ns,
        .wall_ns = m->now->wall_ns,
        .span_ns = from == NULL ? 0 : m->now->at_ns - from->at_ns,
    };
    for (uint32_t i = 0; i < m->now->worker_count; i++)
        if (prof_snapshot_workers(m->now)[i].is_stale)
            ret_answer->is_stale = true;
}

int profile_query_answer(const struct profile_query *q, struct buf *out,
                         struct profile_answer *ret_answer, char ret_message[PROFILE_MESSAGE_BYTES])
{
    struct moments m = {.now = NULL};
    struct profile_report r;
    int rv = profile_report_init(&r);
    if (rv < 0)
        return rv;
    rv = find_moments(q, &m, ret_message);
    if (rv == 0)
        rv = derive(&m, q, &r);
    if (rv == 0) {
        describe(&m, ret_answer);
        struct profile_about about = {
            .snapshot = m.now,
            .base_id = q->base_id,
            .span_ns = ret_answer->span_ns,
            .mode = q->mode,
            .slot = q->filter.slot,
            .endpoints = q->endpoints,
            .is_cpu = q->is_cpu,
            .endpoint = q->filter.endpoint_count > 0 ? q->filter.endpoints[0] : NULL,
        };
        rv = render(q, &r, &about, out);
    }
    free_moments(&m);
    profile_report_fini(&r);
    return rv;
}
