/* What numbers are worth: each doubt is raised when it should be, and only then. */
#include <string.h>

#include "coro/base/clock.h"
#include "loadgen/verdict.h"
#include "suite.h"

static struct lg_load load;
static struct lg_result result;

/* A clean second: 1,000 answers of 1 ms, one each millisecond. */
static void make_clean(double rate_per_s)
{
    load = (struct lg_load){.connections = 1,
                            .threads = 1,
                            .pipeline = 1,
                            .keepalive = true,
                            .duration_ns = NS_PER_S,
                            .rate_per_s = rate_per_s};
    result = (struct lg_result){
        .seconds = 1, .requests_per_s = 1000, .own_cpu = 0.2, .server_counted = -1};
    ck_assert_int_eq(lg_record_init(&result.record, 0), 0);
    ck_assert_int_eq(lg_record_init(&result.warmup, 0), 0);
    ck_assert_int_eq(hist_init(&result.loop_lag, HIST_FINE), 0);
    for (int i = 1; i <= 1000; i++) {
        result.record.sent++;
        lg_record_end(&result.record, LG_OK, (i - 1) * NS_PER_MS, (i - 1) * NS_PER_MS,
                      i * NS_PER_MS);
    }
}

static void end_some(int n, enum lg_outcome outcome, int64_t at_ns)
{
    for (int i = 0; i < n; i++) {
        result.record.sent++;
        lg_record_end(&result.record, outcome, at_ns - NS_PER_MS, at_ns - NS_PER_MS, at_ns);
    }
}

/* ---- what may go wrong ---- */

static void nothing(void)
{
}
static void lose_a_count(void)
{
    result.record.sent++;
}
static void server_counts_less(void)
{
    result.server_counted = 999;
}
static void server_counts_more(void)
{
    result.server_counted = 1001;
}
static void server_counts_right(void)
{
    result.server_counted = 1000;
}
static void client_is_busy(void)
{
    result.own_cpu = 0.95;
}
static void client_starves(void)
{
    result.own_wait = 0.3;
}
static void client_starves_a_little(void)
{
    result.own_wait = 0.07;
}
static void sends_late(void)
{
    for (int i = 0; i < 1000; i++)
        hist_record(&result.record.lag, 5 * NS_PER_MS);
}
static void sends_a_little_late(void)
{
    for (int i = 0; i < 1000; i++)
        hist_record(&result.record.lag, 500 * NS_PER_US);
}
/* Ten samples prove no p99. */
static void few_are_late(void)
{
    for (int i = 0; i < 10; i++)
        hist_record(&result.record.lag, 5 * NS_PER_MS);
}
static void server_is_slow(void)
{
    result.requests_per_s = 700;
    result.record.unsent = 300;
}
static void loses_time(void)
{
    result.requests_per_s = 500;
}
/* 4 answers of 200 ms in the second, and the fifth on its way: busy all the time. */
static void answers_take_long(void)
{
    lg_record_fini(&result.record);
    ck_assert_int_eq(lg_record_init(&result.record, 0), 0);
    for (int i = 1; i <= 4; i++) {
        result.record.sent++;
        lg_record_end(&result.record, LG_OK, (i - 1) * 200 * NS_PER_MS, (i - 1) * 200 * NS_PER_MS,
                      i * 200 * NS_PER_MS);
    }
    result.requests_per_s = 4;
}
static void client_is_busy_for_a_moment(void)
{
    result.own_cpu = 0.95;
    result.seconds = 0.05;
}
static void redirects(void)
{
    result.record.statuses[302] = 7;
    result.record.statuses[304] = 9; /* not one of them */
}
static void ends_in_the_warm_up(void)
{
    lg_record_fini(&result.record);
    ck_assert_int_eq(lg_record_init(&result.record, 0), 0);
    result.interrupted = true;
    result.warmup.sent = 12;
}
static void nothing_succeeds(void)
{
    lg_record_fini(&result.record);
    ck_assert_int_eq(lg_record_init(&result.record, 0), 0);
    end_some(5, LG_TIMEOUT, NS_PER_S);
}
static void only_refusals(void)
{
    nothing_succeeds();
    end_some(9, LG_STATUS, NS_PER_S);
    result.record.statuses[429] = 2;
    result.record.statuses[503] = 7;
}
static void only_garbage(void)
{
    nothing_succeeds();
    end_some(9, LG_MALFORMED, NS_PER_S);
    result.record.first_why[LG_MALFORMED] = "it speaks TLS";
}
static void server_stops(void)
{
    end_some(50, LG_CONNECT, 3 * NS_PER_S);
}
static void fails_now_and_then(void)
{
    end_some(50, LG_STATUS, NS_PER_S / 2);
}
static void is_interrupted(void)
{
    result.interrupted = true;
    end_some(1, LG_UNFINISHED, NS_PER_S);
}
static void idle_ones_fall(void)
{
    load.idle = 10;
    result.idle_open = 4;
}

static const struct {
    void (*happen)(void);
    double rate_per_s; /* 0: closed loop */
    int exit_code;
    const char *says; /* "": nothing at all */
} cases[] = {
    {nothing, 0, 0, ""},
    {nothing, 1000, 0, ""},
    {lose_a_count, 0, 4, "do not add up"},
    {server_counts_less, 0, 4, "the server counted 999 requests, but gave 1000 answers"},
    {server_counts_more, 0, 0, "somebody else uses it"},
    {server_counts_right, 0, 0, "agrees"},
    {client_is_busy, 0, 0, "client-limited"},
    {client_is_busy, 1000, 4, "client-limited"},
    {client_starves, 0, 0, "waited for a CPU 30 %"},
    {client_starves, 1000, 4, "waited for a CPU 30 %"},
    {client_starves_a_little, 1000, 0, "waited for a CPU 7 %"},
    {sends_late, 1000, 4, "schedule lag"},
    {sends_a_little_late, 1000, 0, "schedule lag"},
    {server_is_slow, 1000, 0, "did not take the rate"},
    {loses_time, 0, 0, "time was lost in loadgen"},
    {answers_take_long, 0, 0, ""},
    {client_is_busy_for_a_moment, 0, 0, ""},
    {redirects, 0, 0, "7 answers were redirects"},
    {ends_in_the_warm_up, 0, 130, "12 requests of the warm-up"},
    {only_refusals, 0, 1, "a status of 400 or above: 503"},
    {only_garbage, 0, 1, "not an HTTP answer: it speaks TLS"},
    {server_stops, 0, 1, "stopped answering after 1.1 s"},
    {fails_now_and_then, 0, 0, "4.76 % of the requests failed"},
    {few_are_late, 1000, 0, ""},
    {is_interrupted, 0, 130, ""},
    {nothing_succeeds, 0, 1, "no request succeeded; most of them: no complete answer"},
    {idle_ones_fall, 0, 0, "only 4 of 10 idle connections"},
};

START_TEST(each_doubt_is_raised)
{
    struct lg_findings f;
    make_clean(cases[_i].rate_per_s);
    cases[_i].happen();
    lg_judge(&load, &result, &f);
    char all[LG_FINDINGS_MAX * sizeof f.list[0].text] = "";
    for (size_t i = 0; i < f.n; i++)
        strcat(strcat(all, f.list[i].text), "\n");
    ck_assert_msg(strstr(all, cases[_i].says) != NULL, "%s", all);
    if (*cases[_i].says == '\0')
        ck_assert_str_eq(all, "");
    ck_assert_msg(lg_exit_code(&result, &f) == cases[_i].exit_code, "%d: %s",
                  lg_exit_code(&result, &f), all);
    lg_result_fini(&result);
}
END_TEST

SUITE_MAIN("verdict", SUITE_LOOP(each_doubt_is_raised, cases))
