/* GET /domain: one URL in, its domain out.
 *
 * The url parameter is special, so that a URL can be pasted as it is: see
 * query.h.  Not a URL: 422 with the reason. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "coro/prof/prof.h"
#include "server/domain/domain.h"
#include "server/domain/engine.h"
#include "server/domain/format.h"
#include "server/endpoint/batch.h"
#include "server/endpoint/endpoint.h"
#include "server/endpoint/follow.h"
#include "server/endpoint/query.h"

/* A decoded URL up to this size needs no memory of its own. */
#define URL_SMALL_BYTES 2048

static const char *const formats[] = {"application/json", "text/plain"};
enum { FORMAT_JSON, FORMAT_TEXT };

/* How the one who asks wants it answered. */
struct wish {
    int format;
    bool is_icann_only;
    enum domain_engine_kind engine;
    bool is_following;
};

/* ---- engines, for tests ---- */

/* Each thread compiles a pattern once and keeps it until it ends. */
struct engines {
    struct domain_engine *of[DOMAIN_ENGINE_COUNT];
};

static pthread_key_t engines_key;
static pthread_once_t engines_once = PTHREAD_ONCE_INIT;
static bool engines_usable;

static void engines_free(void *arg)
{
    struct engines *e = arg;
    for (size_t i = 0; i < DOMAIN_ENGINE_COUNT; i++)
        domain_engine_free(e->of[i]);
    free(e);
}

static void engines_make_key(void)
{
    engines_usable = pthread_key_create(&engines_key, engines_free) == 0;
}

/* This thread's engine, or NULL and why. */
static struct domain_engine *engine_of_thread(enum domain_engine_kind kind,
                                              char why[DOMAIN_ENGINE_WHY_BYTES])
{
    pthread_once(&engines_once, engines_make_key);
    struct engines *e = engines_usable ? pthread_getspecific(engines_key) : NULL;
    if (e == NULL) {
        e = calloc(1, sizeof *e);
        if (e == NULL || !engines_usable || pthread_setspecific(engines_key, e) != 0) {
            free(e);
            snprintf(why, DOMAIN_ENGINE_WHY_BYTES, "out of memory");
            return NULL;
        }
    }
    if (e->of[kind] == NULL && domain_engine_new(kind, &e->of[kind], why) < 0)
        return NULL;
    return e->of[kind];
}

/* What a regex engine makes of it: no host rules, no suffixes. */
static void answer_sample(struct http_response *res, const char *url, size_t len,
                          const struct wish *wish)
{
    char why[DOMAIN_ENGINE_WHY_BYTES];
    struct domain_text domain;
    struct domain_engine *engine = engine_of_thread(wish->engine, why);
    if (engine == NULL) {
        http_problem(res, HTTP_500_INTERNAL_SERVER_ERROR, "%s", why);
        return;
    }
    if (domain_engine_find(engine, NULL, url, len, &domain) != DOMAIN_OK)
        return; /* the pattern refuses nothing */
    struct buf *body = http_body(res);
    bool is_text = wish->format == FORMAT_TEXT;
    http_set_type(res, is_text ? HTTP_TYPE_TEXT : HTTP_TYPE_JSON);
    int rv = is_text
                 ? buf_append(body, domain.at, domain.len)
                 : domain_format_sample(body, url, len, domain, domain_engine_word(wish->engine));
    if (rv == 0)
        rv = buf_append_char(body, '\n');
    if (rv < 0)
        http_problem(res, HTTP_500_INTERNAL_SERVER_ERROR, "out of memory");
}

/* ---- what is wished ---- */

/* These return 0, or the status of the refusal, which is then in res. */

static int choose_format(struct http_request *req, struct http_response *res, struct http_str value,
                         int *ret_format)
{
    if (value.data == NULL) {
        *ret_format = http_accepts(req, formats, ARRAY_LEN(formats));
        if (*ret_format >= 0)
            return 0;
        http_problem(res, HTTP_406_NOT_ACCEPTABLE,
                     "this route answers application/json and text/plain");
        return HTTP_406_NOT_ACCEPTABLE;
    }
    if (http_str_is(value, "json") || http_str_is(value, "text")) {
        *ret_format = http_str_is(value, "json") ? FORMAT_JSON : FORMAT_TEXT;
        return 0;
    }
    http_problem(res, HTTP_400_BAD_REQUEST, "format is json or text, not '%.*s'", (int)value.len,
                 value.data);
    return HTTP_400_BAD_REQUEST;
}

static int choose_engine(struct http_request *req, struct http_response *res, struct http_str value,
                         enum domain_engine_kind *ret_engine)
{
    const struct endpoint_settings *settings = req->app->user;
    *ret_engine = DOMAIN_ENGINE_SCAN;
    if (value.data == NULL)
        return 0;
    if (domain_engine_find_kind(value.data, value.len, ret_engine) < 0) {
        /* the list before the word: a long one is cut at its end */
        http_problem(res, HTTP_400_BAD_REQUEST, "engine is one of %s, not '%.*s'",
                     domain_engine_words(), (int)value.len, value.data);
        return HTTP_400_BAD_REQUEST;
    }
    if (*ret_engine == DOMAIN_ENGINE_SCAN || settings->test_endpoints)
        return 0;
    http_problem(res, HTTP_403_FORBIDDEN,
                 "engines other than scan are for tests: domaind --test-endpoints");
    return HTTP_403_FORBIDDEN;
}

static int choose_following(struct http_request *req, struct http_response *res,
                            struct http_str value, bool *ret_is_following)
{
    const struct endpoint_settings *settings = req->app->user;
    *ret_is_following = false;
    if (value.data == NULL || http_str_is(value, "0"))
        return 0;
    if (!http_str_is(value, "1")) {
        http_problem(res, HTTP_400_BAD_REQUEST, "follow is 0 or 1, not '%.*s'", (int)value.len,
                     value.data);
        return HTTP_400_BAD_REQUEST;
    }
    *ret_is_following = true;
    if (settings->following != NULL)
        return 0;
    http_problem(res, HTTP_403_FORBIDDEN,
                 "this server does not follow redirects (domaind --follow=on does)");
    return HTTP_403_FORBIDDEN;
}

static int read_wish(struct http_request *req, struct http_response *res,
                     const struct endpoint_query *query, struct wish *ret_wish)
{
    if (query->value[ENDPOINT_URL].data == NULL) {
        http_problem(res, HTTP_400_BAD_REQUEST,
                     "give the URL as /domain?url=URL; characters that HTTP reserves (space, #, "
                     "non-ASCII) must be percent-encoded");
        return HTTP_400_BAD_REQUEST;
    }
    int status = endpoint_query_check(res, query);
    if (status == 0)
        status = choose_format(req, res, query->value[ENDPOINT_FORMAT], &ret_wish->format);
    if (status == 0)
        status = choose_engine(req, res, query->value[ENDPOINT_ENGINE], &ret_wish->engine);
    if (status == 0)
        status = choose_following(req, res, query->value[ENDPOINT_FOLLOW], &ret_wish->is_following);
    ret_wish->is_icann_only = endpoint_query_is_icann(query);
    return status;
}

/* ---- the answer ---- */

static void answer(struct http_response *res, const char *url, size_t len, const struct wish *wish)
{
    if (UNLIKELY(wish->engine != DOMAIN_ENGINE_SCAN)) {
        answer_sample(res, url, len, wish);
        return;
    }
    struct domain_result r;
    enum domain_error error = domain_parse(domain_suffixes_current(), url, len, &r);
    if (error != DOMAIN_OK) {
        http_problem(res, HTTP_422_UNPROCESSABLE_CONTENT, "%s", domain_error_text(error));
        return;
    }
    struct buf *body = http_body(res);
    int rv;
    if (wish->format == FORMAT_TEXT) {
        http_set_type(res, HTTP_TYPE_TEXT);
        rv = buf_append(body, r.host, r.host_len);
    } else {
        http_set_type(res, HTTP_TYPE_JSON);
        rv = domain_format_json(body, url, len, &r, wish->is_icann_only ? &r.icann : &r.all);
    }
    if (rv == 0)
        rv = buf_append_char(body, '\n');
    if (rv < 0)
        http_problem(res, HTTP_500_INTERNAL_SERVER_ERROR, "out of memory");
}

/* The answer for where the redirects end, with the hops to there. */
static void answer_followed(struct http_request *req, struct http_response *res, const char *url,
                            size_t len, const struct wish *wish)
{
    struct endpoint_trail trail;
    endpoint_trail_init(&trail);
    struct buf *body = http_body(res);
    if (endpoint_follow(req, res, url, len, &trail) == 0) {
        answer(res, trail.url.data, trail.url.len, wish);
        bool has_hops = http_status(res) == HTTP_200_OK && wish->format == FORMAT_JSON;
        if (has_hops && endpoint_trail_append(&trail, body) < 0)
            http_problem(res, HTTP_500_INTERNAL_SERVER_ERROR, "out of memory");
    }
    endpoint_trail_fini(&trail);
}

static void answer_url(struct http_request *req, struct http_response *res, const char *url,
                       size_t len, const struct wish *wish)
{
    if (UNLIKELY(wish->is_following)) {
        answer_followed(req, res, url, len, wish);
        HTTP_ADD_LINES(res, "Cache-Control: no-store\r\n");
        return;
    }
    answer(res, url, len, wish);
    /* a function of the URL, until the suffix list changes */
    if (LIKELY(http_status(res) == HTTP_200_OK))
        HTTP_ADD_LINES(res, "Cache-Control: public, max-age=3600\r\nVary: Accept\r\n");
}

/* Out of line, for its frame. */
static NOINLINE void answer_encoded(struct http_request *req, struct http_response *res,
                                    struct http_str raw, const struct wish *wish)
{
    char small[URL_SMALL_BYTES];
    char *url = raw.len <= sizeof small ? small : malloc(raw.len);
    if (url == NULL) {
        http_problem(res, HTTP_500_INTERNAL_SERVER_ERROR, "out of memory");
        return;
    }
    answer_url(req, res, url, endpoint_query_decode(raw, url), wish);
    if (url != small)
        free(url);
}

static void answer_raw(struct http_request *req, struct http_response *res, struct http_str raw,
                       const struct wish *wish)
{
    if (memchr(raw.data, '%', raw.len) == NULL)
        answer_url(req, res, raw.data, raw.len, wish);
    else
        answer_encoded(req, res, raw, wish);
}

static void answer_get(struct http_request *req, struct http_response *res)
{
    struct endpoint_query query = endpoint_query_read(req->query);
    struct wish wish;
    if (read_wish(req, res, &query, &wish) == 0)
        answer_raw(req, res, query.value[ENDPOINT_URL], &wish);
}

void endpoint_domain(struct http_request *req, struct http_response *res)
{
    PROF_FN();
    if (req->verb == HTTP_VERB_POST)
        batch_answer(req, res);
    else
        answer_get(req, res);
}
