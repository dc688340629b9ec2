#include "loadgen/json.h"

#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "coro/base/clock.h"
#include "coro/base/json.h"
#include "loadgen/report.h"

/* A run of appends: the first failure stays. */
struct out {
    struct buf *buf;
    int rv;
};

PRINTF_LIKE(2, 3) static void put(struct out *o, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (o->rv == 0)
        o->rv = buf_vprintf(o->buf, format, args);
    va_end(args);
}

static void put_text(struct out *o, const char *key, const char *text)
{
    put(o, "\"%s\":", key);
    if (o->rv == 0)
        o->rv = json_append_string(o->buf, text, strlen(text));
}

/* A number, or null for what is not known. */
static void put_number(struct out *o, const char *key, double value)
{
    if (isfinite(value))
        put(o, "\"%s\":%.10g", key, value);
    else
        put(o, "\"%s\":null", key);
}

/* ---- where and how ---- */

static void cpu_model(char *text, size_t bytes)
{
    char line[256];
    FILE *file = fopen("/proc/cpuinfo", "re");
    snprintf(text, bytes, "unknown");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || colon == NULL)
            continue;
        snprintf(text, bytes, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
        break;
    }
    if (file != NULL)
        fclose(file);
}

static void put_setting(struct out *o, const struct lg_setting *s)
{
    struct utsname name;
    char model[128], start[40];
    cpu_set_t cpus;
    time_t start_s = (time_t)(s->start_wall_ns / NS_PER_S);
    struct tm tm;
    gmtime_r(&start_s, &tm);
    strftime(start, sizeof start, "%Y-%m-%dT%H:%M:%SZ", &tm);
    put_text(o, "version", DOMAIND_VERSION);
    put(o, ",\"command\":[");
    for (int i = 0; i < s->argc; i++) {
        put(o, "%s", i > 0 ? "," : "");
        if (o->rv == 0)
            o->rv = json_append_string(o->buf, s->argv[i], strlen(s->argv[i]));
    }
    put(o, "],");
    put_text(o, "started", start);
    put(o, ",\"machine\":{");
    if (uname(&name) == 0) {
        put_text(o, "system", name.sysname);
        put(o, ",");
        put_text(o, "kernel", name.release);
        put(o, ",");
    }
    cpu_model(model, sizeof model);
    put_text(o, "cpu", model);
    if (sched_getaffinity(0, sizeof cpus, &cpus) == 0)
        put(o, ",\"cpus\":%d", CPU_COUNT(&cpus));
    put(o, "}");
}

/* ---- pieces ---- */

/* Percentiles as the HDR plot wants them: each step halves what lies beyond. */
static void put_curve(struct out *o, const struct hist *h)
{
    const char *comma = "";
    put(o, "\"curve\":[");
    for (int step = 0; step <= 200; step++) {
        double beyond = pow(0.5, step / 8.0);
        if (h->total == 0 || beyond * (double)h->total < 1)
            break;
        put(o, "%s[%.7g,%.6g]", comma, 100 * (1 - beyond),
            (double)hist_percentile_ns(h, 100 * (1 - beyond)) / 1e3);
        comma = ",";
    }
    put(o, "]");
}

static void put_latency(struct out *o, const char *key, const struct hist *h)
{
    put(o, "\"%s\":{\"count\":%ju,", key, (uintmax_t)h->total);
    put_number(o, "mean_us", h->total > 0 ? hist_mean_ns(h) / 1e3 : NAN);
    put(o, ",");
    put_number(o, "stdev_us", h->total > 0 ? hist_stdev_ns(h) / 1e3 : NAN);
    put(o, ",");
    put_number(o, "min_us", h->total > 0 ? (double)h->min_ns / 1e3 : NAN);
    put(o, ",");
    put_number(o, "max_us", h->total > 0 ? (double)h->max_ns / 1e3 : NAN);
    for (size_t i = 0; i < lg_n_percents; i++) {
        char name[24];
        snprintf(name, sizeof name, "p%g_us", lg_percents[i]);
        put(o, ",");
        put_number(o, name,
                   hist_knows(h, lg_percents[i])
                       ? (double)hist_percentile_ns(h, lg_percents[i]) / 1e3
                       : NAN);
    }
    put(o, ",");
    put_curve(o, h);
    put(o, "}");
}

static void put_counts(struct out *o, const struct lg_record *r)
{
    put(o, "\"sent\":%ju,\"unsent\":%ju,\"outcomes\":{", (uintmax_t)r->sent, (uintmax_t)r->unsent);
    for (int i = 0; i < LG_OUTCOMES; i++)
        put(o, "%s\"%s\":%ju", i > 0 ? "," : "", lg_outcome_word[i], (uintmax_t)r->outcomes[i]);
    put(o, "},\"statuses\":{");
    const char *comma = "";
    for (size_t i = 0; i < ARRAY_LEN(r->statuses); i++)
        if (r->statuses[i] > 0) {
            put(o, "%s\"%zu\":%ju", comma, i, (uintmax_t)r->statuses[i]);
            comma = ",";
        }
    put(o, "},\"reasons\":{");
    comma = "";
    for (int i = 0; i < LG_OUTCOMES; i++)
        if (r->first_why[i] != NULL) {
            put(o, "%s", comma);
            put_text(o, lg_outcome_word[i], r->first_why[i]);
            comma = ",";
        }
    put(o, "}");
}

/* [seconds, ok/s, failed/s, p50 us, p99 us] for each tick. */
static void put_ticks(struct out *o, const struct lg_record *r)
{
    double tick_s = (double)r->tick_ns / 1e9;
    put(o, "\"ticks\":[");
    for (unsigned i = 0; i < r->n_ticks; i++) {
        const struct lg_tick *t = &r->ticks[i];
        bool has = t->latency.counts != NULL && t->latency.total > 0;
        put(o, "%s[%.6g,%.6g,%.6g", i > 0 ? "," : "", i * tick_s, (double)t->ok / tick_s,
            (double)t->failed / tick_s);
        if (has)
            put(o, ",%.6g,%.6g]", (double)hist_percentile_ns(&t->latency, 50) / 1e3,
                (double)hist_percentile_ns(&t->latency, 99) / 1e3);
        else
            put(o, ",null,null]");
    }
    put(o, "]");
}

/* Of requests to a candidate: who refuses some is shown by what is left (lg_record_latency). */
static void put_due_latency(struct out *o, const char *key, const struct lg_record *r)
{
    put(o, "\"%s\":{\"count\":%ju", key, (uintmax_t)(r->sent + r->unsent));
    for (size_t i = 0; i < lg_n_percents; i++) {
        char name[24];
        double ns;
        snprintf(name, sizeof name, "p%g_us", lg_percents[i]);
        put(o, ",");
        put_number(o, name, lg_record_latency(r, lg_percents[i], &ns) ? ns / 1e3 : NAN);
    }
    put(o, "}");
}

/* ---- a run ---- */

static void put_load(struct out *o, const struct lg_load *l, const char *url)
{
    put(o, "\"load\":{");
    put_text(o, "url", url);
    put(o, ",\"model\":\"%s\",\"connections\":%u,\"threads\":%u,\"pipeline\":%u,\"keepalive\":%s",
        l->rate_per_s > 0 ? "open" : "closed", l->connections, l->threads, l->pipeline,
        l->keepalive ? "true" : "false");
    put(o, ",");
    put_number(o, "rate", l->rate_per_s > 0 ? l->rate_per_s : NAN);
    put(o, ",\"duration_s\":%g,\"warmup_s\":%g,\"ramp_s\":%g,\"timeout_s\":%g,\"idle\":%u}",
        (double)l->duration_ns / 1e9, (double)l->warmup_ns / 1e9, (double)l->ramp_ns / 1e9,
        (double)l->timeout_ns / 1e9, l->idle);
}

static void put_result(struct out *o, const struct lg_load *load, const struct lg_result *r)
{
    put(o, "\"result\":{\"seconds\":%.6g,\"requests_per_s\":%.6g,\"interrupted\":%s,", r->seconds,
        r->requests_per_s, r->interrupted ? "true" : "false");
    put_counts(o, &r->record);
    put(o, ",\"read_bytes\":%ju,\"written_bytes\":%ju,\"connects\":%ju,",
        (uintmax_t)r->record.read_bytes, (uintmax_t)r->record.written_bytes,
        (uintmax_t)(r->record.connects + r->warmup.connects));
    put_latency(o, "latency", &r->record.latency);
    if (load->rate_per_s > 0) {
        put(o, ",");
        put_latency(o, "raw", &r->record.raw);
        put(o, ",");
        put_latency(o, "schedule_lag", &r->record.lag);
    }
    put(o, ",");
    put_latency(o, "errors", &r->record.errors);
    put(o, ",");
    put_latency(o, "loop_lag", &r->loop_lag);
    put(o, ",\"own_cpu\":%.4g,\"own_wait\":%.4g,\"involuntary_switches\":%jd,", r->own_cpu,
        r->own_wait, (intmax_t)r->involuntary);
    put_number(o, "own_cpu_us", r->own_cpu_us);
    put(o, ",");
    put_number(o, "server_counted", r->server_counted >= 0 ? (double)r->server_counted : NAN);
    put(o, ",\"tick_s\":%g,", (double)r->record.tick_ns / 1e9);
    put_ticks(o, &r->record);
    put(o, "}");
}

static void put_findings(struct out *o, const struct lg_findings *findings)
{
    static const char *const words[] = {[LG_NOTE] = "note",
                                        [LG_WARNING] = "warning",
                                        [LG_FAILED] = "failed",
                                        [LG_INVALID] = "invalid"};
    put(o, "\"findings\":[");
    for (size_t i = 0; i < findings->n; i++) {
        put(o, "%s{\"severity\":\"%s\",", i > 0 ? "," : "", words[findings->list[i].severity]);
        put_text(o, "text", findings->list[i].text);
        put(o, "}");
    }
    put(o, "]");
}

int lg_json_run(struct buf *out, const struct lg_run_report *r)
{
    struct out o = {out, 0};
    put(&o, "{\"kind\":\"run\",");
    put_setting(&o, r->setting);
    put(&o, ",");
    put_load(&o, r->load, r->url);
    put(&o, ",");
    put_result(&o, r->load, r->result);
    put(&o, ",");
    put_findings(&o, r->findings);
    put(&o, ",\"gates\":[");
    for (size_t i = 0; i < r->n_gates; i++) {
        put(&o, "%s{", i > 0 ? "," : "");
        put_text(&o, "condition", r->gates[i].gate.text);
        put(&o, ",\"known\":%s,\"breached\":%s}", r->gates[i].is_known ? "true" : "false",
            r->gates[i].holds ? "true" : "false");
    }
    put(&o, "],\"exit\":%d}\n", r->exit_code);
    return o.rv;
}

/* ---- comparisons ---- */

static void put_block(struct out *o, const struct lg_block *b)
{
    put(o, "{\"place\":%u,", b->place);
    put_number(o, "cpu_us", b->cpu_us);
    put(o, ",");
    put_number(o, "requests_per_s", b->requests_per_s);
    put(o, ",");
    for (size_t i = LG_RANK_PERCENTS; i-- > 0;) {
        char name[24];
        snprintf(name, sizeof name, "p%g_us", lg_rank_percents[i]);
        put_number(o, name, b->latency_us[i]);
        put(o, ",");
    }
    put_number(o, "answered", b->answered);
    put(o, ",");
    put_number(o, "pss_bytes", b->pss_bytes);
    put(o, ",");
    put_number(o, "switches", b->switches);
    put(o, ",");
    put_number(o, "server_cpu", b->server_cpu);
    put(o, ",");
    put_number(o, "own_cpu", b->own_cpu);
    put(o, ",");
    put_number(o, "others", b->others);
    put(o, ",");
    put_number(o, "own_wait", b->own_wait);
    put(o, ",\"late\":%s,\"counted\":%s,\"processes\":%d,\"threads\":%d,\"idle_open\":%u}",
        b->is_late ? "true" : "false", b->is_counted ? "true" : "false", b->processes, b->threads,
        b->idle_open);
}

static void put_side(struct out *o, const struct lg_candidate *c, const struct lg_side *s)
{
    put(o, "{");
    put_text(o, "name", c->name);
    put(o, ",\"held_rate\":%s,\"blocks\":[", s->parts.held_rate ? "true" : "false");
    for (size_t i = 0; i < s->n; i++) {
        put(o, "%s", i > 0 ? "," : "");
        put_block(o, &s->blocks[i]);
    }
    put(o, "],\"closed\":{");
    put_counts(o, &s->parts.closed);
    put(o, ",");
    put_latency(o, "latency", &s->parts.closed.latency);
    put(o, "},\"open\":{");
    put_counts(o, &s->parts.open);
    put(o, ",");
    put_latency(o, "latency", &s->parts.open.latency);
    put(o, ",");
    put_due_latency(o, "due_latency", &s->parts.open);
    put(o, ",");
    put_latency(o, "raw", &s->parts.open.raw);
    put(o, "}}");
}

static void put_leaders(struct out *o, const struct lg_comparison *c, const struct lg_ranking *r)
{
    const char *comma = "";
    put(o, ",\"leaders\":[");
    for (size_t i = 0; i < c->n; i++) {
        const char *name = c->candidates[i].name;
        if (!r->leads[i])
            continue;
        put(o, "%s", comma);
        if (o->rv == 0)
            o->rv = json_append_string(o->buf, name, strlen(name));
        comma = ",";
    }
    put(o, "]");
}

static void put_ranking(struct out *o, const struct lg_comparison *c, enum lg_metric metric)
{
    const struct lg_ranking *r = &c->rankings[metric];
    put(o, "{");
    put_text(o, "metric", lg_metric_name(c, metric));
    put(o, ",\"ranked\":%s,\"less_is_better\":%s", c->is_ranked[metric] ? "true" : "false",
        lg_metric_less_is_better[metric] ? "true" : "false");
    if (c->is_ranked[metric]) {
        if (r->winner >= 0) {
            put(o, ",");
            put_text(o, "winner", c->candidates[r->winner].name);
        }
        put_leaders(o, c, r);
        put(o, ",\"noise_floor\":%.6g,\"pairs\":[", r->floor_ratio);
        for (size_t i = 0; i < r->n_pairs; i++) {
            const struct lg_pair *p = &r->pairs[i];
            put(o, "%s{", i > 0 ? "," : "");
            put_text(o, "a", c->candidates[p->a].name);
            put(o, ",");
            put_text(o, "b", c->candidates[p->b].name);
            put(o, ",\"ratio\":%.6g,\"low\":%.6g,\"high\":%.6g,\"p\":%.6g,\"shown\":%s}",
                p->effect.ratio, p->effect.low, p->effect.high, p->p, p->shown ? "true" : "false");
        }
        put(o, "]");
    } else {
        const char *why = lg_not_ranked(c, metric);
        put(o, ",");
        put_text(o, "why", why != NULL ? why : "out of memory");
    }
    put(o, "}");
}

int lg_json_compare_begin(struct buf *out, const struct lg_setting *setting)
{
    struct out o = {out, 0};
    put(&o, "{\"kind\":\"compare\",");
    put_setting(&o, setting);
    put(&o, ",\"comparisons\":[");
    return o.rv;
}

int lg_json_comparison(struct buf *out, const struct lg_comparison *c, bool is_first)
{
    struct out o = {out, 0};
    put(&o, "%s{", is_first ? "" : ",");
    put_text(&o, "scenario", c->scenario->name);
    put(&o, ",");
    put_text(&o, "shows", lg_shows(c));
    put(&o,
        ",\"connections\":%u,\"rounds\":%u,\"least_blocks\":%zu,\"part_s\":%g,\"rate\":%.6g,"
        "\"seed\":%ju,"
        "\"server_core\":%d,\"own_core\":%d,\"interrupted\":%s,\"client_limited\":%s,"
        "\"others_max\":%.4g,\"repeated\":%u,\"disturbed\":%u,\"miscounted\":%u,\"candidates\":[",
        c->connections, c->rounds, lg_least_blocks(c->n), c->seconds, c->rate, (uintmax_t)c->seed,
        c->server_core, c->own_core, c->interrupted ? "true" : "false",
        c->client_limited ? "true" : "false", c->others_max, c->repeated, c->disturbed,
        c->miscounted);
    for (size_t i = 0; i < c->n; i++) {
        put(&o, "%s", i > 0 ? "," : "");
        put_side(&o, &c->candidates[i], &c->sides[i]);
    }
    put(&o, "],\"rankings\":[");
    for (int m = 0; m < LG_METRICS; m++) {
        put(&o, "%s", m > 0 ? "," : "");
        put_ranking(&o, c, (enum lg_metric)m);
    }
    put(&o, "]}");
    return o.rv;
}

int lg_json_compare_end(struct buf *out, int exit_code)
{
    struct out o = {out, 0};
    put(&o, "],\"exit\":%d}\n", exit_code);
    return o.rv;
}
