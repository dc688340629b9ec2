#include "loadgen/reply.h"

#include <http_parser.h>
#include <stdio.h>

_Static_assert(sizeof(http_parser) <= LG_REPLY_PARSER_BYTES, "room for http-parser's state");

static http_parser *parser_of(struct lg_reply *r)
{
    return (http_parser *)(void *)r->parser;
}

static struct lg_reply *reply_of(http_parser *parser)
{
    return parser->data;
}

static int on_message_begin(http_parser *parser)
{
    reply_of(parser)->started = true;
    return 0;
}

static int on_headers_complete(http_parser *parser)
{
    /* 1: no body follows, whatever the fields say (RFC 9112, 6.3); http-parser
     * itself would wait for the Content-Length of a 304. */
    bool never = parser->status_code == 204 || parser->status_code == 304;
    return reply_of(parser)->is_head || never ? 1 : 0;
}

static int on_body(http_parser *parser, const char *at, size_t n)
{
    struct buf *body = reply_of(parser)->body;
    return body == NULL || buf_append(body, at, n) == 0 ? 0 : -1;
}

static int on_message_complete(http_parser *parser)
{
    struct lg_reply *r = reply_of(parser);
    if (parser->status_code < 200)
        return 0; /* interim: the answer proper is still to come */
    r->status = (int)parser->status_code;
    r->keep_alive = http_should_keep_alive(parser) != 0;
    r->done = true;
    http_parser_pause(parser, 1);
    return 0;
}

static const http_parser_settings settings = {
    .on_message_begin = on_message_begin,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

void lg_reply_init(struct lg_reply *r, bool is_head)
{
    struct buf *body = r->body;
    *r = (struct lg_reply){.is_head = is_head, .body = body};
    http_parser_init(parser_of(r), HTTP_RESPONSE);
    parser_of(r)->data = r;
}

/* A record's type: an alert, which is what a TLS server answers to plain text, or a handshake. */
static bool is_tls(char first)
{
    return first == 0x15 || first == 0x16;
}

enum lg_reply_turn lg_reply_feed(struct lg_reply *r, const char *bytes, size_t n, size_t *ret_used)
{
    if (r->done) { /* the answer before this one */
        r->done = false;
        r->started = false;
        http_parser_pause(parser_of(r), 0);
    }
    bool is_first = !r->started && n > 0;
    size_t used = http_parser_execute(parser_of(r), &settings, bytes, n);
    *ret_used = used < n ? used : n; /* it says 1 when the end of the stream is wrong */
    if (r->done)
        return LG_REPLY_DONE;
    enum http_errno problem = HTTP_PARSER_ERRNO(parser_of(r));
    if (problem == HPE_OK && !parser_of(r)->upgrade)
        return LG_REPLY_MORE;
    if (problem == HPE_OK) /* 101 leaves HTTP; nobody here asks for it */
        r->problem = "it switched to another protocol";
    else if (is_first && is_tls(bytes[0]))
        r->problem = "it speaks TLS";
    else
        r->problem = http_errno_description(problem);
    return LG_REPLY_BAD;
}

const char *lg_reply_parser_version(char text[16])
{
    unsigned long v = http_parser_version();
    snprintf(text, 16, "%lu.%lu.%lu", v >> 16 & 255, v >> 8 & 255, v & 255);
    return text;
}
