#include "server/http/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAPPED_BITS 96 /* before the IPv4 address in ::ffff:0:0/96 */

static const uint8_t mapped_prefix[12] = {[10] = 0xFF, [11] = 0xFF};

static bool is_mapped(const uint8_t ip[16])
{
    return memcmp(ip, mapped_prefix, sizeof mapped_prefix) == 0;
}

void http_address_from(const struct sockaddr *addr, struct http_address *ret_address)
{
    memset(ret_address, 0, sizeof *ret_address);
    if (addr != NULL && addr->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)addr;
        memcpy(ret_address->ip, mapped_prefix, sizeof mapped_prefix);
        memcpy(ret_address->ip + 12, &in->sin_addr, 4);
        ret_address->port = ntohs(in->sin_port);
    } else if (addr != NULL && addr->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)addr;
        memcpy(ret_address->ip, &in6->sin6_addr, 16);
        ret_address->port = ntohs(in6->sin6_port);
    }
}

bool http_address_is_unknown(const struct http_address *address)
{
    static const struct http_address none;
    return memcmp(address->ip, none.ip, sizeof none.ip) == 0;
}

const char *http_address_text(const struct http_address *address,
                              char text[HTTP_ADDRESS_TEXT_BYTES])
{
    if (http_address_is_unknown(address))
        snprintf(text, HTTP_ADDRESS_TEXT_BYTES, "unix");
    else if (is_mapped(address->ip))
        inet_ntop(AF_INET, address->ip + 12, text, HTTP_ADDRESS_TEXT_BYTES);
    else
        inet_ntop(AF_INET6, address->ip, text, HTTP_ADDRESS_TEXT_BYTES);
    return text;
}

/* An address alone. */
static int parse_ip(struct http_str text, uint8_t ret_ip[16])
{
    char copy[INET6_ADDRSTRLEN];
    if (text.len == 0 || text.len >= sizeof copy)
        return -EINVAL;
    memcpy(copy, text.data, text.len);
    copy[text.len] = 0;
    if (inet_pton(AF_INET6, copy, ret_ip) == 1)
        return 0;
    uint8_t ip4[4];
    if (inet_pton(AF_INET, copy, ip4) != 1)
        return -EINVAL;
    memcpy(ret_ip, mapped_prefix, sizeof mapped_prefix);
    memcpy(ret_ip + 12, ip4, sizeof ip4);
    return 0;
}

/* Decimal, at most max; -EINVAL. */
static int parse_number(struct http_str text, unsigned max)
{
    unsigned value = 0;
    if (text.len == 0 || text.len > 5)
        return -EINVAL;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return -EINVAL;
        value = value * 10 + (unsigned)(text.data[i] - '0');
    }
    return value <= max ? (int)value : -EINVAL;
}

int http_address_parse(struct http_str text, struct http_address *ret_address)
{
    struct http_address address = {.port = 0};
    struct http_str ip = text, port = {text.data, 0};
    const char *close = text.len > 0 ? memchr(text.data, ']', text.len) : NULL;
    const char *colon = text.len > 0 ? memrchr(text.data, ':', text.len) : NULL;
    if (text.len > 0 && text.data[0] == '[' && close != NULL) {
        ip = (struct http_str){text.data + 1, (size_t)(close - text.data) - 1};
        port = (struct http_str){close + 1, text.len - ip.len - 2};
        if (port.len > 0 && port.data[0] != ':')
            return -EINVAL;
    } else if (colon != NULL && memchr(text.data, ':', text.len) == colon) {
        ip.len = (size_t)(colon - text.data); /* one colon: IPv4 and a port */
        port = (struct http_str){colon, text.len - ip.len};
    }
    if (port.len > 0) {
        int number = parse_number((struct http_str){port.data + 1, port.len - 1}, 65535);
        if (number < 0)
            return number;
        address.port = (uint16_t)number;
    }
    int rv = parse_ip(ip, address.ip);
    if (rv == 0)
        *ret_address = address;
    return rv;
}

/* ---- networks ---- */

static int parse_network(struct http_str text, struct http_network *ret_network)
{
    struct http_str ip = text;
    const char *slash = memchr(text.data, '/', text.len);
    if (slash != NULL)
        ip.len = (size_t)(slash - text.data);
    int rv = parse_ip(ip, ret_network->ip);
    if (rv < 0)
        return rv;
    bool is_ip4 = memchr(ip.data, ':', ip.len) == NULL;
    int bits = is_ip4 ? 32 : 128;
    if (slash != NULL)
        bits = parse_number((struct http_str){slash + 1, text.len - ip.len - 1}, (unsigned)bits);
    if (bits < 0)
        return bits;
    ret_network->bits = (uint8_t)(is_ip4 ? bits + MAPPED_BITS : bits);
    return 0;
}

static int add_network(struct http_networks *networks, struct http_str word)
{
    if (http_str_is(word, "unix")) {
        networks->has_unix = true;
        return 0;
    }
    struct http_network network;
    int rv = parse_network(word, &network);
    if (rv < 0)
        return rv;
    struct http_network *items =
        realloc(networks->items, (networks->count + 1) * sizeof *networks->items);
    if (items == NULL)
        return -ENOMEM;
    items[networks->count++] = network;
    networks->items = items;
    return 0;
}

int http_networks_parse(const char *text, struct http_networks *ret_networks,
                        struct http_str *ret_bad)
{
    static const char separators[] = ", \t";
    struct http_networks networks = {.items = NULL};
    for (const char *p = text; p != NULL && *p != 0;) {
        p += strspn(p, separators);
        struct http_str word = {p, strcspn(p, separators)};
        int rv = word.len > 0 ? add_network(&networks, word) : 0;
        if (rv < 0) {
            *ret_bad = word;
            http_networks_fini(&networks);
            return rv;
        }
        p += word.len;
    }
    *ret_networks = networks;
    return 0;
}

void http_networks_fini(struct http_networks *networks)
{
    free(networks->items);
    *networks = (struct http_networks){.items = NULL};
}

static bool is_in(const struct http_network *network, const uint8_t ip[16])
{
    unsigned whole = network->bits / 8, rest = network->bits % 8;
    if (memcmp(network->ip, ip, whole) != 0)
        return false;
    return rest == 0 || ((network->ip[whole] ^ ip[whole]) >> (8 - rest)) == 0;
}

bool http_networks_contain(const struct http_networks *networks, const struct http_address *address)
{
    if (networks == NULL)
        return false;
    if (http_address_is_unknown(address))
        return networks->has_unix;
    for (size_t i = 0; i < networks->count; i++)
        if (is_in(&networks->items[i], address->ip))
            return true;
    return false;
}
