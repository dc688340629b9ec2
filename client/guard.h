/* client/guard.h - which addresses a fetch on somebody else's behalf may reach.
 *
 * A URL's text says nothing about where a connection goes (names resolve to
 * anything, 0x7f.1 is 127.0.0.1), so the check is made on the address that is
 * being connected to, and again on the one that a kept connection has.
 *
 *   context  pure functions; any thread */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "coro/base/attr.h"

/* A network: an IPv6 address (IPv4 as ::ffff:a.b.c.d) and how many bits count. */
struct cl_network {
    uint8_t address[16];
    unsigned bits; /* 0..128 */
};

struct cl_guard {
    const struct cl_network *allowed; /* reachable although not public; borrowed */
    size_t allowed_count;
};

/* "10.1.0.0/16", "127.0.0.1", "fd00::/8".  0 or -EINVAL. */
MUST_USE int cl_network_parse(const char *text, struct cl_network *ret_network);

/* Several, with commas between; empty: none.  0 and an array for free(), or
 * -EINVAL, -ENOMEM. */
MUST_USE int cl_networks_parse(const char *list, struct cl_network **ret_networks,
                               size_t *ret_count);

/* May a connection go there?  Only to addresses of the public internet, and
 * to those that the guard allows.  Other families than IP: never. */
bool cl_guard_admits(const struct cl_guard *guard, const struct sockaddr *address);
/* The same for an address in text; what is not one is not admitted. */
bool cl_guard_admits_text(const struct cl_guard *guard, const char *address);
