#include "server/endpoint/admin.h"

#include <string.h>
#include <strings.h>

/* "host:port" without its port. */
static struct http_str host_name(struct http_str host)
{
    const char *colon = host.len > 0 ? memrchr(host.data, ':', host.len) : NULL;
    const char *bracket = host.len > 0 ? memrchr(host.data, ']', host.len) : NULL;
    if (colon != NULL && (bracket == NULL || bracket < colon))
        host.len = (size_t)(colon - host.data);
    return host;
}

static bool is_listed(const char *names, struct http_str name)
{
    static const char separators[] = ", \t";
    for (const char *p = names; p != NULL && *p != 0;) {
        p += strspn(p, separators);
        size_t n = strcspn(p, separators);
        if (n > 0 && n == name.len && strncasecmp(p, name.data, n) == 0)
            return true;
        p += n;
    }
    return false;
}

/* A rebound name is a name: addresses and localhost cannot be made to point here. */
static bool is_own_host(const struct endpoint_admin *admin, struct http_str host)
{
    struct http_address address;
    struct http_str name = host_name(host);
    return name.len == 0 /* HTTP/1.0 without Host: no browser */ ||
           http_address_parse(name, &address) == 0 || http_str_is_nocase(name, "localhost") ||
           is_listed(admin->hosts, name);
}

/* A page of another origin made the browser send this. */
static bool is_foreign(const struct http_request *req)
{
    struct http_str origin, site;
    if (req->verb == HTTP_VERB_GET || req->verb == HTTP_VERB_HEAD || req->verb == HTTP_VERB_OPTIONS)
        return false;
    if (http_header(req, "sec-fetch-site", &site))
        return !http_str_is(site, "same-origin") && !http_str_is(site, "none");
    if (!http_header(req, "origin", &origin))
        return false;
    const char *scheme_end = memmem(origin.data, origin.len, "://", 3);
    if (scheme_end == NULL) /* "null": a sandboxed page, a file */
        return true;
    size_t skip = (size_t)(scheme_end - origin.data) + 3;
    return origin.len - skip != req->host.len ||
           strncasecmp(origin.data + skip, req->host.data, req->host.len) != 0;
}

bool endpoint_admits(void *arg, const struct http_request *req)
{
    const struct endpoint_admin *admin = arg;
    return http_networks_contain(&admin->allow, &req->peer) && !req->is_proxied &&
           is_own_host(admin, req->host) && !is_foreign(req);
}
