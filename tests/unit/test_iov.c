/* Blocks of which a part has been moved. */
#include "coro/base/iov.h"

#include "suite.h"

static char text[] = "abcdef";

/* "ab", "", "cdef" after n bytes are gone: how many blocks are left, of how many bytes. */
static const struct {
    size_t gone;
    int count;
    size_t first;
} cases[] = {{0, 3, 2}, {1, 3, 1}, {2, 1, 4}, {3, 1, 3}, {5, 1, 1}, {6, 0, 0}};

START_TEST(what_is_left)
{
    struct iovec blocks[3] = {{text, 2}, {text + 2, 0}, {text + 2, 4}};
    struct iovec *left = blocks;
    int count = 3;
    iov_advance(&left, &count, cases[_i].gone);
    ck_assert_int_eq(count, cases[_i].count);
    ck_assert_uint_eq(iov_bytes(left, count), 6 - cases[_i].gone);
    if (count > 0) {
        ck_assert_uint_eq(left->iov_len, cases[_i].first);
        ck_assert_ptr_eq(left->iov_base, text + cases[_i].gone);
    }
}
END_TEST

SUITE_MAIN("iov", SUITE_LOOP(what_is_left, cases))
