/* The buffer: growth, the cap, failure leaves the contents alone. */
#include <errno.h>
#include <string.h>

#include "coro/base/buf.h"
#include "suite.h"

START_TEST(appends_accumulate)
{
    struct buf b;
    buf_init(&b, 4096);
    ck_assert_int_eq(buf_append_str(&b, "one "), 0);
    ck_assert_int_eq(buf_append_char(&b, '2'), 0);
    ck_assert_int_eq(buf_printf(&b, " %s %d", "three", 4), 0);
    ck_assert_uint_eq(b.len, strlen("one 2 three 4"));
    ck_assert_mem_eq(b.data, "one 2 three 4", b.len);
    buf_consume(&b, 4);
    ck_assert_mem_eq(b.data, "2 three 4", b.len);
    buf_fini(&b);
}
END_TEST

START_TEST(cap_is_a_hard_limit)
{
    struct buf b;
    buf_init(&b, 300);
    char chunk[299];
    memset(chunk, 'x', sizeof chunk);
    ck_assert_int_eq(buf_append(&b, chunk, sizeof chunk), 0);
    ck_assert_int_eq(buf_append(&b, "ab", 2), -EMSGSIZE);
    ck_assert_uint_eq(b.len, sizeof chunk);
    ck_assert_int_eq(buf_append(&b, "a", 1), 0);
    ck_assert_uint_eq(b.cap, 300);
    ck_assert_int_eq(buf_reserve(&b, SIZE_MAX), -EMSGSIZE);
    buf_fini(&b);
}
END_TEST

START_TEST(nothing_appended_is_fine)
{
    struct buf b;
    buf_init(&b, 16);
    ck_assert_int_eq(buf_append(&b, NULL, 0), 0);
    buf_consume(&b, 0);
    ck_assert_ptr_null(b.data);
    buf_fini(&b);
}
END_TEST

SUITE_MAIN("buf", SUITE_TEST(appends_accumulate), SUITE_TEST(cap_is_a_hard_limit),
           SUITE_TEST(nothing_appended_is_fine))
