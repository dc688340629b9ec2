/* The PROXY protocol (haproxy.org/download/2.6/doc/proxy-protocol.txt) and
 * X-Forwarded-For.
 *
 * Only what a trusted peer sends is read.  The list in X-Forwarded-For was begun
 * by the client, who may write anything; each proxy adds its peer at the end, so
 * only the part that trusted proxies wrote, from the end, is believed. */
#include "server/http/proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#define V1_MAX_BYTES  107
#define V2_HEAD_BYTES 16

static const char v2_signature[12] = "\r\n\r\n\0\r\nQUIT\n";

/* The word that begins *text, which is moved behind it and one space. */
static struct http_str word(struct http_str *text)
{
    const char *space = text->len > 0 ? memchr(text->data, ' ', text->len) : NULL;
    struct http_str w = *text;
    if (space != NULL)
        w.len = (size_t)(space - text->data);
    size_t used = w.len + (space != NULL);
    text->data += used;
    text->len -= used;
    return w;
}

/* "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n" */
static ssize_t version_1(const char *bytes, size_t n, struct http_address *ret_client)
{
    const char *end = memmem(bytes, n < V1_MAX_BYTES ? n : V1_MAX_BYTES, "\r\n", 2);
    if (end == NULL)
        return n < V1_MAX_BYTES ? 0 : -EBADMSG;
    struct http_str line = {bytes, (size_t)(end - bytes)};
    struct http_address client, server;
    word(&line); /* PROXY */
    struct http_str family = word(&line);
    if (http_str_is(family, "UNKNOWN"))
        return end + 2 - bytes;
    if (!http_str_is(family, "TCP4") && !http_str_is(family, "TCP6"))
        return -EBADMSG;
    if (http_address_parse(word(&line), &client) < 0 ||
        http_address_parse(word(&line), &server) < 0)
        return -EBADMSG;
    struct http_str port = word(&line);
    unsigned value = 0;
    for (size_t i = 0; i < port.len; i++) {
        if (port.data[i] < '0' || port.data[i] > '9' || value > 65535)
            return -EBADMSG;
        value = value * 10 + (unsigned)(port.data[i] - '0');
    }
    if (port.len == 0 || value > 65535 || word(&line).len == 0 || line.len > 0)
        return -EBADMSG;
    client.port = (uint16_t)value;
    *ret_client = client;
    return end + 2 - bytes;
}

static ssize_t version_2(const char *bytes, size_t n, struct http_address *ret_client)
{
    const unsigned char *p = (const unsigned char *)bytes;
    if (n < V2_HEAD_BYTES)
        return 0;
    size_t len = V2_HEAD_BYTES + (size_t)(p[14] << 8 | p[15]);
    unsigned command = p[12], family = p[13] >> 4;
    if ((command != 0x20 && command != 0x21) || len > HTTP_PROXY_HEADER_MAX_BYTES)
        return -EBADMSG;
    if (n < len)
        return 0;
    if (command == 0x20) /* LOCAL: the proxy asks for itself */
        return (ssize_t)len;
    if (family == 1 && len >= V2_HEAD_BYTES + 12) {
        struct sockaddr_in in = {.sin_family = AF_INET};
        memcpy(&in.sin_addr, p + 16, 4);
        memcpy(&in.sin_port, p + 24, 2);
        http_address_from((const struct sockaddr *)&in, ret_client);
    } else if (family == 2 && len >= V2_HEAD_BYTES + 36) {
        struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
        memcpy(&in6.sin6_addr, p + 16, 16);
        memcpy(&in6.sin6_port, p + 48, 2);
        http_address_from((const struct sockaddr *)&in6, ret_client);
    } else if (family == 1 || family == 2) {
        return -EBADMSG;
    }
    return (ssize_t)len;
}

ssize_t http_proxy_header(const char *bytes, size_t n, struct http_address *ret_client)
{
    static const char v1_signature[] = "PROXY ";
    size_t v1 = sizeof v1_signature - 1, v2 = sizeof v2_signature;
    if (memcmp(bytes, v1_signature, n < v1 ? n : v1) == 0)
        return n < v1 ? 0 : version_1(bytes, n, ret_client);
    if (memcmp(bytes, v2_signature, n < v2 ? n : v2) == 0)
        return n < v2 ? 0 : version_2(bytes, n, ret_client);
    return -EBADMSG;
}

bool http_proxy_forwarded(const struct http_networks *proxies, struct http_str list,
                          struct http_address *client)
{
    while (list.len > 0 && http_networks_contain(proxies, client)) {
        const char *comma = memrchr(list.data, ',', list.len);
        const char *from = comma != NULL ? comma + 1 : list.data;
        const char *to = list.data + list.len;
        while (from < to && (*from == ' ' || *from == '\t'))
            from++;
        while (to > from && (to[-1] == ' ' || to[-1] == '\t'))
            to--;
        struct http_address next;
        if (http_address_parse((struct http_str){from, (size_t)(to - from)}, &next) < 0)
            return false;
        *client = next;
        list.len = comma != NULL ? (size_t)(comma - list.data) : 0;
    }
    return true;
}
