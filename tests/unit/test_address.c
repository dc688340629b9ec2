/* Addresses and networks: text both ways, membership. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>

#include "server/http/address.h"
#include "suite.h"

static struct http_str str(const char *text)
{
    return (struct http_str){text, strlen(text)};
}

static const struct {
    const char *in;
    const char *out; /* NULL: not an address */
    int port;
} addresses[] = {
    {"192.0.2.1", "192.0.2.1", 0},
    {"192.0.2.1:80", "192.0.2.1", 80},
    {"2001:db8::1", "2001:db8::1", 0},
    {"[2001:db8::1]", "2001:db8::1", 0},
    {"[2001:db8::1]:65535", "2001:db8::1", 65535},
    {"::ffff:192.0.2.1", "192.0.2.1", 0},
    {"", NULL, 0},
    {"192.0.2", NULL, 0},
    {"192.0.2.1:", NULL, 0},
    {"192.0.2.1:65536", NULL, 0},
    {"192.0.2.1:8x", NULL, 0},
    {"[::1", NULL, 0},
    {"[::1]80", NULL, 0},
    {"unknown", NULL, 0},
    {"_hidden", NULL, 0},
};

START_TEST(addresses_are_read)
{
    struct http_address address;
    char text[HTTP_ADDRESS_TEXT_BYTES];
    int rv = http_address_parse(str(addresses[_i].in), &address);
    if (addresses[_i].out == NULL) {
        ck_assert_int_eq(rv, -EINVAL);
        return;
    }
    ck_assert_int_eq(rv, 0);
    ck_assert_str_eq(http_address_text(&address, text), addresses[_i].out);
    ck_assert_int_eq(address.port, addresses[_i].port);
}
END_TEST

static const struct {
    const char *networks;
    const char *address; /* NULL: a UNIX socket */
    bool is_in;
} memberships[] = {
    {"127.0.0.0/8, ::1", "127.255.0.1", true},
    {"127.0.0.0/8, ::1", "128.0.0.1", false},
    {"127.0.0.0/8,::1", "::1", true},
    {"127.0.0.0/8,::1", "::2", false},
    {"10.1.2.0/23", "10.1.3.255", true},
    {"10.1.2.0/23", "10.1.4.0", false},
    {"2001:db8::/33", "2001:db8:7fff::", true},
    {"2001:db8::/33", "2001:db8:8000::", false},
    {"0.0.0.0/0", "8.8.8.8", true},
    {"0.0.0.0/0", "2001:db8::1", false},
    {"::/0", "8.8.8.8", true},
    {"", "127.0.0.1", false},
    {"0.0.0.0/0,::/0", NULL, false},
    {"unix", NULL, true},
    {"unix", "127.0.0.1", false},
};

START_TEST(networks_contain)
{
    struct http_networks networks;
    struct http_str bad;
    struct http_address address;
    ck_assert_int_eq(http_networks_parse(memberships[_i].networks, &networks, &bad), 0);
    if (memberships[_i].address == NULL)
        http_address_from(NULL, &address);
    else
        ck_assert_int_eq(http_address_parse(str(memberships[_i].address), &address), 0);
    ck_assert_int_eq(http_networks_contain(&networks, &address), memberships[_i].is_in);
    http_networks_fini(&networks);
}
END_TEST

static const char *const bad_lists[] = {"127.0.0.1/33", "::1/129",  "localhost",
                                        "127.0.0.1,x",  "1.2.3.4/", "/8"};

START_TEST(what_cannot_be_read_is_named)
{
    struct http_networks networks;
    struct http_str bad = {NULL, 0};
    ck_assert_int_eq(http_networks_parse(bad_lists[_i], &networks, &bad), -EINVAL);
    ck_assert_uint_gt(bad.len, 0);
}
END_TEST

START_TEST(sockets_have_addresses)
{
    char text[HTTP_ADDRESS_TEXT_BYTES];
    struct http_address address;
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(81)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(82)};
    in.sin_addr.s_addr = htonl(0xC0000201);
    in6.sin6_addr = in6addr_loopback;
    http_address_from((struct sockaddr *)&in, &address);
    ck_assert_str_eq(http_address_text(&address, text), "192.0.2.1");
    ck_assert_int_eq(address.port, 81);
    http_address_from((struct sockaddr *)&in6, &address);
    ck_assert_str_eq(http_address_text(&address, text), "::1");
    http_address_from(NULL, &address);
    ck_assert_str_eq(http_address_text(&address, text), "unix");
}
END_TEST

SUITE_MAIN("address", SUITE_LOOP(addresses_are_read, addresses),
           SUITE_LOOP(networks_contain, memberships),
           SUITE_LOOP(what_cannot_be_read_is_named, bad_lists), SUITE_TEST(sockets_have_addresses))
