/* The live page and what it loads: GET /profile for browsers, /profile/web/... */
#include "coro/prof/prof.h"
#include "server/endpoint/embed.h"
#include "server/endpoint/endpoint.h"
#include "server/endpoint/profiling.h"

EMBED(html, "server/web/live.html");
EMBED(css, "server/web/live.css");
EMBED(js, "server/web/live.js");
EMBED_FILE(chart, CHART_JS);

/* Nothing is loaded from elsewhere; styles are set by script (bars, frames). */
#define POLICY                                                                                     \
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src "        \
    "'self'; "                                                                                     \
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

void endpoint_live_page(struct http_response *res)
{
    struct http_str page = embed_html();
    http_add_field(res, "Content-Security-Policy", POLICY);
    http_add_field(res, "Cache-Control", "no-cache");
    http_answer(res, HTTP_200_OK, HTTP_TYPE_HTML, page.data, page.len);
}

void endpoint_profile_web(struct http_request *req, struct http_response *res)
{
    PROF_FN();
    static const char script[] = "text/javascript; charset=utf-8";
    static const char style[] = "text/css; charset=utf-8";
    struct http_str body;
    const char *type = script;
    if (http_str_is(req->path, "/profile/web/live.js")) {
        body = embed_js();
    } else if (http_str_is(req->path, "/profile/web/chart.js")) {
        body = embed_chart();
    } else if (http_str_is(req->path, "/profile/web/live.css")) {
        body = embed_css();
        type = style;
    } else {
        http_problem(res, HTTP_404_NOT_FOUND, "there is no such file");
        return;
    }
    http_add_field(res, "Cache-Control", "no-cache");
    http_add_field(res, "X-Content-Type-Options", "nosniff");
    http_answer(res, HTTP_200_OK, type, body.data, body.len);
}
