/* Results as JSON: unknown values are null, texts are escaped, brackets match. */
#include <math.h>
#include <string.h>

#include "loadgen/json.h"
#include "result.h"
#include "suite.h"

#define MAX_BYTES (8 << 20)

static char *const argv[] = {"loadgen", "-n", "a \"quoted\" word"};
static const struct lg_setting setting = {3, argv, INT64_C(1700000000) * NS_PER_S};
static struct buf json;

/* Outside of strings every bracket closes the right one. */
static bool is_balanced(const char *text)
{
    char open[64];
    size_t depth = 0;
    bool in_string = false;
    for (; *text != '\0'; text++) {
        if (in_string && *text == '\\')
            text++;
        else if (*text == '"')
            in_string = !in_string;
        else if (!in_string && strchr("{[", *text) != NULL)
            open[depth++ % sizeof open] = *text == '{' ? '}' : ']';
        else if (!in_string && strchr("}]", *text) != NULL &&
                 (depth == 0 || open[--depth % sizeof open] != *text))
            return false;
    }
    return depth == 0 && !in_string;
}

static void check_has(const char *const *parts, size_t n)
{
    ck_assert_int_eq(buf_append_char(&json, '\0'), 0);
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(strstr(json.data, parts[i]) != NULL, "%s not in:\n%s", parts[i], json.data);
    ck_assert(is_balanced(json.data));
    ck_assert_ptr_null(strstr(json.data, "nan"));
    ck_assert_ptr_null(strstr(json.data, "inf,"));
    buf_fini(&json);
}

START_TEST(a_run)
{
    const char *const parts[] = {
        "{\"kind\":\"run\",",
        "\"command\":[\"loadgen\",\"-n\",\"a \\\"quoted\\\" word\"]",
        "\"started\":\"2023-11-14T22:13:20Z\"",
        "\"url\":\"http://h/\\\"x\\\"\"",
        "\"sent\":102,\"unsent\":0,\"outcomes\":{\"ok\":100,\"status\":0,",
        "\"malformed\":2",
        "\"reasons\":{\"malformed\":\"it speaks TLS\"}",
        "\"p50_us\":1000",
        "\"p99_us\":null", /* 100 answers do not know it */
        "\"server_counted\":null",
        "\"own_cpu_us\":null",
        "\"gates\":[{\"condition\":\"p99>5ms\",\"known\":false,\"breached\":false}],\"exit\":4}\n",
    };
    struct lg_load load = {.connections = 1, .threads = 1, .pipeline = 1, .keepalive = true};
    struct lg_gate_result gate = {.gate = {.text = "p99>5ms"}};
    struct lg_result result;
    struct lg_findings findings = {.n = 0};
    result_make(&result, 100);
    result.own_cpu_us = NAN;
    result.record.first_why[LG_MALFORMED] = "it speaks TLS";
    for (int i = 0; i < 2; i++) {
        result.record.sent++;
        lg_record_end(&result.record, LG_MALFORMED, 0, 0, 1);
    }
    buf_init(&json, MAX_BYTES);
    ck_assert_int_eq(lg_json_run(&json, &(struct lg_run_report){.setting = &setting,
                                                                .load = &load,
                                                                .url = "http://h/\"x\"",
                                                                .result = &result,
                                                                .findings = &findings,
                                                                .gates = &gate,
                                                                .n_gates = 1,
                                                                .exit_code = 4}),
                     0);
    check_has(parts, ARRAY_LEN(parts));
    lg_result_fini(&result);
}
END_TEST

START_TEST(comparisons)
{
    const char *const parts[] = {
        "{\"kind\":\"compare\",",
        "\"scenario\":\"one\"",
        "\"name\":\"a\"",
        "\"shows\":\"something\"",
        "\"p50_us\":100,\"p90_us\":null,\"p99_us\":null,\"answered\":1",
        "{\"metric\":\"server CPU per request\",\"ranked\":true",
        "\"leaders\":[\"a\",\"b\"]",
        "{\"metric\":\"memory\",\"ranked\":false,\"less_is_better\":true,\"why\":\"not every block "
        "has "
        "a value\"}",
        "],\"exit\":0}\n",
    };
    static const struct lg_scenario scenario = {.name = "one", .shows = "something"};
    struct lg_comparison *c = calloc(1, sizeof *c);
    ck_assert_ptr_nonnull(c);
    *c = (struct lg_comparison){.scenario = &scenario, .n = 2, .rounds = 2, .seed = 1};
    for (size_t i = 0; i < 2; i++) {
        c->candidates[i].name[0] = (char)('a' + (int)i);
        c->sides[i].n = 2;
        ck_assert_int_eq(lg_parts_init(&c->sides[i].parts), 0);
        for (size_t k = 0; k < 2; k++)
            c->sides[i].blocks[k] = (struct lg_block){.cpu_us = 5 + (double)k,
                                                      .requests_per_s = 100,
                                                      .latency_us = {NAN, NAN, 100},
                                                      .answered = 1,
                                                      .pss_bytes = NAN,
                                                      .switches = NAN};
    }
    lg_conclude(c);
    buf_init(&json, MAX_BYTES);
    ck_assert_int_eq(lg_json_compare_begin(&json, &setting), 0);
    ck_assert_int_eq(lg_json_comparison(&json, c, true), 0);
    ck_assert_int_eq(lg_json_comparison(&json, c, false), 0);
    ck_assert_int_eq(lg_json_compare_end(&json, 0), 0);
    check_has(parts, ARRAY_LEN(parts));
    lg_comparison_fini(c);
    free(c);
}
END_TEST

START_TEST(a_text_that_is_too_long_is_an_error)
{
    struct lg_load load = {.connections = 1, .threads = 1};
    struct lg_result result;
    struct lg_findings findings = {.n = 0};
    result_make(&result, 1);
    buf_init(&json, 100);
    ck_assert_int_lt(lg_json_run(&json, &(struct lg_run_report){.setting = &setting,
                                                                .load = &load,
                                                                .url = "http://h/",
                                                                .result = &result,
                                                                .findings = &findings}),
                     0);
    buf_fini(&json);
    lg_result_fini(&result);
}
END_TEST

SUITE_MAIN("loadgen_json", SUITE_TEST(a_run), SUITE_TEST(comparisons),
           SUITE_TEST(a_text_that_is_too_long_is_an_error))
