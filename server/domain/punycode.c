/* Punycode (RFC 3492), one label at a time, without the "xn--". */
#include "server/domain/internal.h"

enum { BASE = 36, T_MIN = 1, T_MAX = 26, SKEW = 38, DAMP = 700, BIAS = 72, FIRST = 128 };

static uint32_t adapt(uint32_t delta, uint32_t points, bool first)
{
    delta = first ? delta / DAMP : delta / 2;
    delta += delta / points;
    uint32_t k = 0;
    while (delta > ((BASE - T_MIN) * T_MAX) / 2) {
        delta /= BASE - T_MIN;
        k += BASE;
    }
    return k + (BASE - T_MIN + 1) * delta / (delta + SKEW);
}

static uint32_t threshold(uint32_t k, uint32_t bias)
{
    if (k <= bias + T_MIN)
        return T_MIN;
    return k >= bias + T_MAX ? T_MAX : k - bias;
}

static char digit_of(uint32_t value)
{
    return (char)(value < 26 ? 'a' + value : '0' + (value - 26));
}

/* One delta as digits.  New length, or 0: no room. */
static size_t put_delta(uint32_t delta, uint32_t bias, char *text, size_t len, size_t cap)
{
    for (uint32_t k = BASE;; k += BASE) {
        uint32_t t = threshold(k, bias);
        if (len == cap)
            return 0;
        if (delta < t) {
            text[len++] = digit_of(delta);
            return len;
        }
        text[len++] = digit_of(t + (delta - t) % (BASE - t));
        delta = (delta - t) / (BASE - t);
    }
}

size_t punycode_encode(const uint32_t *points, size_t count, char *ret_text, size_t cap)
{
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        if (points[i] >= FIRST)
            continue;
        if (len == cap)
            return 0;
        ret_text[len++] = (char)points[i];
    }
    uint32_t basic = (uint32_t)len, done = basic;
    if (basic > 0) {
        if (len == cap)
            return 0;
        ret_text[len++] = '-';
    }
    uint32_t n = FIRST, bias = BIAS;
    uint64_t delta = 0;
    while (done < count) {
        uint32_t next = UINT32_MAX;
        for (size_t i = 0; i < count; i++)
            if (points[i] >= n && points[i] < next)
                next = points[i];
        delta += (uint64_t)(next - n) * (done + 1);
        n = next;
        for (size_t i = 0; i < count; i++) {
            if (points[i] < n)
                delta++;
            if (points[i] != n)
                continue;
            if (delta > UINT32_MAX ||
                (len = put_delta((uint32_t)delta, bias, ret_text, len, cap)) == 0)
                return 0;
            bias = adapt((uint32_t)delta, done + 1, done == basic);
            delta = 0;
            done++;
        }
        delta++;
        n++;
    }
    return len;
}

static int value_of(unsigned char c)
{
    if (is_digit(c))
        return c - '0' + 26;
    return is_alpha(c) ? (c | 0x20) - 'a' : -1;
}

/* One delta's digits from *at on.  False: not punycode. */
static bool take_delta(const char **at, const char *end, uint32_t bias, uint32_t *ret_delta)
{
    uint64_t delta = 0, weight = 1;
    for (uint32_t k = BASE;; k += BASE) {
        int value = *at < end ? value_of((unsigned char)**at) : -1;
        if (value < 0)
            return false;
        ++*at;
        delta += (uint64_t)value * weight;
        if (delta > INT32_MAX)
            return false;
        uint32_t t = threshold(k, bias);
        if ((uint32_t)value < t)
            break;
        weight *= BASE - t;
        if (weight > INT32_MAX)
            return false;
    }
    *ret_delta = (uint32_t)delta;
    return true;
}

size_t punycode_decode(const char *text, size_t len, uint32_t *ret_points, size_t cap)
{
    const char *at = text, *end = text + len;
    const char *hyphen = memrchr(text, '-', len);
    size_t count = 0;
    if (hyphen != NULL && hyphen > text) { /* a first hyphen is no delimiter */
        for (; at < hyphen; at++) {
            if (count == cap || (unsigned char)*at >= FIRST)
                return 0;
            ret_points[count++] = (unsigned char)*at;
        }
        at++;
    }
    uint32_t n = FIRST, bias = BIAS;
    uint64_t i = 0;
    size_t basic = count;
    while (at < end) {
        uint32_t delta;
        if (count == cap || !take_delta(&at, end, bias, &delta))
            return 0;
        i += delta;
        count++;
        bias = adapt(delta, (uint32_t)count, count == basic + 1);
        uint64_t point = n + i / count;
        i %= count;
        if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
            return 0;
        n = (uint32_t)point;
        memmove(ret_points + i + 1, ret_points + i, (count - 1 - i) * sizeof *ret_points);
        ret_points[i++] = n;
    }
    return count;
}
