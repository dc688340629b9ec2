/* server/http/body.h - the strict decoder of a request body: Content-Length or
 * chunked (RFC 9112 section 7.1), any length, constant memory.
 *
 * A pure state machine over bytes; session.c feeds it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "coro/base/attr.h"
#include "server/http/limits.h"

struct http_decoder {
    uint64_t left;       /* of the body, or of the chunk */
    uint64_t data_bytes; /* decoded so far */
    uint64_t overhead;   /* chunk lines, CRLFs and trailers so far */
    uint32_t line_bytes; /* of the chunk line or trailer section being read */
    uint16_t fields;     /* trailer fields */
    uint8_t state;
    uint8_t digits; /* of the chunk size */
    bool is_chunked;
};

/* content_length is read only when not chunked; below 0: no body. */
void http_decoder_init(struct http_decoder *d, bool is_chunked, int64_t content_length);

static inline bool http_decoder_is_done(const struct http_decoder *d)
{
    return d->state == 0;
}

/* Decode some of in[0..n): moves at most cap body bytes to `out` (which may be
 * `in` itself), tells how many input bytes are used up.  Stops at the end of
 * the body: what follows belongs to the next request.  Returns the bytes put
 * in out, or -EBADMSG (malformed: 400), -EMSGSIZE (too much overhead: 400),
 * -E2BIG (trailers: 431); final. */
MUST_USE ssize_t http_decode(struct http_decoder *d, const struct http_limits *limits,
                             const char *in, size_t n, char *out, size_t cap, size_t *ret_used);
