/* --fail-if: what is understood, what holds. */
#include <errno.h>
#include <string.h>

#include "coro/base/clock.h"
#include "loadgen/gate.h"
#include "suite.h"

static const struct {
    const char *text;
    int rv;
    bool known; /* against the result below */
    bool holds;
} cases[] = {
    {"p99>5ms", 0, true, true},          {"p99 > 20ms", 0, true, false},
    {"p50<=1ms", 0, true, true},         {"raw_p50<500us", 0, true, false},
    {"p99.9>1us", 0, false, false}, /* 1,000 samples do not know it */
    {"max>=10ms", 0, true, true},        {"mean<1us", 0, true, false},
    {"errors>0", 0, true, true},         {"errors>2%", 0, true, false},
    {"errors>0.005", 0, true, true},     {"failed>=10", 0, true, true},
    {"failed>10", 0, true, false},       {"unsent>0", 0, true, false},
    {"rps<1000", 0, true, true},         {"p99>5", -EINVAL, false, false},
    {"p99", -EINVAL, false, false},      {"p0>1ms", -EINVAL, false, false},
    {"p100>1ms", -EINVAL, false, false}, {"p99x>1ms", -EINVAL, false, false},
    {"speed>1", -EINVAL, false, false},  {"rps>fast", -EINVAL, false, false},
    {"rps=5", -EINVAL, false, false},    {">5", -EINVAL, false, false},
    {"", -EINVAL, false, false},
};

/* 1,000 answers: 980 of 1 ms, 20 of 10 ms; 10 failures; 500 a second. */
static void fill(struct lg_result *r)
{
    *r = (struct lg_result){.requests_per_s = 500};
    ck_assert_int_eq(lg_record_init(&r->record, 0), 0);
    for (int i = 0; i < 1000; i++) {
        r->record.sent++;
        lg_record_end(&r->record, LG_OK, 0, 0, i < 980 ? NS_PER_MS : 10 * NS_PER_MS);
    }
    for (int i = 0; i < 10; i++) {
        r->record.sent++;
        lg_record_end(&r->record, LG_RESET, 0, 0, NS_PER_MS);
    }
}

START_TEST(conditions)
{
    struct lg_gate g;
    struct lg_why why = {""};
    struct lg_result r;
    bool known = false;
    double value;
    ck_assert_int_eq(lg_gate_parse(cases[_i].text, &g, &why), cases[_i].rv);
    if (cases[_i].rv < 0) {
        ck_assert_ptr_nonnull(strstr(why.text, "--fail-if"));
        return;
    }
    fill(&r);
    ck_assert_int_eq(lg_gate_holds(&g, &r, &known, &value), cases[_i].holds);
    ck_assert_int_eq(known, cases[_i].known);
    lg_record_fini(&r.record);
}
END_TEST

/* Nothing was answered: zero is no latency. */
static const char *const empty[] = {"max<1s", "mean<1s", "p50<1s"};

START_TEST(nothing_measured)
{
    struct lg_gate g;
    struct lg_why why = {""};
    struct lg_result r = {0};
    bool known = true;
    double value;
    ck_assert_int_eq(lg_record_init(&r.record, 0), 0);
    ck_assert_int_eq(lg_gate_parse(empty[_i], &g, &why), 0);
    ck_assert(!lg_gate_holds(&g, &r, &known, &value));
    ck_assert(!known);
    lg_record_fini(&r.record);
}
END_TEST

static const struct {
    const char *condition;
    double value;
    bool known, holds;
    const char *text;
} said[] = {
    {"p99>5ms", 7.31e6, true, true, "p99>5ms: breached, it is 7.31ms"},
    {"max>1s", 2e6, true, false, "max>1s: held off, it is 2.00ms"},
    {"errors>1%", 0.025, true, true, "errors>1%: breached, it is 2.5%"},
    {"rps<1000", 998.5, true, true, "rps<1000: breached, it is 998.5"},
    {"failed>0", 12345678, true, true, "failed>0: breached, it is 12345678"},
    {"p99.9>5ms", 0, false, false, "p99.9>5ms: too few requests to say"},
};

START_TEST(outcomes_in_words)
{
    struct lg_gate_result g = {
        .is_known = said[_i].known, .holds = said[_i].holds, .value = said[_i].value};
    struct lg_why why = {""};
    char text[128];
    ck_assert_int_eq(lg_gate_parse(said[_i].condition, &g.gate, &why), 0);
    lg_gate_describe(&g, text, sizeof text);
    ck_assert_str_eq(text, said[_i].text);
}
END_TEST

SUITE_MAIN("gate", SUITE_LOOP(conditions, cases), SUITE_LOOP(nothing_measured, empty),
           SUITE_LOOP(outcomes_in_words, said))
