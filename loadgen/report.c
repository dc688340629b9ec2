#include "loadgen/report.h"

#include <math.h>

#include "coro/base/clock.h"
#include "coro/base/std.h"
#include "coro/base/units.h"

const double lg_percents[] = {50, 75, 90, 99, 99.9, 99.99};
const size_t lg_n_percents = ARRAY_LEN(lg_percents);

#define URL_SHOWN  100
#define WAIT_SHOWN 0.01

void lg_report_head(FILE *out, const struct lg_load *load, const char *url)
{
    if (load->duration_ns > 0)
        fprintf(out, "Running %gs test @ %.*s%s\n", (double)load->duration_ns / 1e9, URL_SHOWN, url,
                strnlen(url, URL_SHOWN + 1) > URL_SHOWN ? "..." : "");
    else
        fprintf(out, "Running %ju requests @ %.*s%s\n", (uintmax_t)load->requests_max, URL_SHOWN,
                url, strnlen(url, URL_SHOWN + 1) > URL_SHOWN ? "..." : "");
    fprintf(out, "  %u thread%s and %u connection%s, ", load->threads,
            load->threads == 1 ? "" : "s", load->connections, load->connections == 1 ? "" : "s");
    if (load->rate_per_s > 0)
        fprintf(out, "open loop: %g requests due per second%s\n", load->rate_per_s,
                load->poisson ? ", at random" : "");
    else if (load->pipeline > 1)
        fprintf(out, "closed loop, %u requests at once\n", load->pipeline);
    else
        fputs("closed loop\n", out);
    (void)std_flush(out);
}

/* Nothing was measured: no zeros, which would look like figures. */
static void print_no_stats(FILE *out, const char *what)
{
    fprintf(out, "    %-9s %8s %8s %8s %8s\n", what, "-", "-", "-", "-");
}

static void print_stats(FILE *out, const struct lg_result *r)
{
    char mean[UNITS_TEXT_BYTES], stdev[UNITS_TEXT_BYTES], max[UNITS_TEXT_BYTES];
    const struct hist *h = &r->record.latency;
    double mean_ns = hist_mean_ns(h), stdev_ns = hist_stdev_ns(h);
    fputs("  Thread Stats   Avg      Stdev     Max   +/- Stdev\n", out);
    if (h->total == 0)
        print_no_stats(out, "Latency");
    else
        fprintf(out, "    Latency   %8s %8s %8s %7.2f%%\n", units_format_ns(mean_ns, mean),
                units_format_ns(stdev_ns, stdev), units_format_ns((double)h->max_ns, max),
                100 * hist_share_within(h, mean_ns - stdev_ns, mean_ns + stdev_ns));
    if (r->rates.ticks == 0)
        print_no_stats(out, "Req/Sec");
    else
        fprintf(out, "    Req/Sec   %8s %8s %8s %7.2f%%\n", units_format_count(r->rates.mean, mean),
                units_format_count(r->rates.stdev, stdev), units_format_count(r->rates.max, max),
                100 * r->rates.within);
}

static void print_percentile(FILE *out, const struct hist *h, double percent)
{
    char text[UNITS_TEXT_BYTES];
    fprintf(out, " %9s",
            hist_knows(h, percent) ? units_format_ns((double)hist_percentile_ns(h, percent), text)
                                   : "-");
}

static void print_distribution(FILE *out, const struct lg_load *load, const struct lg_record *r)
{
    bool is_open = load->rate_per_s > 0;
    fputs("  Latency Distribution", out);
    if (is_open)
        fputs(" (corrected: since it was due; raw: since it was sent)\n"
              "           corrected       raw\n",
              out);
    else
        fprintf(out, " (service time at c=%u, not what users would see)\n", load->connections);
    for (size_t i = 0; i < lg_n_percents; i++) {
        fprintf(out, "  %6g%%", lg_percents[i]);
        if (is_open)
            fputs("  ", out);
        print_percentile(out, &r->latency, lg_percents[i]);
        if (is_open)
            print_percentile(out, &r->raw, lg_percents[i]);
        fputc('\n', out);
    }
    if (r->latency.total > 0 && !hist_knows(&r->latency, lg_percents[lg_n_percents - 1]))
        fputs("  (a percentile needs ten requests beyond it)\n", out);
}

static void print_truth(FILE *out, const struct lg_record *r)
{
    fprintf(out, "  %ju sent = %ju ok", (uintmax_t)r->sent, (uintmax_t)r->outcomes[LG_OK]);
    for (int i = LG_OK + 1; i < LG_OUTCOMES; i++)
        if (r->outcomes[i] > 0 || i == LG_TIMEOUT || i == LG_UNFINISHED)
            fprintf(out, " + %ju %s", (uintmax_t)r->outcomes[i], lg_outcome_word[i]);
    fputc('\n', out);
    if (r->unsent > 0)
        fprintf(out, "  %ju more were due and never sent: no connection was free\n",
                (uintmax_t)r->unsent);
}

static void print_errors(FILE *out, const struct lg_record *r)
{
    if (lg_record_failed(r) == 0)
        return;
    /* wrk's own words first, for scripts that look for them. */
    uint64_t reads = r->outcomes[LG_RESET] + r->outcomes[LG_CLOSED] + r->outcomes[LG_HALF] +
                     r->outcomes[LG_MALFORMED];
    fprintf(out, "  Socket errors: connect %ju, read %ju, write %ju, timeout %ju\n",
            (uintmax_t)(r->outcomes[LG_CONNECT] + r->outcomes[LG_CONNECT_TIMEOUT] +
                        r->outcomes[LG_LOCAL]),
            (uintmax_t)reads, (uintmax_t)r->outcomes[LG_WRITE], (uintmax_t)r->outcomes[LG_TIMEOUT]);
    if (r->outcomes[LG_STATUS] > 0)
        fprintf(out, "  Non-2xx or 3xx responses: %ju\n", (uintmax_t)r->outcomes[LG_STATUS]);
    for (int i = LG_OK + 1; i < LG_OUTCOMES; i++) {
        if (r->outcomes[i] == 0)
            continue;
        fprintf(out, "    %-10s %ju: %s%s%s\n", lg_outcome_word[i], (uintmax_t)r->outcomes[i],
                lg_outcome_text[i], r->first_why[i] != NULL ? "; first: " : "",
                r->first_why[i] != NULL ? r->first_why[i] : "");
    }
    for (size_t i = 400; i < ARRAY_LEN(r->statuses); i++)
        if (r->statuses[i] > 0)
            fprintf(out, "    status %zu  %ju\n", i, (uintmax_t)r->statuses[i]);
}

/* "loop lag p99 1.20ms, max 3.00ms"; p99 only where enough is known. */
static void print_lag(FILE *out, const char *before, const char *what, const struct hist *h)
{
    char lag[UNITS_TEXT_BYTES];
    fprintf(out, "%s%s lag", before, what);
    if (hist_knows(h, 99))
        fprintf(out, " p99 %s,", units_format_ns((double)hist_percentile_ns(h, 99), lag));
    fprintf(out, " max %s", units_format_ns((double)h->max_ns, lag));
}

static void print_self(FILE *out, const struct lg_load *load, const struct lg_result *r)
{
    fprintf(out, "  Own CPU %.0f%% of a core", r->own_cpu * 100);
    if (r->own_wait >= WAIT_SHOWN)
        fprintf(out, " (%.0f%% more was wanted)", r->own_wait * 100);
    if (isfinite(r->own_cpu_us))
        fprintf(out, ", %.2fus per request", r->own_cpu_us);
    fputc('\n', out);
    bool has_loop = r->loop_lag.total > 0;
    bool has_schedule = load->rate_per_s > 0 && r->record.lag.total > 0;
    if (has_loop)
        print_lag(out, "  ", "loop", &r->loop_lag);
    if (has_schedule)
        print_lag(out, has_loop ? "; " : "  ", "schedule", &r->record.lag);
    if (has_loop || has_schedule)
        fputc('\n', out);
}

void lg_report(FILE *out, const struct lg_load *load, const struct lg_result *result,
               const struct lg_findings *findings)
{
    static const char *const marks[] = {[LG_NOTE] = "note",
                                        [LG_WARNING] = "warning",
                                        [LG_FAILED] = "FAILED",
                                        [LG_INVALID] = "INVALID"};
    const struct lg_record *r = &result->record;
    char bytes[UNITS_TEXT_BYTES];
    if (result->interrupted)
        fprintf(out, "  Interrupted after %.2fs: this is a partial result\n", result->seconds);
    print_stats(out, result);
    print_distribution(out, load, r);
    fprintf(out, "  %ju requests in %.2fs, %s read\n",
            (uintmax_t)(r->outcomes[LG_OK] + r->outcomes[LG_STATUS]), result->seconds,
            units_format_bytes((double)r->read_bytes, bytes));
    print_truth(out, r);
    print_errors(out, r);
    print_self(out, load, result);
    for (size_t i = 0; i < findings->n; i++)
        fprintf(out, "  %s: %s\n", marks[findings->list[i].severity], findings->list[i].text);
    fprintf(out, "Requests/sec: %10.2f\n", result->requests_per_s);
    fprintf(out, "Transfer/sec: %10s\n",
            units_format_bytes(result->seconds > 0 ? (double)r->read_bytes / result->seconds : 0,
                               bytes));
    (void)std_flush(out);
}
