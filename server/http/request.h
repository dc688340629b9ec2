/* server/http/request.h - one request, as a handler sees it.
 *
 *   ownership  everything here is borrowed until the handler returns: strings
 *              point into the connection's input buffer and are not NUL
 *              terminated
 *   errors     body calls: -errno; the session has noted the answer that fits
 *              (408, 413, 400), so a handler just returns when one fails
 *   context    the mode's blocking style: body calls may park or block */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "coro/base/attr.h"
#include "coro/base/buf.h"
#include "server/http/address.h"
#include "server/http/text.h"

enum http_verb {
#define HTTP_VERB(NAME) HTTP_VERB_##NAME,
#include "server/http/verb.def"
#undef HTTP_VERB
    HTTP_VERB_COUNT
};
const char *http_verb_text(enum http_verb verb);

enum http_close_reason {
#define HTTP_CLOSE_REASON(NAME, word, is_fault, what) HTTP_CLOSE_##NAME,
#include "server/http/close_reason.def"
#undef HTTP_CLOSE_REASON
    HTTP_CLOSE_COUNT
};
const char *http_close_word(enum http_close_reason why);
bool http_close_is_fault(enum http_close_reason why);

struct http_field {
    struct http_str name; /* as sent: compare without case */
    struct http_str value;
};

struct http_app;

struct http_request {
    const struct http_app *app;
    enum http_verb verb;
    uint8_t version_minor;  /* HTTP/1.x: 0, or 1 for everything above */
    bool is_keep_alive;     /* what the client wants and we grant */
    bool has_body;          /* a Content-Length above 0, or chunked */
    bool is_proxied;        /* Forwarded, X-Forwarded-For or Via was sent */
    int64_t content_length; /* -1: none sent, or chunked */
    struct http_str target; /* as sent */
    struct http_str path;   /* of the target, not decoded; "*" for OPTIONS * */
    struct http_str query;  /* after the first '?'; empty: none */
    struct http_str host;   /* from the target or Host: with its port; empty: HTTP/1.0 without */
    const struct http_field *fields; /* in order, Host included */
    size_t field_count;
    struct http_str id;         /* X-Request-Id: the client's if sane, else made when asked for */
    struct http_address peer;   /* the other end of the connection */
    struct http_address client; /* behind trusted proxies: whom they name; else the peer */
    int64_t start_ns;           /* when the head was complete; the io's clock */
};

/* The value of a field (name compared without case), false when absent.  Of
 * several fields with the name: the first. */
bool http_header(const struct http_request *req, const char *name, struct http_str *ret_value);

/* The handler is about to wait for somebody else, in a way of its own (body and
 * stream calls say so themselves): another may compute meanwhile.  Once is enough. */
void http_begin_wait(struct http_request *req);

/* ---- query ---- */

/* The raw value of "name=" among the '&'-separated parts of the query; "name"
 * alone is an empty value.  false when absent. */
bool http_query_get(const struct http_request *req, const char *name, struct http_str *ret_raw);
/* The same, percent-decoded and NUL terminated ('+' stays '+').  Length, or
 * -ENOENT absent, -EMSGSIZE longer than cap - 1, -EINVAL bad percent code or NUL. */
ssize_t http_query_text(const struct http_request *req, const char *name, char *ret_text,
                        size_t cap);
/* The next "name=value" part from *cursor (start with req->query); false at the end. */
bool http_query_next(struct http_str *cursor, struct http_str *ret_name, struct http_str *ret_raw);

/* ---- content negotiation ---- */

/* Index of the offer ("application/json") that Accept likes best, the earlier of
 * equals; 0 without an Accept header; -1 when none is acceptable. */
int http_accepts(const struct http_request *req, const char *const *offers, size_t count);
/* Does Accept-Encoding allow gzip? */
bool http_accepts_gzip(const struct http_request *req);

/* ---- body ---- */

/* 1..cap bytes as they come; 0 at the end; -errno.  Sends 100 Continue first when
 * the client waits for it. */
MUST_USE ssize_t http_body_read(struct http_request *req, void *ret_bytes, size_t cap);
/* Append the whole body to `into`: at most limits.body_max_bytes (-EMSGSIZE: 413 noted). */
MUST_USE int http_body_collect(struct http_request *req, struct buf *into);
