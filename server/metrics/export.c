/* server/metrics/export.c - the report: Prometheus text 0.0.4, or OpenMetrics
 * 1.0, which differs in the name of a counter's family and in its last line. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "server/metrics/internal.h"

struct metrics_report {
    struct buf *out;
    enum metrics_format format;
    int rv; /* the first failure; nothing is appended after it */
};

void metrics_line(struct metrics_report *r, const char *format, ...)
{
    if (r->rv < 0)
        return;
    va_list args;
    va_start(args, format);
    r->rv = buf_vprintf(r->out, format, args);
    va_end(args);
}

static const char *unit_of(const char *name)
{
    static const char *const units[] = {"seconds", "bytes", "ratio"};
    const char *last = strrchr(name, '_');
    for (size_t i = 0; last != NULL && i < ARRAY_LEN(units); i++)
        if (strcmp(last + 1, units[i]) == 0)
            return units[i];
    return NULL;
}

/* In OpenMetrics a counter's or an info's family has not the suffix of its line. */
void metrics_head(struct metrics_report *r, enum metrics_type type, const char *name,
                  const char *help)
{
    static const struct {
        const char *word[2]; /* by format */
        const char *suffix;
    } types[] = {
        [METRICS_IS_COUNTER] = {{"counter", "counter"}, "_total"},
        [METRICS_IS_GAUGE] = {{"gauge", "gauge"}, ""},
        [METRICS_IS_HISTOGRAM] = {{"histogram", "histogram"}, ""},
        [METRICS_IS_INFO] = {{"gauge", "info"}, "_info"},
    };
    bool is_open = r->format == METRICS_OPENMETRICS;
    const char *suffix = is_open ? "" : types[type].suffix;
    metrics_line(r, "# HELP domaind_%s%s %s\n# TYPE domaind_%s%s %s\n", name, suffix, help, name,
                 suffix, types[type].word[r->format]);
    if (is_open && unit_of(name) != NULL)
        metrics_line(r, "# UNIT domaind_%s %s\n", name, unit_of(name));
}

static void put_counter(struct metrics_report *r, enum metrics_id id, const char *name,
                        const char *help)
{
    metrics_head(r, METRICS_IS_COUNTER, name, help);
    metrics_line(r, "domaind_%s_total %" PRIu64 "\n", name, metrics_read(id));
}

static void put_gauge(struct metrics_report *r, enum metrics_id id, const char *name,
                      const char *help)
{
    metrics_head(r, METRICS_IS_GAUGE, name, help);
    metrics_line(r, "domaind_%s %" PRId64 "\n", name, (int64_t)metrics_read(id));
}

static void put_vector(struct metrics_report *r, enum metrics_id id, const char *name,
                       const char *label, const char *help)
{
    const char *const *words = metrics_state.words[id];
    metrics_head(r, METRICS_IS_COUNTER, name, help);
    for (size_t i = 0; i < metrics_state.word_count[id]; i++)
        metrics_line(r, "domaind_%s_total{%s=\"%s\"} %" PRIu64 "\n", name, label, words[i],
                     metrics_read_at(id, i));
}

/* As OpenMetrics wants it, in both formats, so that a series is one whichever was asked
 * for: 1.0, not 1. */
static const char *bound_text(int64_t bound_ns, char text[32])
{
    snprintf(text, 32, bound_ns % NS_PER_S == 0 ? "%.1f" : "%g",
             (double)bound_ns / (double)NS_PER_S);
    return text;
}

/* The buckets at `offset` of a slot, with the sum right after them.  labels is
 * empty or ends in a comma. */
static void put_buckets(struct metrics_report *r, const char *name, const char *labels,
                        int labels_len, size_t offset)
{
    uint64_t count = 0;
    char bound[32];
    for (size_t i = 0; i < METRICS_BUCKETS; i++) {
        count += metrics_sum(offset + i * sizeof(uint64_t));
        if (i < METRICS_BUCKETS - 1)
            metrics_line(r, "domaind_%s_seconds_bucket{%sle=\"%s\"} %" PRIu64 "\n", name, labels,
                         bound_text(metrics_bounds_ns[i], bound), count);
        else
            metrics_line(r, "domaind_%s_seconds_bucket{%sle=\"+Inf\"} %" PRIu64 "\n", name, labels,
                         count);
    }
    double sum_s = (double)metrics_sum(offset + METRICS_BUCKETS * sizeof(uint64_t)) / 1e9;
    const char *open = labels_len > 0 ? "{" : "", *close = labels_len > 0 ? "}" : "";
    int shown = labels_len > 0 ? labels_len - 1 : 0; /* without the comma */
    metrics_line(r, "domaind_%s_seconds_sum%s%.*s%s %.9f\n", name, open, shown, labels, close,
                 sum_s);
    metrics_line(r, "domaind_%s_seconds_count%s%.*s%s %" PRIu64 "\n", name, open, shown, labels,
                 close, count);
}

static void put_histogram(struct metrics_report *r, enum metrics_id id, const char *name,
                          const char *help)
{
    char family[80];
    snprintf(family, sizeof family, "%s_seconds", name);
    metrics_head(r, METRICS_IS_HISTOGRAM, family, help);
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

static void put_requests(struct metrics_report *r)
{
    metrics_head(r, METRICS_IS_COUNTER, "requests", "Requests answered, by route and status.");
    for (size_t route = 0; route < METRICS_ROUTES; route++) {
        for (size_t i = 0; is_route_used(route) && i < METRICS_STATUSES; i++) {
            uint64_t n = metrics_sum(offsetof(struct metrics_slot, routes[route].by_status[i]));
            if (n == 0)
                continue;
            metrics_line(r, "domaind_requests_total{route=\"%s\",status=\"%d\"} %" PRIu64 "\n",
                         path_of(route),
                         i < metrics_state.status_count ? metrics_state.statuses[i] : 0, n);
        }
    }
    metrics_head(r, METRICS_IS_HISTOGRAM, "request_duration_seconds",
                 "From the head complete to the answer written, by route.");
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
    struct metrics_report report = {.out = out, .format = format};
    struct metrics_report *r = &report;
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
    if (metrics_state.info != NULL) {
        metrics_head(r, METRICS_IS_INFO, "build", "What is running; always 1.");
        metrics_line(r, "domaind_build_info{%s} 1\n", metrics_state.info);
    }
    for (size_t i = 0; i < METRICS_EXTRAS; i++)
        if (metrics_state.extras[i].fn != NULL)
            metrics_state.extras[i].fn(metrics_state.extras[i].arg, r);
    if (format == METRICS_OPENMETRICS)
        metrics_line(r, "# EOF\n");
    return r->rv;
}
