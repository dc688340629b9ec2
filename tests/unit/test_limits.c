/* The defaults that tests and others start from are those of the configuration. */
#include "server/config/config.h"
#include "server/http/limits.h"
#include "suite.h"

START_TEST(defaults_are_the_configurations)
{
    static struct config cfg;
    ck_assert_int_eq(cfg_init(&cfg), 0);
#define SAME(field) ck_assert_int_eq((int64_t)http_limits_default.field, (int64_t)cfg.field)
    SAME(header_timeout_ns);
    SAME(body_timeout_ns);
    SAME(body_min_bytes_per_s);
    SAME(idle_timeout_ns);
    SAME(write_timeout_ns);
    SAME(linger_timeout_ns);
    SAME(target_max_bytes);
    SAME(header_max_bytes);
    SAME(header_max_count);
    SAME(body_max_bytes);
    SAME(requests_per_connection);
    SAME(queue_delay_max_ns);
    SAME(in_flight_max);
    SAME(connections_max);
    SAME(connections_per_address);
    SAME(requests_per_address_per_s);
#undef SAME
    cfg_fini(&cfg);
}
END_TEST

/* A reload tells whether anything changed by comparing them as bytes. */
START_TEST(equal_limits_are_equal_bytes)
{
    _Static_assert(sizeof(struct http_limits) % 8 == 0, "padding");
    struct http_limits a, b;
    memset(&a, 0x55, sizeof a);
    memset(&b, 0xAA, sizeof b);
    a = http_limits_default;
    b = http_limits_default;
    ck_assert_int_eq(memcmp(&a, &b, sizeof a), 0);
    b.target_max_bytes++;
    ck_assert_int_ne(memcmp(&a, &b, sizeof a), 0);
}
END_TEST

SUITE_MAIN("limits", SUITE_TEST(defaults_are_the_configurations),
           SUITE_TEST(equal_limits_are_equal_bytes))
