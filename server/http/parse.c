/* http-parser's border: its callbacks fill struct http_request.
 *
 * The fields are fed whole, so every callback sees a complete element (folded
 * lines, which come in two, are refused before).  The request line, where the
 * parser would spend three quarters of its time, is not: the strict scan has
 * checked every character of it, and all that a line with a path leaves behind
 * in the parser is its method and its version.  So the parser begins as it
 * stood behind "GET / HTTP/1.1", once fed for each method and version.  Targets
 * of other forms are rare and fed as they are.
 *
 * The parser is stopped at the end of the head: bodies are decoded by body.c.
 * What it understood of the framing must be what the strict scan understood. */
#include "server/http/parse.h"

#include <errno.h>
#include <http_parser.h>
#include <pthread.h>
#include <stdio.h>
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

/* Feed n bytes; false when the parser refuses. */
static bool feed(http_parser *parser, const char *bytes, size_t n)
{
    return http_parser_execute(parser, &settings, bytes, n) == n &&
           HTTP_PARSER_ERRNO(parser) == HPE_OK;
}

/* The parser behind a request line with a path, by method and minor version.  One
 * that refused its line refuses what follows. */
static http_parser behind_line[HTTP_VERB_COUNT][2];
static pthread_once_t behind_line_once = PTHREAD_ONCE_INIT;

static void make_behind_line(void)
{
    http_parser_set_max_header_size(UINT32_MAX); /* header_max is ours to hold */
    for (int verb = 0; verb < HTTP_VERB_COUNT; verb++) {
        for (int minor = 0; minor < 2; minor++) {
            char line[64];
            int n = snprintf(line, sizeof line, "%s / HTTP/1.%d\r\n",
                             http_verb_text((enum http_verb)verb), minor);
            http_parser_init(&behind_line[verb][minor], HTTP_REQUEST);
            (void)feed(&behind_line[verb][minor], line, (size_t)n);
        }
    }
}

static bool parse(const struct http_head *h, const char *bytes, struct parse *p)
{
    http_parser parser;
    size_t from = h->start;
    pthread_once(&behind_line_once, make_behind_line);
    if (bytes[h->target.at] == '/') {
        parser = behind_line[h->verb][h->version_minor];
        from = h->fields;
    } else {
        http_parser_init(&parser, HTTP_REQUEST);
    }
    parser.data = p;
    return feed(&parser, bytes + from, h->length - from) && p->is_complete;
}

size_t http_parse_sound_fields(const struct http_head *h, const char *bytes,
                               struct http_field *fields, size_t cap)
{
    size_t count = 0;
    const char *line = bytes + h->start, *stop = bytes + h->line;
    for (bool is_first = true; count < cap && line < stop; is_first = false) {
        const char *end = memchr(line, '\r', (size_t)(stop - line));
        const char *colon = end != NULL ? memchr(line, ':', (size_t)(end - line)) : NULL;
        if (end == NULL)
            break;
        if (!is_first && colon != NULL) {
            const char *value = colon + 1, *value_end = end;
            while (value < value_end && (*value == ' ' || *value == '\t'))
                value++;
            while (value_end > value && (value_end[-1] == ' ' || value_end[-1] == '\t'))
                value_end--;
            fields[count++] = (struct http_field){.name = {line, (size_t)(colon - line)},
                                                  .value = {value, (size_t)(value_end - value)}};
        }
        line = end + 2;
    }
    return count;
}

int http_parse_head(const struct http_head *h, const char *bytes, struct http_field *fields,
                    struct http_request *ret_req)
{
    struct parse p = {.fields = fields, .max = h->field_count};
    if (!parse(h, bytes, &p) || p.count != h->field_count || p.is_chunked != h->is_chunked ||
        p.content_length != h->content_length)
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
