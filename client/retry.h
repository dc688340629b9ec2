/* client/retry.h - whether and when to try again; pure functions. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "client/client.h"

struct cl_retry {
    int attempts_max;   /* 1: never again */
    int64_t first_ns;   /* the longest first wait; it doubles each time */
    int64_t longest_ns; /* the longest wait, also of one the server asks for */
};

/* Could the same GET succeed later?  rv is what the get returned. */
bool cl_retry_is_worth(int rv, int status);

/* Was no server reached at all (so that every other request would fail, too)? */
bool cl_retry_is_unreachable(int rv);

/* How long to wait before attempt number `attempt` + 1 (attempts count from 1):
 * a uniformly random part of the back-off, so that many clients do not come
 * back together, but not less than the server's Retry-After.  random is any
 * 64 random bits. */
int64_t cl_retry_delay_ns(const struct cl_retry *retry, int attempt, int64_t retry_after_s,
                          uint64_t random);
