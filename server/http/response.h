/* server/http/response.h - the answer that a handler makes.
 *
 * Buffered (the usual case): set the status, add fields, append to
 * http_body(res); the session writes head and body together, many answers
 * with one system call.  Streamed: http_stream_begin, then http_stream_write;
 * chunked to HTTP/1.1, until close to HTTP/1.0.  A handler that sets nothing
 * answers 200 with no body.
 *
 *   returns    0, or -errno.  Calls that return nothing remember a failure
 *              (-ENOMEM) and the session answers 500 instead
 *   ownership  what is handed in is copied */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coro/base/attr.h"
#include "coro/base/buf.h"
#include "server/http/text.h"

enum http_code {
#define HTTP_CODE(code, NAME, reason) HTTP_##code##_##NAME = (code),
#include "server/http/status.def"
#undef HTTP_CODE
};
/* "Not Found"; "Unknown" for what status.def has not. */
const char *http_code_reason(int status);

#define HTTP_TYPE_JSON    "application/json"
#define HTTP_TYPE_NDJSON  "application/x-ndjson"
#define HTTP_TYPE_TEXT    "text/plain; charset=utf-8"
#define HTTP_TYPE_HTML    "text/html; charset=utf-8"
#define HTTP_TYPE_PROBLEM "application/problem+json"

struct http_request;
struct http_response;

void http_set_status(struct http_response *res, int status);
int http_status(const struct http_response *res);
/* Content-Type; type is a literal or lives until the answer is written. */
void http_set_type(struct http_response *res, const char *type);
/* One more field.  A control byte in the value is a refused field (-EINVAL), never
 * a second header line.  The session itself sends Date, Server, Connection,
 * Content-Length, Transfer-Encoding, Allow, X-Request-Id: not to be added here. */
int http_add_field(struct http_response *res, const char *name, const char *value);

/* Field lines known when this was compiled, each with its CRLF: nothing to check. */
void http_add_lines(struct http_response *res, const char *lines, size_t n);
#define HTTP_ADD_LINES(res, literal) http_add_lines(res, literal, sizeof(literal) - 1)

/* The body to append to (buf.h); empty at first. */
struct buf *http_body(struct http_response *res);
/* Status, type and body at once. */
void http_answer(struct http_response *res, int status, const char *type, const void *body,
                 size_t len);

/* An error as application/problem+json (RFC 9457), or as text to a client that
 * prefers it; replaces what the body held.  Bytes outside printable UTF-8 in
 * the detail are escaped. */
void http_problem(struct http_response *res, int status, const char *format, ...) PRINTF_LIKE(3, 4);

/* ---- streaming ---- */

/* Send the head; status, type and fields must be set.  http_body's contents go first. */
MUST_USE int http_stream_begin(struct http_response *res);
/* Append to the stream; goes out when enough has gathered (16 KiB) or at http_stream_flush. */
MUST_USE int http_stream_write(struct http_response *res, const void *bytes, size_t n);
MUST_USE int http_stream_flush(struct http_response *res);
/* The session ends the stream when the handler returns.  After http_stream_fail it
 * ends it so that the client sees it is incomplete: without the last chunk, or to HTTP/1.0
 * in a reset (over TCP: a UNIX socket has none). */
void http_stream_fail(struct http_response *res);
