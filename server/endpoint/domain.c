/* GET /domain: one URL in, its domain out.
 *
 * The url parameter is special, so that a URL can be pasted as it is: its value
 * runs to the end of the query, or to the first & that is followed by one of
 * this route's own parameters, whatever &s and =s stand between.  It is
 * percent-decoded once; + stays +. */
#include <stdlib.h>

#include "coro/prof/prof.h"
#include "server/domain/domain.h"
#include "server/domain/format.h"
#include "server/endpoint/endpoint.h"

/* A decoded URL up to this size needs no memory of its own. */
#define URL_SMALL_BYTES 2048

static const char hint[] = "a URL with characters that HTTP reserves (space, #, %, non-ASCII) "
                           "must be percent-encoded";

enum { PARAM_URL, PARAM_FORMAT, PARAM_SUFFIXES, PARAM_COUNT };

static const struct http_str param_name[PARAM_COUNT] = {
    [PARAM_URL] = {"url=", 4},
    [PARAM_FORMAT] = {"format=", 7},
    [PARAM_SUFFIXES] = {"suffixes=", 9},
};

/* What the query says; raw values, data NULL: absent. */
struct query {
    struct http_str value[PARAM_COUNT];
    bool is_repeated;
};

/* Which parameter of ours stands at `at`, or -1. */
static int param_at(const char *at, const char *end)
{
    for (int i = 0; i < PARAM_COUNT; i++)
        if ((size_t)(end - at) >= param_name[i].len &&
            memcmp(at, param_name[i].data, param_name[i].len) == 0)
            return i;
    return -1;
}

/* Where a value ends: at its &, which for the URL is one before a parameter of ours. */
static const char *value_end(int param, const char *at, const char *end)
{
    for (;;) {
        const char *amp = memchr(at, '&', (size_t)(end - at));
        if (amp == NULL)
            return end;
        if (param != PARAM_URL || param_at(amp + 1, end) >= 0)
            return amp;
        at = amp + 1;
    }
}

static struct query read_query(struct http_str raw)
{
    struct query query = {.is_repeated = false};
    const char *at = raw.data, *end = at + raw.len;
    while (at < end) {
        int param = param_at(at, end);
        const char *value = param < 0 ? at : at + param_name[param].len;
        const char *stop = value_end(param, value, end);
        if (param >= 0) {
            query.is_repeated = query.is_repeated || query.value[param].data != NULL;
            query.value[param] = (struct http_str){value, (size_t)(stop - value)};
        }
        at = stop < end ? stop + 1 : end;
    }
    return query;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A percent sign without two hex digits stands for itself: people paste such
 * URLs, and the URL standard reads them so. */
static size_t percent_decode(struct http_str raw, char *ret_text)
{
    size_t n = 0;
    for (size_t i = 0; i < raw.len; i++) {
        char c = raw.data[i];
        if (c == '%' && i + 2 < raw.len) {
            int high = hex_value(raw.data[i + 1]), low = hex_value(raw.data[i + 2]);
            if (high >= 0 && low >= 0) {
                c = (char)(high * 16 + low);
                i += 2;
            }
        }
        ret_text[n++] = c;
    }
    return n;
}

static const char *const formats[] = {"application/json", "text/plain"};
enum { FORMAT_JSON, FORMAT_TEXT };

/* 0 or the status of the refusal, which is then in res. */
static int choose_format(struct http_request *req, struct http_response *res,
                         const struct query *query, int *ret_format)
{
    struct http_str wish = query->value[PARAM_FORMAT];
    if (wish.data == NULL) {
        *ret_format = http_accepts(req, formats, ARRAY_LEN(formats));
        if (*ret_format >= 0)
            return 0;
        http_problem(res, HTTP_406_NOT_ACCEPTABLE,
                     "this route answers application/json and text/plain");
        return HTTP_406_NOT_ACCEPTABLE;
    }
    if (http_str_is(wish, "json") || http_str_is(wish, "text")) {
        *ret_format = http_str_is(wish, "json") ? FORMAT_JSON : FORMAT_TEXT;
        return 0;
    }
    http_problem(res, HTTP_400_BAD_REQUEST, "format is json or text, not '%.*s'", (int)wish.len,
                 wish.data);
    return HTTP_400_BAD_REQUEST;
}

static int check_query(struct http_response *res, const struct query *query)
{
    struct http_str suffixes = query->value[PARAM_SUFFIXES];
    if (query->value[PARAM_URL].data == NULL)
        http_problem(res, HTTP_400_BAD_REQUEST, "give the URL as /domain?url=URL; %s", hint);
    else if (query->is_repeated)
        http_problem(res, HTTP_400_BAD_REQUEST,
                     "a parameter is given twice; a URL with parameters of the same name "
                     "must be percent-encoded");
    else if (suffixes.data != NULL && !http_str_is(suffixes, "icann") &&
             !http_str_is(suffixes, "all"))
        http_problem(res, HTTP_400_BAD_REQUEST, "suffixes is all or icann, not '%.*s'",
                     (int)suffixes.len, suffixes.data);
    else
        return 0;
    return HTTP_400_BAD_REQUEST;
}

/* The answer for the decoded URL. */
static void answer(struct http_response *res, const char *url, size_t len, int format,
                   bool is_icann_only)
{
    struct domain_result r;
    enum domain_error error = domain_parse(domain_suffixes_current(), url, len, &r);
    if (error != DOMAIN_OK) {
        http_problem(res, HTTP_422_UNPROCESSABLE_CONTENT, "%s", domain_error_text(error));
        return;
    }
    struct buf *body = http_body(res);
    int rv;
    if (format == FORMAT_TEXT) {
        http_set_type(res, HTTP_TYPE_TEXT);
        rv = buf_append(body, r.host, r.host_len);
    } else {
        http_set_type(res, HTTP_TYPE_JSON);
        rv = domain_format_json(body, url, len, &r, is_icann_only ? &r.icann : &r.all);
    }
    if (rv == 0)
        rv = buf_append_char(body, '\n');
    if (rv < 0)
        http_problem(res, HTTP_500_INTERNAL_SERVER_ERROR, "out of memory");
}

void endpoint_domain_get(struct http_request *req, struct http_response *res)
{
    PROF_FN();
    struct query query = read_query(req->query);
    int format;
    if (check_query(res, &query) != 0 || choose_format(req, res, &query, &format) != 0)
        return;
    bool is_icann_only = query.value[PARAM_SUFFIXES].data != NULL &&
                         http_str_is(query.value[PARAM_SUFFIXES], "icann");
    struct http_str raw = query.value[PARAM_URL];
    if (memchr(raw.data, '%', raw.len) == NULL) {
        answer(res, raw.data, raw.len, format, is_icann_only);
        return;
    }
    char small[URL_SMALL_BYTES];
    char *url = raw.len <= sizeof small ? small : malloc(raw.len);
    if (url == NULL) {
        http_problem(res, HTTP_500_INTERNAL_SERVER_ERROR, "out of memory");
        return;
    }
    size_t len = percent_decode(raw, url);
    answer(res, url, len, format, is_icann_only);
    if (url != small)
        free(url);
}
