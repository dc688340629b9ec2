/* One line per event: the prefix, the levels, lines that are too long. */
#include <string.h>
#include <unistd.h>

#include "coro/base/log.h"
#include "suite.h"

/* What stderr receives while log_it runs. */
static void capture(void (*log_it)(void), char *text, size_t cap)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    int saved = dup(STDERR_FILENO);
    ck_assert_int_ge(saved, 0);
    dup2(ends[1], STDERR_FILENO);
    log_it();
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(ends[1]);
    size_t len = 0;
    ssize_t n;
    while (len < cap - 1 && (n = read(ends[0], text + len, cap - 1 - len)) > 0)
        len += (size_t)n;
    text[len] = '\0';
    close(ends[0]);
}

static void log_some(void)
{
    log_init("prog", LOG_INFO);
    log_error("no %s", "luck");
    log_warn("hm");
    log_info("fine");
    log_debug("never seen");
}

START_TEST(lines_bear_program_and_level)
{
    char text[256];
    capture(log_some, text, sizeof text);
    ck_assert_str_eq(text, "prog: error: no luck\nprog: warning: hm\nprog: fine\n");
}
END_TEST

static void log_long(void)
{
    char huge[5000];
    memset(huge, 'x', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    log_init("prog", LOG_INFO);
    log_info("%s", huge);
}

START_TEST(a_line_too_long_is_cut_and_stays_one_line)
{
    char text[8192];
    capture(log_long, text, sizeof text);
    size_t len = strlen(text);
    ck_assert_uint_gt(len, 1000);
    ck_assert_uint_lt(len, 4096);
    ck_assert_ptr_eq(strchr(text, '\n'), text + len - 1);
}
END_TEST

START_TEST(a_gate_lets_one_line_pass_and_counts_the_rest)
{
    struct log_gate gate = {0};
    uint64_t held = 99;
    ck_assert(log_gate_pass(&gate, 1000, 10, &held));
    ck_assert_uint_eq(held, 0);
    ck_assert(!log_gate_pass(&gate, 1000, 10, &held));
    ck_assert(!log_gate_pass(&gate, 1009, 10, &held));
    ck_assert(log_gate_pass(&gate, 1010, 10, &held));
    ck_assert_uint_eq(held, 2);
    ck_assert(log_gate_pass(&gate, 5000, 10, &held));
    ck_assert_uint_eq(held, 0);
}
END_TEST

SUITE_MAIN("log", SUITE_TEST(lines_bear_program_and_level),
           SUITE_TEST(a_gate_lets_one_line_pass_and_counts_the_rest),
           SUITE_TEST(a_line_too_long_is_cut_and_stays_one_line))
