/* A program's own call-table: recorded, rendered, gone. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "coro/prof/prof.h"
#include "coro/prof/worker.h"
#include "server/profile/own.h"
#include "suite.h"

enum { TEXT_MAX_BYTES = 1 << 20, CALLS = 7 };

static const struct {
    const char *sort;
    bool known;
} sorts[] = {{"cumulative", true}, {"tottime", true}, {"", false}, {"cumulativ,e", false}};

START_TEST(sort_keys)
{
    ck_assert_int_eq(profile_own_knows(sorts[_i].sort), sorts[_i].known);
}
END_TEST

static void called(void)
{
    PROF_FN();
}

START_TEST(table_of_this_process)
{
    struct buf text;
    buf_init(&text, TEXT_MAX_BYTES);
    ck_assert_int_eq(profile_own_start(1), 0);
    ck_assert_int_eq(prof_worker_open("test"), 0);
    for (int i = 0; i < CALLS; i++)
        called();
    prof_worker_close();
    ck_assert_int_eq(profile_own_finish("cumulative", &text), 0);
    ck_assert_int_eq(buf_append_char(&text, '\0'), 0);
    ck_assert_ptr_nonnull(strstr(text.data, "function calls in"));
    const char *line = strstr(text.data, "(called)");
    ck_assert_ptr_nonnull(line);
    while (line > text.data && line[-1] != '\n')
        line--;
    ck_assert_int_eq(strtol(line, NULL, 10), CALLS);
    buf_fini(&text);
}
END_TEST

START_TEST(without_a_start)
{
    struct buf text;
    buf_init(&text, TEXT_MAX_BYTES);
    ck_assert_int_eq(profile_own_finish("cumulative", &text), -ENOENT);
    buf_fini(&text);
}
END_TEST

SUITE_MAIN("profile_own", SUITE_LOOP(sort_keys, sorts), SUITE_TEST(table_of_this_process),
           SUITE_TEST(without_a_start))
