#include "client/retry.h"

#include <errno.h>

#include "coro/base/clock.h"

bool cl_retry_is_unreachable(int rv)
{
    switch (-rv) {
    case ECONNREFUSED:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EHOSTDOWN:
    case ENETDOWN:
    case ENOENT: /* of a UNIX socket */
        return true;
    default:
        return false;
    }
}

bool cl_retry_is_worth(int rv, int status)
{
    if (rv == 0) {
        switch (status) {
        case 408: /* the set that curl --retry uses */
        case 429:
        case 500:
        case 502:
        case 503:
        case 504:
            return true;
        default:
            return false;
        }
    }
    switch (-rv) {
    case ECONNRESET:
    case EPIPE:
    case ETIMEDOUT:
    case EAGAIN:
    case EADDRNOTAVAIL:
        return true;
    default:
        return cl_retry_is_unreachable(rv);
    }
}

int64_t cl_retry_delay_ns(const struct cl_retry *retry, int attempt, int64_t retry_after_s,
                          uint64_t random)
{
    int64_t span_ns = retry->first_ns;
    for (int i = 1; i < attempt && span_ns < retry->longest_ns; i++)
        span_ns *= 2;
    if (span_ns > retry->longest_ns)
        span_ns = retry->longest_ns;
    int64_t delay_ns = span_ns > 0 ? (int64_t)(random % (uint64_t)span_ns) : 0;
    if (retry_after_s <= 0)
        return delay_ns;
    int64_t asked_ns =
        retry_after_s > retry->longest_ns / NS_PER_S ? retry->longest_ns : retry_after_s * NS_PER_S;
    /* after the time asked for, but spread out as well */
    return asked_ns + delay_ns > retry->longest_ns ? retry->longest_ns : asked_ns + delay_ns;
}
