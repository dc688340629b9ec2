#include "coro/base/utf8.h"

uint32_t utf8_next(const char **at, const char *end)
{
    const unsigned char *p = (const unsigned char *)*at;
    size_t left = (size_t)(end - *at);
    *at += 1;
    if (p[0] < 0x80)
        return p[0];
    uint32_t min, point;
    size_t more;
    if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        min = 0x80, point = p[0] & 0x1f, more = 1;
    } else if ((p[0] & 0xf0) == 0xe0) {
        min = 0x800, point = p[0] & 0x0f, more = 2;
    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        min = 0x10000, point = p[0] & 0x07, more = 3;
    } else {
        return UTF8_BAD;
    }
    if (left <= more)
        return UTF8_BAD;
    for (size_t i = 1; i <= more; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return UTF8_BAD;
        point = point << 6 | (p[i] & 0x3f);
    }
    if (point < min || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
        return UTF8_BAD;
    *at += more;
    return point;
}

size_t utf8_put(uint32_t point, char *ret_text)
{
    unsigned char *p = (unsigned char *)ret_text;
    if (point < 0x80) {
        p[0] = (unsigned char)point;
        return 1;
    }
    if (point < 0x800) {
        p[0] = (unsigned char)(0xc0 | point >> 6);
        p[1] = (unsigned char)(0x80 | (point & 0x3f));
        return 2;
    }
    if (point < 0x10000) {
        p[0] = (unsigned char)(0xe0 | point >> 12);
        p[1] = (unsigned char)(0x80 | (point >> 6 & 0x3f));
        p[2] = (unsigned char)(0x80 | (point & 0x3f));
        return 3;
    }
    p[0] = (unsigned char)(0xf0 | point >> 18);
    p[1] = (unsigned char)(0x80 | (point >> 12 & 0x3f));
    p[2] = (unsigned char)(0x80 | (point >> 6 & 0x3f));
    p[3] = (unsigned char)(0x80 | (point & 0x3f));
    return 4;
}
