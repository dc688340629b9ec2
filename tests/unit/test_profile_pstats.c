/* The marshalled file that pstats loads, byte by byte. */
#include <stdio.h>
#include <string.h>

#include "profile_small.h"
#include "suite.h"

static struct profile_report report;

static int make(struct buf *out)
{
    return profile_pstats(out, &report);
}

/* A reader of the few codes in use: it prints what it reads as Python would. */
struct reader {
    const unsigned char *at;
    const unsigned char *end;
    struct buf text;
};

static uint64_t read_le(struct reader *in, int bytes)
{
    uint64_t value = 0;
    ck_assert(in->end - in->at >= bytes);
    for (int i = 0; i < bytes; i++)
        value |= (uint64_t)*in->at++ << (8 * i);
    return value;
}

static void read_big(struct reader *in)
{
    int32_t count = (int32_t)read_le(in, 4);
    int64_t value = 0;
    for (int i = 0; i < (count < 0 ? -count : count); i++)
        value |= (int64_t)read_le(in, 2) << (15 * i);
    ck_assert_int_eq(buf_printf(&in->text, "%lld", (long long)(count < 0 ? -value : value)), 0);
}

/* Depth is bounded by what the writer writes. */
static bool read_value(struct reader *in)
{
    uint64_t code = read_le(in, 1), n;
    double real;
    switch (code) {
    case '0':
        return false;
    case '{':
        ck_assert_int_eq(buf_append_char(&in->text, '{'), 0);
        while (read_value(in)) {
            ck_assert_int_eq(buf_append_char(&in->text, ':'), 0);
            ck_assert(read_value(in));
            ck_assert_int_eq(buf_append_char(&in->text, '\n'), 0);
        }
        ck_assert_int_eq(buf_append_char(&in->text, '}'), 0);
        return true;
    case '(':
        ck_assert_int_eq(buf_append_char(&in->text, '('), 0);
        for (n = read_le(in, 4); n > 0; n--) {
            ck_assert(read_value(in));
            ck_assert_int_eq(buf_append_char(&in->text, n > 1 ? ' ' : ')'), 0);
        }
        return true;
    case 'u':
        n = read_le(in, 4);
        ck_assert(in->end - in->at >= (ptrdiff_t)n);
        ck_assert_int_eq(buf_append(&in->text, in->at, n), 0);
        in->at += n;
        return true;
    case 'i':
        ck_assert_int_eq(buf_printf(&in->text, "%d", (int)read_le(in, 4)), 0);
        return true;
    case 'l':
        read_big(in);
        return true;
    case 'g':
        n = read_le(in, 8);
        memcpy(&real, &n, sizeof real);
        ck_assert_int_eq(buf_printf(&in->text, "%g", real), 0);
        return true;
    default:
        ck_abort_msg("code %d", (int)code);
        return false;
    }
}

static void compare(const char *expected)
{
    struct buf out;
    buf_init(&out, 1 << 16);
    ck_assert_int_eq(make(&out), 0);
    struct reader in = {.at = (unsigned char *)out.data,
                        .end = (unsigned char *)out.data + out.len};
    buf_init(&in.text, 1 << 16);
    ck_assert(read_value(&in));
    ck_assert_ptr_eq(in.at, in.end);
    ck_assert_int_eq(buf_append_char(&in.text, 0), 0);
    ck_assert_str_eq(in.text.data, expected);
    small_check_limits(out.len, make);
    buf_fini(&in.text);
    buf_fini(&out);
}

START_TEST(counts_swap_places_in_callers)
{
    small_report(&report);
    for (uint32_t i = 0; i < report.edge_count; i++)
        if (report.edges[i].caller == report.edges[i].callee)
            report.edges[i].primitive = 4;
    compare("{(server/x.c 7 serve):(2 2 1 6.5 {})\n"
            "(tests/fib.c 2 fib;n):(3 9 5 5 {(tests/fib.c 2 fib;n):(6 4 3 3)\n"
            "(server/x.c 7 serve):(3 3 2 5)\n})\n"
            "(~ 0 <read>):(7 7 0.5 0.5 {(server/x.c 7 serve):(7 7 0.5 0.5)\n})\n"
            "(~ 0 <unscoped>):(0 0 5 5 {})\n}");
    profile_report_fini(&report);
}
END_TEST

/* Numbers around the limits of the codes. */
static const int64_t counts[] = {
    INT32_MAX, (int64_t)INT32_MAX + 1, INT64_C(1) << 45, INT64_C(5000000000), INT64_MAX,
    -3,        (int64_t)INT32_MIN - 1};

START_TEST(counts_of_any_size)
{
    char expected[200];
    small_report(&report);
    for (uint32_t i = 0; i < report.function_count; i++)
        report.functions[i].is_shown = false;
    struct profile_function *f = &report.functions[0];
    f->is_shown = true;
    f->calls = f->primitive = counts[_i];
    snprintf(expected, sizeof expected, "{(%s %u %s):(%lld %lld %g %g {})\n}", f->file, f->line,
             f->name, (long long)counts[_i], (long long)counts[_i], f->tottime, f->cumtime);
    compare(expected);
    profile_report_fini(&report);
}
END_TEST

SUITE_MAIN("profile_pstats", SUITE_TEST(counts_swap_places_in_callers),
           SUITE_LOOP(counts_of_any_size, counts))
