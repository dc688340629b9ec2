/* http-parser's border: its callbacks fill struct http_request.
 *
 * The whole head is fed at once, so every callback sees a complete element
 * (folded lines, which come in two, are refused before).  The parser is
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
    struct http_str target;
    bool is_complete;
    bool is_chunked;
    int64_t content_length;
};

static int on_url(http_parser *parser, const char *at, size_t n)
{
    struct parse *p = parser->data;
    p->target = (struct http_str){at, n};
    return 0;
}

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
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_headers_complete = on_headers_complete,
};

static struct http_str span_str(const char *bytes, struct http_span span)
{
    return (struct http_str){bytes + span.at, span.len};
}

int http_parse_head(const struct http_head *h, const char *bytes, struct http_field *fields,
                    struct http_request *ret_req)
{
    struct parse p = {.fields = fields, .max = h->field_count};
    http_parser parser;
    http_parser_init(&parser, HTTP_REQUEST);
    parser.data = &p;
    size_t n = h->length - h->start;
    size_t eaten = http_parser_execute(&parser, &settings, bytes + h->start, n);
    struct http_str target = span_str(bytes, h->target);
    if (!p.is_complete || eaten != n || HTTP_PARSER_ERRNO(&parser) != HPE_OK ||
        p.count != h->field_count || p.is_chunked != h->is_chunked ||
        p.content_length != h->content_length || p.target.data != target.data ||
        p.target.len != target.len)
        return -EBADMSG;
    ret_req->verb = h->verb;
    ret_req->version_minor = h->version_minor;
    ret_req->target = target;
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
