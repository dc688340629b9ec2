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

SUITE_MAIN("gate", SUITE_LOOP(conditions, cases))
