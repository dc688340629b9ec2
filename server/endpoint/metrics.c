/* GET /metrics: the counters of all workers, for Prometheus. */
#include "server/metrics/metrics.h"
#include "coro/prof/prof.h"
#include "server/endpoint/endpoint.h"

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
