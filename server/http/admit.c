/* Whom a connection speaks for, and whether there are too many of its kind.
 *
 * A connection of a trusted proxy without a PROXY header is nobody's: it carries
 * requests of many clients, each of which its X-Forwarded-For names.
 *
 * Counted in when it opens, or, behind a proxy that sends a PROXY header, when
 * that has told the client's address.  One too many is refused with an answer:
 * 503 for the server as a whole, 429 for one address. */
#include <errno.h>

#include "server/http/proxy.h"
#include "server/http/throttle.h"
#include "server/http/work.h"

/* One more from s->client: s->state says when it is one too many. */
static void enter(struct http_session *s, const struct http_limits *limits, int64_t now_ns)
{
    if (s->app->throttle != NULL && s->cell == 0 &&
        !http_throttle_enter(s->app->throttle, limits, &s->client, now_ns, &s->cell))
        s->state = HTTP_SESSION_CROWDED;
}

enum http_turn http_admit_open(struct http_session *s, const struct http_limits *limits,
                               int64_t now_ns)
{
    struct http_app *app = s->app;
    s->state = HTTP_SESSION_PLAIN;
    if (app->throttle != NULL && !http_throttle_open(app->throttle, limits))
        s->state = HTTP_SESSION_FULL;
    else if (app->is_proxy_protocol && http_networks_contain(app->proxies, &s->peer))
        s->state = HTTP_SESSION_PROXY;
    else if (!http_networks_contain(app->proxies, &s->peer)) /* a proxy is many clients */
        enter(s, limits, now_ns);
    return s->state >= HTTP_SESSION_FULL ? HTTP_TURN_NOW : HTTP_TURN_IDLE;
}

void http_admit_close(struct http_session *s)
{
    if (s->app->throttle == NULL)
        return;
    http_throttle_leave(s->app->throttle, s->cell);
    if (s->state != HTTP_SESSION_FULL)
        http_throttle_close(s->app->throttle);
}

void http_admit_proxy_header(struct http_work *w)
{
    struct http_session *s = w->session;
    ssize_t n = http_proxy_header(w->in + w->at, w->end - w->at, &s->client);
    if (n < 0) {
        http_work_close(w, HTTP_CLOSE_PROXY_HEADER, false);
    } else if (n > 0) {
        w->at += (size_t)n;
        s->state = HTTP_SESSION_PLAIN;
        enter(s, w->limits, w->now_ns);
    }
}

void http_admit_name_client(struct http_work *w)
{
    struct http_request *req = &w->req;
    if (!req->is_proxied || w->app->proxies == NULL)
        return;
    /* several fields are one list; it is read from its end */
    for (size_t i = req->field_count; i > 0; i--)
        if (http_str_is_nocase(req->fields[i - 1].name, "x-forwarded-for") &&
            !http_proxy_forwarded(w->app->proxies, req->fields[i - 1].value, &req->client))
            return; /* who stands before it cannot be believed */
}

bool http_admit_request(struct http_work *w)
{
    return w->app->throttle == NULL ||
           http_throttle_request(w->app->throttle, w->limits, &w->req.client, w->now_ns);
}
