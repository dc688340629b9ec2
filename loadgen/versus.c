#include "loadgen/versus.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coro/base/std.h"
#include "coro/base/units.h"
#include "loadgen/verdict.h"

#define CELL_BYTES   24
#define OTHERS_LIMIT 0.05 /* of the server's core */

/* ---- the table ---- */

static void median_cell(const struct lg_comparison *c, const struct lg_side *side,
                        enum lg_metric metric, double scale, int decimals, const char *unit,
                        char cell[CELL_BYTES])
{
    double values[LG_STATS_MAX_BLOCKS];
    size_t n = lg_side_values(c, side, metric, values);
    if (n == 0)
        snprintf(cell, CELL_BYTES, "-");
    else
        snprintf(cell, CELL_BYTES, "%.*f%s", decimals, lg_median(values, n) * scale, unit);
}

/* "30.8us", "739us", "4.63ms": three digits, for a narrow column. */
static void time_cell(double ns, char cell[CELL_BYTES])
{
    static const char *const units[] = {"us", "ms", "s"};
    double value = ns / 1e3;
    size_t unit = 0;
    while (value >= 999.5 && unit + 1 < ARRAY_LEN(units)) {
        value /= 1e3;
        unit++;
    }
    snprintf(cell, CELL_BYTES, "%.*f%s",
             value < 9.995   ? 2
             : value < 99.95 ? 1
                             : 0,
             value, units[unit]);
}

static void percentile_cell(const struct lg_record *r, double percent, char cell[CELL_BYTES])
{
    double ns;
    if (lg_record_latency(r, percent, &ns))
        time_cell(ns, cell);
    else
        snprintf(cell, CELL_BYTES, "-");
}

static void cpu_cell(const struct lg_comparison *c, const struct lg_side *side,
                     char cell[CELL_BYTES])
{
    double values[LG_STATS_MAX_BLOCKS];
    size_t n = lg_side_values(c, side, LG_METRIC_CPU, values);
    if (n == 0)
        snprintf(cell, CELL_BYTES, "-");
    else
        time_cell(lg_median(values, n) * 1e3, cell);
}

static double median_switches(const struct lg_side *side)
{
    double values[LG_STATS_MAX_BLOCKS];
    for (size_t i = 0; i < side->n; i++)
        values[i] = side->blocks[i].switches;
    return lg_median(values, side->n);
}

/* Fits into 80 columns unless names are long. */
#define ROW        "  %-*s %7s %9s %7s %7s %7s %7s %8s %6s\n"
#define NAME_WIDTH 11

static int name_width(const struct lg_comparison *c)
{
    size_t width = NAME_WIDTH;
    for (size_t i = 0; i < c->n; i++)
        width = strlen(c->candidates[i].name) > width ? strlen(c->candidates[i].name) : width;
    return (int)width;
}

static void print_table_head(FILE *out, const struct lg_comparison *c)
{
    char open[64];
    int width = name_width(c);
    snprintf(open, sizeof open, "open loop, %.0f req/s", c->rate);
    fprintf(out, "  %-*s %17s %23s\n", width, "", "closed loop", open);
    fprintf(out, ROW, width, "", "CPU/req", "req/s", "p50", "p99", "p99.9", "memory", "proc/thr",
            "sw/req");
}

static void print_row(FILE *out, const struct lg_comparison *c, size_t i)
{
    char cpu[CELL_BYTES], rate[CELL_BYTES], p50[CELL_BYTES], p99[CELL_BYTES], p999[CELL_BYTES];
    char memory[CELL_BYTES], processes[CELL_BYTES], switches[CELL_BYTES];
    const struct lg_side *side = &c->sides[i];
    const struct lg_record *open = &side->parts.open;
    cpu_cell(c, side, cpu);
    median_cell(c, side, LG_METRIC_RATE, 1, 0, "", rate);
    percentile_cell(open, 50, p50);
    percentile_cell(open, 99, p99);
    percentile_cell(open, 99.9, p999);
    median_cell(c, side, LG_METRIC_MEMORY, 1.0 / (1 << 20), 1, "MB", memory);
    const struct lg_block *last = side->n > 0 ? &side->blocks[side->n - 1] : NULL;
    if (last != NULL && last->processes > 0)
        snprintf(processes, sizeof processes, "%d/%d", last->processes, last->threads);
    else
        snprintf(processes, sizeof processes, "-");
    double median = side->n > 0 ? median_switches(side) : NAN;
    if (isnan(median))
        snprintf(switches, sizeof switches, "-");
    else
        snprintf(switches, sizeof switches, "%.2f", median);
    fprintf(out, ROW, name_width(c), c->candidates[i].name, cpu, rate, p50, p99, p999, memory,
            processes, switches);
}

static void print_failures(FILE *out, const char *name, const char *part, const struct lg_record *r)
{
    if (lg_record_failed(r) == 0 && r->unsent == 0)
        return;
    fprintf(out, "  %s, %s: %ju sent = %ju ok", name, part, (uintmax_t)r->sent,
            (uintmax_t)r->outcomes[LG_OK]);
    for (int i = LG_OK + 1; i < LG_OUTCOMES; i++)
        if (r->outcomes[i] > 0)
            fprintf(out, " + %ju %s", (uintmax_t)r->outcomes[i], lg_outcome_word[i]);
    if (r->unsent > 0)
        fprintf(out, "; %ju due and never sent", (uintmax_t)r->unsent);
    fputc('\n', out);
}

/* ---- what it shows ---- */

/* Two digits that say something, also of a small ratio. */
static int places(double ratio)
{
    return ratio < 0.1 ? 3 : 2;
}

void lg_pair_text(const struct lg_comparison *c, const struct lg_pair *pair, char *text,
                  size_t bytes)
{
    const char *a = c->candidates[pair->a].name, *b = c->candidates[pair->b].name;
    const struct lg_effect *e = &pair->effect;
    char ratio[64];
    snprintf(ratio, sizeof ratio, "[%.*f, %.*f], p=%.3f", places(e->low), e->low, places(e->high),
             e->high, pair->p);
    if (pair->shown)
        snprintf(text, bytes, "%s %.*fx %s %s", a, places(e->ratio), e->ratio, b, ratio);
    else
        snprintf(text, bytes, "%s and %s: no difference shown (%.*fx %s)", a, b, places(e->ratio),
                 e->ratio, ratio);
}

size_t lg_leaders(const struct lg_comparison *c, enum lg_metric metric, char *text, size_t bytes)
{
    const struct lg_ranking *r = &c->rankings[metric];
    size_t n = 0, said = 0, at = 0;
    text[0] = '\0';
    for (size_t i = 0; i < c->n; i++)
        n += r->leads[i];
    for (size_t i = 0; i < c->n && at < bytes; i++) {
        if (!r->leads[i])
            continue;
        const char *before = said == 0 ? "" : said + 1 == n ? " and " : ", ";
        at += (size_t)snprintf(text + at, bytes - at, "%s%s", before, c->candidates[i].name);
        said++;
    }
    return n;
}

static void print_metric(FILE *out, const struct lg_comparison *c, enum lg_metric metric)
{
    const struct lg_ranking *r = &c->rankings[metric];
    if (!c->is_ranked[metric]) {
        const char *why = lg_not_ranked(c, metric);
        fprintf(out, "  %s: not ranked, %s\n", lg_metric_name(c, metric),
                why != NULL ? why : "out of memory");
        return;
    }
    fprintf(out, "  %s: ", lg_metric_name(c, metric));
    char leaders[LG_LEADERS_BYTES];
    size_t n = lg_leaders(c, metric, leaders, sizeof leaders);
    if (r->winner >= 0)
        fprintf(out, "best %s", leaders);
    else if (n == c->n)
        fputs("no difference shown", out);
    else
        fprintf(out, "no winner; %s lead%s", leaders, n == 1 ? "s" : "");
    fprintf(out, " (noise floor %.2fx)\n", r->floor_ratio);
    for (size_t i = 0; i < r->n_pairs; i++) {
        char text[256];
        lg_pair_text(c, &r->pairs[i], text, sizeof text);
        fprintf(out, "    %s\n", text);
    }
}

/* A late sender makes the server look slow. */
static void print_lag(FILE *out, const struct lg_comparison *c, size_t i)
{
    const struct lg_record *r = &c->sides[i].parts.open;
    char lag_text[UNITS_TEXT_BYTES];
    struct lg_lag lag = lg_judge_lag(r);
    if (lag.severity != LG_NOTE)
        fprintf(out, "  %s: schedule lag p%g was %s: part of the latency is loadgen's own\n",
                c->candidates[i].name, lag.percent, units_format_ns(lag.lag_ns, lag_text));
}

/* What a candidate could not do: keep up with the equal rate, keep idle connections. */
static void print_shortfall(FILE *out, const struct lg_comparison *c, size_t i)
{
    const struct lg_side *side = &c->sides[i];
    double answered[LG_STATS_MAX_BLOCKS];
    unsigned idle_open = c->scenario->idle;
    double worst = 1;
    for (size_t k = 0; k < side->n; k++) {
        answered[k] = side->blocks[k].answered;
        worst = fmin(worst, answered[k]);
        if (side->blocks[k].idle_open < idle_open)
            idle_open = side->blocks[k].idle_open;
    }
    if (!side->parts.held_rate && side->n > 0)
        fprintf(out,
                "  %s did not take %.0f requests/s in every block: %.0f %% answered in the middle "
                "one, %.0f %% in the worst\n",
                c->candidates[i].name, c->rate, lg_median(answered, side->n) * 100, worst * 100);
    if (idle_open < c->scenario->idle)
        fprintf(out, "  %s closed idle connections: %u of %u stood until the end\n",
                c->candidates[i].name, idle_open, c->scenario->idle);
}

static size_t fewest_blocks(const struct lg_comparison *c)
{
    size_t fewest = SIZE_MAX;
    for (size_t i = 0; i < c->n; i++)
        fewest = c->sides[i].n < fewest ? c->sides[i].n : fewest;
    return fewest;
}

/* There were blocks, and not one of the metrics can be ranked. */
static bool is_worthless(const struct lg_comparison *c)
{
    bool is_ranked = false;
    for (int m = 0; m < LG_METRICS; m++)
        is_ranked |= c->is_ranked[m];
    return !is_ranked && fewest_blocks(c) >= 2;
}

static void print_warnings(FILE *out, const struct lg_comparison *c)
{
    if (c->interrupted)
        fputs("  interrupted: this is a partial result\n", out);
    if (fewest_blocks(c) < lg_least_blocks(c->n))
        fprintf(out, "  fewer than %zu blocks each: no winner can be named\n",
                lg_least_blocks(c->n));
    if (c->client_limited)
        fputs("  client-limited: loadgen used its whole core while the servers had time to spare\n",
              out);
    if (c->others_max > OTHERS_LIMIT)
        fprintf(out,
                "  other programs took up to %.0f %% of the server's core during a block: "
                "requests/s and latency suffer from it\n",
                c->others_max * 100);
    if (c->repeated > 0)
        fprintf(out, "  %u disturbed block%s run again, %u kept\n", c->repeated,
                c->repeated == 1 ? " was" : "s were", c->disturbed);
    if (c->miscounted > 0)
        fprintf(out, "  INVALID: in %u block%s the server counted other requests than were sent\n",
                c->miscounted, c->miscounted == 1 ? "" : "s");
    else if (is_worthless(c) && !c->interrupted)
        fputs("  INVALID: nothing could be ranked\n", out);
    for (size_t i = 0; i < c->n; i++) {
        print_lag(out, c, i);
        print_shortfall(out, c, i);
        print_failures(out, c->candidates[i].name, "closed loop", &c->sides[i].parts.closed);
        print_failures(out, c->candidates[i].name, "open loop", &c->sides[i].parts.open);
    }
}

void lg_versus(FILE *out, const struct lg_comparison *c)
{
    fprintf(out, "%s: %s\n", c->scenario->name, lg_shows(c));
    if (c->interrupted && c->sides[0].n + c->sides[c->n - 1].n == 0) {
        fputs("  interrupted before the first block\n", out);
        return;
    }
    if (c->server_core >= 0)
        fprintf(out, "  one server core (%d), loadgen on core %d", c->server_core, c->own_core);
    else
        fputs("  cores shared by servers and loadgen", out);
    fprintf(out, "; c=%u\n  %zu blocks each of 2 x %gs, order from seed %ju\n", c->connections,
            c->sides[0].n, c->seconds, (uintmax_t)c->seed);
    print_table_head(out, c);
    for (size_t i = 0; i < c->n; i++)
        print_row(out, c, i);
    for (int m = 0; m < LG_METRICS; m++)
        print_metric(out, c, (enum lg_metric)m);
    print_warnings(out, c);
    (void)std_flush(out);
}

int lg_versus_exit_code(const struct lg_comparison *c)
{
    if (c->interrupted)
        return 130;
    if (c->miscounted > 0 || is_worthless(c))
        return 4;
    for (size_t i = 0; i < c->n; i++)
        if (!lg_record_is_true(&c->sides[i].parts.closed) ||
            !lg_record_is_true(&c->sides[i].parts.open))
            return 4;
    return 0;
}

/* ---- several scenarios ---- */

void lg_summarize(const struct lg_comparison *c, struct lg_summary *ret_summary)
{
    struct lg_summary s = {.scenario = c->scenario->name};
    for (int m = 0; m < LG_METRICS; m++) {
        char *text = s.leaders[m];
        if (!c->is_ranked[m])
            snprintf(text, LG_LEADERS_BYTES, "?");
        else if (lg_leaders(c, (enum lg_metric)m, text, LG_LEADERS_BYTES) == c->n)
            snprintf(text, LG_LEADERS_BYTES, "-");
    }
    *ret_summary = s;
}

void lg_print_summary(FILE *out, const struct lg_summary *list, size_t n)
{
    fprintf(out,
            "who leads (-: no difference shown, ?: not ranked)\n  %-10s %-24s %-24s %-24s %s\n", "",
            "CPU per request", "requests/s", "latency, equal rate", "memory");
    for (size_t i = 0; i < n; i++)
        fprintf(out, "  %-10s %-24s %-24s %-24s %s\n", list[i].scenario,
                list[i].leaders[LG_METRIC_CPU], list[i].leaders[LG_METRIC_RATE],
                list[i].leaders[LG_METRIC_LATENCY], list[i].leaders[LG_METRIC_MEMORY]);
    (void)std_flush(out);
}
