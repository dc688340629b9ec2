/* server/http/limits.h - what one client may cost; every field is a parameter
 * of server/config/params.def, and 0 means "no limit" where it says so. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Fields of 8 bytes only: without padding, equal limits are equal bytes. */
struct http_limits {
    int64_t header_timeout_ns;          /* whole head, from its first byte: 408 */
    int64_t body_timeout_ns;            /* whole buffered body; a gap in a streamed one: 408 */
    int64_t body_min_bytes_per_s;       /* while we wait for body bytes: 408; 0: none */
    int64_t idle_timeout_ns;            /* between requests: close */
    int64_t write_timeout_ns;           /* without progress of an answer: close */
    int64_t linger_timeout_ns;          /* reading on after a refusal, so that it arrives */
    size_t target_max_bytes;            /* 414 */
    size_t header_max_bytes;            /* whole head: 431 */
    size_t header_max_count;            /* 431 */
    int64_t body_max_bytes;             /* buffered bodies: 413 */
    int64_t requests_per_connection;    /* then Connection: close; 0: no limit */
    int64_t queue_delay_max_ns;         /* from arrival to handler: 503 (overload.c); 0: any */
    int64_t in_flight_max;              /* requests in handlers, in all workers: 503; 0: no limit */
    int64_t connections_max;            /* in total: 503; 0: no limit */
    int64_t connections_per_address;    /* 429; 0: no limit */
    int64_t requests_per_address_per_s; /* 429; 0: no limit */
};

/* The defaults of params.def, for tests and as a starting point. */
extern const struct http_limits http_limits_default;
