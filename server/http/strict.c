/* The strict scan of a request head, line by line.
 *
 * Every line is first searched for control bytes, sixteen at a time: the first
 * one found must be the CR of a CRLF, so bare CR, bare LF, NUL and the like
 * never get further.  Then the request line is matched exactly and each field
 * line is checked (token name, no space before the colon, no fold); the fields
 * that frame the message are read, and judged together at the empty line.
 *
 * Invariants: nothing is accepted that http-parser would frame otherwise (a
 * fuzz target holds the two against each other); a refusal is final. */
#include "server/http/strict.h"

#include <string.h>
#include <strings.h>

#include "server/http/span.h"

enum phase { PHASE_START, PHASE_REQUEST_LINE, PHASE_FIELDS, PHASE_DONE };

#define VERB_MAX_BYTES 32

static enum http_scan refuse(struct http_head *h, int status, const char *why)
{
    h->status = status;
    h->why = why;
    return HTTP_SCAN_REFUSED;
}

/* ---- bytes ---- */

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* text is of lower case letters, digits and hyphens.  Bit 5 set, no other byte that
 * is not a control turns into one of these. */
static inline bool is_nocase(const char *p, size_t n, const char *text, size_t text_len)
{
    int different = 0;
    if (n != text_len)
        return false;
    for (size_t i = 0; i < text_len; i++)
        different |= (p[i] | 0x20) ^ text[i];
    return different == 0;
}
#define IS_NOCASE(p, n, literal) is_nocase(p, n, literal, sizeof(literal) - 1)

/* ---- request line ---- */

static bool find_verb(const char *p, size_t n, enum http_verb *ret_verb)
{
    static const struct {
        const char *text;
        size_t len;
    } verbs[] = {
#define HTTP_VERB(NAME) {#NAME, sizeof(#NAME) - 1},
#include "server/http/verb.def"
#undef HTTP_VERB
    };
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        if (verbs[i].len == n && memcmp(verbs[i].text, p, n) == 0) {
            *ret_verb = (enum http_verb)i;
            return true;
        }
    }
    return false;
}

/* Split path and query of target[from..). */
static void split_target(struct http_head *h, const char *bytes, uint32_t from)
{
    uint32_t end = h->target.at + h->target.len;
    const char *mark = memchr(bytes + from, '?', end - from);
    uint32_t path_end = mark != NULL ? (uint32_t)(mark - bytes) : end;
    h->path = (struct http_span){from, path_end - from};
    if (mark != NULL)
        h->query = (struct http_span){path_end + 1, end - path_end - 1};
}

/* http://host[:port][/path][?query]; it overrides Host (RFC 9112 section 3.2.2). */
static enum http_scan scan_absolute_form(struct http_head *h, const char *bytes)
{
    const char *target = bytes + h->target.at, *end = target + h->target.len;
    const char *host;
    if (h->target.len > 7 && strncasecmp(target, "http://", 7) == 0)
        host = target + 7;
    else if (h->target.len > 8 && strncasecmp(target, "https://", 8) == 0)
        host = target + 8;
    else
        return refuse(h, 400, "the target is neither a path nor an http URL");
    const char *stop = host;
    while (stop < end && *stop != '/' && *stop != '?')
        stop++;
    if (!http_is_host(host, (size_t)(stop - host)))
        return refuse(h, 400, "the target's host is empty or malformed");
    h->host = (struct http_span){(uint32_t)(host - bytes), (uint32_t)(stop - host)};
    h->is_host_final = true;
    split_target(h, bytes, (uint32_t)(stop - bytes));
    return HTTP_SCAN_MORE;
}

static enum http_scan scan_target(struct http_head *h, const char *bytes)
{
    const char *target = bytes + h->target.at;
    size_t n = h->target.len;
    if (h->verb == HTTP_VERB_CONNECT) {
        const char *colon = memrchr(target, ':', n);
        if (colon == NULL || colon == target + n - 1 || !http_is_host(target, n))
            return refuse(h, 400, "CONNECT needs host:port");
        h->path = h->target;
        return HTTP_SCAN_MORE;
    }
    if (target[0] == '/') {
        split_target(h, bytes, h->target.at);
        return HTTP_SCAN_MORE;
    }
    if (n == 1 && target[0] == '*' && h->verb == HTTP_VERB_OPTIONS) {
        h->path = h->target;
        return HTTP_SCAN_MORE;
    }
    return scan_absolute_form(h, bytes);
}

/* "HTTP/1.1" exactly; a well-formed version of another major number is 505. */
static enum http_scan scan_version(struct http_head *h, const char *p, size_t n)
{
    if (n != 8 || memcmp(p, "HTTP/", 5) != 0 || !is_digit(p[5]) || p[6] != '.' || !is_digit(p[7]))
        return refuse(h, 400, "the request line does not end in HTTP/1.0 or HTTP/1.1");
    if (p[5] != '1')
        return refuse(h, 505, "only HTTP/1.x is spoken here");
    h->version_minor = p[7] == '0' ? 0 : 1;
    return HTTP_SCAN_MORE;
}

static enum http_scan scan_request_line(struct http_head *h, const char *bytes, size_t n,
                                        const struct http_limits *limits)
{
    const char *line = bytes + h->line;
    size_t verb_len = http_span_token(line, n);
    if (verb_len == 0 || verb_len == n || line[verb_len] != ' ')
        return refuse(h, 400, "malformed request line");
    const char *target = line + verb_len + 1;
    size_t rest = n - verb_len - 1;
    size_t target_len = http_span_target(target, rest);
    if (target_len > limits->target_max_bytes)
        return refuse(h, 414, "the request target is too long");
    if (target_len == rest || target_len == 0 || target[target_len] != ' ')
        return refuse(h, 400,
                      target_len == rest
                          ? "the request line has no HTTP version"
                          : "a character in the request target must be percent-encoded");
    enum http_scan rv = scan_version(h, target + target_len + 1, rest - target_len - 1);
    if (rv != HTTP_SCAN_MORE)
        return rv;
    if (!find_verb(line, verb_len, &h->verb))
        return refuse(h, 501, "unknown method");
    h->target = (struct http_span){(uint32_t)(target - bytes), (uint32_t)target_len};
    return scan_target(h, bytes);
}

/* ---- fields ---- */

static void scan_connection(struct http_head *h, const char *p, size_t n)
{
    for (size_t at = 0; at < n;) {
        while (at < n && (is_space(p[at]) || p[at] == ','))
            at++;
        size_t len = http_span_token(p + at, n - at);
        if (IS_NOCASE(p + at, len, "close"))
            h->is_close = true;
        else if (IS_NOCASE(p + at, len, "keep-alive"))
            h->is_keep_alive = true;
        at += len;
        while (at < n && p[at] != ',') /* whatever else stands there */
            at++;
    }
}

static enum http_scan scan_content_length(struct http_head *h, const char *p, size_t n)
{
    int64_t value = 0;
    if (++h->length_count > 1)
        return refuse(h, 400, "more than one Content-Length");
    if (n == 0)
        return refuse(h, 400, "empty Content-Length");
    for (size_t i = 0; i < n; i++) {
        if (!is_digit(p[i]) || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, p[i] - '0', &value))
            return refuse(h, 400, "Content-Length is not a number that fits");
    }
    h->content_length = value;
    return HTTP_SCAN_MORE;
}

/* Every list element, over all lines: "chunked" once and last, or nothing at all. */
static void scan_transfer_encoding(struct http_head *h, const char *p, size_t n)
{
    h->has_coding = true;
    size_t at = 0;
    do {
        while (at < n && is_space(p[at]))
            at++;
        size_t len = http_span_token(p + at, n - at);
        if (len == 0 || h->is_chunked)
            h->is_coding_bad = true;
        if (IS_NOCASE(p + at, len, "chunked"))
            h->is_chunked = true;
        else
            h->has_other_coding = true;
        at += len;
        while (at < n && is_space(p[at]))
            at++;
        if (at < n && p[at] != ',')
            h->is_coding_bad = true;
    } while (at < n && p[at++] == ',');
}

static enum http_scan scan_host(struct http_head *h, const char *bytes, const char *p, size_t n)
{
    if (h->host_count > 0)
        return refuse(h, 400, "more than one Host field");
    h->host_count = 1;
    if (!http_is_host(p, n))
        return refuse(h, 400, "the Host field is empty or malformed");
    if (!h->is_host_final)
        h->host = (struct http_span){(uint32_t)(p - bytes), (uint32_t)n};
    return HTTP_SCAN_MORE;
}

/* http-parser knows only SP around these values, RFC 9110 HTAB as well. */
static void blank_tabs(char *p, const char *end)
{
    for (; p < end; p++)
        if (*p == '\t')
            *p = ' ';
}

/* The few fields that matter for framing; the length of the name tells most apart.
 * `end`: of the line. */
static enum http_scan scan_known_field(struct http_head *h, char *bytes, struct http_span name,
                                       struct http_span value, const char *end)
{
    const char *key = bytes + name.at;
    char *p = bytes + value.at;
    size_t n = value.len;
    switch (name.len) {
    case 3:
        h->is_proxied |= IS_NOCASE(key, name.len, "via");
        break;
    case 4:
        if (IS_NOCASE(key, name.len, "host"))
            return scan_host(h, bytes, p, n);
        break;
    case 6:
        if (IS_NOCASE(key, name.len, "expect") && h->version_minor > 0) {
            if (!IS_NOCASE(p, n, "100-continue"))
                return refuse(h, 417, "only 100-continue can be expected");
            h->is_continue_expected = true;
        }
        break;
    case 9:
        h->is_proxied |= IS_NOCASE(key, name.len, "forwarded");
        break;
    case 10:
        if (IS_NOCASE(key, name.len, "connection"))
            scan_connection(h, p, n);
        break;
    case 14:
        if (IS_NOCASE(key, name.len, "content-length")) {
            blank_tabs(bytes + name.at + name.len, end);
            return scan_content_length(h, p, n);
        }
        break;
    case 15:
        h->is_proxied |= IS_NOCASE(key, name.len, "x-forwarded-for");
        break;
    case 17:
        if (IS_NOCASE(key, name.len, "transfer-encoding")) {
            blank_tabs(bytes + name.at + name.len, end);
            scan_transfer_encoding(h, p, n);
        }
        break;
    default:
        break;
    }
    return HTTP_SCAN_MORE;
}

int http_field_check(const char *line, size_t n)
{
    size_t name_len = http_span_token(line, n);
    if (name_len == 0 || name_len == n || line[name_len] != ':')
        return 400;
    return http_span_clean(line, n) == n ? 0 : 400;
}

static enum http_scan scan_field(struct http_head *h, char *bytes, size_t n,
                                 const struct http_limits *limits)
{
    char *line = bytes + h->line;
    if (is_space(line[0]))
        return refuse(h, 400, "a header line begins with a space");
    size_t name_len = http_span_token(line, n);
    if (name_len == 0 || name_len == n || line[name_len] != ':')
        return refuse(h, 400, "malformed header field name");
    if (++h->field_count > limits->header_max_count)
        return refuse(h, 431, "too many header fields");
    size_t from = name_len + 1, to = n;
    while (from < to && is_space(line[from]))
        from++;
    while (to > from && is_space(line[to - 1]))
        to--;
    struct http_span name = {h->line, (uint32_t)name_len};
    struct http_span value = {h->line + (uint32_t)from, (uint32_t)(to - from)};
    return scan_known_field(h, bytes, name, value, line + n);
}

/* The empty line: what the fields say together. */
static enum http_scan scan_end(struct http_head *h)
{
    h->phase = PHASE_DONE;
    h->length = h->scanned;
    if (h->version_minor > 0 && h->host_count == 0)
        return refuse(h, 400, "HTTP/1.1 needs a Host field");
    if (!h->has_coding)
        return HTTP_SCAN_DONE;
    if (h->version_minor == 0)
        return refuse(h, 400, "HTTP/1.0 has no Transfer-Encoding");
    if (h->length_count > 0)
        return refuse(h, 400, "Transfer-Encoding and Content-Length together");
    if (h->is_coding_bad || !h->is_chunked)
        return refuse(h, 400, "Transfer-Encoding must be chunked, once and last");
    if (h->has_other_coding)
        return refuse(h, 501, "only the chunked transfer coding is implemented");
    return HTTP_SCAN_DONE;
}

/* ---- lines ---- */

void http_head_init(struct http_head *h)
{
    *h = (struct http_head){.content_length = -1};
}

/* A line of the request head may still be growing: is it too long already? */
static enum http_scan check_size(struct http_head *h, const char *bytes, size_t end,
                                 const struct http_limits *limits)
{
    if (h->phase < PHASE_FIELDS) {
        const char *line = bytes + h->line;
        size_t n = end - h->line;
        size_t verb_len = http_span_token(line, n < VERB_MAX_BYTES + 1 ? n : VERB_MAX_BYTES + 1);
        if (verb_len > VERB_MAX_BYTES)
            return refuse(h, 501, "unknown method");
        if (n > limits->target_max_bytes + VERB_MAX_BYTES)
            return refuse(h, 414, "the request target is too long");
    }
    if (end - h->start > limits->header_max_bytes)
        return refuse(h, h->phase < PHASE_FIELDS ? 414 : 431, "the request head is too large");
    return HTTP_SCAN_MORE;
}

static enum http_scan scan_line(struct http_head *h, char *bytes, size_t n,
                                const struct http_limits *limits)
{
    if (h->phase == PHASE_FIELDS)
        return n == 0 ? scan_end(h) : scan_field(h, bytes, n, limits);
    if (n == 0) { /* RFC 9112 section 2.2: one empty line before a request is forgiven */
        if (h->phase == PHASE_REQUEST_LINE)
            return refuse(h, 400, "empty lines before the request");
        h->phase = PHASE_REQUEST_LINE;
        h->start = h->scanned;
        return HTTP_SCAN_MORE;
    }
    h->phase = PHASE_FIELDS;
    h->fields = h->scanned;
    return scan_request_line(h, bytes, n, limits);
}

enum http_scan http_head_scan(struct http_head *h, char *bytes, size_t n,
                              const struct http_limits *limits)
{
    for (;;) {
        size_t at = h->scanned + http_span_clean(bytes + h->scanned, n - h->scanned);
        h->scanned = (uint32_t)at;
        enum http_scan rv = check_size(h, bytes, at, limits);
        if (rv != HTTP_SCAN_MORE)
            return rv;
        if (at == n || (at + 1 == n && bytes[at] == '\r'))
            return HTTP_SCAN_MORE;
        if (bytes[at] != '\r')
            return refuse(h, 400,
                          bytes[at] == '\n' ? "a line ends in LF without CR"
                                            : "control byte in the request head");
        if (bytes[at + 1] != '\n')
            return refuse(h, 400, "CR without LF in the request head");
        size_t line_len = at - h->line;
        h->scanned = (uint32_t)at + 2;
        rv = scan_line(h, bytes, line_len, limits);
        if (rv != HTTP_SCAN_MORE)
            return rv;
        h->line = (uint32_t)at + 2;
    }
}
