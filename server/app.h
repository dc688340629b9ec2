/* server/app.h - the application that every mode serves: routes, limits, hooks.
 *
 * It lies in memory that prefork children share, so that what the main thread
 * changes there (draining, limits) is seen everywhere at once. */
#pragma once

#include "client/guard.h"
#include "server/config/config.h"
#include "server/endpoint/admin.h"
#include "server/endpoint/endpoint.h"
#include "server/http/overload.h"
#include "server/http/route.h"

/* Limits are replaced, never changed: whoever looks at them is done with it so
 * many replacements later (a turn takes a copy). */
#define APP_LIMITS_KEPT 64

struct app {
    struct http_app http;
    struct http_app admin_http; /* of admin_listen: health and the administrators' routes */
    struct endpoint_settings settings;
    struct endpoint_admin admin;
    struct http_networks proxies;
    struct cl_guard guard; /* owns its networks */
    struct endpoint_following following;
    struct http_places places;
    struct http_limits limits[APP_LIMITS_KEPT];
    unsigned limits_at;
};

/* Are the address lists in it right?  -EINVAL with a message. */
MUST_USE int app_check(const struct config *cfg, struct cfg_error *error);

/* A new application for a configuration that was checked, owned by the caller;
 * NULL: no memory. */
struct app *app_new(const struct config *cfg);
void app_free(struct app *app);

/* From now on requests go by the limits of this configuration, in all workers. */
void app_set_limits(struct app *app, const struct config *cfg);
