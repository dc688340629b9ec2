/* A comparison's table and what it says in words. */
#include <math.h>
#include <string.h>

#include "loadgen/versus.h"
#include "result.h"
#include "suite.h"

#define BLOCKS 6

static const struct lg_scenario scenario = {
    .name = "test", .shows = "what a test shows", .idle = 9};
static struct lg_comparison *c;

/* "first" needs half of what "second" does; both hold the rate. */
static void setup(void)
{
    c = calloc(1, sizeof *c);
    ck_assert_ptr_nonnull(c);
    *c = (struct lg_comparison){.scenario = &scenario,
                                .n = 2,
                                .rounds = BLOCKS,
                                .connections = 100,
                                .seconds = 0.5,
                                .rate = 1000,
                                .seed = 42,
                                .server_core = -1};
    memcpy(c->candidates[0].name, "first", 6);
    memcpy(c->candidates[1].name, "second", 7);
    for (size_t i = 0; i < 2; i++) {
        c->sides[i].n = BLOCKS;
        ck_assert_int_eq(lg_parts_init(&c->sides[i].parts), 0);
        for (size_t k = 0; k < BLOCKS; k++) {
            double wobble = 1 + 0.001 * (double)k;
            c->sides[i].blocks[k] = (struct lg_block){.cpu_us = (double)(i + 1) * 10 * wobble,
                                                      .requests_per_s = 5000 * wobble,
                                                      .latency_us = {NAN, 200 * wobble, 100},
                                                      .answered = 1,
                                                      .pss_bytes = 3 * 1048576 * wobble,
                                                      .switches = 0.5,
                                                      .processes = 1,
                                                      .threads = 3,
                                                      .idle_open = 9,
                                                      .server_cpu = 0.95};
        }
    }
}

static char *text_of(void)
{
    struct caught caught;
    lg_conclude(c);
    caught_begin(&caught);
    lg_versus(caught.out, c);
    return caught_end(&caught);
}

static void teardown(char *text)
{
    free(text);
    lg_comparison_fini(c);
    free(c);
}

START_TEST(table_and_verdicts)
{
    const char *const lines[] = {
        "test: what a test shows\n",
        "  cores shared by servers and loadgen; c=100\n"
        "  6 blocks each of 2 x 0.5s, order from seed 42\n",
        "  open loop, 1000 req/s\n",
        "  first        10.0us      5012       -       -       -   3.0MB      1/3   0.50\n",
        "  server CPU per request: best first (noise floor 1.0",
        "    first 0.50x second [0.50, 0.50], p=0.002\n",
        "  requests/s: no difference shown",
        "  p90 at equal rate: no difference shown",
    };
    setup();
    char *text = text_of();
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        ck_assert_msg(strstr(text, lines[i]) != NULL, "%s not in:\n%s", lines[i], text);
    ck_assert_int_eq(lg_versus_exit_code(c), 0);
    teardown(text);
}
END_TEST

static void few_blocks(void)
{
    c->sides[0].n = c->sides[1].n = 4;
}
static void one_side_has_few(void)
{
    c->sides[1].n = 4;
}
static void client_limited(void)
{
    for (size_t i = 0; i < 2; i++)
        for (size_t k = 0; k < BLOCKS; k++) {
            c->sides[i].blocks[k].own_cpu = 0.99;
            c->sides[i].blocks[k].server_cpu = 0.4;
        }
}
static void disturbed(void)
{
    c->repeated = 6;
    c->disturbed = 9;
    c->sides[0].blocks[2].others = 0.42;
}
static void miscounted(void)
{
    c->miscounted = 2;
}
static void nothing_is_known(void)
{
    for (size_t i = 0; i < 2; i++)
        for (size_t k = 0; k < BLOCKS; k++)
            c->sides[i].blocks[k] = (struct lg_block){.cpu_us = NAN, .latency_us = {NAN, NAN, NAN}};
}
static void does_not_hold_the_rate(void)
{
    c->sides[1].parts.held_rate = false;
    for (size_t k = 0; k < BLOCKS; k++)
        c->sides[1].blocks[k].answered = k == 3 ? 0.25 : 0.5;
}
static void closes_idle_ones(void)
{
    c->sides[1].blocks[4].idle_open = 2;
}
static void fails(void)
{
    struct lg_record *r = &c->sides[0].parts.open;
    r->sent = 3;
    for (int i = 0; i < 3; i++)
        lg_record_end(r, i == 0 ? LG_OK : LG_RESET, 0, 0, NS_PER_MS);
}
static void loses_a_count(void)
{
    c->sides[1].parts.closed.sent = 1;
}
static void interrupted(void)
{
    c->interrupted = true;
}

static void interrupted_at_once(void)
{
    c->interrupted = true;
    c->sides[0].n = c->sides[1].n = 0;
}

static const struct {
    void (*happen)(void);
    int exit_code;
    const char *says;
} doubts[] = {
    {few_blocks, 0, "fewer than 5 blocks each: no winner can be named"},
    {one_side_has_few, 0, "fewer than 5 blocks each: no winner can be named"},
    {client_limited, 0, "requests/s: not ranked, loadgen was at its limit"},
    {disturbed, 0, "6 disturbed blocks were run again, 9 kept"},
    {disturbed, 0, "up to 42 % of the server's core"},
    {miscounted, 4, "INVALID: in 2 blocks the server counted other requests"},
    {miscounted, 4, "requests/s: not ranked, the server counted other requests"},
    {nothing_is_known, 4, "INVALID: nothing could be ranked"},
    {does_not_hold_the_rate, 0,
     "second did not take 1000 requests/s in every block: 50 % answered in the middle one, 25 % in "
     "the worst"},
    {closes_idle_ones, 0, "second closed idle connections: 2 of 9 stood until the end"},
    {fails, 0, "first, open loop: 3 sent = 1 ok + 2 reset"},
    {loses_a_count, 4, ""},
    {interrupted, 130, "interrupted: this is a partial result"},
    {interrupted_at_once, 130, "what a test shows\n  interrupted before the first block\n"},
};

START_TEST(doubts_are_said)
{
    setup();
    doubts[_i].happen();
    char *text = text_of();
    ck_assert_msg(strstr(text, doubts[_i].says) != NULL, "%s not in:\n%s", doubts[_i].says, text);
    ck_assert_int_eq(lg_versus_exit_code(c), doubts[_i].exit_code);
    teardown(text);
}
END_TEST

START_TEST(summary_of_several)
{
    struct lg_summary summary;
    struct caught caught;
    setup();
    c->sides[0].blocks[0].pss_bytes = NAN;
    lg_conclude(c);
    lg_summarize(c, &summary);
    ck_assert_str_eq(summary.leaders[LG_METRIC_CPU], "first");
    ck_assert_str_eq(summary.leaders[LG_METRIC_RATE], "-");
    ck_assert_str_eq(summary.leaders[LG_METRIC_MEMORY], "?");
    caught_begin(&caught);
    lg_print_summary(caught.out, &summary, 1);
    char *text = caught_end(&caught);
    ck_assert_ptr_nonnull(strstr(text, "\n  test       first"));
    teardown(text);
}
END_TEST

/* Three candidates: two share the lead. */
START_TEST(leaders_in_words)
{
    char text[LG_LEADERS_BYTES], tiny[8];
    setup();
    c->n = 3;
    memcpy(c->candidates[2].name, "third", 6);
    c->rankings[LG_METRIC_CPU].leads[0] = c->rankings[LG_METRIC_CPU].leads[2] = true;
    ck_assert_uint_eq(lg_leaders(c, LG_METRIC_CPU, text, sizeof text), 2);
    ck_assert_str_eq(text, "first and third");
    c->rankings[LG_METRIC_CPU].leads[1] = true;
    ck_assert_uint_eq(lg_leaders(c, LG_METRIC_CPU, text, sizeof text), 3);
    ck_assert_str_eq(text, "first, second and third");
    ck_assert_uint_eq(lg_leaders(c, LG_METRIC_CPU, tiny, sizeof tiny), 3); /* cut, not overrun */
    ck_assert_str_eq(tiny, "first, ");
    c->n = 2;
    teardown(NULL);
}
END_TEST

START_TEST(small_ratios_keep_two_digits)
{
    struct lg_pair pair = {.a = 0, .b = 1, .shown = true, .p = 0.0104};
    pair.effect = (struct lg_effect){.ratio = 0.0123, .low = 0.004, .high = 0.5};
    char text[200];
    setup();
    lg_pair_text(c, &pair, text, sizeof text);
    ck_assert_str_eq(text, "first 0.012x second [0.004, 0.50], p=0.010");
    lg_comparison_fini(c);
    free(c);
}
END_TEST

SUITE_MAIN("versus", SUITE_TEST(small_ratios_keep_two_digits), SUITE_TEST(table_and_verdicts),
           SUITE_LOOP(doubts_are_said, doubts), SUITE_TEST(summary_of_several),
           SUITE_TEST(leaders_in_words))
