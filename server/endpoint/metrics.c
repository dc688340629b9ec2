/* GET /metrics: the counters of all workers, for Prometheus. */
#include "server/metrics/metrics.h"

#include <inttypes.h>

#include "coro/prof/prof.h"
#include "coro/prof/worker.h"
#include "server/endpoint/endpoint.h"

void endpoint_metrics_recorder(void *arg, struct metrics_report *report)
{
    (void)arg;
    if (!prof_segment_exists())
        return;
    struct prof_totals totals = prof_totals();
    double cost_ns = prof_scope_cost_ns(), spent_ns = (double)totals.calls * cost_ns;
    metrics_head(report, METRICS_IS_GAUGE, "profile_recording", "1 while /profile records.");
    metrics_line(report, "domaind_profile_recording %d\n", prof_recording_since() != 0);
    metrics_head(report, METRICS_IS_COUNTER, "profile_scopes", "Calls recorded for /profile.");
    metrics_line(report, "domaind_profile_scopes_total %" PRIu64 "\n", totals.calls);
    metrics_head(report, METRICS_IS_GAUGE, "profile_scope_cost_seconds",
                 "What one of them costs, as measured on this machine.");
    metrics_line(report, "domaind_profile_scope_cost_seconds %.12f\n", cost_ns / 1e9);
    metrics_head(report, METRICS_IS_COUNTER, "profile_run_seconds",
                 "Time that workers ran, as recorded.");
    metrics_line(report, "domaind_profile_run_seconds_total %.6f\n", totals.run_ns / 1e9);
    metrics_head(report, METRICS_IS_GAUGE, "profile_overhead_ratio",
                 "The share of that time which recording took, since the start.");
    metrics_line(report, "domaind_profile_overhead_ratio %.6f\n",
                 totals.run_ns > 0 ? spent_ns / totals.run_ns : 0.0);
}

void endpoint_metrics(struct http_request *req, struct http_response *res)
{
    PROF_FN();
    static const char *const offers[] = {"text/plain", "application/openmetrics-text"};
    static const char *const types[] = {
        "text/plain; version=0.0.4; charset=utf-8",
        "application/openmetrics-text; version=1.0.0; charset=utf-8",
    };
    int offer = http_accepts(req, offers, ARRAY_LEN(offers));
    if (offer < 0)
        offer = 0; /* a scraper with odd wishes is served better by text than by 406 */
    http_set_type(res, types[offer]);
    if (metrics_export(http_body(res), offer == 1 ? METRICS_OPENMETRICS : METRICS_PROMETHEUS) < 0)
        http_problem(res, HTTP_500_INTERNAL_SERVER_ERROR, "out of memory");
}
