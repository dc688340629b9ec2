/* server/http/strict.h - the raw head of a request, held against RFC 9112 before
 * http-parser sees it.
 *
 * http-parser as Debian builds it is lenient, and where two readers of one
 * byte stream disagree, requests can be smuggled.  So one pass over the bytes
 * refuses whatever the standard says must be refused, and reads off what
 * frames the message.  It may be called again with more bytes: it resumes.
 *
 *   ownership  offsets into the caller's bytes, which must not move relative
 *              to their start between calls */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/http/limits.h"
#include "server/http/request.h"

enum http_scan { HTTP_SCAN_MORE, HTTP_SCAN_DONE, HTTP_SCAN_REFUSED };

/* A piece of the head. */
struct http_span {
    uint32_t at;
    uint32_t len;
};

struct http_head {
    /* where the scan stands */
    uint32_t line;    /* start of the line being read */
    uint32_t scanned; /* bytes before this are looked at */
    uint8_t phase;
    uint8_t host_count;
    uint8_t length_count;
    bool has_coding;       /* a Transfer-Encoding line */
    bool has_other_coding; /* one that is not chunked */
    bool is_coding_bad;    /* 400, whatever else it says */
    /* what it found */
    uint32_t start;  /* of the request line, after an empty line */
    uint32_t fields; /* of the field lines */
    uint32_t length; /* of the head, from byte 0 to behind its empty line */
    uint32_t field_count;
    enum http_verb verb;
    uint8_t version_minor; /* 0, or 1 for everything above */
    bool is_chunked;
    bool is_continue_expected;
    bool is_close;      /* Connection: close */
    bool is_keep_alive; /* Connection: keep-alive */
    bool is_proxied;
    int64_t content_length; /* -1: none */
    struct http_span target;
    struct http_span path;
    struct http_span query;
    struct http_span host; /* of an absolute-form target, else of Host */
    bool is_host_final;    /* the target gave it */
    /* why it was refused */
    int status;
    const char *why; /* a literal */
};

void http_head_init(struct http_head *h);
/* Scan bytes[0..n), of which those before h->scanned were seen before.  A HTAB
 * beside a framing value is overwritten by SP (http-parser refuses it). */
enum http_scan http_head_scan(struct http_head *h, char *bytes, size_t n,
                              const struct http_limits *limits);
/* Is it "uri-host [: port]" as we accept it in Host and in targets? */
bool http_is_host(const char *text, size_t n);
/* A field line of a trailer section: 0, or the status to refuse it with. */
int http_field_check(const char *line, size_t n);
