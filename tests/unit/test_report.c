/* A run's report: wrk's layout, the truth, and no figure that nobody measured. */
#include <math.h>
#include <string.h>

#include "loadgen/report.h"
#include "result.h"
#include "suite.h"

static struct lg_load load;
static struct lg_result result;

static char *report(void)
{
    struct lg_findings findings;
    struct caught caught;
    caught_begin(&caught);
    lg_judge(&load, &result, &findings);
    lg_report_head(caught.out, &load, "http://h/");
    lg_report(caught.out, &load, &result, &findings);
    return caught_end(&caught);
}

static void setup(double rate_per_s, int answers)
{
    load = (struct lg_load){.connections = 2,
                            .threads = 1,
                            .pipeline = 1,
                            .keepalive = true,
                            .duration_ns = NS_PER_S,
                            .rate_per_s = rate_per_s};
    result_make(&result, answers);
}

START_TEST(closed_loop_says_what_its_latency_is)
{
    const char *const lines[] = {
        "Running 1s test @ http://h/\n  1 thread and 2 connections, closed loop\n",
        "  Thread Stats   Avg      Stdev     Max   +/- Stdev\n    Latency ",
        "(service time at c=2, not what users would see)\n",
        "\n      99%    1.00ms\n",
        "\n    99.9%         -\n", /* 1,000 answers do not know it */
        "\n  1000 sent = 1000 ok + 0 timeout + 0 unfinished\n",
        "\nRequests/sec:    1000.00\n",
    };
    setup(0, 1000);
    char *text = report();
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        ck_assert_msg(strstr(text, lines[i]) != NULL, "%s not in:\n%s", lines[i], text);
    ck_assert_ptr_null(strstr(text, "Socket errors"));
    ck_assert_ptr_null(strstr(text, "schedule lag"));
    free(text);
    lg_result_fini(&result);
}
END_TEST

START_TEST(open_loop_shows_both_latencies)
{
    setup(1000, 1000);
    for (int i = 0; i < 1000; i++)
        hist_record(&result.record.lag, 10000);
    hist_record(&result.loop_lag, 20000); /* one alone has no p99 */
    lg_record_unsent(&result.record, 0, NS_PER_S);
    char *text = report();
    ck_assert_ptr_nonnull(strstr(text, "open loop: 1000 requests due per second"));
    ck_assert_ptr_nonnull(strstr(text, "           corrected       raw\n"));
    ck_assert_ptr_nonnull(strstr(text, "  1 more were due and never sent"));
    ck_assert_ptr_nonnull(strstr(text, "  loop lag max 20.00us; schedule lag p99 10.00us, max "));
    free(text);
    lg_result_fini(&result);
}
END_TEST

START_TEST(nothing_measured_is_shown_as_nothing)
{
    setup(0, 0);
    result.own_cpu_us = NAN;
    char *text = report();
    ck_assert_ptr_nonnull(strstr(text, "    Latency          -        -        -        -\n"));
    ck_assert_ptr_nonnull(strstr(text, "    Req/Sec          -        -        -        -\n"));
    ck_assert_ptr_null(strstr(text, "per request"));
    ck_assert_ptr_null(strstr(text, "loop lag"));
    ck_assert_ptr_nonnull(strstr(text, "FAILED: no request was sent"));
    free(text);
    lg_result_fini(&result);
}
END_TEST

START_TEST(few_answers_say_why_there_is_no_percentile)
{
    setup(0, 5);
    char *text = report();
    ck_assert_ptr_nonnull(strstr(text, "(a percentile needs ten requests beyond it)"));
    free(text);
    lg_result_fini(&result);
}
END_TEST

static const enum lg_outcome failures[] = {LG_STATUS, LG_CONNECT,   LG_WRITE,     LG_RESET,
                                           LG_CLOSED, LG_HALF,      LG_MALFORMED, LG_TIMEOUT,
                                           LG_LOCAL,  LG_UNFINISHED};

/* Every kind of failure has its line, its words and its first reason. */
START_TEST(failures_are_explained)
{
    char expected[256];
    enum lg_outcome what = failures[_i];
    setup(0, 10);
    result.record.first_why[what] = "because";
    result.record.sent += 3;
    for (int k = 0; k < 3; k++)
        lg_record_end(&result.record, what, 0, 0, NS_PER_MS);
    char *text = report();
    snprintf(expected, sizeof expected, "    %-10s 3: %s; first: because\n", lg_outcome_word[what],
             lg_outcome_text[what]);
    ck_assert_msg(strstr(text, expected) != NULL, "%s not in:\n%s", expected, text);
    ck_assert_ptr_nonnull(strstr(text, "  Socket errors: connect "));
    snprintf(expected, sizeof expected, " + 3 %s", lg_outcome_word[what]);
    ck_assert_ptr_nonnull(strstr(text, expected));
    free(text);
    lg_result_fini(&result);
}
END_TEST

START_TEST(a_partial_result_says_so)
{
    setup(0, 10);
    result.interrupted = true;
    result.seconds = 0.25;
    char *text = report();
    ck_assert_ptr_nonnull(strstr(text, "Interrupted after 0.25s: this is a partial result"));
    free(text);
    lg_result_fini(&result);
}
END_TEST

START_TEST(long_urls_are_cut)
{
    char url[300];
    struct caught caught;
    setup(0, 0);
    load.duration_ns = 0;
    load.requests_max = 7;
    memset(url, 'u', sizeof url - 1);
    url[sizeof url - 1] = '\0';
    caught_begin(&caught);
    lg_report_head(caught.out, &load, url);
    char *text = caught_end(&caught);
    ck_assert_ptr_nonnull(strstr(text, "Running 7 requests @ uuu"));
    ck_assert_ptr_nonnull(strstr(text, "u...\n"));
    ck_assert_uint_lt(strcspn(text, "\n"), 130);
    free(text);
    lg_result_fini(&result);
}
END_TEST

SUITE_MAIN("report", SUITE_TEST(closed_loop_says_what_its_latency_is),
           SUITE_TEST(open_loop_shows_both_latencies),
           SUITE_TEST(nothing_measured_is_shown_as_nothing),
           SUITE_TEST(few_answers_say_why_there_is_no_percentile),
           SUITE_LOOP(failures_are_explained, failures), SUITE_TEST(a_partial_result_says_so),
           SUITE_TEST(long_urls_are_cut))
