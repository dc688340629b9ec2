/* server/endpoint/admin.h - who may see the routes for administrators.
 *
 * An address alone proves little: a proxy on this machine forwards strangers
 * from 127.0.0.1, and a web page can make the browser of an administrator ask
 * (DNS rebinding, cross-site requests).  So a request must come from an allowed
 * address, without the traces of a proxy, for a Host that names this server,
 * and, when it changes something, not from a page of another origin. */
#pragma once

#include "server/http/request.h"

struct endpoint_admin {
    struct http_networks allow; /* owned */
    const char *hosts; /* names, commas between, beside localhost and addresses; may be NULL */
};

/* The shape of http_hooks.admits; arg is a struct endpoint_admin. */
bool endpoint_admits(void *arg, const struct http_request *req);
