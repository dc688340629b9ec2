/* server/metrics/export.c - the report: Prometheus text 0.0.4, or OpenMetrics
 * 1.0, which differs in the name of a counter's family and in its last line. */
#include <inttypes.h>
#include <stdio.h>

#include "server/metrics/internal.h"

struct report {
    struct buf *out;
    enum metrics_format format;
    int rv; /* the first failure; nothing is appended after it */
};

static void put(struct report *r, const char *format, ...) PRINTF_LIKE(2, 3);
static void put(struct report *r, const char *format, ...)
{
    if (r->rv < 0)
        return;
    va_list args;
    va_start(args, format);
    r->rv = buf_vprintf(r->out, format, args);
    va_end(args);
}

static void put_head(struct report *r, const char *name, const char *type, const char *help)
{
    const char *suffix =
        type[0] == 'c' && r->format == METRICS_PROMETHEUS ? "_total" : ""; /* counter */
    put(r, "# HELP domaind_%s%s %s\n# TYPE domaind_%s%s %s\n", name, suffix, help, name, suffix,
        type);
}

static void put_counter(struct report *r, enum metrics_id id, const char *name, const char *help)
{
    put_head(r, name, "counter", help);
    put(r, "domaind_%s_total %" PRIu64 "\n", name, metrics_read(id));
}

static void put_gauge(struct report *r, enum metrics_id id, const char *name, const char *help)
{
    put_head(r, name, "gauge", help);
    put(r, "domaind_%s %" PRId64 "\n", name, (int64_t)metrics_read(id));
}

static void put_vector(struct report *r, enum metrics_id id, const char *name, const char *label,
                       const char *help)
{
    const char *const *words = metrics_state.words[id];
    put_head(r, name, "counter", help);
    for (size_t i = 0; i < metrics_state.word_count[id]; i++)
        put(r, "domaind_%s_total{%s=\"%s\"} %" PRIu64 "\n", name, label, words[i],
            metrics_read_at(id, i));
}

/* The buckets at `offset` of a slot, with the sum right after them.  labels is
 * empty or ends in a comma. */
static void put_buckets(struct report *r, const char *name, const char *labels, int labels_len,
                        size_t offset)
{
    uint64_t count = 0;
    for (size_t i = 0; i < METRICS_BUCKETS; i++) {
        count += metrics_sum(offset + i * sizeof(uint64_t));
        if (i < METRICS_BUCKETS - 1)
            put(r, "domaind_%s_seconds_bucket{%sle=\"%g\"} %" PRIu64 "\n", name, labels,
                (double)metrics_bounds_ns[i] / (double)NS_PER_S, count);
        else
            put(r, "domaind_%s_seconds_bucket{%sle=\"+Inf\"} %" PRIu64 "\n", name, labels, count);
    }
    double sum_s = (double)metrics_sum(offset + METRICS_BUCKETS * sizeof(uint64_t)) / 1e9;
    const char *open = labels_len > 0 ? "{" : "", *close = labels_len > 0 ? "}" : "";
    int shown = labels_len > 0 ? labels_len - 1 : 0; /* without the comma */
    put(r, "domaind_%s_seconds_sum%s%.*s%s %.9f\n", name, open, shown, labels, close, sum_s);
    put(r, "domaind_%s_seconds_count%s%.*s%s %" PRIu64 "\n", name, open, shown, labels, close,
        count);
}

static void put_histogram(struct report *r, enum metrics_id id, const char *name, const char *help)
{
    put(r, "# HELP domaind_%s_seconds %s\n# TYPE domaind_%s_seconds histogram\n", name, help, name);
    put_buckets(r, name, "", 0, offsetof(struct metrics_slot, cells) + id * sizeof(uint64_t));
}

static const char *path_of(size_t route)
{
    return route < metrics_state.path_count ? metrics_state.paths[route] : "other";
}

static bool is_route_used(size_t route)
{
    return route < metrics_state.path_count || route == METRICS_ROUTES - 1;
}

static void put_requests(struct report *r)
{
    put_head(r, "requests", "counter", "Requests answered, by route and status.");
    for (size_t route = 0; route < METRICS_ROUTES; route++) {
        for (size_t i = 0; is_route_used(route) && i < METRICS_STATUSES; i++) {
            uint64_t n = metrics_sum(offsetof(struct metrics_slot, routes[route].by_status[i]));
            if (n == 0)
                continue;
            put(r, "domaind_requests_total{route=\"%s\",status=\"%d\"} %" PRIu64 "\n",
                path_of(route), i < metrics_state.status_count ? metrics_state.statuses[i] : 0, n);
        }
    }
    put(r, "# HELP domaind_request_duration_seconds From the head complete to the answer "
           "written, by route.\n# TYPE domaind_request_duration_seconds histogram\n");
    for (size_t route = 0; route < METRICS_ROUTES; route++) {
        if (!is_route_used(route))
            continue;
        char labels[160];
        int len = snprintf(labels, sizeof labels, "route=\"%.120s\",", path_of(route));
        put_buckets(r, "request_duration", labels, len,
                    offsetof(struct metrics_slot, routes[route].buckets));
    }
}

int metrics_export(struct buf *out, enum metrics_format format)
{
    struct report report = {.out = out, .format = format};
    struct report *r = &report;
#define METRICS_COUNTER(ID, name, help)              put_counter(r, METRICS_##ID, name, help);
#define METRICS_GAUGE(ID, name, help)                put_gauge(r, METRICS_##ID, name, help);
#define METRICS_HISTOGRAM(ID, name, help)            put_histogram(r, METRICS_##ID, name, help);
#define METRICS_VECTOR(ID, name, label, count, help) put_vector(r, METRICS_##ID, name, label, help);
#include "server/metrics/metrics.def"
#undef METRICS_COUNTER
#undef METRICS_GAUGE
#undef METRICS_HISTOGRAM
#undef METRICS_VECTOR
    put_requests(r);
    if (metrics_state.info != NULL)
        put(r,
            "# HELP domaind_build_info What is running; always 1.\n"
            "# TYPE domaind_build_info gauge\ndomaind_build_info{%s} 1\n",
            metrics_state.info);
    if (r->rv == 0 && metrics_state.extra != NULL)
        r->rv = metrics_state.extra(metrics_state.extra_arg, out);
    if (format == METRICS_OPENMETRICS)
        put(r, "# EOF\n");
    return r->rv;
}
