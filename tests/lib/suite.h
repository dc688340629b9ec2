/* tests/lib/suite.h - the main() of a unit test: SUITE_MAIN("name", test, test...).
 *
 * Loops over case tables use SUITE_LOOP(test, table), where `test` reads
 * table[_i].  Needs -std=gnu17 (a table of entries is passed). */
#pragma once

#include <check.h>
#include <stdlib.h>

#include "coro/base/attr.h"
#include "coro/base/clock.h"

struct suite_entry {
    const TTest *test;
    int count; /* 0: once; else a loop test over 0..count-1 */
};

#define SUITE_TEST(t)                                                                              \
    {                                                                                              \
        t, 0                                                                                       \
    }
#define SUITE_LOOP(t, table)                                                                       \
    {                                                                                              \
        t, (int)ARRAY_LEN(table)                                                                   \
    }

static inline int suite_run(const char *name, const struct suite_entry *entries, size_t n)
{
    Suite *suite = suite_create(name);
    for (size_t i = 0; i < n; i++) {
        /* one TCase per test: its name in the report, its own timeout */
        TCase *tc = tcase_create(entries[i].test->name);
        tcase_set_timeout(tc, 300);
        if (entries[i].count == 0)
            tcase_add_test(tc, entries[i].test);
        else
            tcase_add_loop_test(tc, entries[i].test, 0, entries[i].count);
        suite_add_tcase(suite, tc);
    }
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#define SUITE_MAIN(name, ...)                                                                      \
    int main(void)                                                                                 \
    {                                                                                              \
        const struct suite_entry entries[] = {__VA_ARGS__};                                        \
        return suite_run(name, entries, ARRAY_LEN(entries));                                       \
    }
