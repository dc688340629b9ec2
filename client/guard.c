#include "client/guard.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coro/base/units.h"

/* Not globally reachable, by the IANA special-purpose registries (RFC 6890 and
 * its successors); IPv4 as ::ffff:a.b.c.d. */
#define V4(a, b, c, d, n)                                                                          \
    {                                                                                              \
        {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d}, 96 + (n)                           \
    }
static const struct cl_network special_v4[] = {
    V4(0, 0, 0, 0, 8),       /* this network */
    V4(10, 0, 0, 0, 8),      /* private */
    V4(100, 64, 0, 0, 10),   /* shared by carriers' customers */
    V4(127, 0, 0, 0, 8),     /* loopback */
    V4(169, 254, 0, 0, 16),  /* link-local, and clouds' metadata services */
    V4(172, 16, 0, 0, 12),   /* private */
    V4(192, 0, 0, 0, 24),    /* protocol assignments */
    V4(192, 0, 2, 0, 24),    /* documentation */
    V4(192, 88, 99, 0, 24),  /* 6to4 relays */
    V4(192, 168, 0, 0, 16),  /* private */
    V4(198, 18, 0, 0, 15),   /* benchmarks */
    V4(198, 51, 100, 0, 24), /* documentation */
    V4(203, 0, 113, 0, 24),  /* documentation */
    V4(224, 0, 0, 0, 4),     /* multicast */
    V4(240, 0, 0, 0, 4),     /* reserved, broadcast */
};
#undef V4

/* Inside 2000::/3, which is all of IPv6 that is public. */
static const struct cl_network special_v6[] = {
    {{0x20, 0x01}, 23},             /* protocol assignments: Teredo, ORCHID */
    {{0x20, 0x01, 0x0d, 0xb8}, 32}, /* documentation */
    {{0x20, 0x02}, 16},             /* 6to4: an IPv4 address in disguise */
    {{0x3f, 0xff}, 20},             /* documentation */
};
static const struct cl_network public_v6 = {{0x20}, 3};
static const struct cl_network mapped_v4 = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96};
/* NAT64: the last four bytes are the IPv4 address that is reached. */
static const struct cl_network nat64 = {{0x00, 0x64, 0xff, 0x9b}, 96};

static bool contains(const struct cl_network *network, const uint8_t address[16])
{
    unsigned whole = network->bits / 8;
    unsigned rest = network->bits % 8;
    if (memcmp(network->address, address, whole) != 0)
        return false;
    if (rest == 0)
        return true;
    uint8_t mask = (uint8_t)(0xff << (8 - rest));
    return ((network->address[whole] ^ address[whole]) & mask) == 0;
}

static bool any_contains(const struct cl_network *networks, size_t count, const uint8_t address[16])
{
    for (size_t i = 0; i < count; i++) {
        if (contains(&networks[i], address))
            return true;
    }
    return false;
}

static void map_v4(const void *v4, uint8_t ret_address[16])
{
    memcpy(ret_address, mapped_v4.address, 12);
    memcpy(ret_address + 12, v4, 4);
}

static bool admits(const struct cl_guard *guard, const uint8_t address[16])
{
    uint8_t inner[16];
    if (any_contains(guard->allowed, guard->allowed_count, address))
        return true;
    if (contains(&nat64, address)) {
        map_v4(address + 12, inner);
        return admits(guard, inner);
    }
    if (contains(&mapped_v4, address))
        return !any_contains(special_v4, ARRAY_LEN(special_v4), address);
    return contains(&public_v6, address) &&
           !any_contains(special_v6, ARRAY_LEN(special_v6), address);
}

bool cl_guard_admits(const struct cl_guard *guard, const struct sockaddr *address)
{
    uint8_t bytes[16];
    switch (address->sa_family) {
    case AF_INET:
        map_v4(&((const struct sockaddr_in *)(const void *)address)->sin_addr, bytes);
        return admits(guard, bytes);
    case AF_INET6:
        memcpy(bytes, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 16);
        return admits(guard, bytes);
    default:
        return false;
    }
}

static int parse_address(const char *text, uint8_t ret_address[16], unsigned *ret_bits)
{
    uint8_t v4[4];
    if (inet_pton(AF_INET, text, v4) == 1) {
        map_v4(v4, ret_address);
        *ret_bits = 32;
        return 0;
    }
    if (inet_pton(AF_INET6, text, ret_address) != 1)
        return -EINVAL;
    *ret_bits = 128;
    return 0;
}

bool cl_guard_admits_text(const struct cl_guard *guard, const char *address)
{
    uint8_t bytes[16];
    unsigned bits;
    return parse_address(address, bytes, &bits) == 0 && admits(guard, bytes);
}

int cl_network_parse(const char *text, struct cl_network *ret_network)
{
    char address[INET6_ADDRSTRLEN + 1];
    struct cl_network network = {0};
    unsigned width;
    const char *slash = strchr(text, '/');
    size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
    if (len >= sizeof address)
        return -EINVAL;
    snprintf(address, sizeof address, "%.*s", (int)len, text);
    if (parse_address(address, network.address, &width) < 0)
        return -EINVAL;
    int64_t bits = width;
    if (slash != NULL && units_parse_int(slash + 1, 0, width, &bits) < 0)
        return -EINVAL;
    network.bits = 128 - width + (unsigned)bits;
    *ret_network = network;
    return 0;
}

int cl_networks_parse(const char *list, struct cl_network **ret_networks, size_t *ret_count)
{
    size_t count = 0;
    int rv = 0;
    char *copy = strdup(list);
    struct cl_network *networks = calloc(strlen(list) / 2 + 1, sizeof *networks);
    if (copy == NULL || networks == NULL)
        rv = -ENOMEM;
    char *rest = copy;
    while (rv == 0 && rest != NULL && *rest != '\0') {
        const char *text = strsep(&rest, ",");
        rv = cl_network_parse(text + strspn(text, " "), &networks[count++]);
    }
    free(copy);
    if (rv < 0) {
        free(networks);
        return rv;
    }
    *ret_networks = networks;
    *ret_count = count;
    return 0;
}
