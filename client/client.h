/* client/client.h - HTTP GET through libcurl, written as blocking calls.
 *
 * Two ways to wait, one request: cl_blocking_get() blocks the thread,
 * cl_multi_get() (multi.h) parks the task.  Both fill the same reply.
 *
 *   returns   0 when a reply with any HTTP status arrived; else -errno, and
 *             reply->why says it in words: -ETIMEDOUT, -ECONNREFUSED,
 *             -EHOSTUNREACH (the name does not resolve), -ECONNRESET,
 *             -EMSGSIZE (larger than body_max_bytes), -ELOOP (redirects),
 *             -EACCES (the guard refused the address), ...
 *   ownership a request is borrowed for the call; a reply's body is owned by
 *             the reply: cl_reply_init once, cl_reply_fini at the end, in
 *             between it may be used for any number of calls */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coro/base/attr.h"
#include "coro/base/buf.h"

#define CL_WHY_BYTES  256
#define CL_TYPE_BYTES 64
/* Longer redirects are not followed. */
#define CL_URL_BYTES 8192

/* Process-wide set-up of libcurl; before any thread starts.  0 or -errno. */
MUST_USE int cl_init(void);
void cl_fini(void);
/* "libcurl/7.88.1 OpenSSL/3.0.19 ..."; static. */
const char *cl_version(void);
/* False when this libcurl resolves names by blocking the thread (a loop would stall). */
bool cl_resolves_async(void);

enum cl_flag {
    CL_NO_PROXY = 1,     /* pay no attention to http_proxy and its like */
    CL_DISCARD_BODY = 2, /* count the body's bytes, keep none */
    CL_HEAD_ONLY = 4     /* the status is all that is wanted: leave when the body begins */
};

struct cl_guard;

struct cl_request {
    const char *url;
    /* When it turns true the transfer ends within about a second with -ECANCELED:
     * for threads, which nobody can cancel.  NULL: never. */
    const atomic_bool *give_up;
    const char *unix_path;        /* connect to this socket instead of the URL's host; NULL: no */
    const struct cl_guard *guard; /* refuse internal addresses (guard.h); NULL: go anywhere */
    const char *ca_file;          /* certificates to trust instead of the system's; NULL: those */
    const char *request_id;       /* sent as X-Request-Id; NULL: none */
    int64_t connect_timeout_ns;   /* 0: none */
    int64_t timeout_ns;           /* of the whole transfer; 0: none */
    size_t body_max_bytes;        /* a larger reply fails with -EMSGSIZE */
    int redirects_max;            /* 0: a redirect is the reply */
    unsigned flags;               /* set of enum cl_flag */
};

struct cl_reply {
    int status;                       /* of the last response; 0 when none came */
    struct buf body;                  /* of the last response */
    uint64_t body_bytes;              /* how many came, kept or not */
    int64_t elapsed_ns;               /* from the first byte of work to the last; no queueing */
    int64_t retry_after_s;            /* what the server asked for; 0: nothing */
    int redirects;                    /* followed */
    char redirect_url[CL_URL_BYTES];  /* where a redirect that was not followed leads; or empty */
    char content_type[CL_TYPE_BYTES]; /* of the last response; empty: none */
    char why[CL_WHY_BYTES];
};

void cl_reply_init(struct cl_reply *reply);
void cl_reply_fini(struct cl_reply *reply);

/* Append `value` to b, percent-encoded so that it is one query value whatever
 * bytes it has.  0, or what buf_append returns. */
MUST_USE int cl_encode_query(struct buf *b, const char *value, size_t len);

/* ---- the blocking way: one transfer at a time, the connection kept ---- */

struct cl_blocking;

/* For one thread.  0, -ENOMEM. */
MUST_USE int cl_blocking_new(struct cl_blocking **ret_client);
void cl_blocking_free(struct cl_blocking *client);
int cl_blocking_get(struct cl_blocking *client, const struct cl_request *req,
                    struct cl_reply *reply);

/* ---- whichever way this thread waits ---- */

/* Inside a task it parks (the loop's own transfers, which end with the loop);
 * outside it blocks the thread (whose connection is kept until the thread ends). */
int cl_get(const struct cl_request *req, struct cl_reply *reply);

/* For each response on the way: its URL (borrowed) and status.  0, or -errno to stop. */
typedef int cl_hop_fn(void *arg, const char *url, int status);

/* GET first->url and where its redirects lead, hops_max of them; the guard sees
 * every hop, timeout_ns covers all of them together.  0: the last on_hop was for
 * the final URL.  -ELOOP: too many, or what cl_get returns. */
int cl_follow(const struct cl_request *first, int hops_max, cl_hop_fn *on_hop, void *arg,
              struct cl_reply *reply);
