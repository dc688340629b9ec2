#include "server/http/route.h"

#include <errno.h>
#include <string.h>

static bool path_matches(const struct http_route *route, struct http_str path)
{
    size_t n = strlen(route->path);
    if (n > 1 && route->path[n - 1] == '*' && route->path[n - 2] == '/')
        return path.len >= n - 1 && memcmp(path.data, route->path, n - 1) == 0;
    return path.len == n && memcmp(path.data, route->path, n) == 0;
}

/* Is the method among "GET, HEAD, POST"? */
static bool is_listed(const char *methods, const char *verb)
{
    size_t n = strlen(verb);
    for (const char *p = methods; *p != 0;) {
        if (strncmp(p, verb, n) == 0 && (p[n] == 0 || p[n] == ','))
            return true;
        p += strcspn(p, ",");
        p += strspn(p, ", ");
    }
    return false;
}

int http_app_check(const struct http_app *app)
{
    for (size_t i = 0; i < app->route_count; i++) {
        const struct http_route *route = &app->routes[i];
        if (route->path == NULL || route->methods == NULL || route->handler == NULL)
            return -EINVAL;
        /* HEAD is GET without the body, OPTIONS is answered for every route */
        if (is_listed(route->methods, "GET") != is_listed(route->methods, "HEAD") ||
            !is_listed(route->methods, "OPTIONS"))
            return -EINVAL;
    }
    return 0;
}

struct http_route_match http_route_find(const struct http_app *app, const struct http_request *req)
{
    struct http_route_match match = {0};
    for (size_t i = 0; i < app->route_count; i++) {
        if (!path_matches(&app->routes[i], req->path))
            continue;
        match.route = &app->routes[i];
        match.is_allowed = is_listed(match.route->methods, http_verb_text(req->verb));
        break;
    }
    return match;
}
