#include "loadgen/verdict.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "coro/base/clock.h"
#include "coro/base/units.h"

#define CPU_WARN        0.5
#define CPU_LIMIT       0.9
#define FAILED_WARN     0.01
#define WAIT_WARN       0.05
#define WAIT_LIMIT      0.1
#define LAG_SHARE_LIMIT 0.1 /* of p99 */
#define LAG_FLOOR_NS    (100 * NS_PER_US)
#define LAG_INVALID_NS  (1 * NS_PER_MS)
#define RATE_HELD       0.99
#define LITTLE_SLACK    0.05
#define SILENCE_NS      NS_PER_S
#define SHORT_S         0.1 /* a share of less time than this says nothing */

PRINTF_LIKE(3, 4)
static void find(struct lg_findings *f, enum lg_severity severity, const char *format, ...)
{
    if (f->n == LG_FINDINGS_MAX)
        return;
    struct lg_finding *finding = &f->list[f->n++];
    finding->severity = severity;
    va_list args;
    va_start(args, format);
    vsnprintf(finding->text, sizeof finding->text, format, args);
    va_end(args);
}

static void judge_truth(const struct lg_result *r, struct lg_findings *f)
{
    const struct lg_record *rec = &r->record;
    if (!lg_record_is_true(rec))
        find(f, LG_INVALID, "the counts do not add up: a bug in loadgen");
    if (r->server_counted < 0)
        return;
    uint64_t least = 0, most = 0;
    lg_countable(rec, &least, &most);
    lg_countable(&r->warmup, &least, &most);
    uint64_t counted = (uint64_t)r->server_counted;
    if (counted < least)
        find(f, LG_INVALID, "the server counted %ju requests, but gave %ju answers",
             (uintmax_t)counted, (uintmax_t)least);
    else if (counted > most)
        find(f, LG_WARNING, "the server counted %ju requests, %ju were sent: somebody else uses it",
             (uintmax_t)counted, (uintmax_t)most);
    else
        find(f, LG_NOTE, "the server's own counter agrees: %ju requests", (uintmax_t)counted);
}

/* The most frequent kind of failure. */
static enum lg_outcome main_failure(const struct lg_record *r)
{
    enum lg_outcome most = LG_STATUS;
    for (int i = LG_STATUS; i < LG_OUTCOMES; i++)
        if (r->outcomes[i] > r->outcomes[most])
            most = (enum lg_outcome)i;
    return most;
}

/* The most frequent status that is a failure. */
static size_t main_status(const struct lg_record *r)
{
    size_t most = 400;
    for (size_t i = most; i < ARRAY_LEN(r->statuses); i++)
        if (r->statuses[i] > r->statuses[most])
            most = i;
    return most;
}

/* Nothing succeeded: why? */
static void judge_failures(const struct lg_result *r, uint64_t failed, struct lg_findings *f)
{
    const struct lg_record *rec = &r->record;
    if (failed == 0 && r->interrupted && r->warmup.sent > 0) {
        find(f, LG_NOTE,
             "interrupted before measuring began: %ju requests of the warm-up are not shown",
             (uintmax_t)r->warmup.sent);
    } else if (failed == 0) {
        find(f, r->interrupted ? LG_NOTE : LG_FAILED, "no request was sent");
    } else {
        enum lg_outcome most = main_failure(rec);
        char status[24];
        snprintf(status, sizeof status, "%zu", main_status(rec));
        const char *why = most == LG_STATUS ? status : rec->first_why[most];
        find(f, LG_FAILED, "no request succeeded; most of them: %s%s%s", lg_outcome_text[most],
             why != NULL ? ": " : "", why != NULL ? why : "");
    }
}

static void judge_server(const struct lg_result *r, struct lg_findings *f)
{
    const struct lg_record *rec = &r->record;
    uint64_t failed = lg_record_failed(rec);
    if (rec->outcomes[LG_OK] == 0) {
        judge_failures(r, failed, f);
        return;
    }
    double lost = (double)(failed - rec->outcomes[LG_UNFINISHED]) / (double)rec->sent;
    if (lost > FAILED_WARN)
        find(f, LG_WARNING, "%.3g %% of the requests failed", lost * 100);
    uint64_t redirects = 0;
    for (int i = 300; i < 400; i++)
        redirects += i == 304 ? 0 : rec->statuses[i];
    if (redirects > 0)
        find(f, LG_NOTE, "%ju answers were redirects; they are not followed", (uintmax_t)redirects);
    int64_t last_ok_ns = 0, last_failed_ns = 0;
    for (unsigned i = 0; i < rec->n_ticks; i++) {
        int64_t at_ns = (int64_t)(i + 1) * rec->tick_ns;
        last_ok_ns = rec->ticks[i].ok > 0 ? at_ns : last_ok_ns;
        last_failed_ns = rec->ticks[i].failed > 0 ? at_ns : last_failed_ns;
    }
    if (!r->interrupted && last_failed_ns - last_ok_ns > SILENCE_NS)
        find(f, LG_FAILED, "the server stopped answering after %.1f s", (double)last_ok_ns / 1e9);
}

/* Somebody else took our CPU: what we then see late is not the server's doing. */
static void judge_wait(const struct lg_load *load, const struct lg_result *r, struct lg_findings *f)
{
    if (r->own_wait <= WAIT_WARN)
        return;
    bool is_open = load->rate_per_s > 0;
    find(f, is_open && r->own_wait > WAIT_LIMIT ? LG_INVALID : LG_WARNING,
         "loadgen was ready and waited for a CPU %.0f %% of the time: other programs had it (the "
         "server too, if it runs here)",
         r->own_wait * 100);
}

struct lg_lag lg_judge_lag(const struct lg_record *r)
{
    static const double percents[] = {99, 90, 50};
    struct lg_lag lag = {.severity = LG_NOTE};
    size_t i = 0;
    while (i < ARRAY_LEN(percents) &&
           !(hist_knows(&r->lag, percents[i]) && hist_knows(&r->latency, percents[i])))
        i++;
    if (i == ARRAY_LEN(percents))
        return lag;
    lag.percent = percents[i];
    lag.lag_ns = (double)hist_percentile_ns(&r->lag, lag.percent);
    lag.share = lag.lag_ns / fmax(1, (double)hist_percentile_ns(&r->latency, lag.percent));
    if (lag.lag_ns > LAG_FLOOR_NS && lag.share > LAG_SHARE_LIMIT)
        lag.severity = lag.lag_ns > LAG_INVALID_NS ? LG_INVALID : LG_WARNING;
    return lag;
}

static void judge_open(const struct lg_load *load, const struct lg_result *r, struct lg_findings *f)
{
    const struct lg_record *rec = &r->record;
    double due = (double)(rec->sent + rec->unsent);
    double held = due > 0 ? (double)(rec->sent - rec->outcomes[LG_LOCAL]) / due : 1;
    /* two requests of slack: where few are due, the edges of the window count */
    double wanted = load->poisson ? due : load->rate_per_s * r->seconds; /* as drawn */
    double answered = wanted > 0 ? (r->requests_per_s * r->seconds + 2) / wanted : 1;
    bool is_limited = r->own_cpu > CPU_LIMIT;
    if (is_limited)
        find(f, LG_INVALID,
             "client-limited: loadgen used %.0f %% of its core; use more threads (-t) or a lower "
             "rate",
             r->own_cpu * 100);
    bool is_starved = r->own_wait > WAIT_LIMIT;
    if (!r->interrupted && !is_limited && !is_starved && (held < RATE_HELD || answered < RATE_HELD))
        find(f, LG_WARNING,
             "the server did not take the rate: %.0f of %.0f requests a second were answered; "
             "latency is that of a growing queue",
             r->requests_per_s, load->rate_per_s);
    char lag_text[UNITS_TEXT_BYTES];
    struct lg_lag lag = lg_judge_lag(rec);
    if (lag.severity != LG_NOTE)
        find(f, lag.severity,
             "schedule lag p%g is %s, %.0f %% of the p%g shown: part of that latency is loadgen's "
             "own",
             lag.percent, units_format_ns(lag.lag_ns, lag_text), 100 * lag.share, lag.percent);
}

static void judge_closed(const struct lg_load *load, const struct lg_result *r,
                         struct lg_findings *f)
{
    if (r->own_cpu > CPU_LIMIT && r->seconds >= SHORT_S)
        find(f, LG_WARNING,
             "client-limited: loadgen used %.0f %% of its core; the server may be able to do "
             "more (-t adds threads)",
             r->own_cpu * 100);
    else if (r->own_cpu > CPU_WARN && r->seconds >= SHORT_S)
        find(f, LG_NOTE, "loadgen used %.0f %% of its core", r->own_cpu * 100);
    /* Little's law: busy connections = throughput x mean latency.  On each
     * connection the last answer may come after the end and is not counted. */
    double mean_s = hist_mean_ns(&r->record.latency) / 1e9;
    double busy = r->requests_per_s * mean_s / load->pipeline;
    double slack = LITTLE_SLACK + mean_s / r->seconds;
    bool is_clean = lg_record_failed(&r->record) == 0 && load->requests_max == 0 && !r->interrupted;
    if (is_clean && r->seconds >= 1 && load->keepalive && busy < load->connections * (1 - slack))
        find(f, LG_WARNING, "on average %.1f of %u connections were busy: time was lost in loadgen",
             busy, load->connections);
}

void lg_judge(const struct lg_load *load, const struct lg_result *result,
              struct lg_findings *ret_findings)
{
    ret_findings->n = 0;
    judge_truth(result, ret_findings);
    judge_server(result, ret_findings);
    judge_wait(load, result, ret_findings);
    if (load->rate_per_s > 0)
        judge_open(load, result, ret_findings);
    else
        judge_closed(load, result, ret_findings);
    if (load->idle > 0 && result->idle_open < load->idle)
        find(ret_findings, LG_WARNING, "only %u of %u idle connections stood until the end",
             result->idle_open, load->idle);
}

int lg_exit_code(const struct lg_result *result, const struct lg_findings *findings)
{
    static const int codes[] = {[LG_NOTE] = 0, [LG_WARNING] = 0, [LG_FAILED] = 1, [LG_INVALID] = 4};
    if (result->interrupted)
        return 130;
    enum lg_severity worst = LG_NOTE;
    for (size_t i = 0; i < findings->n; i++)
        worst = findings->list[i].severity > worst ? findings->list[i].severity : worst;
    return codes[worst];
}
