/* The PROXY header, cut at every byte, and whom X-Forwarded-For names. */
#include <errno.h>

#include "server/http/proxy.h"
#include "suite.h"

#define V2 "\r\n\r\n\0\r\nQUIT\n"
/* a literal with zero bytes in it, and its length */
#define BYTES(literal) literal, sizeof(literal) - 1

static const struct {
    const char *header;
    size_t n;
    const char *client; /* "": as before; NULL: refused */
} headers[] = {
    {BYTES("PROXY TCP4 192.0.2.7 10.0.0.1 5000 80\r\n"), "192.0.2.7"},
    {BYTES("PROXY TCP4 192.0.2.7 10.0.0.1 0 65535\r\n"), "192.0.2.7"},
    {BYTES("PROXY TCP6 2001:db8::7 2001:db8::1 5000 80\r\n"), "2001:db8::7"},
    {BYTES("PROXY UNKNOWN\r\n"), ""},
    {BYTES("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n"), ""},
    {BYTES("PROXY TCP4 192.0.2.7 10.0.0.1 5000\r\n"), NULL},
    {BYTES("PROXY TCP4 192.0.2.7\r\n"), NULL},
    {BYTES("PROXY TCP4\r\n"), NULL},
    {BYTES("PROXY \r\n"), NULL},
    {BYTES("PROXY TCP4 192.0.2.7 10.0.0.1 5000 80 90\r\n"), NULL},
    {BYTES("PROXY TCP4 192.0.2.7 10.0.0.1 65536 80\r\n"), NULL},
    {BYTES("PROXY TCP4 192.0.2.7 10.0.0.1 -1 80\r\n"), NULL},
    {BYTES("PROXY TCP4 192.0.2.7 10.0.0.1  80\r\n"), NULL},
    {BYTES("PROXY TCP4 evil 10.0.0.1 5000 80\r\n"), NULL},
    {BYTES("PROXY TCP4 192.0.2.7 evil 5000 80\r\n"), NULL},
    {BYTES("PROXY NONE 1 2 3 4\r\n"), NULL},
    {BYTES("PROXY TCP4 192.0.2.7 10.0.0.1 5000 80 " /* no line end in 107 bytes */
           "                                                                     "),
     NULL},
    {BYTES("proxy TCP4 192.0.2.7 10.0.0.1 5000 80\r\n"), NULL},
    {BYTES("GET / HTTP/1.1\r\n\r\n"), NULL},
    {BYTES("\n"), NULL},
    {BYTES(V2 "\x21\x11\0\x0c\xc0\0\x02\x07\x0a\0\0\x01\x13\x88\0\x50"), "192.0.2.7"},
    {BYTES(V2 "\x21\x12\0\x0c\xc0\0\x02\x07\x0a\0\0\x01\x13\x88\0\x50"), "192.0.2.7"},
    {BYTES(V2 "\x21\x11\0\x10\xc0\0\x02\x07\x0a\0\0\x01\x13\x88\0\x50\x04\0\x01x"), "192.0.2.7"},
    {BYTES(V2 "\x21\x21\0\x24 \1\r\xb8\0\0\0\0\0\0\0\0\0\0\0\7"
              " \1\r\xb8\0\0\0\0\0\0\0\0\0\0\0\1\x13\x88\0\x50"),
     "2001:db8::7"},
    {BYTES(V2 "\x20\0\0\0"), ""},                                           /* LOCAL */
    {BYTES(V2 "\x21\0\0\0"), ""},                                           /* not said */
    {BYTES(V2 "\x21\x31\0\x03xyz"), ""},                                    /* a UNIX socket */
    {BYTES(V2 "\x21\x11\0\x0b\xc0\0\x02\x07\x0a\0\0\x01\x13\x88\0"), NULL}, /* too short */
    {BYTES(V2 "\x21\x21\0\x0c\xc0\0\x02\x07\x0a\0\0\x01\x13\x88\0\x50"), NULL},
    {BYTES(V2 "\x11\x11\0\x0c"), NULL},   /* version 1 in version 2 */
    {BYTES(V2 "\x22\x11\0\x0c"), NULL},   /* no such command */
    {BYTES(V2 "\x21\x11\xff\xff"), NULL}, /* no end in sight */
};

static struct http_address address_of(const char *text)
{
    struct http_address address;
    ck_assert_int_eq(http_address_parse((struct http_str){text, strlen(text)}, &address), 0);
    return address;
}

START_TEST(each_header_cut_anywhere)
{
    char text[HTTP_ADDRESS_TEXT_BYTES], bytes[256];
    size_t n = headers[_i].n;
    const char *client = headers[_i].client;
    memcpy(bytes, headers[_i].header, n);
    memcpy(bytes + n, "GET / HTTP/1.1\r\n", 16); /* is not eaten */
    bool is_over = false;
    for (size_t some = 1; some <= n + 16; some++) {
        struct http_address seen = address_of("198.51.100.1");
        ssize_t rv = http_proxy_header(bytes, some, &seen);
        if (is_over) /* refused once, refused for good */
            ck_assert_int_eq(rv, -EBADMSG);
        is_over = rv < 0;
        if (client == NULL) {
            ck_assert_msg(rv <= 0 && (rv < 0 || some < n), "%zu of %zu bytes", some, n);
            continue;
        }
        ck_assert_int_eq(rv, some < n ? 0 : (ssize_t)n);
        http_address_text(&seen, text);
        ck_assert_str_eq(text, some < n || *client == 0 ? "198.51.100.1" : client);
    }
    ck_assert(is_over == (client == NULL));
}
END_TEST

/* Trusted: 10.0.0.0/8; the socket's peer first. */
static const struct {
    const char *peer;
    const char *list;
    const char *client;
} lists[] = {
    {"192.0.2.1", "198.51.100.1", "192.0.2.1"}, /* a stranger says what it likes */
    {"10.0.0.1", "198.51.100.1", "198.51.100.1"},
    {"10.0.0.1", "6.6.6.6, 198.51.100.1", "198.51.100.1"},
    {"10.0.0.1", "6.6.6.6, 198.51.100.1, 10.0.0.2", "198.51.100.1"},
    {"10.0.0.1", "198.51.100.1,\t10.0.0.2 ,10.0.0.3", "198.51.100.1"},
    {"10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"},
    {"10.0.0.1", "198.51.100.1:4711", "198.51.100.1"},
    {"10.0.0.1", "[2001:db8::1]:80", "2001:db8::1"},
    {"10.0.0.1", "2001:db8::1", "2001:db8::1"},
    {"10.0.0.1", "198.51.100.1, unknown", "10.0.0.1"},
    {"10.0.0.1", "198.51.100.1, ", "10.0.0.1"},
    {"10.0.0.1", ",", "10.0.0.1"},
    {"10.0.0.1", "", "10.0.0.1"},
};

START_TEST(each_list)
{
    char text[HTTP_ADDRESS_TEXT_BYTES];
    struct http_networks proxies;
    struct http_str bad;
    struct http_address client = address_of(lists[_i].peer);
    ck_assert_int_eq(http_networks_parse("10.0.0.0/8", &proxies, &bad), 0);
    (void)http_proxy_forwarded(&proxies, (struct http_str){lists[_i].list, strlen(lists[_i].list)},
                               &client);
    ck_assert_str_eq(http_address_text(&client, text), lists[_i].client);
    http_networks_fini(&proxies);
}
END_TEST

SUITE_MAIN("proxy", SUITE_LOOP(each_header_cut_anywhere, headers), SUITE_LOOP(each_list, lists))
