/* Counting keys: totals, growth, the order that is printed. */
#include <stdio.h>
#include <string.h>

#include "client/extract.h"
#include "suite.h"

enum { MANY = 5000 }; /* the table doubles three times */

static void add(struct extract_counts *c, const char *key, uint64_t times)
{
    ck_assert_int_eq(extract_counts_add(c, key, strlen(key), times), 0);
}

static void check_printed(struct extract_counts *c, size_t top, const char *expected)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    ck_assert_int_eq(extract_counts_print(c, top, &out), 0);
    ck_assert_int_eq(buf_append_char(&out, '\0'), 0);
    ck_assert_str_eq(out.data, expected);
    buf_fini(&out);
}

START_TEST(the_most_frequent_come_first_and_equals_by_key)
{
    struct extract_counts *c;
    ck_assert_int_eq(extract_counts_new(&c), 0);
    add(c, "b.com", 1);
    add(c, "rare.com", 1);
    add(c, "a.com", 2);
    add(c, "b.com", 1);
    add(c, "b.co", 2);
    add(c, "top.com", 7);
    check_printed(c, 10, "7\ttop.com\n2\ta.com\n2\tb.co\n2\tb.com\n1\trare.com\n");
    check_printed(c, 2, "7\ttop.com\n2\ta.com\n");
    check_printed(c, 0, "");
    extract_counts_free(c);
}
END_TEST

START_TEST(a_key_is_its_bytes)
{
    struct extract_counts *c;
    ck_assert_int_eq(extract_counts_new(&c), 0);
    ck_assert_int_eq(extract_counts_add(c, "a\0b", 3, 1), 0);
    ck_assert_int_eq(extract_counts_add(c, "a", 1, 1), 0);
    ck_assert_int_eq(extract_counts_add(c, "", 0, 3), 0);
    struct buf out;
    buf_init(&out, 1 << 20);
    ck_assert_int_eq(extract_counts_print(c, 10, &out), 0);
    ck_assert_uint_eq(out.len, 13);
    ck_assert_mem_eq(out.data, "3\t\n1\ta\n1\ta\0b\n", 13);
    buf_fini(&out);
    extract_counts_free(c);
}
END_TEST

/* Key i comes i times, from both tables of which one is added to the other. */
START_TEST(growth_and_merging_lose_nothing)
{
    struct extract_counts *half[2];
    char key[32], line[64];
    for (int h = 0; h < 2; h++)
        ck_assert_int_eq(extract_counts_new(&half[h]), 0);
    for (unsigned i = 1; i <= MANY; i++) {
        snprintf(key, sizeof key, "host%u.example", i);
        add(half[0], key, i / 2);
        add(half[1], key, i - i / 2);
    }
    ck_assert_int_eq(extract_counts_merge(half[0], half[1]), 0);
    struct buf out;
    buf_init(&out, 1 << 24);
    ck_assert_int_eq(extract_counts_print(half[0], MANY + 1, &out), 0);
    const char *at = out.data, *end = out.data + out.len;
    for (unsigned i = MANY; i >= 1; i--) {
        int n = snprintf(line, sizeof line, "%u\thost%u.example\n", i, i);
        ck_assert_int_ge(end - at, n);
        ck_assert_mem_eq(at, line, (size_t)n);
        at += n;
    }
    ck_assert_ptr_eq(at, end);
    buf_fini(&out);
    for (int h = 0; h < 2; h++)
        extract_counts_free(half[h]);
    extract_counts_free(NULL);
}
END_TEST

SUITE_MAIN("extract_count", SUITE_TEST(the_most_frequent_come_first_and_equals_by_key),
           SUITE_TEST(a_key_is_its_bytes), SUITE_TEST(growth_and_merging_lose_nothing))
