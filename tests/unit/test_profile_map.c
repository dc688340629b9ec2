/* The hash table of reports: new, found again, through growth. */
#include "server/profile/map.h"
#include "server/profile/report.h"
#include "suite.h"

START_TEST(pairs_are_found_again)
{
    enum { N = 5000 };
    struct profile_table t = {.size = 0};
    for (uint32_t i = 0; i < N; i++) {
        uint32_t *place = profile_table_at(&t, i, i * 3);
        ck_assert_ptr_nonnull(place);
        ck_assert_uint_eq(*place, PROFILE_NONE);
        *place = i;
    }
    for (uint32_t i = 0; i < N; i++)
        ck_assert_uint_eq(*profile_table_at(&t, i, i * 3), i);
    /* the order of the pair matters */
    ck_assert_uint_eq(*profile_table_at(&t, 3, 1), PROFILE_NONE);
    profile_table_fini(&t);
}
END_TEST

SUITE_MAIN("profile_map", SUITE_TEST(pairs_are_found_again))
