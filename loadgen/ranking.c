/* What the blocks of a comparison show. */
#include <math.h>
#include <stdlib.h>

#include "loadgen/compare.h"

/* Loadgen at its limit while the server is not: then throughput shows loadgen. */
#define OWN_LIMIT    0.9
#define SERVER_LIMIT 0.9
/* A block is disturbed when other programs took this share of a side's CPU. */
#define DISTURBED 0.1

const double lg_rank_percents[LG_RANK_PERCENTS] = {99, 90, 50};

const bool lg_metric_less_is_better[LG_METRICS] = {
    [LG_METRIC_CPU] = true,
    [LG_METRIC_RATE] = false,
    [LG_METRIC_LATENCY] = true,
    [LG_METRIC_MEMORY] = true,
};

const char *lg_shows(const struct lg_comparison *c)
{
    bool is_own = c->candidates[0].mode[0] != '\0';
    const struct lg_scenario *s = c->scenario;
    return is_own || s->shows_targets == NULL ? s->shows : s->shows_targets;
}

const char *lg_metric_name(const struct lg_comparison *c, enum lg_metric metric)
{
    static const char *const latency[LG_RANK_PERCENTS] = {"p99 at equal rate", "p90 at equal rate",
                                                          "p50 at equal rate"};
    static const char *const names[LG_METRICS] = {[LG_METRIC_CPU] = "server CPU per request",
                                                  [LG_METRIC_RATE] = "requests/s",
                                                  [LG_METRIC_MEMORY] = "memory"};
    return metric == LG_METRIC_LATENCY ? latency[c->percent] : names[metric];
}

bool lg_is_disturbed(const struct lg_block *b)
{
    return b->others > DISTURBED || b->own_wait > DISTURBED || b->lateness > DISTURBED;
}

/* ---- values ---- */

static double block_value(const struct lg_comparison *c, const struct lg_block *b,
                          enum lg_metric metric)
{
    switch (metric) {
    case LG_METRIC_CPU:
        return b->cpu_us;
    case LG_METRIC_RATE:
        return b->requests_per_s;
    case LG_METRIC_LATENCY:
        return b->latency_us[c->percent];
    case LG_METRIC_MEMORY:
        return b->pss_bytes;
    case LG_METRICS:
        break;
    }
    return NAN;
}

size_t lg_side_values(const struct lg_comparison *c, const struct lg_side *side,
                      enum lg_metric metric, double values[LG_STATS_MAX_BLOCKS])
{
    size_t n = 0;
    for (size_t i = 0; i < side->n; i++) {
        double value = block_value(c, &side->blocks[i], metric);
        if (isfinite(value) && value > 0)
            values[n++] = value;
    }
    return n;
}

/* Has every block of every side a value? */
static bool is_complete(const struct lg_comparison *c, enum lg_metric metric)
{
    double values[LG_STATS_MAX_BLOCKS];
    for (size_t i = 0; i < c->n; i++)
        if (lg_side_values(c, &c->sides[i], metric, values) < c->sides[i].n)
            return false;
    return true;
}

static void choose_percent(struct lg_comparison *c)
{
    for (c->percent = 0; c->percent + 1 < LG_RANK_PERCENTS; c->percent++)
        if (is_complete(c, LG_METRIC_LATENCY))
            return;
}

/* ---- what can be ranked ---- */

static bool is_short(const struct lg_comparison *c)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->sides[i].n < 2)
            return true;
    return false;
}

/* All servers had time to spare and loadgen had none: rates are loadgen's. */
static bool is_client_limited(const struct lg_comparison *c)
{
    size_t limited = 0, blocks = 0;
    for (size_t i = 0; i < c->n; i++)
        for (size_t k = 0; k < c->sides[i].n; k++) {
            const struct lg_block *b = &c->sides[i].blocks[k];
            blocks++;
            limited += b->own_cpu > OWN_LIMIT && !(b->server_cpu > SERVER_LIMIT);
        }
    return blocks > 0 && limited * 2 > blocks;
}

static bool is_mostly_disturbed(const struct lg_comparison *c)
{
    size_t blocks = 0;
    for (size_t i = 0; i < c->n; i++)
        blocks += c->sides[i].n;
    return c->disturbed * 2 > blocks;
}

static bool is_mostly_late(const struct lg_comparison *c)
{
    size_t late = 0, blocks = 0;
    for (size_t i = 0; i < c->n; i++)
        for (size_t k = 0; k < c->sides[i].n; k++, blocks++)
            late += c->sides[i].blocks[k].is_late;
    return late * 2 > blocks;
}

/* A running server whose processes we do not know. */
static bool has_stranger(const struct lg_comparison *c)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->candidates[i].url[0] != '\0' && c->candidates[i].pid == 0)
            return true;
    return false;
}

const char *lg_not_ranked(const struct lg_comparison *c, enum lg_metric metric)
{
    bool is_speed = metric == LG_METRIC_RATE || metric == LG_METRIC_LATENCY;
    if (is_short(c))
        return "fewer than two blocks each";
    if (c->miscounted > 0)
        return "the server counted other requests than were sent";
    if (metric == LG_METRIC_RATE && c->client_limited)
        return "loadgen was at its limit, the servers were not";
    if (is_speed && is_mostly_disturbed(c))
        return "other programs disturbed most blocks";
    if (metric == LG_METRIC_LATENCY && is_mostly_late(c))
        return "loadgen itself sent late in most blocks";
    if ((metric == LG_METRIC_CPU || metric == LG_METRIC_MEMORY) && has_stranger(c))
        return "only a target given as NAME=URL,PID tells it";
    if (!is_complete(c, metric))
        return "not every block has a value";
    return NULL;
}

static void rank_metric(struct lg_comparison *c, enum lg_metric metric)
{
    double(*values)[LG_STATS_MAX_BLOCKS] = calloc(c->n, sizeof *values);
    struct lg_group groups[LG_STATS_MAX_GROUPS];
    if (values == NULL)
        return;
    for (size_t i = 0; i < c->n; i++)
        groups[i] =
            (struct lg_group){values[i], lg_side_values(c, &c->sides[i], metric, values[i])};
    c->is_ranked[metric] =
        lg_rank(groups, c->n, lg_metric_less_is_better[metric], &c->rankings[metric]) == 0;
    free(values);
}

void lg_conclude(struct lg_comparison *c)
{
    c->client_limited = is_client_limited(c);
    for (size_t i = 0; i < c->n; i++)
        for (size_t k = 0; k < c->sides[i].n; k++)
            c->others_max = fmax(c->others_max, c->sides[i].blocks[k].others);
    choose_percent(c);
    for (int m = 0; m < LG_METRICS; m++) {
        c->is_ranked[m] = false;
        if (lg_not_ranked(c, (enum lg_metric)m) == NULL)
            rank_metric(c, (enum lg_metric)m);
    }
}
