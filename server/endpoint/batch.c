/* POST /domain: many URLs in, many answers out, while both still flow.
 *
 * Happy path: the body comes in pieces; every whole line in it becomes one line
 * of NDJSON in the answer's buffer, which goes out when it is full or when we
 * would have to wait for more body.  What has no newline yet is kept for the
 * next piece.  Memory: one line and one piece in, one buffer out, whatever the
 * body's size.
 *
 * Failure modes: a bad line has its own error and the rest goes on; a line that
 * is too long is skipped up to its end.  A client that does not read what we
 * answer stops us from reading (back-pressure) until the write timeout ends the
 * connection; one that stops sending is ended by the body's minimum rate.  A
 * stream that fails in the middle ends without its last chunk, so that it does
 * not look complete.
 *
 * Invariants: line N of the answer is about line N of the body; the suffix
 * table is asked for again after everything that may have parked. */
#include "server/endpoint/batch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coro/base/clock.h"
#include "coro/base/err.h"
#include "coro/base/log.h"
#include "coro/prof/prof.h"
#include "server/domain/domain.h"
#include "server/domain/format.h"
#include "server/endpoint/endpoint.h"
#include "server/endpoint/ndjson.h"
#include "server/endpoint/query.h"
#include "server/metrics/metrics.h"

#define LOG_EVERY_NS (10 * NS_PER_S)

enum {
    LINE_MAX_BYTES = 64 << 10,
    PIECE_BYTES = 64 << 10,
    FLUSH_BYTES = 48 << 10,
    SHOWN_BYTES = 200, /* of a line that is too long */
};

struct batch {
    struct http_request *req;
    struct http_response *res;
    bool is_ndjson;
    bool is_icann_only;
    bool is_skipping;  /* inside a line that is too long */
    bool is_body_lost; /* the body failed, not the answer */
    uint64_t line;
    char *in; /* LINE_MAX_BYTES + PIECE_BYTES */
    size_t len;
    char *scratch; /* LINE_MAX_BYTES: a JSON string decoded */
    const struct domain_suffixes *suffixes;
};

static int put_error(struct batch *b, const char *url, size_t len, const char *word,
                     const char *text)
{
    return domain_format_error(http_body(b->res), url, len, b->line, word, text);
}

static int put_answer(struct batch *b, const char *line, size_t len)
{
    struct domain_result r;
    const char *url = line;
    size_t url_len = len;
    if (b->is_ndjson && ndjson_url(line, len, b->scratch, &url, &url_len) < 0)
        return put_error(b, NULL, 0, "json", "neither a JSON string nor an object with a url");
    enum domain_error error = domain_parse(b->suffixes, url, url_len, &r);
    if (error != DOMAIN_OK)
        return put_error(b, url, url_len, domain_error_word(error), domain_error_text(error));
    return domain_format_json(http_body(b->res), url, url_len, &r,
                              b->is_icann_only ? &r.icann : &r.all);
}

static int take_line(struct batch *b, const char *line, size_t len)
{
    static const char mark[] = {'\xef', '\xbb', '\xbf'};
    int rv;
    b->line++;
    if (b->line == 1 && len >= sizeof mark && memcmp(line, mark, sizeof mark) == 0) {
        line += sizeof mark; /* of the file that was sent, not of its first URL */
        len -= sizeof mark;
    }
    if (len > 0 && line[len - 1] == '\r')
        len--;
    if (len > LINE_MAX_BYTES)
        rv = put_error(b, b->is_ndjson ? NULL : line, SHOWN_BYTES, "line_too_long",
                       "the line is longer than 64 KiB");
    else
        rv = put_answer(b, line, len);
    if (rv == 0)
        rv = buf_append_char(http_body(b->res), '\n');
    if (rv == 0 && http_body(b->res)->len >= FLUSH_BYTES) {
        rv = http_stream_flush(b->res);
        b->suffixes = domain_suffixes_current();
    }
    return rv;
}

/* All whole lines of what is there; the rest moves to the front. */
static int take_lines(struct batch *b)
{
    PROF_FN();
    char *at = b->in, *end = at + b->len;
    int rv = 0;
    while (rv == 0 && at < end) {
        char *newline = memchr(at, '\n', (size_t)(end - at));
        if (newline == NULL)
            break;
        if (!b->is_skipping)
            rv = take_line(b, at, (size_t)(newline - at));
        b->is_skipping = false;
        at = newline + 1;
    }
    b->len = (size_t)(end - at);
    if (rv == 0 && !b->is_skipping && b->len > LINE_MAX_BYTES) {
        rv = take_line(b, at, b->len);
        b->is_skipping = true;
    }
    if (b->is_skipping)
        b->len = 0;
    memmove(b->in, at, b->len);
    return rv;
}

/* The stream from its first piece (n bytes, 0: an empty body) on; 0 or -errno. */
static int stream(struct batch *b, ssize_t n)
{
    const struct endpoint_settings *settings = b->req->app->user;
    http_set_type(b->res, HTTP_TYPE_NDJSON);
    int rv = http_stream_begin(b->res);
    while (rv == 0 && n > 0) {
        b->len += (size_t)n;
        b->suffixes = domain_suffixes_current();
        rv = take_lines(b);
        if (rv == 0)
            rv = settings->give_way();
        if (rv < 0)
            break;
        n = http_body_read(b->req, b->in + b->len, PIECE_BYTES);
        if (n < 0) {
            b->is_body_lost = true;
            rv = (int)n;
        }
    }
    if (rv == 0 && b->len > 0) { /* a last line without its newline */
        b->suffixes = domain_suffixes_current();
        rv = take_line(b, b->in, b->len);
    }
    return rv;
}

/* A failure in mid-stream: the client sees an incomplete answer, the metrics how
 * often, the log an example of why. */
static void give_up(struct batch *b, int rv)
{
    static struct log_gate gate;
    char address[HTTP_ADDRESS_TEXT_BYTES], others[64] = "";
    uint64_t held;
    const char *why = err_text(rv);
    if (rv == -ETIMEDOUT)
        why = b->is_body_lost ? "the client stopped sending"
                              : "the client sends but does not read the answers";
    http_stream_fail(b->res);
    metrics_add(METRICS_BATCHES_CUT, 1);
    if (!log_gate_pass(&gate, clock_now_ns(), LOG_EVERY_NS, &held))
        return;
    if (held > 0)
        snprintf(others, sizeof others, " (%llu more like it before)", (unsigned long long)held);
    log_warn("POST /domain from %s ended after line %llu: %s%s",
             http_address_text(&b->req->client, address), (unsigned long long)b->line, why, others);
}

static bool type_is(struct http_str type, const char *name)
{
    const char *semicolon = memchr(type.data, ';', type.len);
    if (semicolon != NULL)
        type.len = (size_t)(semicolon - type.data);
    while (type.len > 0 && (type.data[type.len - 1] == ' ' || type.data[type.len - 1] == '\t'))
        type.len--;
    return http_str_is_nocase(type, name);
}

/* What GET /domain knows and a batch cannot do would else be passed over silently. */
static bool has_foreign_param(const struct endpoint_query *query)
{
    for (int i = 0; i < ENDPOINT_PARAM_COUNT; i++)
        if (i != ENDPOINT_SUFFIXES && query->value[i].data != NULL)
            return true;
    return false;
}

/* What the request says about how to read it; false: refused, the answer is in res. */
static bool understand(struct batch *b)
{
    struct http_str type = {"", 0}, coding = {"identity", 8};
    struct endpoint_query query = endpoint_query_read(b->req->query);
    if (endpoint_query_check(b->res, &query) != 0)
        return false;
    if (has_foreign_param(&query)) {
        http_problem(b->res, HTTP_400_BAD_REQUEST,
                     "a batch has no parameter but suffixes: the URLs are in the body, the answer "
                     "is NDJSON");
        return false;
    }
    http_header(b->req, "content-encoding", &coding);
    if (!http_str_is_nocase(coding, "identity")) {
        http_add_field(b->res, "Accept-Encoding", "identity");
        http_problem(b->res, HTTP_415_UNSUPPORTED_MEDIA_TYPE,
                     "send the body as it is, without Content-Encoding");
        return false;
    }
    b->is_icann_only = endpoint_query_is_icann(&query);
    http_header(b->req, "content-type", &type);
    b->is_ndjson = type_is(type, "application/x-ndjson") || type_is(type, "application/ndjson") ||
                   type_is(type, "application/jsonl");
    if (b->is_ndjson || type_is(type, "text/plain"))
        return true;
    http_add_field(b->res, "Accept", "text/plain, application/x-ndjson");
    http_problem(b->res, HTTP_415_UNSUPPORTED_MEDIA_TYPE,
                 "send URLs as text/plain (one a line) or application/x-ndjson, and say which "
                 "with Content-Type");
    return false;
}

void batch_answer(struct http_request *req, struct http_response *res)
{
    struct batch b = {.req = req, .res = res};
    if (!understand(&b))
        return;
    b.in = malloc(LINE_MAX_BYTES + PIECE_BYTES);
    b.scratch = malloc(LINE_MAX_BYTES);
    if (b.in == NULL || b.scratch == NULL) {
        http_problem(res, HTTP_500_INTERNAL_SERVER_ERROR, "out of memory");
    } else {
        /* a body that fails before it began is refused as a whole: the session knows how */
        ssize_t n = http_body_read(req, b.in, PIECE_BYTES);
        int rv = n < 0 ? 0 : stream(&b, n);
        if (rv < 0)
            give_up(&b, rv);
    }
    free(b.in);
    free(b.scratch);
}
