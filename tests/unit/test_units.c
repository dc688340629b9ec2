/* Numbers with units: what is read, what is refused, how they print. */
#include <errno.h>

#include "coro/base/units.h"
#include "suite.h"

static const struct {
    const char *text;
    int rv;
    int64_t ns;
} durations[] = {
    {"10s", 0, 10000000000}, {"1.5ms", 0, 1500000},   {"250us", 0, 250000},
    {"90ns", 0, 90},         {"2m", 0, 120000000000}, {"1h", 0, 3600000000000},
    {"3", 0, 3000000000},    {".5s", 0, 500000000},   {"", -EINVAL, 0},
    {"s", -EINVAL, 0},       {"-1s", -EINVAL, 0},     {"1 s", -EINVAL, 0},
    {"0x10s", -EINVAL, 0},   {"nan", -EINVAL, 0},     {"1e300s", -ERANGE, 0},
    {"10sec", -EINVAL, 0},
};

START_TEST(durations_parse)
{
    int64_t ns = -7;
    ck_assert_int_eq(units_parse_ns(durations[_i].text, &ns), durations[_i].rv);
    ck_assert_int_eq(ns, durations[_i].rv == 0 ? durations[_i].ns : -7);
}
END_TEST

static const struct {
    const char *text;
    int rv;
    int64_t bytes;
} sizes[] = {
    {"4096", 0, 4096}, {"64k", 0, 65536}, {"1M", 0, 1048576},  {"2G", 0, 2147483648},
    {"0", 0, 0},       {"k", -EINVAL, 0}, {"1kb", -EINVAL, 0}, {"9999999999G", -ERANGE, 0},
};

START_TEST(sizes_parse)
{
    int64_t bytes = -7;
    ck_assert_int_eq(units_parse_bytes(sizes[_i].text, &bytes), sizes[_i].rv);
    ck_assert_int_eq(bytes, sizes[_i].rv == 0 ? sizes[_i].bytes : -7);
}
END_TEST

START_TEST(ints_parse_within_their_range)
{
    int64_t v = 0;
    ck_assert_int_eq(units_parse_int("42", 0, 100, &v), 0);
    ck_assert_int_eq(v, 42);
    ck_assert_int_eq(units_parse_int("101", 0, 100, &v), -ERANGE);
    ck_assert_int_eq(units_parse_int("-1", 0, 100, &v), -ERANGE);
    ck_assert_int_eq(units_parse_int("4x", 0, 100, &v), -EINVAL);
    ck_assert_int_eq(units_parse_int(" 4", 0, 100, &v), -EINVAL);
    ck_assert_int_eq(units_parse_int("99999999999999999999", 0, INT64_MAX, &v), -ERANGE);
}
END_TEST

START_TEST(formats_as_wrk_prints)
{
    char text[UNITS_TEXT_BYTES];
    ck_assert_str_eq(units_format_ns(635910, text), "635.91us");
    ck_assert_str_eq(units_format_ns(12920000, text), "12.92ms");
    ck_assert_str_eq(units_format_ns(1.27e9, text), "1.27s");
    ck_assert_str_eq(units_format_bytes(1536, text), "1.50KB");
    ck_assert_str_eq(units_format_count(56200, text), "56.20k");
}
END_TEST

SUITE_MAIN("units", SUITE_LOOP(durations_parse, durations), SUITE_LOOP(sizes_parse, sizes),
           SUITE_TEST(ints_parse_within_their_range), SUITE_TEST(formats_as_wrk_prints))
