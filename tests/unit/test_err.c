/* Error texts: either sign, and numbers nobody knows. */
#include <errno.h>

#include "coro/base/err.h"
#include "suite.h"

START_TEST(text_of_either_sign)
{
    ck_assert_str_eq(err_text(-ENOENT), "No such file or directory");
    ck_assert_str_eq(err_text(ENOENT), "No such file or directory");
}
END_TEST

START_TEST(an_unknown_number_has_a_text_too)
{
    ck_assert_str_eq(err_text(-99999), "unknown error");
}
END_TEST

SUITE_MAIN("err", SUITE_TEST(text_of_either_sign), SUITE_TEST(an_unknown_number_has_a_text_too))
