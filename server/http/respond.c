/* Making an answer: head, body, stream.
 *
 * A buffered answer is copied into `out` behind those before it; the session
 * writes them together.  A stream's bytes gather in the body buffer and leave
 * as one chunk when 16 KiB are there, when the handler flushes, or before we
 * wait for more of the request. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coro/base/json.h"
#include "server/http/work.h"

/* Status line, Content-Type, lengths, Connection, X-Request-Id, CORS without their
 * variable parts. */
#define HEAD_FIXED_BYTES   512
#define STREAM_CHUNK_BYTES (16 * 1024)
/* From here on a chunk is not copied behind what is to be written before it. */
#define STREAM_DIRECT_BYTES (4 * 1024)
#define CHUNK_FRAME_BYTES   24 /* "400000\r\n", and the end */

static struct http_work *work_of(struct http_response *res)
{
    return CONTAINER_OF(res, struct http_work, res);
}

static void note(struct http_response *res, int rv)
{
    if (rv < 0 && res->error == 0)
        res->error = rv;
}

/* ---- what handlers call ---- */

void http_set_status(struct http_response *res, int status)
{
    res->status = status;
}

int http_status(const struct http_response *res)
{
    return res->status;
}

void http_set_type(struct http_response *res, const char *type)
{
    res->type = type;
}

int http_add_field(struct http_response *res, const char *name, const char *value)
{
    size_t name_len = strlen(name), value_len = strlen(value);
    for (size_t i = 0; i < value_len; i++) {
        unsigned char c = (unsigned char)value[i];
        if ((c < 0x20 && c != '\t') || c == 0x7F)
            return -EINVAL;
    }
    struct buf *b = &res->fields;
    int rv = buf_reserve(b, name_len + value_len + 4);
    if (rv < 0) {
        note(res, rv);
        return rv;
    }
    char *p = b->data + b->len;
    p = mempcpy(p, name, name_len);
    p = mempcpy(p, ": ", 2);
    p = mempcpy(p, value, value_len);
    memcpy(p, "\r\n", 2);
    b->len += name_len + value_len + 4;
    return 0;
}

void http_add_lines(struct http_response *res, const char *lines, size_t n)
{
    note(res, buf_append(&res->fields, lines, n));
}

struct buf *http_body(struct http_response *res)
{
    return &res->body;
}

void http_answer(struct http_response *res, int status, const char *type, const void *body,
                 size_t len)
{
    res->status = status;
    res->type = type;
    buf_clear(&res->body);
    note(res, buf_append(&res->body, body, len));
}

/* ---- problems (RFC 9457) ---- */

static int append_problem_json(struct buf *b, int status, const char *detail, struct http_str id)
{
    int rv = buf_printf(b, "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,\"detail\":",
                        http_code_reason(status), status);
    if (rv == 0)
        rv = json_append_string(b, detail, strlen(detail));
    if (rv == 0)
        rv = buf_printf(b, ",\"request_id\":\"%.*s\"}\n", (int)id.len, id.data);
    return rv;
}

/* As text the detail is escaped like JSON, without the quotes. */
static int append_problem_text(struct buf *b, int status, const char *detail)
{
    int rv = buf_printf(b, "%d %s: ", status, http_code_reason(status));
    size_t quote = b->len;
    if (rv == 0)
        rv = json_append_string(b, detail, strlen(detail));
    if (rv < 0)
        return rv;
    memmove(b->data + quote, b->data + quote + 1, b->len - quote - 1);
    b->len--;
    b->data[b->len - 1] = '\n';
    return 0;
}

void http_problem(struct http_response *res, int status, const char *format, ...)
{
    static const char *const offers[] = {HTTP_TYPE_PROBLEM, HTTP_TYPE_JSON, "text/plain"};
    struct http_work *w = work_of(res);
    char detail[512];
    va_list args;
    va_start(args, format);
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    bool is_text = http_accepts(&w->req, offers, ARRAY_LEN(offers)) == 2;
    res->status = status;
    res->type = is_text ? HTTP_TYPE_TEXT : HTTP_TYPE_PROBLEM;
    buf_clear(&res->body);
    note(res, is_text ? append_problem_text(&res->body, status, detail)
                      : append_problem_json(&res->body, status, detail, w->req.id));
}

/* ---- the head ---- */

static char *put(char *p, const char *text)
{
    return stpcpy(p, text);
}
#define PUT(p, literal) mempcpy(p, literal, sizeof(literal) - 1)

static char *put_number(char *p, uint64_t value)
{
    char digits[20];
    size_t n = 0;
    do {
        digits[n++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    while (n > 0)
        *p++ = digits[--n];
    return p;
}

static char *put_status(char *p, int status)
{
    if (LIKELY(status == 200))
        return PUT(p, "HTTP/1.1 200 OK\r\n");
    p = PUT(p, "HTTP/1.1 ");
    p = put_number(p, (uint64_t)status);
    *p++ = ' ';
    p = put(p, http_code_reason(status));
    return PUT(p, "\r\n");
}

static char *put_framing(char *p, const struct http_response *res)
{
    if (res->is_stream)
        return res->is_chunked ? PUT(p, "Transfer-Encoding: chunked\r\n") : p;
    if (res->status == 204 || res->status == 304) /* RFC 9110 section 8.6 */
        return p;
    p = PUT(p, "Content-Length: ");
    p = put_number(p, res->body.len);
    return PUT(p, "\r\n");
}

/* Connection: only where it differs from the version's default. */
static char *put_connection(char *p, const struct http_work *w)
{
    if (w->is_closing)
        return PUT(p, "Connection: close\r\n");
    return w->req.version_minor == 0 ? PUT(p, "Connection: keep-alive\r\n") : p;
}

/* Always the same, whoever asks: a cache may hand an answer to anybody.  Never what is
 * for administrators: a page elsewhere, open in their browser, could read it. */
static char *put_cors(char *p, const struct http_work *w)
{
    if (w->app->cors_origin == NULL || http_work_is_admin(w))
        return p;
    p = PUT(p, "Access-Control-Allow-Origin: ");
    p = put(p, w->app->cors_origin);
    return PUT(p, "\r\nAccess-Control-Expose-Headers: X-Request-Id, Retry-After\r\n");
}

static size_t length_or_0(const char *text)
{
    return text != NULL ? strlen(text) : 0;
}

static char *put_id(char *p, struct http_str id)
{
    p = PUT(p, "X-Request-Id: ");
    /* ours nearly always: a length the compiler knows */
    p = LIKELY(id.len == HTTP_ID_BYTES) ? mempcpy(p, id.data, HTTP_ID_BYTES)
                                        : mempcpy(p, id.data, id.len);
    return PUT(p, "\r\n");
}

static int append_head(struct http_work *w)
{
    struct http_response *res = &w->res;
    struct http_str stamp = http_stamp(w->now_ns, w->app->server_name);
    size_t type_len = length_or_0(res->type);
    int rv = buf_reserve(&w->out, HEAD_FIXED_BYTES + stamp.len + res->fields.len + type_len +
                                      length_or_0(res->allow) + length_or_0(w->app->cors_origin) +
                                      w->req.id.len);
    if (rv < 0)
        return rv;
    char *p = w->out.data + w->out.len;
    p = put_status(p, res->status);
    p = mempcpy(p, stamp.data, stamp.len);
    if (res->type != NULL) {
        p = PUT(p, "Content-Type: ");
        p = mempcpy(p, res->type, type_len);
        p = PUT(p, "\r\n");
    }
    p = put_framing(p, res);
    if (res->allow != NULL) {
        p = PUT(p, "Allow: ");
        p = put(p, res->allow);
        p = PUT(p, "\r\n");
    }
    p = put_id(p, w->req.id);
    if (res->fields.len > 0) /* data may be NULL while nothing was stored */
        p = mempcpy(p, res->fields.data, res->fields.len);
    p = put_connection(p, w);
    p = put_cors(p, w);
    p = PUT(p, "\r\n");
    w->out.len = (size_t)(p - w->out.data);
    return 0;
}

void http_respond_begin(struct http_work *w)
{
    struct http_response *res = &w->res;
    buf_clear(&res->body);
    buf_clear(&res->fields);
    res->status = 200;
    res->error = 0;
    res->type = NULL;
    res->allow = NULL;
    res->is_stream = res->is_chunked = res->is_incomplete = false;
    res->is_bodiless = w->req.verb == HTTP_VERB_HEAD;
    res->bytes_out = 0;
}

/* Not even a problem document fits into memory: the least that can be said. */
static void answer_starved(struct http_work *w)
{
    static const char text[] = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n"
                               "Connection: close\r\n\r\n";
    w->res.status = 500;
    http_work_close(w, HTTP_CLOSE_ERROR, true);
    if (http_work_flush(w) == 0 && buf_append(&w->out, text, sizeof text - 1) < 0)
        w->is_lingering = false;
}

static void end_buffered(struct http_work *w)
{
    struct http_response *res = &w->res;
    size_t before = w->out.len;
    int rv = res->error != 0 ? res->error : append_head(w);
    bool is_bodiless = res->is_bodiless || res->status == 204 || res->status == 304;
    size_t n = is_bodiless ? 0 : res->body.len;
    if (rv == 0 && n < WORK_DIRECT_BYTES)
        rv = buf_append(&w->out, res->body.data, n);
    if (rv < 0) {
        w->out.len = before;
        answer_starved(w);
        return;
    }
    res->bytes_out += w->out.len - before;
    if (n < WORK_DIRECT_BYTES)
        return;
    /* large: the buffers change places instead of being copied */
    res->bytes_out += n;
    if (http_work_flush(w) < 0)
        return;
    struct buf empty = w->out;
    w->out = res->body;
    res->body = empty;
    http_work_flush(w);
}

/* ---- streams ---- */

int http_stream_begin(struct http_response *res)
{
    struct http_work *w = work_of(res);
    if (res->error != 0)
        return res->error;
    res->is_stream = true;
    res->is_chunked = w->req.version_minor > 0;
    if (!res->is_chunked) /* HTTP/1.0: the end of the stream is the end of the connection */
        http_work_close(w, HTTP_CLOSE_ASKED, false);
    size_t before = w->out.len;
    int rv = append_head(w);
    note(res, rv);
    res->bytes_out += w->out.len - before;
    return rv;
}

/* The gathered bytes become one chunk behind what is in `out`. */
static int gather_chunk(struct http_work *w)
{
    struct http_response *res = &w->res;
    size_t n = res->body.len, before = w->out.len;
    int rv = 0;
    if (res->is_bodiless || n == 0) {
        buf_clear(&res->body);
        return 0;
    }
    if (res->is_chunked)
        rv = buf_printf(&w->out, "%zx\r\n", n);
    if (rv == 0)
        rv = buf_append(&w->out, res->body.data, n);
    if (rv == 0 && res->is_chunked)
        rv = buf_append(&w->out, "\r\n", 2);
    buf_clear(&res->body);
    note(res, rv);
    res->bytes_out += w->out.len - before;
    return rv;
}

/* Much, yet not too much for one write: sent from where it lies. */
static bool is_direct(const struct http_work *w)
{
    size_t n = w->res.body.len;
    return !w->res.is_bodiless && n >= STREAM_DIRECT_BYTES &&
           n + w->out.len + CHUNK_FRAME_BYTES <= WORK_FLUSH_BYTES;
}

/* As gather_chunk, but what is in `out` and the chunk are written. */
static int write_chunk(struct http_work *w)
{
    struct http_response *res = &w->res;
    char size[CHUNK_FRAME_BYTES];
    int digits = res->is_chunked ? sprintf(size, "%zx\r\n", res->body.len) : 0;
    size_t end = res->is_chunked ? 2 : 0;
    struct iovec iov[] = {{w->out.data, w->out.len},
                          {size, (size_t)digits},
                          {res->body.data, res->body.len},
                          {"\r\n", end}};
    res->bytes_out += (size_t)digits + res->body.len + end;
    int rv = http_work_write(w, iov, ARRAY_LEN(iov));
    w->out.len = 0;
    buf_clear(&res->body);
    return rv;
}

int http_respond_push(struct http_work *w)
{
    http_overload_give_place(w); /* the client may let us wait */
    bool has_chunk = w->res.is_stream && w->res.error == 0;
    int rv;
    if (has_chunk && is_direct(w)) {
        rv = write_chunk(w);
    } else {
        if (has_chunk)
            gather_chunk(w);
        rv = http_work_flush(w);
    }
    note(&w->res, rv);
    return rv;
}

int http_stream_write(struct http_response *res, const void *bytes, size_t n)
{
    if (res->error != 0)
        return res->error;
    int rv = buf_append(&res->body, bytes, n);
    note(res, rv);
    if (rv == 0 && res->body.len >= STREAM_CHUNK_BYTES)
        rv = http_stream_flush(res);
    return rv;
}

int http_stream_flush(struct http_response *res)
{
    http_respond_push(work_of(res));
    return res->error;
}

void http_stream_fail(struct http_response *res)
{
    res->is_incomplete = true;
}

static void end_stream(struct http_work *w)
{
    struct http_response *res = &w->res;
    if (res->error == 0)
        gather_chunk(w);
    if (res->error != 0 || res->is_incomplete) {
        /* no last chunk, or a reset: the client sees that something is missing */
        w->session->is_cut_off = !res->is_chunked && !res->is_bodiless;
        http_work_close(w, HTTP_CLOSE_ERROR, false);
        return;
    }
    if (res->is_chunked && !res->is_bodiless) {
        note(res, buf_append_str(&w->out, "0\r\n\r\n"));
        res->bytes_out += 5;
    }
}

void http_respond_end(struct http_work *w)
{
    if (w->res.is_stream)
        end_stream(w);
    else
        end_buffered(w);
}
