#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client/client.h"
#include "coro/base/clock.h"

static int too_many(struct cl_reply *reply, int hops_max)
{
    snprintf(reply->why, sizeof reply->why, "more than %d redirects", hops_max);
    return -ELOOP;
}

int cl_follow(const struct cl_request *first, int hops_max, cl_hop_fn *on_hop, void *arg,
              struct cl_reply *reply)
{
    struct cl_request req = *first;
    char url[CL_URL_BYTES];
    int64_t deadline_ns =
        first->timeout_ns > 0 ? clock_add_ns(clock_now_ns(), first->timeout_ns) : CLOCK_NEVER;
    req.redirects_max = 0;
    for (int hop = 0;; hop++) {
        int rv = cl_get(&req, reply);
        if (rv == 0)
            rv = on_hop(arg, req.url, reply->status);
        if (rv < 0 || reply->redirect_url[0] == '\0')
            return rv;
        if (hop >= hops_max)
            return too_many(reply, hops_max);
        memcpy(url, reply->redirect_url, strlen(reply->redirect_url) + 1);
        req.url = url;
        if (deadline_ns == CLOCK_NEVER)
            continue;
        req.timeout_ns = deadline_ns - clock_now_ns();
        if (req.timeout_ns <= 0) {
            snprintf(reply->why, sizeof reply->why, "timed out after %d redirects", hop);
            return -ETIMEDOUT;
        }
    }
}
