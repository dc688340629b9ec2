/* What a handler asks of a request: fields, query, content negotiation. */
#include "server/http/request.h"

#include <errno.h>
#include <strings.h>

static struct http_str trim(struct http_str s)
{
    while (s.len > 0 && (s.data[0] == ' ' || s.data[0] == '\t'))
        s.data++, s.len--;
    while (s.len > 0 && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* The part of *rest before `separator`; *rest is left with what follows. */
static struct http_str cut(struct http_str *rest, char separator)
{
    const char *at = rest->len > 0 ? memchr(rest->data, separator, rest->len) : NULL;
    struct http_str part = *rest;
    if (at == NULL) {
        rest->data += rest->len;
        rest->len = 0;
        return part;
    }
    part.len = (size_t)(at - part.data);
    rest->data += part.len + 1;
    rest->len -= part.len + 1;
    return part;
}

bool http_header(const struct http_request *req, const char *name, struct http_str *ret_value)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < req->field_count; i++) {
        const struct http_field *field = &req->fields[i];
        if (field->name.len == n && strncasecmp(field->name.data, name, n) == 0) {
            *ret_value = field->value;
            return true;
        }
    }
    return false;
}

/* ---- query ---- */

bool http_query_next(struct http_str *cursor, struct http_str *ret_name, struct http_str *ret_raw)
{
    if (cursor->len == 0)
        return false;
    struct http_str value = cut(cursor, '&');
    *ret_name = cut(&value, '=');
    *ret_raw = value;
    return true;
}

bool http_query_get(const struct http_request *req, const char *name, struct http_str *ret_raw)
{
    struct http_str cursor = req->query, key, raw;
    while (http_query_next(&cursor, &key, &raw)) {
        if (http_str_is(key, name)) {
            *ret_raw = raw;
            return true;
        }
    }
    return false;
}

ssize_t http_query_text(const struct http_request *req, const char *name, char *ret_text,
                        size_t cap)
{
    struct http_str raw;
    if (!http_query_get(req, name, &raw))
        return -ENOENT;
    ssize_t n = http_percent_decode(raw, ret_text, cap - 1);
    if (n < 0)
        return n;
    if (memchr(ret_text, 0, (size_t)n) != NULL)
        return -EINVAL;
    ret_text[n] = 0;
    return n;
}

/* ---- content negotiation (RFC 9110 section 12) ---- */

/* "q=0.5" among the parameters, in thousandths; 1000 without one, 0 when malformed. */
static int quality(struct http_str parameters)
{
    while (parameters.len > 0) {
        struct http_str p = trim(cut(&parameters, ';'));
        if (p.len < 3 || (p.data[0] | 0x20) != 'q' || p.data[1] != '=')
            continue;
        if (p.data[2] == '1')
            return 1000;
        int q = 0, unit = 100;
        for (size_t i = 4; i < p.len && unit > 0; i++, unit /= 10) {
            if (p.data[i] < '0' || p.data[i] > '9')
                return 0;
            q += (p.data[i] - '0') * unit;
        }
        return q;
    }
    return 1000;
}

/* How exactly a media range names the type: 3 both, 2 "type/?", 1 any, 0 not. */
static int range_match(struct http_str range, const char *type)
{
    size_t type_len = strcspn(type, ";");
    while (type_len > 0 && type[type_len - 1] == ' ')
        type_len--;
    if (http_str_is(range, "*/*"))
        return 1;
    if (range.len >= 2 && memcmp(range.data + range.len - 2, "/*", 2) == 0)
        return strncasecmp(range.data, type, range.len - 1) == 0 ? 2 : 0;
    return range.len == type_len && strncasecmp(range.data, type, type_len) == 0 ? 3 : 0;
}

/* Thousandths that Accept gives to the type: the most exact range decides. */
static int accept_quality(struct http_str accept, const char *type)
{
    int best_match = 0, best_q = 0;
    while (accept.len > 0) {
        struct http_str parameters = cut(&accept, ',');
        struct http_str range = trim(cut(&parameters, ';'));
        int match = range_match(range, type);
        if (match > best_match) {
            best_match = match;
            best_q = quality(parameters);
        }
    }
    return best_q;
}

int http_accepts(const struct http_request *req, const char *const *offers, size_t count)
{
    struct http_str accept;
    if (!http_header(req, "accept", &accept) || trim(accept).len == 0 || http_str_is(accept, "*/*"))
        return 0;
    int best = -1, best_q = 0;
    for (size_t i = 0; i < count; i++) {
        int q = accept_quality(accept, offers[i]);
        if (q > best_q) {
            best_q = q;
            best = (int)i;
        }
    }
    return best;
}

bool http_accepts_gzip(const struct http_request *req)
{
    struct http_str accept;
    if (!http_header(req, "accept-encoding", &accept))
        return false;
    int named = -1, any = -1;
    while (accept.len > 0) {
        struct http_str parameters = cut(&accept, ',');
        struct http_str coding = trim(cut(&parameters, ';'));
        if (http_str_is_nocase(coding, "gzip") || http_str_is_nocase(coding, "x-gzip"))
            named = quality(parameters);
        else if (http_str_is(coding, "*"))
            any = quality(parameters);
    }
    return named >= 0 ? named > 0 : any > 0;
}
