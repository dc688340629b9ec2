/* server/http/address.h - who is at the other end, and lists of whom to trust.
 *
 *   returns    0 or -errno
 *   ownership  a struct http_networks owns its items */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "coro/base/attr.h"
#include "server/http/text.h"

/* An address in 18 bytes: IPv4 as ::ffff:a.b.c.d; all zero for a UNIX socket. */
struct http_address {
    uint8_t ip[16];
    uint16_t port; /* host order; 0: none */
};

#define HTTP_ADDRESS_TEXT_BYTES 64
/* "192.0.2.1", "2001:db8::1", or "unix"; returns text. */
const char *http_address_text(const struct http_address *address,
                              char text[HTTP_ADDRESS_TEXT_BYTES]);
/* No address: a UNIX socket. */
bool http_address_is_unknown(const struct http_address *address);
/* NULL, or a family without addresses: unknown. */
void http_address_from(const struct sockaddr *addr, struct http_address *ret_address);
/* "192.0.2.1", "2001:db8::1", each also with a port ("192.0.2.1:80",
 * "[2001:db8::1]:80", "[2001:db8::1]").  0 or -EINVAL. */
MUST_USE int http_address_parse(struct http_str text, struct http_address *ret_address);

struct http_network {
    uint8_t ip[16];
    uint8_t bits; /* of 128 */
};
struct http_networks {
    struct http_network *items;
    size_t count;
    bool has_unix; /* the word "unix": peers without an address */
};

/* "127.0.0.0/8, ::1, unix": networks and single addresses, commas between; NULL or
 * empty: none.  -EINVAL: ret_bad (borrowed from text) is what cannot be read. */
MUST_USE int http_networks_parse(const char *text, struct http_networks *ret_networks,
                                 struct http_str *ret_bad);
void http_networks_fini(struct http_networks *networks);
/* networks NULL: false. */
bool http_networks_contain(const struct http_networks *networks,
                           const struct http_address *address);
