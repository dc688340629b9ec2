/* The report: heads, units, bounds, and what other modules add to it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "server/metrics/internal.h"
#include "suite.h"

static struct buf out;

static void set_up(void)
{
    ck_assert_int_eq(metrics_init(1), 0);
    buf_init(&out, 1 << 20);
}

static void tear_down(void)
{
    buf_fini(&out);
    metrics_fini();
}

static const char *exported(enum metrics_format format)
{
    out.len = 0;
    ck_assert_int_eq(metrics_export(&out, format), 0);
    ck_assert_int_eq(buf_append_char(&out, '\0'), 0);
    return out.data;
}

static const struct {
    enum metrics_type type;
    const char *name;
    const char *head[2]; /* by format: what comes after the help */
} heads[] = {
    {METRICS_IS_COUNTER, "x", {"# TYPE domaind_x_total counter\n", "# TYPE domaind_x counter\n"}},
    {METRICS_IS_GAUGE, "x", {"# TYPE domaind_x gauge\n", "# TYPE domaind_x gauge\n"}},
    {METRICS_IS_INFO, "x", {"# TYPE domaind_x_info gauge\n", "# TYPE domaind_x info\n"}},
    {METRICS_IS_HISTOGRAM,
     "x_seconds",
     {"# TYPE domaind_x_seconds histogram\n",
      "# TYPE domaind_x_seconds histogram\n# UNIT domaind_x_seconds seconds\n"}},
    {METRICS_IS_COUNTER,
     "x_bytes",
     {"# TYPE domaind_x_bytes_total counter\n",
      "# TYPE domaind_x_bytes counter\n# UNIT domaind_x_bytes bytes\n"}},
    {METRICS_IS_GAUGE,
     "x_ratio",
     {"# TYPE domaind_x_ratio gauge\n",
      "# TYPE domaind_x_ratio gauge\n# UNIT domaind_x_ratio ratio\n"}},
    {METRICS_IS_GAUGE, "bytes", {"# TYPE domaind_bytes gauge\n", "# TYPE domaind_bytes gauge\n"}},
};

static void add_head(void *arg, struct metrics_report *report)
{
    int i = *(int *)arg;
    metrics_head(report, heads[i].type, heads[i].name, "Help.");
    metrics_line(report, "line\n");
}

START_TEST(a_head_is_as_its_format_wants_it)
{
    set_up();
    metrics_extend(add_head, &_i);
    for (enum metrics_format format = METRICS_PROMETHEUS; format <= METRICS_OPENMETRICS; format++) {
        const char *text = exported(format), *help = strstr(text, " Help.\n");
        ck_assert_ptr_nonnull(help);
        help += strlen(" Help.\n");
        size_t len = strlen(heads[_i].head[format]);
        ck_assert_int_eq(strncmp(help, heads[_i].head[format], len), 0);
        ck_assert_int_eq(strncmp(help + len, "line\n", 5), 0);
    }
    metrics_unextend(add_head);
    ck_assert_ptr_null(strstr(exported(METRICS_PROMETHEUS), " Help.\n"));
    tear_down();
}
END_TEST

static void add_one(void *arg, struct metrics_report *report)
{
    metrics_line(report, "one %s\n", (const char *)arg);
}

static void add_two(void *arg, struct metrics_report *report)
{
    metrics_line(report, "two %s\n", (const char *)arg);
}

START_TEST(several_modules_may_add_and_each_adds_once)
{
    static char a[] = "a", b[] = "b";
    set_up();
    metrics_extend(add_one, a);
    metrics_extend(add_two, a);
    metrics_extend(add_one, b); /* again: instead */
    const char *text = exported(METRICS_OPENMETRICS);
    ck_assert_ptr_nonnull(strstr(text, "one b\ntwo a\n# EOF\n"));
    ck_assert_ptr_null(strstr(text, "one a\n"));
    metrics_unextend(add_one);
    metrics_unextend(add_one);
    text = exported(METRICS_OPENMETRICS);
    ck_assert_ptr_null(strstr(text, "\none b"));
    ck_assert_ptr_nonnull(strstr(text, "two a\n# EOF\n"));
    tear_down();
}
END_TEST

START_TEST(bounds_are_numbers_that_both_formats_write_alike)
{
    set_up();
    for (enum metrics_format format = METRICS_PROMETHEUS; format <= METRICS_OPENMETRICS; format++) {
        const char *text = exported(format);
        static const char *const bounds[] = {"5e-05", "0.0001", "0.05", "1.0",
                                             "2.5",   "10.0",   "+Inf"};
        for (size_t i = 0; i < ARRAY_LEN(bounds); i++) {
            char line[80];
            snprintf(line, sizeof line, "\ndomaind_loop_lag_seconds_bucket{le=\"%s\"} 0\n",
                     bounds[i]);
            ck_assert_msg(strstr(text, line) != NULL, "no %s", line);
        }
    }
    tear_down();
}
END_TEST

START_TEST(buckets_add_up)
{
    set_up();
    metrics_observe(METRICS_LOOP_LAG, metrics_bounds_ns[0]);     /* at the bound: in it */
    metrics_observe(METRICS_LOOP_LAG, metrics_bounds_ns[0] + 1); /* above: in the next */
    metrics_observe(METRICS_LOOP_LAG, -1);                       /* a clock that went back */
    metrics_observe(METRICS_LOOP_LAG, INT64_C(1) << 50);
    const char *text = exported(METRICS_PROMETHEUS);
    ck_assert_ptr_nonnull(strstr(text, "lag_seconds_bucket{le=\"5e-05\"} 2\n"));
    ck_assert_ptr_nonnull(strstr(text, "lag_seconds_bucket{le=\"0.0001\"} 3\n"));
    ck_assert_ptr_nonnull(strstr(text, "lag_seconds_bucket{le=\"10.0\"} 3\n"));
    ck_assert_ptr_nonnull(strstr(text, "lag_seconds_bucket{le=\"+Inf\"} 4\n"));
    ck_assert_ptr_nonnull(strstr(text, "lag_seconds_count 4\n"));
    tear_down();
}
END_TEST

START_TEST(a_report_that_does_not_fit_is_none)
{
    set_up();
    for (size_t cap = 1; cap < 4000; cap += 97) {
        struct buf little;
        buf_init(&little, cap);
        ck_assert_int_eq(metrics_export(&little, METRICS_OPENMETRICS), -EMSGSIZE);
        buf_fini(&little);
    }
    tear_down();
}
END_TEST

SUITE_MAIN("export", SUITE_LOOP(a_head_is_as_its_format_wants_it, heads),
           SUITE_TEST(several_modules_may_add_and_each_adds_once),
           SUITE_TEST(bounds_are_numbers_that_both_formats_write_alike), SUITE_TEST(buckets_add_up),
           SUITE_TEST(a_report_that_does_not_fit_is_none))
