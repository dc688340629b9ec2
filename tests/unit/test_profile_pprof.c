/* profile.proto, decoded again: samples, labels, and what consumers insist on. */
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "profile_small.h"
#include "suite.h"

static struct profile_report report;
static struct prof_snapshot *snapshot;
static struct profile_about about;

static int make(struct buf *out)
{
    return profile_pprof(out, &report, &about);
}

/* ---- the wire ---- */

struct field {
    unsigned number;
    uint64_t value; /* or the length of bytes */
    const unsigned char *bytes;
};

struct reader {
    const unsigned char *at;
    const unsigned char *end;
};

static uint64_t read_varint(struct reader *in)
{
    uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
        ck_assert(in->at < in->end && shift < 64);
        value |= (uint64_t)(*in->at & 0x7f) << shift;
        if (!(*in->at++ & 0x80))
            return value;
    }
}

static bool next_field(struct reader *in, struct field *f)
{
    if (in->at == in->end)
        return false;
    uint64_t tag = read_varint(in);
    *f = (struct field){.number = (unsigned)(tag >> 3), .value = read_varint(in)};
    if ((tag & 7) == 0)
        return true;
    ck_assert_uint_eq(tag & 7, 2);
    ck_assert((uint64_t)(in->end - in->at) >= f->value);
    f->bytes = in->at;
    in->at += f->value;
    return true;
}

static struct reader inside(const struct field *f)
{
    return (struct reader){f->bytes, f->bytes + f->value};
}

/* ---- the profile ---- */

static unsigned char raw[1 << 16];
static size_t raw_len;
static char strings[64][80];
static size_t string_count, location_count, function_count;
static char lines[64][300]; /* samples as text */
static size_t line_count;
static uint64_t location_name[64]; /* string of each location's function */
static char build_id[80];

static void unzip(const struct buf *out)
{
    z_stream z = {.next_in = (Bytef *)(void *)out->data,
                  .avail_in = (uInt)out->len,
                  .next_out = raw,
                  .avail_out = sizeof raw};
    ck_assert_int_eq(inflateInit2(&z, 15 + 16), Z_OK);
    ck_assert_int_eq(inflate(&z, Z_FINISH), Z_STREAM_END);
    raw_len = z.total_out;
    inflateEnd(&z);
}

static uint64_t number_in(const struct field *message, unsigned number)
{
    struct reader in = inside(message);
    struct field f;
    while (next_field(&in, &f))
        if (f.number == number)
            return f.value;
    return 0;
}

static void read_tables(void)
{
    struct reader in = {raw, raw + raw_len};
    struct field f;
    while (next_field(&in, &f)) {
        if (f.number == 6) {
            ck_assert_uint_lt(string_count, 64);
            snprintf(strings[string_count++], sizeof strings[0], "%.*s", (int)f.value, f.bytes);
        } else if (f.number == 4) {
            ck_assert_uint_eq(number_in(&f, 1), ++location_count); /* from 1, without gaps */
            ck_assert_uint_eq(number_in(&f, 2), 1);
        } else if (f.number == 5) {
            ck_assert_uint_eq(number_in(&f, 1), ++function_count);
            location_name[function_count] = number_in(&f, 2);
        }
    }
    in = (struct reader){raw, raw + raw_len};
    while (next_field(&in, &f)) {
        if (f.number != 3)
            continue;
        ck_assert_uint_eq(number_in(&f, 1), 1);
        snprintf(build_id, sizeof build_id, "%s", strings[number_in(&f, 6)]);
        ck_assert_uint_lt(number_in(&f, 2), number_in(&f, 3));
        ck_assert_uint_le(number_in(&f, 2), (uintptr_t)&small_serve);
        ck_assert_uint_gt(number_in(&f, 3), (uintptr_t)&small_serve);
        for (unsigned has = 7; has <= 9; has++)
            ck_assert_uint_eq(number_in(&f, has), 1);
    }
}

/* "fib;n serve: 3 0 2000000000 mode=x worker=0" */
static void read_sample(const struct field *sample, char *line, size_t cap)
{
    struct reader in = inside(sample), packed;
    struct field f;
    size_t n = 0;
    while (next_field(&in, &f)) {
        packed = inside(&f);
        if (f.number == 1)
            while (packed.at < packed.end)
                n += (size_t)snprintf(line + n, cap - n, "%s ",
                                      strings[location_name[read_varint(&packed)]]);
        else if (f.number == 2)
            while (packed.at < packed.end)
                n += (size_t)snprintf(line + n, cap - n, "%lld ", (long long)read_varint(&packed));
        else
            n += (size_t)snprintf(line + n, cap - n, "%s=%s ", strings[number_in(&f, 1)],
                                  strings[number_in(&f, 2)]);
    }
}

static void decode(void)
{
    struct buf out;
    struct field f;
    buf_init(&out, 1 << 16);
    ck_assert_int_eq(make(&out), 0);
    unzip(&out);
    buf_fini(&out);
    string_count = location_count = function_count = line_count = 0;
    read_tables();
    ck_assert_uint_eq(location_count, function_count);
    ck_assert_str_eq(strings[0], "");
    struct reader in = {raw, raw + raw_len};
    while (next_field(&in, &f))
        if (f.number == 2)
            read_sample(&f, lines[line_count++], sizeof lines[0]);
}

static bool has_sample(const char *line)
{
    for (size_t i = 0; i < line_count; i++)
        if (strcmp(lines[i], line) == 0)
            return true;
    fprintf(stderr, "no sample %s among:\n", line);
    for (size_t i = 0; i < line_count; i++)
        fprintf(stderr, "  %s\n", lines[i]);
    return false;
}

static void open_report(bool is_by_worker)
{
    const struct profile_filter filter = {.slot = -1, .is_by_worker = is_by_worker};
    ck_assert_int_eq(prof_segment_create(1), 0);
    small_fill(small_slot(0));
    ck_assert_int_eq(prof_snapshot_take(0, &snapshot), 0);
    snapshot->tick_ns = 1;
    ck_assert_int_eq(profile_report_init(&report), 0);
    ck_assert_int_eq(profile_report_add(&report, snapshot, 1, &filter), 0);
    if (!is_by_worker)
        ck_assert_int_eq(profile_report_finish(&report), 0);
    about = (struct profile_about){.snapshot = snapshot, .slot = -1};
}

static void close_report(void)
{
    profile_report_fini(&report);
    prof_snapshot_free(snapshot);
    prof_segment_destroy();
}

START_TEST(a_sample_for_each_path)
{
    open_report(false);
    about.mode = "thread";
    decode();
    ck_assert(has_sample("serve 2 4000000000 1000000000 mode=thread "));
    ck_assert(has_sample("fib;n fib;n serve 6 0 3000000000 mode=thread "));
    ck_assert(has_sample("{read} serve 7 0 500000000 mode=thread "));
    ck_assert_uint_eq(line_count, 4);
    ck_assert_uint_ge(strlen(build_id), 16); /* gcc and clang give one on Debian */
    close_report();
}
END_TEST

START_TEST(cpu_has_what_gos_profile_has)
{
    static const struct profile_endpoint endpoints[] = {{"/fib", "fib;n"}, {NULL, NULL}};
    open_report(false);
    about.is_cpu = true;
    about.endpoints = endpoints;
    decode();
    ck_assert(has_sample("serve 2 1000000000 "));
    ck_assert(has_sample("fib;n serve 3 2000000000 endpoint=/fib "));
    close_report();
}
END_TEST

START_TEST(workers_are_told_apart)
{
    open_report(true);
    decode();
    ck_assert(has_sample("{read} serve 7 0 500000000 worker=0 "));
    ck_assert_uint_eq(line_count, 4);
    /* a second worker, with other figures on the same paths */
    struct prof_snapshot *other = snapshot;
    ((struct prof_snapshot_worker *)(void *)prof_snapshot_workers(other))[0].slot = 12;
    const struct profile_filter filter = {.slot = -1, .is_by_worker = true};
    ck_assert_int_eq(profile_report_add(&report, other, 1, &filter), 0);
    ck_assert_int_eq(profile_report_add(&report, other, 1, &filter), 0);
    decode();
    ck_assert(has_sample("serve 2 4000000000 1000000000 worker=0 "));
    ck_assert(has_sample("serve 4 8000000000 2000000000 worker=12 "));
    ck_assert(has_sample("fib;n fib;n serve 12 0 6000000000 worker=12 "));
    ck_assert_uint_eq(line_count, 8);
    close_report();
}
END_TEST

START_TEST(a_full_buffer_is_told)
{
    struct buf out;
    open_report(false);
    buf_init(&out, 1 << 16);
    ck_assert_int_eq(make(&out), 0);
    small_check_limits(out.len, make);
    buf_fini(&out);
    close_report();
}
END_TEST

SUITE_MAIN("profile_pprof", SUITE_TEST(a_sample_for_each_path),
           SUITE_TEST(cpu_has_what_gos_profile_has), SUITE_TEST(workers_are_told_apart),
           SUITE_TEST(a_full_buffer_is_told))
