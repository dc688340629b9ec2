/* loadgen/reply.h - reads HTTP answers; the only place here that knows http-parser.
 *
 * Feed what was read; one answer at a time is completed, and the bytes after
 * it (pipelining) are fed again.  Interim answers (1xx) are skipped.
 *
 *   context    any; pure
 *   ownership  the caller's memory; the body sink is borrowed */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "coro/base/attr.h"
#include "coro/base/buf.h"

enum lg_reply_turn {
    LG_REPLY_MORE, /* all bytes used, the answer goes on */
    LG_REPLY_DONE, /* an answer is complete: status and keep_alive are set */
    LG_REPLY_BAD,  /* not HTTP */
};

#define LG_REPLY_PARSER_BYTES 48
struct lg_reply {
    _Alignas(void *) char parser[LG_REPLY_PARSER_BYTES]; /* http-parser's state */
    struct buf *body;                                    /* collects the body when not NULL */
    int status;
    bool started;    /* a byte of the current answer was seen */
    bool keep_alive; /* the connection may carry another request */
    bool is_head;    /* the request was HEAD: no body follows */
    bool done;
    const char *problem; /* after LG_REPLY_BAD: what is wrong, in words */
};

/* For a new connection. */
void lg_reply_init(struct lg_reply *r, bool is_head);
/* Use up to n bytes.  n = 0 tells of the end of the stream, which completes an
 * answer that is delimited by it. */
enum lg_reply_turn lg_reply_feed(struct lg_reply *r, const char *bytes, size_t n, size_t *ret_used);

/* The version of http-parser that is linked, "2.9.4"; text is borrowed from the caller. */
const char *lg_reply_parser_version(char text[16]);
