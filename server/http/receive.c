/* Receiving a request's body: the input buffer first, then the transport.
 *
 * Time: a body may keep us waiting for body_timeout in all; what it brings earns more,
 * body_min_bytes_per_s a second, but never more than body_timeout at once: bytes that
 * came fast buy no long silence.  The clock runs while we wait in a read, so a handler
 * that is slow to ask costs its client nothing. */
#include <errno.h>

#include "server/http/work.h"

#define DISCARD_MAX_BYTES (64 * 1024)

void http_receive_begin(struct http_work *w, bool is_chunked, int64_t content_length)
{
    w->body = (struct http_receive){.patience_ns = w->limits->body_timeout_ns,
                                    .is_continue_owed = w->head.is_continue_expected};
    http_decoder_init(&w->body.decoder, is_chunked, content_length);
}

static int fail(struct http_work *w, int error, int status, enum http_close_reason reason,
                const char *why)
{
    w->body.error = error;
    w->body.status = status;
    w->body.why = why;
    http_work_close(w, reason, status != 0);
    return error;
}

/* A read that took waited_ns brought n bytes. */
static void note_read(struct http_work *w, int64_t waited_ns, size_t n)
{
    const struct http_limits *limits = w->limits;
    if (limits->body_min_bytes_per_s == 0)
        return; /* only the gap between two reads counts */
    int64_t earned_ns = (int64_t)n * (NS_PER_S / limits->body_min_bytes_per_s);
    int64_t left_ns = w->body.patience_ns - waited_ns + earned_ns;
    w->body.patience_ns = left_ns < limits->body_timeout_ns ? left_ns : limits->body_timeout_ns;
}

/* Wait for more bytes of the body, behind the head in the input buffer. */
static int fill(struct http_work *w)
{
    if (w->body.is_continue_owed) {
        w->body.is_continue_owed = false;
        if (!w->res.is_stream && buf_append_str(&w->out, "HTTP/1.1 100 Continue\r\n\r\n") < 0)
            return fail(w, -ENOMEM, 500, HTTP_CLOSE_ERROR, "out of memory");
    }
    /* the client may be waiting for earlier answers before it sends on */
    int rv = http_respond_push(w);
    if (rv < 0)
        return fail(w, rv, 0, HTTP_CLOSE_ABORTED, NULL);
    w->at = w->end = w->head_at + w->head.length;
    int64_t before_ns = w->io->ops->now_ns(w->io);
    ssize_t n = w->io->ops->read(w->io, w->in + w->end, w->cap - w->end,
                                 clock_add_ns(before_ns, w->body.patience_ns));
    if (n == -ETIMEDOUT)
        return fail(w, -ETIMEDOUT, 408, HTTP_CLOSE_BODY_TIMEOUT, "the body came too slowly");
    if (n == 0)
        return fail(w, -ECONNRESET, 400, HTTP_CLOSE_ABORTED, "the body ended too early");
    if (n < 0)
        return fail(w, (int)n, 0, n == -ECANCELED ? HTTP_CLOSE_CANCELLED : HTTP_CLOSE_ABORTED,
                    NULL);
    note_read(w, w->io->ops->now_ns(w->io) - before_ns, (size_t)n);
    w->end += (size_t)n;
    return 0;
}

static int refuse_framing(struct http_work *w, int error)
{
    if (error == -E2BIG)
        return fail(w, -EMSGSIZE, 431, HTTP_CLOSE_TOO_LARGE, "the trailer section is too large");
    if (error == -EMSGSIZE)
        return fail(w, -EMSGSIZE, 400, HTTP_CLOSE_TOO_LARGE,
                    "the chunks are more framing than data");
    return fail(w, -EBADMSG, 400, HTTP_CLOSE_REFUSED, "malformed chunked body");
}

ssize_t http_body_read(struct http_request *req, void *ret_bytes, size_t cap)
{
    struct http_work *w = CONTAINER_OF(req, struct http_work, req);
    while (w->body.error == 0 && !http_decoder_is_done(&w->body.decoder)) {
        if (w->at == w->end) {
            int rv = fill(w);
            if (rv < 0)
                return rv;
        }
        size_t used = 0;
        ssize_t n = http_decode(&w->body.decoder, w->limits, w->in + w->at, w->end - w->at,
                                ret_bytes, cap, &used);
        if (n < 0)
            return refuse_framing(w, (int)n);
        w->at += used;
        w->body.wire_bytes += used;
        if (n > 0)
            return n;
    }
    return w->body.error;
}

int http_body_collect(struct http_request *req, struct buf *into)
{
    struct http_work *w = CONTAINER_OF(req, struct http_work, req);
    int64_t left = w->limits->body_max_bytes;
    for (;;) {
        size_t some = req->content_length > 0 && req->content_length < WORK_READ_BYTES
                          ? (size_t)req->content_length
                          : WORK_READ_BYTES;
        int rv = buf_reserve(into, some);
        if (rv < 0)
            return fail(w, rv, rv == -ENOMEM ? 500 : 413, HTTP_CLOSE_TOO_LARGE,
                        "the body is too large");
        ssize_t n = http_body_read(req, into->data + into->len, into->cap - into->len);
        if (n <= 0)
            return (int)n;
        into->len += (size_t)n;
        left -= n;
        if (left < 0)
            return fail(w, -EMSGSIZE, 413, HTTP_CLOSE_TOO_LARGE, "the body is too large");
    }
}

bool http_receive_is_hopeless(const struct http_work *w)
{
    const struct http_decoder *d = &w->body.decoder;
    if (http_decoder_is_done(d))
        return false;
    /* A client that was not told to continue may or may not send its body: after
     * the answer nobody could tell body from request. */
    return w->body.error != 0 || w->body.is_continue_owed ||
           (!d->is_chunked && d->left > DISCARD_MAX_BYTES);
}

int http_receive_discard(struct http_work *w)
{
    char sink[4096];
    size_t total = 0;
    for (;;) {
        ssize_t n = http_body_read(&w->req, sink, sizeof sink);
        if (n <= 0)
            return (int)n;
        total += (size_t)n;
        if (total > DISCARD_MAX_BYTES) {
            w->is_lingering = true; /* the answer is out: it must arrive */
            return fail(w, -EMSGSIZE, 0, HTTP_CLOSE_TOO_LARGE, NULL);
        }
    }
}
