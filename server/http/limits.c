#include "server/http/limits.h"

#include "coro/base/clock.h"

const struct http_limits http_limits_default = {
    .header_timeout_ns = 10 * NS_PER_S,
    .body_timeout_ns = 30 * NS_PER_S,
    .body_min_bytes_per_s = 128,
    .idle_timeout_ns = 75 * NS_PER_S,
    .write_timeout_ns = 30 * NS_PER_S,
    .linger_timeout_ns = 2 * NS_PER_S,
    .target_max_bytes = 8 * 1024,
    .header_max_bytes = 32 * 1024,
    .header_max_count = 100,
    .body_max_bytes = 1024 * 1024,
    .queue_delay_max_ns = 500 * NS_PER_MS,
};
