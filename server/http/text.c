#include "server/http/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <strings.h>

#include "server/http/request.h"
#include "server/http/response.h"

bool http_str_is_nocase(struct http_str s, const char *text)
{
    size_t n = strlen(text);
    return s.len == n && strncasecmp(s.data, text, n) == 0;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

ssize_t http_percent_decode(struct http_str s, char *dst, size_t cap)
{
    size_t out = 0;
    for (size_t at = 0; at < s.len; at++) {
        char c = s.data[at];
        if (c == '%') {
            if (s.len - at < 3)
                return -EINVAL;
            int high = hex_digit(s.data[at + 1]), low = hex_digit(s.data[at + 2]);
            if (high < 0 || low < 0)
                return -EINVAL;
            c = (char)(high * 16 + low);
            at += 2;
        }
        if (out == cap)
            return -EMSGSIZE;
        dst[out++] = c;
    }
    return (ssize_t)out;
}

const char *http_verb_text(enum http_verb verb)
{
    static const char *const texts[] = {
#define HTTP_VERB(NAME) #NAME,
#include "server/http/verb.def"
#undef HTTP_VERB
    };
    return verb < HTTP_VERB_COUNT ? texts[verb] : "?";
}

const char *http_close_word(enum http_close_reason why)
{
    static const char *const words[] = {
#define HTTP_CLOSE_REASON(NAME, word, is_fault, what) word,
#include "server/http/close_reason.def"
#undef HTTP_CLOSE_REASON
    };
    return why < HTTP_CLOSE_COUNT ? words[why] : "?";
}

const char *http_code_reason(int status)
{
    switch (status) {
#define HTTP_CODE(code, NAME, reason)                                                              \
    case code:                                                                                     \
        return reason;
#include "server/http/status.def"
#undef HTTP_CODE
    default:
        return "Unknown";
    }
}

static const uint8_t mapped_prefix[12] = {[10] = 0xFF, [11] = 0xFF};

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
    else if (memcmp(address->ip, mapped_prefix, sizeof mapped_prefix) == 0)
        inet_ntop(AF_INET, address->ip + 12, text, HTTP_ADDRESS_TEXT_BYTES);
    else
        inet_ntop(AF_INET6, address->ip, text, HTTP_ADDRESS_TEXT_BYTES);
    return text;
}

bool http_address_is_loopback(const struct http_address *address)
{
    static const uint8_t loopback6[16] = {[15] = 1};
    if (memcmp(address->ip, mapped_prefix, sizeof mapped_prefix) == 0)
        return address->ip[12] == 127;
    return memcmp(address->ip, loopback6, sizeof loopback6) == 0;
}
