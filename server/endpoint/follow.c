#include "server/endpoint/follow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "coro/base/json.h"
#include "coro/prof/prof.h"
#include "server/http/request.h"

#define TRAIL_MAX_BYTES (1UL << 20)

static const char two_ways[] = "a backslash, tab or line end in a URL is read in two ways";

void endpoint_trail_init(struct endpoint_trail *trail)
{
    buf_init(&trail->url, TRAIL_MAX_BYTES);
    buf_init(&trail->hops, TRAIL_MAX_BYTES);
}

void endpoint_trail_fini(struct endpoint_trail *trail)
{
    buf_fini(&trail->url);
    buf_fini(&trail->hops);
}

/* Where a browser and libcurl read different hosts: the answer would be about one that
 * was never asked.  (URL Standard, host state and the removal of tabs and newlines.) */
static bool is_ambiguous(const char *url)
{
    size_t end = strcspn(url, "?#");
    return strcspn(url, "\\") < end || strpbrk(url, "\t\r\n") != NULL;
}

static int on_hop(void *arg, const char *url, int status)
{
    struct endpoint_trail *trail = arg;
    size_t len = strlen(url);
    if (is_ambiguous(url))
        return -EINVAL;
    buf_clear(&trail->url);
    int rv = buf_append(&trail->url, url, len);
    if (rv == 0)
        rv = buf_append_str(&trail->hops, trail->hops.len > 0 ? ",{\"url\":" : "{\"url\":");
    if (rv == 0)
        rv = json_append_string(&trail->hops, url, len);
    return rv == 0 ? buf_printf(&trail->hops, ",\"status\":%d}", status) : rv;
}

/* What a fetch that failed is to the one who asked. */
static int refuse(struct http_response *res, int err, const char *why)
{
    int status = HTTP_502_BAD_GATEWAY;
    switch (-err) {
    case EACCES:
        /* which address a name has inside is not for everybody */
        http_problem(res, HTTP_403_FORBIDDEN, "cannot follow: the address is not public");
        return HTTP_403_FORBIDDEN;
    case EINVAL:
    case EPROTONOSUPPORT:
        status = HTTP_422_UNPROCESSABLE_CONTENT;
        break;
    case ETIMEDOUT:
        status = HTTP_504_GATEWAY_TIMEOUT;
        break;
    case ECANCELED:
        status = HTTP_503_SERVICE_UNAVAILABLE;
        break;
    case ENOMEM:
        status = HTTP_500_INTERNAL_SERVER_ERROR;
        break;
    default:
        break;
    }
    http_problem(res, status, "cannot follow: %s", why);
    return status;
}

int endpoint_follow(struct http_request *http, struct http_response *res, const char *url,
                    size_t len, struct endpoint_trail *trail)
{
    PROF_FN();
    const struct endpoint_settings *settings = http->app->user;
    const struct endpoint_following *following = settings->following;
    struct cl_reply reply;
    cl_reply_init(&reply);
    /* libcurl takes strings, and would look no further than a NUL */
    char *text = memchr(url, '\0', len) == NULL ? strndup(url, len) : NULL;
    if (text == NULL) {
        http_problem(res, HTTP_422_UNPROCESSABLE_CONTENT, "cannot follow: not a valid URL");
        return HTTP_422_UNPROCESSABLE_CONTENT;
    }
    if (is_ambiguous(text)) {
        free(text);
        http_problem(res, HTTP_422_UNPROCESSABLE_CONTENT, "cannot follow: %s", two_ways);
        return HTTP_422_UNPROCESSABLE_CONTENT;
    }
    const struct cl_request req = {.url = text,
                                   .give_up = &http->app->is_cut,
                                   .guard = following->guard,
                                   .timeout_ns = following->timeout_ns,
                                   .flags = CL_HEAD_ONLY | CL_NO_PROXY};
    http_begin_wait(http);
    int rv = cl_follow(&req, following->hops_max, on_hop, trail, &reply);
    free(text);
    /* one that libcurl refused says why itself */
    const char *why = rv == -EINVAL && reply.why[0] == '\0' ? two_ways : reply.why;
    int status = rv < 0 ? refuse(res, rv, why) : 0;
    cl_reply_fini(&reply);
    return status;
}

int endpoint_trail_append(const struct endpoint_trail *trail, struct buf *body)
{
    static const char ending[] = "}\n";
    size_t n = sizeof ending - 1;
    if (body->len < n || memcmp(body->data + body->len - n, ending, n) != 0)
        return -EINVAL;
    body->len -= n;
    int rv = buf_append_str(body, ",\"hops\":[");
    if (rv == 0)
        rv = buf_append(body, trail->hops.data, trail->hops.len);
    return rv == 0 ? buf_append_str(body, "]}\n") : rv;
}
