/* server/endpoint/follow.h - where a URL's redirects end. */
#pragma once

#include "coro/base/buf.h"
#include "server/endpoint/endpoint.h"
#include "server/http/response.h"

/* What was met on the way; owned by the caller. */
struct endpoint_trail {
    struct buf url;  /* the last one */
    struct buf hops; /* {"url":...,"status":...},... */
};

void endpoint_trail_init(struct endpoint_trail *trail);
void endpoint_trail_fini(struct endpoint_trail *trail);

/* Fetch url and follow; 0, or the status of the problem in res. */
MUST_USE int endpoint_follow(struct http_request *req, struct http_response *res, const char *url,
                             size_t len, struct endpoint_trail *trail);
/* Add the hops to the JSON object that ends the body.  0 or what buf_append returns. */
MUST_USE int endpoint_trail_append(const struct endpoint_trail *trail, struct buf *body);
