#include "coro/base/units.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct unit {
    const char *suffix;
    double scale;
};

/* A number, then one of the suffixes; strtod's hex, inf and nan are not numbers to people. */
static int parse_scaled(const char *text, const struct unit *units, size_t n, int64_t *ret_value)
{
    if (!isdigit((unsigned char)text[0]) && text[0] != '.')
        return -EINVAL;
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
        return -EINVAL;
    char *end;
    double value = strtod(text, &end);
    if (end == text)
        return -EINVAL;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(end, units[i].suffix) != 0)
            continue;
        value *= units[i].scale;
        if (!(value < 9.2e18))
            return -ERANGE;
        *ret_value = (int64_t)llround(value);
        return 0;
    }
    return -EINVAL;
}

int units_parse_ns(const char *text, int64_t *ret_ns)
{
    static const struct unit units[] = {
        {"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"", 1e9}, {"m", 60e9}, {"h", 3600e9},
    };
    return parse_scaled(text, units, ARRAY_LEN(units), ret_ns);
}

int units_parse_bytes(const char *text, int64_t *ret_bytes)
{
    static const struct unit units[] = {
        {"", 1},        {"k", 1024},       {"K", 1024},       {"m", 1048576},
        {"M", 1048576}, {"g", 1073741824}, {"G", 1073741824},
    };
    return parse_scaled(text, units, ARRAY_LEN(units), ret_bytes);
}

int units_parse_int(const char *text, int64_t min, int64_t max, int64_t *ret_value)
{
    char *end;
    if (!isdigit((unsigned char)text[0]) && text[0] != '-')
        return -EINVAL;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end != '\0')
        return -EINVAL;
    if (errno == ERANGE || value < min || value > max)
        return -ERANGE;
    *ret_value = value;
    return 0;
}

static const char *format_scaled(double value, double base, const char *const suffix[], size_t n,
                                 char text[UNITS_TEXT_BYTES])
{
    size_t i = 0;
    while (i + 1 < n && value >= base) {
        value /= base;
        i++;
    }
    snprintf(text, UNITS_TEXT_BYTES, "%.2f%s", value, suffix[i]);
    return text;
}

const char *units_format_ns(double ns, char text[UNITS_TEXT_BYTES])
{
    static const char *const suffix[] = {"us", "ms", "s"};
    return format_scaled(ns / 1e3, 1000, suffix, ARRAY_LEN(suffix), text);
}

const char *units_format_bytes(double bytes, char text[UNITS_TEXT_BYTES])
{
    static const char *const suffix[] = {"B", "KB", "MB", "GB", "TB"};
    return format_scaled(bytes, 1024, suffix, ARRAY_LEN(suffix), text);
}

const char *units_format_count(double count, char text[UNITS_TEXT_BYTES])
{
    static const char *const suffix[] = {"", "k", "M", "G"};
    return format_scaled(count, 1000, suffix, ARRAY_LEN(suffix), text);
}
