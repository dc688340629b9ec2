/* Differential: no byte sequence may be framed in two ways.
 *
 * The strict scan and the body decoder on one side, http-parser reading head
 * and body by itself on the other: when both reach the end of a message, it
 * must be the same end, with the same body; and what the scan lets through
 * and http_parse_head accepts must not leave http-parser waiting for more. */
#include <http_parser.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/http/body.h"
#include "server/http/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_BYTES 65536

struct theirs {
    size_t body_len;
    bool is_complete;
    char body[MAX_BYTES];
};

static int on_headers_complete(http_parser *parser)
{
    parser->upgrade = 0; /* as parse.c does */
    return 0;
}

static int on_body(http_parser *parser, const char *at, size_t n)
{
    struct theirs *t = parser->data;
    memcpy(t->body + t->body_len, at, n);
    t->body_len += n;
    return 0;
}

static int on_complete(http_parser *parser)
{
    struct theirs *t = parser->data;
    t->is_complete = true;
    http_parser_pause(parser, 1);
    return 0;
}

/* The end of the message by http-parser; 0: it refuses or waits. */
static size_t their_end(const char *bytes, size_t n, struct theirs *t, bool *ret_refuses)
{
    static const http_parser_settings settings = {.on_headers_complete = on_headers_complete,
                                                  .on_body = on_body,
                                                  .on_message_complete = on_complete};
    http_parser parser;
    http_parser_init(&parser, HTTP_REQUEST);
    parser.data = t;
    size_t eaten = http_parser_execute(&parser, &settings, bytes, n);
    enum http_errno error = HTTP_PARSER_ERRNO(&parser);
    *ret_refuses = error != HPE_OK && error != HPE_PAUSED;
    return t->is_complete ? eaten : 0;
}

/* The end of the message by our decoder; 0: it refuses or waits. */
static size_t our_end(const struct http_head *h, const char *bytes, size_t n, char *body,
                      size_t *ret_body_len)
{
    struct http_decoder d;
    size_t at = h->length;
    *ret_body_len = 0;
    http_decoder_init(&d, h->is_chunked, h->content_length);
    while (!http_decoder_is_done(&d)) {
        size_t used = 0;
        ssize_t rv = http_decode(&d, &http_limits_default, bytes + at, n - at, body + *ret_body_len,
                                 MAX_BYTES - *ret_body_len, &used);
        if (rv < 0 || (rv == 0 && used == 0))
            return 0;
        *ret_body_len += (size_t)rv;
        at += used;
    }
    return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char bytes[MAX_BYTES], body[MAX_BYTES];
    static struct theirs theirs;
    static struct http_field fields[1000];
    struct http_head h;
    struct http_request req = {.content_length = -1};
    if (size > sizeof bytes)
        return 0;
    memcpy(bytes, data, size);
    http_head_init(&h);
    if (http_head_scan(&h, bytes, size, &http_limits_default) != HTTP_SCAN_DONE)
        return 0;
    if (http_parse_head(&h, bytes, fields, &req) < 0)
        return 0;
    bool refuses;
    size_t body_len;
    theirs.body_len = 0;
    theirs.is_complete = false;
    size_t ours = our_end(&h, bytes, size, body, &body_len);
    size_t theirs_end = their_end(bytes + h.start, size - h.start, &theirs, &refuses);
    if (ours == 0 || refuses) /* one of the two refuses, or we wait: nobody is misled */
        return 0;
    if (theirs_end + h.start != ours || theirs.body_len != body_len ||
        memcmp(theirs.body, body, body_len) != 0)
        abort();
    return 0;
}
