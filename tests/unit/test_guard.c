/* The guard: which addresses are public, in every disguise. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "client/guard.h"
#include "suite.h"

static const struct {
    const char *address;
    bool is_public;
} addresses[] = {
    {"8.8.8.8", true},
    {"93.184.216.34", true},
    {"1.1.1.1", true},
    {"223.255.255.255", true},
    {"0.0.0.0", false},
    {"0.1.2.3", false},
    {"10.0.0.1", false},
    {"11.0.0.1", true},
    {"100.63.255.255", true},
    {"100.64.0.1", false},
    {"100.127.255.255", false},
    {"100.128.0.0", true},
    {"127.0.0.1", false},
    {"127.255.255.254", false},
    {"169.254.169.254", false},
    {"172.15.255.255", true},
    {"172.16.0.1", false},
    {"172.31.255.255", false},
    {"172.32.0.0", true},
    {"192.0.0.1", false},
    {"192.0.2.1", false},
    {"192.88.99.1", false},
    {"192.168.1.1", false},
    {"198.18.0.1", false},
    {"198.19.255.255", false},
    {"198.20.0.0", true},
    {"198.51.100.1", false},
    {"203.0.113.1", false},
    {"224.0.0.1", false},
    {"239.255.255.255", false},
    {"240.0.0.1", false},
    {"255.255.255.255", false},
    {"2606:4700:4700::1111", true},
    {"2a00:1450:4001::1", true},
    {"::", false},
    {"::1", false},
    {"::8.8.8.8", false},
    {"::ffff:8.8.8.8", true},
    {"::ffff:127.0.0.1", false},
    {"::ffff:10.1.2.3", false},
    {"64:ff9b::8.8.8.8", true},
    {"64:ff9b::127.0.0.1", false},
    {"64:ff9b::a9fe:a9fe", false},
    {"64:ff9b:1::8.8.8.8", false},
    {"100::1", false},
    {"2001::1", false},
    {"2001:db8::1", false},
    {"2001:200::1", true},
    {"2002:7f00:1::", false},
    {"3fff::1", false},
    {"3fff:1000::1", true},
    {"fc00::1", false},
    {"fd12:3456::1", false},
    {"fe80::1", false},
    {"fec0::1", false},
    {"ff02::1", false},
    {"", false},
    {"localhost", false},
    {"127.1", false},
    {"fe80::1%eth0", false},
};

static const struct cl_guard nothing_allowed;

START_TEST(public_addresses)
{
    const char *text = addresses[_i].address;
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    ck_assert_int_eq(cl_guard_admits_text(&nothing_allowed, text), addresses[_i].is_public);
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        ck_assert_int_eq(cl_guard_admits(&nothing_allowed, (struct sockaddr *)&v4),
                         addresses[_i].is_public);
    if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1)
        ck_assert_int_eq(cl_guard_admits(&nothing_allowed, (struct sockaddr *)&v6),
                         addresses[_i].is_public);
}
END_TEST

START_TEST(other_families_are_not_admitted)
{
    struct sockaddr address = {.sa_family = AF_UNIX};
    ck_assert(!cl_guard_admits(&nothing_allowed, &address));
}
END_TEST

START_TEST(what_is_allowed_is_admitted)
{
    struct cl_network allowed[3];
    ck_assert_int_eq(cl_network_parse("127.0.0.0/8", &allowed[0]), 0);
    ck_assert_int_eq(cl_network_parse("fd00::/8", &allowed[1]), 0);
    ck_assert_int_eq(cl_network_parse("10.1.2.3", &allowed[2]), 0);
    const struct cl_guard guard = {allowed, ARRAY_LEN(allowed)};
    ck_assert(cl_guard_admits_text(&guard, "127.9.9.9"));
    ck_assert(cl_guard_admits_text(&guard, "::ffff:127.0.0.1"));
    ck_assert(cl_guard_admits_text(&guard, "64:ff9b::127.0.0.1"));
    ck_assert(cl_guard_admits_text(&guard, "fdff::1"));
    ck_assert(cl_guard_admits_text(&guard, "10.1.2.3"));
    ck_assert(cl_guard_admits_text(&guard, "8.8.8.8"));
    ck_assert(!cl_guard_admits_text(&guard, "10.1.2.4"));
    ck_assert(!cl_guard_admits_text(&guard, "::1"));
    ck_assert(!cl_guard_admits_text(&guard, "fc00::1"));
}
END_TEST

static const char *const bad_networks[] = {
    "",       "/8",       "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1",
    "::/129", "10.0.0/8", "host/8",    "1.2.3.4/8x",
};

START_TEST(bad_networks_are_refused)
{
    struct cl_network network;
    ck_assert_int_eq(cl_network_parse(bad_networks[_i], &network), -EINVAL);
}
END_TEST

START_TEST(lists_of_networks)
{
    struct cl_network *networks;
    size_t count;
    ck_assert_int_eq(cl_networks_parse("10.0.0.0/8, ::1,127.0.0.1", &networks, &count), 0);
    ck_assert_uint_eq(count, 3);
    const struct cl_guard guard = {networks, count};
    ck_assert(cl_guard_admits_text(&guard, "::1"));
    ck_assert(cl_guard_admits_text(&guard, "127.0.0.1"));
    free(networks);
    ck_assert_int_eq(cl_networks_parse("", &networks, &count), 0);
    ck_assert_uint_eq(count, 0);
    free(networks);
    ck_assert_int_eq(cl_networks_parse("10.0.0.0/8,,::1", &networks, &count), -EINVAL);
    ck_assert_int_eq(cl_networks_parse("10.0.0.0/8,x", &networks, &count), -EINVAL);
}
END_TEST

SUITE_MAIN("guard", SUITE_LOOP(public_addresses, addresses),
           SUITE_TEST(other_families_are_not_admitted), SUITE_TEST(what_is_allowed_is_admitted),
           SUITE_LOOP(bad_networks_are_refused, bad_networks), SUITE_TEST(lists_of_networks))
