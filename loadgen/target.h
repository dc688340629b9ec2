/* loadgen/target.h - whom to load, and the bytes to send.
 *
 *   context    lg_target_reach blocks (names, a trial connection); others are pure
 *   returns    0, or -errno with the reason in *why: -EINVAL for what the user
 *              wrote, -ECONNREFUSED and its like for what the server did
 *   ownership  both structs own their memory; the _fini functions free it */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "coro/base/attr.h"
#include "coro/base/buf.h"
#include "loadgen/why.h"

#define LG_HOST_BYTES 256

struct lg_target {
    char host[LG_HOST_BYTES]; /* name or address, without brackets */
    char port[8];
    char authority[LG_HOST_BYTES + 16]; /* the Host field */
    char *path;                         /* path and query, as sent; owned */
    struct sockaddr_storage addr;       /* set by lg_target_reach */
    socklen_t addr_len;
};

/* url: http://HOST[:PORT][/PATH?QUERY].  Bytes that HTTP does not allow in a
 * request target are percent-encoded, a #fragment is left out.  unix_path, when
 * not NULL, is the socket to connect to; the URL then gives Host and path. */
MUST_USE int lg_target_init(struct lg_target *t, const char *url, const char *unix_path,
                            struct lg_why *why);
void lg_target_fini(struct lg_target *t);

/* Find the address: the first one of the name that takes a connection within
 * the timeout.  That connection is closed again. */
MUST_USE int lg_target_reach(struct lg_target *t, int64_t timeout_ns, struct lg_why *why);

/* What the user asked to send. */
struct lg_request_shape {
    const char *method;         /* "GET" */
    const char *const *headers; /* "Name: value" each */
    size_t n_headers;
    const char *body; /* NULL: none */
    size_t body_bytes;
    const char *url_file;  /* one URL (or path) a line; NULL: the target's own path */
    const char *url_param; /* put each line, encoded, into this query parameter; NULL: no */
    bool keepalive;
};

/* Every request, ready to be written. */
struct lg_requests {
    struct buf bytes;
    size_t *ends; /* request i is bytes[ends[i - 1] .. ends[i]) */
    size_t n;
    bool is_head; /* answers have no body */
};

MUST_USE int lg_requests_init(struct lg_requests *r, const struct lg_target *t,
                              const struct lg_request_shape *shape, struct lg_why *why);
/* The same for some paths instead of the target's, each as often as its weight
 * says, in turn.  n paths; the first NULL ends them. */
struct lg_path;
MUST_USE int lg_requests_init_paths(struct lg_requests *r, const struct lg_target *t,
                                    const struct lg_request_shape *shape,
                                    const struct lg_path *paths, size_t n, struct lg_why *why);
void lg_requests_fini(struct lg_requests *r);

static inline const char *lg_request_at(const struct lg_requests *r, size_t i, size_t *ret_bytes)
{
    size_t start = i == 0 ? 0 : r->ends[i - 1];
    *ret_bytes = r->ends[i] - start;
    return r->bytes.data + start;
}
