#include "client/transfer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client/errors.h"
#include "client/guard.h"
#include "coro/base/clock.h"
#include "coro/base/err.h"

static size_t on_body(char *bytes, size_t size, size_t count, void *arg)
{
    struct cl_transfer *t = arg;
    size_t n = size * count;
    struct cl_reply *reply = t->reply;
    if ((t->req->flags & CL_HEAD_ONLY) != 0) {
        t->is_enough = true;
        return 0;
    }
    reply->body_bytes += n;
    if ((t->req->flags & CL_DISCARD_BODY) != 0) {
        if (reply->body_bytes <= t->req->body_max_bytes)
            return n;
        t->body_err = -EMSGSIZE;
        return 0;
    }
    reply->body.max_bytes = t->req->body_max_bytes;
    t->body_err = buf_append(&reply->body, bytes, n);
    return t->body_err < 0 ? 0 : n;
}

static int on_progress(void *arg, curl_off_t total MAYBE_UNUSED, curl_off_t done MAYBE_UNUSED,
                       curl_off_t up_total MAYBE_UNUSED, curl_off_t up_done MAYBE_UNUSED)
{
    struct cl_transfer *t = arg;
    return atomic_load(t->req->give_up) ? 1 : 0;
}

/* ---- the guard ---- */

static void refuse(struct cl_transfer *t, const char *address)
{
    t->is_refused = true;
    snprintf(t->refused, sizeof t->refused, "%s", address);
}

/* libcurl is about to connect: the address is what the name resolved to. */
static curl_socket_t on_open(void *arg, curlsocktype purpose MAYBE_UNUSED,
                             struct curl_sockaddr *address)
{
    struct cl_transfer *t = arg;
    char text[INET6_ADDRSTRLEN] = "?";
    if (cl_guard_admits(t->req->guard, &address->addr))
        return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (address->family == AF_INET)
        inet_ntop(AF_INET, &((struct sockaddr_in *)(void *)&address->addr)->sin_addr, text,
                  sizeof text);
    else if (address->family == AF_INET6)
        inet_ntop(AF_INET6, &((struct sockaddr_in6 *)(void *)&address->addr)->sin6_addr, text,
                  sizeof text);
    refuse(t, text);
    return CURL_SOCKET_BAD;
}

/* libcurl is about to send a request, perhaps on a connection that it kept from
 * a transfer without this guard. */
static int on_request(void *arg, char *remote, char *local MAYBE_UNUSED,
                      int remote_port MAYBE_UNUSED, int local_port MAYBE_UNUSED)
{
    struct cl_transfer *t = arg;
    if (cl_guard_admits_text(t->req->guard, remote))
        return CURL_PREREQFUNC_OK;
    refuse(t, remote);
    return CURL_PREREQFUNC_ABORT;
}

/* ---- begin and end ---- */

int cl_transfer_init(struct cl_transfer *t)
{
    *t = (struct cl_transfer){.easy = curl_easy_init()};
    return t->easy != NULL ? 0 : -ENOMEM;
}

void cl_transfer_fini(struct cl_transfer *t)
{
    if (t->easy != NULL)
        curl_easy_cleanup(t->easy);
    t->easy = NULL;
}

static long ms_of(int64_t span_ns)
{
    return (long)((span_ns + NS_PER_MS - 1) / NS_PER_MS);
}

/* Every option that can fail for want of memory, or by a libcurl built without it. */
static CURLcode set_options(struct cl_transfer *t, const struct cl_request *req)
{
    CURL *easy = t->easy;
    CURLcode rc = CURLE_OK;
    t->field = (struct curl_slist){.data = t->field_text};
    snprintf(t->field_text, sizeof t->field_text, "X-Request-Id: %s",
             req->request_id != NULL ? req->request_id : "");
#define SET(option, value)                                                                         \
    do {                                                                                           \
        if (rc == CURLE_OK)                                                                        \
            rc = curl_easy_setopt(easy, CURLOPT_##option, value);                                  \
    } while (0)
    SET(ERRORBUFFER, t->curl_text);
    SET(PRIVATE, t);
    SET(WRITEFUNCTION, on_body);
    SET(WRITEDATA, t);
    SET(URL, req->url);
    SET(NOPROGRESS, req->give_up == NULL ? 1L : 0L);
    SET(XFERINFOFUNCTION, on_progress);
    SET(XFERINFODATA, t);
    SET(USERAGENT, "domainc/" DOMAIND_VERSION);
    /* signals belong to the program, not to the resolver's timeout */
    SET(NOSIGNAL, 1L);
    SET(PROTOCOLS_STR, "http,https");
    SET(REDIR_PROTOCOLS_STR, "http,https");
    SET(FOLLOWLOCATION, req->redirects_max > 0 ? 1L : 0L);
    SET(MAXREDIRS, (long)req->redirects_max);
    SET(CONNECTTIMEOUT_MS, ms_of(req->connect_timeout_ns));
    SET(TIMEOUT_MS, ms_of(req->timeout_ns));
    /* behind a proxy the guard would see the proxy's address */
    SET(PROXY, (req->flags & CL_NO_PROXY) != 0 || req->guard != NULL ? "" : NULL);
    SET(OPENSOCKETFUNCTION, req->guard != NULL ? on_open : NULL);
    SET(OPENSOCKETDATA, t);
    SET(PREREQFUNCTION, req->guard != NULL ? on_request : NULL);
    SET(PREREQDATA, t);
    SET(HTTPHEADER, req->request_id != NULL ? &t->field : NULL);
    if (req->ca_file != NULL)
        SET(CAINFO, req->ca_file);
    SET(UNIX_SOCKET_PATH, req->unix_path);
#undef SET
    return rc;
}

int cl_transfer_begin(struct cl_transfer *t, const struct cl_request *req, struct cl_reply *reply)
{
    t->req = req;
    t->reply = reply;
    t->body_err = 0;
    t->is_refused = false;
    t->is_enough = false;
    t->curl_text[0] = '\0';
    buf_clear(&reply->body);
    reply->status = 0;
    reply->body_bytes = 0;
    reply->elapsed_ns = 0;
    reply->retry_after_s = 0;
    reply->redirects = 0;
    reply->why[0] = '\0';
    reply->content_type[0] = '\0';
    reply->redirect_url[0] = '\0';
    /* reset keeps the connections, the DNS cache and the TLS sessions */
    curl_easy_reset(t->easy);
    CURLcode rc = set_options(t, req);
    if (rc == CURLE_OK)
        return 0;
    snprintf(reply->why, sizeof reply->why, "%s", cl_error_text(rc));
    return cl_error_from_easy(rc);
}

/* libcurl says "could not connect" for every errno of connect(2): give the errno. */
static int connect_errno(CURL *easy)
{
    long os_errno = 0;
    curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_errno);
    return os_errno > 0 ? -(int)os_errno : -ECONNREFUSED;
}

/* libcurl has one code for a scheme that is not ours and for a server whose
 * first bytes are not HTTP. */
static bool is_not_http(CURL *easy, CURLcode result)
{
    char *url = NULL;
    if (result != CURLE_UNSUPPORTED_PROTOCOL)
        return false;
    curl_easy_getinfo(easy, CURLINFO_EFFECTIVE_URL, &url);
    return url != NULL &&
           (strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0);
}

static int failure(struct cl_transfer *t, CURLcode result)
{
    struct cl_reply *reply = t->reply;
    if (is_not_http(t->easy, result))
        result = CURLE_WEIRD_SERVER_REPLY;
    int rv = cl_error_from_easy(result);
    const char *text = cl_error_text(result);
    if (t->is_refused) {
        snprintf(reply->why, sizeof reply->why, "the address %s is not public", t->refused);
        return -EACCES;
    }
    if (t->body_err < 0) {
        rv = t->body_err;
        text = rv == -EMSGSIZE ? "the reply is larger than allowed" : err_text(rv);
    } else if (result == CURLE_COULDNT_CONNECT) {
        rv = connect_errno(t->easy);
        text = err_text(rv);
    } else if (result == CURLE_OPERATION_TIMEDOUT && reply->status == 0) {
        text = "timed out before a reply came";
    } else if (rv == -EIO && t->curl_text[0] != '\0') {
        text = t->curl_text;
    }
    snprintf(reply->why, sizeof reply->why, "%s", text);
    return rv;
}

int cl_transfer_end(struct cl_transfer *t, CURLcode result)
{
    struct cl_reply *reply = t->reply;
    long status = 0;
    long redirects = 0;
    curl_off_t total_us = 0;
    curl_off_t retry_after_s = 0;
    char *type = NULL;
    char *redirect = NULL;
    int redirect_len = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(t->easy, CURLINFO_REDIRECT_COUNT, &redirects);
    curl_easy_getinfo(t->easy, CURLINFO_TOTAL_TIME_T, &total_us);
    curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
    curl_easy_getinfo(t->easy, CURLINFO_CONTENT_TYPE, &type);
    curl_easy_getinfo(t->easy, CURLINFO_REDIRECT_URL, &redirect);
    if (redirect != NULL)
        redirect_len = snprintf(reply->redirect_url, sizeof reply->redirect_url, "%s", redirect);
    snprintf(reply->content_type, sizeof reply->content_type, "%s", type != NULL ? type : "");
    reply->status = (int)status;
    reply->redirects = (int)redirects;
    reply->elapsed_ns = total_us * NS_PER_US;
    reply->retry_after_s = retry_after_s;
    if (t->is_enough && result == CURLE_WRITE_ERROR)
        result = CURLE_OK;
    if (result != CURLE_OK)
        return failure(t, result);
    if (redirect_len >= (int)sizeof reply->redirect_url) {
        snprintf(reply->why, sizeof reply->why, "redirects to a URL longer than %d bytes",
                 CL_URL_BYTES);
        return -EMSGSIZE;
    }
    return 0;
}
