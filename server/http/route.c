#include "server/http/route.h"

#include <errno.h>
#include <string.h>

/* Byte by byte, here and below: the strings are shorter than a call of the C library
 * is long. */
static bool path_matches(const struct http_route *route, struct http_str path)
{
    const char *pattern = route->path;
    size_t i = 0;
    while (i < path.len && pattern[i] == path.data[i] && pattern[i] != '*' && pattern[i] != 0)
        i++;
    if (pattern[i] == '*' && pattern[i + 1] == 0 && i > 0 && pattern[i - 1] == '/')
        return true;
    return i == path.len && pattern[i] == 0;
}

/* Is the method among "GET, HEAD, POST"? */
static bool is_listed(const char *methods, const char *verb)
{
    for (const char *p = methods; *p != 0;) {
        size_t n = 0;
        while (verb[n] != 0 && p[n] == verb[n])
            n++;
        if (verb[n] == 0 && (p[n] == 0 || p[n] == ','))
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
