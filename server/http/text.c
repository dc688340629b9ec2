#include "server/http/text.h"

#include <errno.h>
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

bool http_close_is_fault(enum http_close_reason why)
{
    static const bool faults[] = {
#define HTTP_CLOSE_REASON(NAME, word, is_fault, what) is_fault,
#include "server/http/close_reason.def"
#undef HTTP_CLOSE_REASON
    };
    return why < HTTP_CLOSE_COUNT && faults[why];
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
