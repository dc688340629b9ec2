/* http-parser's border: its callbacks fill struct http_request.
 *
 * The whole head is fed, so every callback sees a complete element (folded
 * lines, which come in two, are refused before), all but one run of bytes: of a
 * target that is a path, what follows the first slash.  The strict scan has
 * checked every character of it, and none of them could move the parser out of
 * the target, where it would spend three quarters of its time.  The parser is
 * stopped at the end of the head: bodies are decoded by body.c.  What it
 * understood of the framing must be what the strict scan understood. */
#include "server/http/parse.h"

#include <errno.h>
#include <http_parser.h>
#include <string.h>

struct parse {
    struct http_field *fields;
    size_t count;
    size_t max;
    bool is_complete;
    bool is_chunked;
    int64_t content_length;
};

static int on_field(http_parser *parser, const char *at, size_t n)
{
    struct parse *p = parser->data;
    if (p->count == p->max)
        return -1;
    p->fields[p->count] = (struct http_field){.name = {at, n}, .value = {at + n, 0}};
    return 0;
}

static int on_value(http_parser *parser, const char *at, size_t n)
{
    struct parse *p = parser->data;
    while (n > 0 && (at[n - 1] == ' ' || at[n - 1] == '\t'))
        n--;
    if (p->count == p->max) /* a second value for one name cannot come: folds are refused */
        return -1;
    p->fields[p->count++].value = (struct http_str){at, n};
    return 0;
}

static int on_headers_complete(http_parser *parser)
{
    struct parse *p = parser->data;
    p->is_complete = true;
    p->is_chunked = (parser->flags & F_CHUNKED) != 0;
    p->content_length =
        (parser->flags & F_CONTENTLENGTH) != 0 ? (int64_t)parser->content_length : -1;
    parser->upgrade = 0; /* else it would stop early for Upgrade: h2c */
    return 1;            /* no body: ours to decode */
}

static const http_parser_settings settings = {
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_headers_complete = on_headers_complete,
};

static struct http_str span_str(const char *bytes, struct http_span span)
{
    return (struct http_str){bytes + span.at, span.len};
}

/* Feed bytes[from..to); false when the parser refuses. */
static bool feed(http_parser *parser, const char *bytes, size_t from, size_t to)
{
    return http_parser_execute(parser, &settings, bytes + from, to - from) == to - from &&
           HTTP_PARSER_ERRNO(parser) == HPE_OK;
}

int http_parse_head(const struct http_head *h, const char *bytes, struct http_field *fields,
                    struct http_request *ret_req)
{
    struct parse p = {.fields = fields, .max = h->field_count};
    http_parser parser;
    http_parser_init(&parser, HTTP_REQUEST);
    parser.data = &p;
    bool is_path = bytes[h->target.at] == '/';
    size_t stop = is_path ? h->target.at + 1 : h->start;
    size_t resume = is_path ? h->target.at + h->target.len : h->start;
    if ((is_path && !feed(&parser, bytes, h->start, stop)) ||
        !feed(&parser, bytes, resume, h->length) || !p.is_complete || p.count != h->field_count ||
        p.is_chunked != h->is_chunked || p.content_length != h->content_length)
        return -EBADMSG;
    ret_req->verb = h->verb;
    ret_req->version_minor = h->version_minor;
    ret_req->target = span_str(bytes, h->target);
    ret_req->path = span_str(bytes, h->path);
    if (h->path.len == 0) /* an absolute form without path (RFC 9112 section 3.2.4) */
        ret_req->path = h->verb == HTTP_VERB_OPTIONS ? HTTP_STR("*") : HTTP_STR("/");
    ret_req->query = span_str(bytes, h->query);
    ret_req->host = span_str(bytes, h->host);
    ret_req->fields = fields;
    ret_req->field_count = p.count;
    ret_req->content_length = h->content_length;
    ret_req->has_body = h->is_chunked || h->content_length > 0;
    ret_req->is_keep_alive = !h->is_close && (h->version_minor > 0 || h->is_keep_alive);
    ret_req->is_proxied = h->is_proxied;
    return 0;
}
