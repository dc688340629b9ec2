/* One connection, turn by turn, in blocking style over struct http_io.
 *
 * Happy path of a turn: one read brings one or more requests; each is scanned,
 * parsed, routed, answered into `out`; one write sends all answers; nothing is
 * left in the input buffer, so the connection is idle.  No second read asks
 * for what is not there yet: readiness will tell.
 *
 * Failure modes: a refused request is answered and the connection closed after
 * a lingering read, so that the answer is not lost in a reset (RFC 9112 section
 * 9.6); a client that vanishes or stalls costs its own connection; -ECANCELED
 * ends the turn at once.
 *
 * Invariants: answers leave in the order of their requests; after an answer
 * that said "Connection: close" nothing more is processed; a turn that returns
 * HTTP_TURN_IDLE holds no byte of the client and no buffer. */
#include "server/http/session.h"

#include <errno.h>
#include <string.h>

#include "coro/base/clock.h"
#include "coro/prof/prof.h"
#include "server/http/parse.h"
#include "server/http/work.h"

#define LINGER_MAX_BYTES (8 * 1024 * 1024)
/* After a drain's last answer only what is on its way is waited for, about a round trip:
 * others may need the descriptor. */
#define LINGER_DRAIN_NS (200 * NS_PER_MS)

/* ---- before the handler ---- */

static void give_id(struct http_work *w)
{
    struct http_str sent;
    if (w->req.field_count > 0 && http_header(&w->req, "x-request-id", &sent) && sent.len > 0 &&
        sent.len <= WORK_ID_BYTES) {
        size_t i = 0;
        while (i < sent.len && (unsigned char)sent.data[i] > 0x20 &&
               (unsigned char)sent.data[i] < 0x7F && sent.data[i] != '"' && sent.data[i] != '\\')
            i++;
        if (i == sent.len) {
            w->req.id = sent;
            return;
        }
    }
    http_make_id(w->id);
    w->req.id = (struct http_str){w->id, HTTP_ID_BYTES};
}

static void begin_request(struct http_work *w)
{
    w->req.app = w->app;
    w->req.peer = w->session->peer;
    w->req.client = w->session->client;
    w->req.start_ns = w->now_ns;
    w->route = NULL;
    http_admit_name_client(w);
    give_id(w);
    http_respond_begin(w);
}

/* Of a head that was refused only the fields before the fault can be gone by: they say
 * who asks, and how to answer. */
static void begin_refused(struct http_work *w)
{
    w->req = (struct http_request){.verb = w->head.verb,
                                   .version_minor = 1,
                                   .content_length = -1,
                                   .is_proxied = w->head.is_proxied,
                                   .fields = w->fields};
    w->req.field_count = http_parse_sound_fields(&w->head, w->in + w->at, w->fields, w->field_cap);
    begin_request(w);
    http_receive_begin(w, false, -1);
}

static void tell(struct http_work *w)
{
    const struct http_hooks *hooks = &w->app->hooks;
    w->session->served++;
    if (hooks->on_request == NULL)
        return;
    uint64_t end_ticks = prof_ticks();
    struct http_record record = {
        .request = &w->req,
        .route = w->route,
        .status = w->res.status,
        .duration_ns = (int64_t)((double)(end_ticks - w->start_ticks) * http_tick_ns()),
        .bytes_in = w->head.length + w->body.wire_bytes,
        .bytes_out = w->res.bytes_out,
    };
    hooks->on_request(hooks->arg, &record);
    w->start_ticks = end_ticks; /* of the next one in this read */
}

/* Answer with a problem and close. */
static void refuse(struct http_work *w, int status, enum http_close_reason why, const char *detail)
{
    http_work_close(w, why, true);
    http_problem(&w->res, status, "%s", detail);
    http_respond_end(w);
    tell(w);
}

static enum http_close_reason reason_of(int status)
{
    return status == 413 || status == 414 || status == 431 ? HTTP_CLOSE_TOO_LARGE
                                                           : HTTP_CLOSE_REFUSED;
}

/* One connection too many. */
static void refuse_connection(struct http_work *w)
{
    bool is_full = w->session->state == HTTP_SESSION_FULL;
    w->now_ns = w->io->ops->now_ns(w->io);
    w->start_ticks = prof_ticks();
    begin_refused(w);
    http_add_field(&w->res, "Retry-After", "1");
    refuse(w, is_full ? 503 : 429, is_full ? HTTP_CLOSE_OVERLOAD : HTTP_CLOSE_ADDRESS_LIMIT,
           is_full ? "too many connections" : "too many connections from your address");
}

/* ---- the handler ---- */

/* CORS preflight and plain OPTIONS. */
static void answer_options(struct http_work *w, const char *allow)
{
    struct http_str asked;
    w->res.status = 204;
    w->res.allow = allow;
    if (w->app->cors_origin != NULL && !http_work_is_admin(w) &&
        http_header(&w->req, "access-control-request-method", &asked)) {
        http_add_field(&w->res, "Access-Control-Allow-Methods", allow);
        http_add_field(&w->res, "Access-Control-Allow-Headers", "Content-Type, X-Request-Id");
        http_add_field(&w->res, "Access-Control-Max-Age", "86400");
    }
}

static bool is_admitted(const struct http_work *w)
{
    const struct http_hooks *hooks = &w->app->hooks;
    return (w->route->flags & HTTP_ROUTE_ADMIN) == 0 ||
           (hooks->admits != NULL && hooks->admits(hooks->arg, &w->req));
}

static void dispatch(struct http_work *w)
{
    static const char all_methods[] = "GET, HEAD, POST, OPTIONS";
    struct http_request *req = &w->req;
    if (!http_admit_request(w)) {
        http_overload_refuse(w, HTTP_REFUSAL_ADDRESS);
        return;
    }
    if (req->verb == HTTP_VERB_OPTIONS && http_str_is(req->path, "*")) {
        answer_options(w, all_methods);
        return;
    }
    struct http_route_match match = http_route_find(w->app, req);
    w->route = match.route;
    if (match.route == NULL) {
        if (req->verb == HTTP_VERB_CONNECT || req->verb == HTTP_VERB_TRACE) {
            w->res.allow = all_methods;
            http_problem(&w->res, 405, "%s is not offered here", http_verb_text(req->verb));
            return;
        }
        http_problem(&w->res, 404, "no such resource; GET / lists what there is");
        return;
    }
    if (!match.is_allowed) {
        w->res.allow = match.route->methods;
        http_problem(&w->res, 405, "%s is not allowed here", http_verb_text(req->verb));
        return;
    }
    if (!is_admitted(w)) {
        http_problem(&w->res, 403,
                     "this resource is for administrators: see admin-allow and admin-hosts");
        return;
    }
    if (req->verb == HTTP_VERB_OPTIONS) {
        answer_options(w, match.route->methods);
        return;
    }
    if ((match.route->flags & HTTP_ROUTE_STREAM) == 0 &&
        req->content_length > w->limits->body_max_bytes) {
        http_work_close(w, HTTP_CLOSE_TOO_LARGE, true);
        http_problem(&w->res, 413, "a body may have %lld bytes here",
                     (long long)w->limits->body_max_bytes);
        return;
    }
    if (!http_overload_enter(w))
        return;
    match.route->handler(req, &w->res);
    http_overload_leave(w);
}

/* Will the connection go on after this answer?  Decided before its head is made. */
static void decide_keep_alive(struct http_work *w)
{
    int64_t most = w->limits->requests_per_connection;
    if (!w->req.is_keep_alive)
        http_work_close(w, HTTP_CLOSE_ASKED, w->at < w->end);
    else if (most > 0 && w->session->served + 1 >= most)
        http_work_close(w, HTTP_CLOSE_SERVED, true);
    else if (atomic_load_explicit(&w->app->draining, memory_order_relaxed) && w->at == w->end)
        http_work_close(w, HTTP_CLOSE_DRAIN, true); /* what came together is answered together */
    else
        http_work_yield(w);
}

static void serve_request(struct http_work *w)
{
    begin_request(w);
    http_receive_begin(w, w->head.is_chunked, w->head.content_length);
    decide_keep_alive(w);
    dispatch(w);
    if (!w->res.is_stream && !w->is_closing) /* working uses a slice up, too */
        http_work_yield(w);
    if (w->body.status != 0 && !w->res.is_stream)
        http_problem(&w->res, w->body.status, "%s", w->body.why);
    if (w->body.error != 0 && w->res.is_stream)
        http_stream_fail(&w->res);
    if (http_receive_is_hopeless(w))
        http_work_close(w, HTTP_CLOSE_TOO_LARGE, true);
    http_respond_gzip(w);
    http_respond_end(w);
    tell(w);
    /* what of the body nobody asked for lies between us and the next request */
    if (http_decoder_is_done(&w->body.decoder) || w->body.error != 0)
        return;
    if (w->is_closing)
        w->is_lingering = true; /* it may still be on its way (RFC 9112 section 9.6) */
    else
        http_receive_discard(w);
}

/* ---- the input buffer ---- */

static void compact(struct http_work *w)
{
    if (w->at > 0)
        memmove(w->in, w->in + w->at, w->end - w->at);
    w->end -= w->at;
    w->at = 0;
}

/* The head at in[at..) is complete and sound. */
static void accept_head(struct http_work *w)
{
    size_t behind = w->cap - w->at - w->head.length;
    if ((w->head.is_chunked || w->head.content_length > 0) && behind < WORK_READ_BYTES / 2)
        compact(w); /* a body is read behind its head: there must be room */
    w->head_at = w->at;
    if (http_parse_head(&w->head, w->in + w->at, w->fields, &w->req) < 0) {
        begin_refused(w);
        refuse(w, 400, HTTP_CLOSE_REFUSED, "malformed request");
        return;
    }
    w->at += w->head.length;
    serve_request(w);
}

/* Answer every request that is complete in the buffer. */
static void serve_ready(struct http_work *w)
{
    while (!w->is_closing && w->at < w->end) {
        enum http_scan scan = http_head_scan(&w->head, w->in + w->at, w->end - w->at, w->limits);
        if (scan == HTTP_SCAN_MORE)
            break;
        if (scan == HTTP_SCAN_REFUSED) {
            begin_refused(w);
            refuse(w, w->head.status, reason_of(w->head.status), w->head.why);
            return;
        }
        accept_head(w);
        http_head_init(&w->head);
        w->head_deadline_ns = 0;
        if (w->out.len >= WORK_FLUSH_BYTES)
            http_work_flush(w);
    }
}

/* ---- the turn ---- */

/* Nothing more came: an end of stream (0) or an error. */
static void read_ended(struct http_work *w, ssize_t rv)
{
    bool is_partial = w->at < w->end;
    if (rv == 0)
        http_work_close(w, is_partial ? HTTP_CLOSE_ABORTED : HTTP_CLOSE_PEER, false);
    else if (rv == -ECANCELED)
        http_work_close(w, HTTP_CLOSE_CANCELLED, false);
    else if (rv != -ETIMEDOUT)
        http_work_close(w, rv == -ECONNRESET ? HTTP_CLOSE_ABORTED : HTTP_CLOSE_ERROR, false);
    else if (!is_partial)
        http_work_close(w, w->session->served > 0 ? HTTP_CLOSE_IDLE : HTTP_CLOSE_HEADER_TIMEOUT,
                        false);
    else {
        begin_refused(w);
        refuse(w, 408, HTTP_CLOSE_HEADER_TIMEOUT, "the request head came too slowly");
    }
}

/* One read; false when the connection ends. */
static bool receive(struct http_work *w)
{
    compact(w);
    int64_t deadline_ns = w->at < w->end ? w->head_deadline_ns : w->session->deadline_ns;
    ssize_t n = w->io->ops->read(w->io, w->in + w->end, w->cap - w->end, deadline_ns);
    if (n <= 0) {
        read_ended(w, n);
        return false;
    }
    w->end += (size_t)n;
    w->now_ns = w->io->ops->now_ns(w->io);
    if (w->app->hooks.on_request != NULL)
        w->start_ticks = prof_recent_ticks(); /* read by the transport's own scope */
    return true;
}

/* Read on so that our last answer is not destroyed by a reset. */
static void linger(struct http_work *w)
{
    size_t total = 0;
    if (w->io->ops->shut_write(w->io) < 0)
        return;
    int64_t span_ns = w->limits->linger_timeout_ns;
    if (w->reason == HTTP_CLOSE_DRAIN && span_ns > LINGER_DRAIN_NS)
        span_ns = LINGER_DRAIN_NS;
    int64_t deadline_ns = clock_add_ns(w->io->ops->now_ns(w->io), span_ns);
    while (total < LINGER_MAX_BYTES) {
        ssize_t n = w->io->ops->read(w->io, w->in, w->cap, deadline_ns);
        if (n <= 0)
            return;
        total += (size_t)n;
    }
}

static void serve(struct http_work *w)
{
    while (w->session->state < HTTP_SESSION_FULL && receive(w)) {
        if (w->session->state == HTTP_SESSION_PROXY)
            http_admit_proxy_header(w);
        if (w->session->state == HTTP_SESSION_PLAIN)
            serve_ready(w);
        if (w->is_closing || http_work_flush(w) < 0 || w->at == w->end)
            break;
        if (w->head_deadline_ns == 0) /* a request has begun to come */
            w->head_deadline_ns = clock_add_ns(w->now_ns, w->limits->header_timeout_ns);
    }
    if (w->session->state >= HTTP_SESSION_FULL)
        refuse_connection(w);
    if (w->is_closing) /* a timed-out head is answered too */
        http_work_finish(w);
    if (w->is_lingering && w->error == 0 && !w->session->is_cut_off)
        linger(w);
}

enum http_turn http_session_turn(struct http_session *s)
{
    PROF_FN();
    /* a copy: a turn may outlive any number of reloads, and its buffers fit these alone */
    const struct http_limits limits = *atomic_load_explicit(&s->app->limits, memory_order_acquire);
    struct http_work *w = http_work_borrow(&limits);
    if (w == NULL) {
        s->reason = HTTP_CLOSE_ERROR;
        return HTTP_TURN_CLOSE;
    }
    w->session = s;
    w->app = s->app;
    w->io = s->io;
    w->limits = &limits;
    w->at = w->end = 0;
    w->is_closing = w->is_lingering = false;
    w->error = 0;
    w->head_deadline_ns = 0;
    http_head_init(&w->head);
    serve(w);
    enum http_turn turn = HTTP_TURN_IDLE;
    if (w->is_closing) {
        s->reason = w->reason;
        turn = HTTP_TURN_CLOSE;
    } else {
        /* from now on: an answer may have taken long */
        s->deadline_ns = clock_add_ns(w->io->ops->now_ns(w->io), limits.idle_timeout_ns);
    }
    http_work_return(w);
    return turn;
}

enum http_turn http_session_init(struct http_session *s, struct http_app *app, struct http_io *io,
                                 const struct sockaddr *addr, socklen_t len)
{
    *s = (struct http_session){.app = app, .io = io};
    http_address_from(len > 0 ? addr : NULL, &s->peer);
    s->client = s->peer;
    const struct http_limits *limits = atomic_load_explicit(&app->limits, memory_order_acquire);
    int64_t now_ns = io->ops->now_ns(io);
    s->opened_ns = now_ns;
    s->deadline_ns = clock_add_ns(now_ns, limits->header_timeout_ns);
    if (app->hooks.on_open != NULL)
        app->hooks.on_open(app->hooks.arg);
    return http_admit_open(s, limits, now_ns);
}

void http_session_end(struct http_session *s, enum http_close_reason why)
{
    if (why == HTTP_CLOSE_IDLE && s->served == 0) /* it never asked for anything */
        why = HTTP_CLOSE_HEADER_TIMEOUT;
    s->reason = (uint8_t)why;
}

void http_session_fini(struct http_session *s)
{
    http_admit_close(s);
    if (s->app->hooks.on_close != NULL)
        s->app->hooks.on_close(s->app->hooks.arg, http_session_reason(s));
}
