/* What the blocks of a comparison show, and what they cannot. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "loadgen/compare.h"
#include "suite.h"

#define SIDES  3
#define BLOCKS 6

static struct lg_comparison *c;

/* Side i costs (i + 1) x 10 us; values wobble by 1 % so that there are no ties. */
static void setup(void)
{
    c = calloc(1, sizeof *c);
    ck_assert_ptr_nonnull(c);
    c->n = SIDES;
    c->rounds = BLOCKS;
    for (size_t i = 0; i < SIDES; i++) {
        c->sides[i].n = BLOCKS;
        for (size_t k = 0; k < BLOCKS; k++) {
            double wobble = 1 + 0.001 * (double)((7 * k + 3 * i) % 10);
            struct lg_block *b = &c->sides[i].blocks[k];
            *b = (struct lg_block){.cpu_us = (double)(i + 1) * 10 * wobble,
                                   .requests_per_s = 1000 / wobble,
                                   .pss_bytes = 1e6 * wobble,
                                   .latency_us = {300 * wobble, 200 * wobble, 100 * wobble},
                                   .server_cpu = 0.5,
                                   .own_cpu = 0.5};
        }
    }
}

START_TEST(a_clear_order_has_a_winner)
{
    setup();
    lg_conclude(c);
    for (int m = 0; m < LG_METRICS; m++)
        ck_assert(c->is_ranked[m]);
    const struct lg_ranking *cpu = &c->rankings[LG_METRIC_CPU];
    ck_assert_int_eq(cpu->winner, 0);
    ck_assert(cpu->leads[0] && !cpu->leads[1] && !cpu->leads[2]);
    /* equal ones lead together */
    const struct lg_ranking *rate = &c->rankings[LG_METRIC_RATE];
    ck_assert_int_eq(rate->winner, -1);
    ck_assert(rate->leads[0] && rate->leads[1] && rate->leads[2]);
    ck_assert_str_eq(lg_metric_name(c, LG_METRIC_LATENCY), "p99 at equal rate");
    free(c);
}
END_TEST

START_TEST(two_may_share_the_lead)
{
    setup();
    for (size_t k = 0; k < BLOCKS; k++)
        c->sides[0].blocks[k].requests_per_s = 50 + (double)k;
    lg_conclude(c);
    const struct lg_ranking *rate = &c->rankings[LG_METRIC_RATE];
    ck_assert_int_eq(rate->winner, -1);
    ck_assert(!rate->leads[0] && rate->leads[1] && rate->leads[2]);
    free(c);
}
END_TEST

/* The highest percentile that all blocks have enough samples for. */
static const struct {
    size_t unknown; /* so many of the higher ones are missing in one block */
    bool ranked;
    const char *name;
} percents[] = {
    {0, true, "p99 at equal rate"},
    {1, true, "p90 at equal rate"},
    {2, true, "p50 at equal rate"},
    {3, false, "p50 at equal rate"},
};

START_TEST(latency_is_ranked_by_what_all_know)
{
    setup();
    for (size_t i = 0; i < percents[_i].unknown; i++)
        c->sides[1].blocks[2].latency_us[i] = NAN;
    lg_conclude(c);
    ck_assert_int_eq(c->is_ranked[LG_METRIC_LATENCY], percents[_i].ranked);
    ck_assert_str_eq(lg_metric_name(c, LG_METRIC_LATENCY), percents[_i].name);
    if (!percents[_i].ranked)
        ck_assert_str_eq(lg_not_ranked(c, LG_METRIC_LATENCY), "not every block has a value");
    free(c);
}
END_TEST

static void client_is_at_its_limit(void)
{
    for (size_t i = 0; i < SIDES; i++)
        for (size_t k = 0; k < BLOCKS; k++)
            c->sides[i].blocks[k].own_cpu = 0.95;
}
static void both_are_at_their_limit(void)
{
    client_is_at_its_limit();
    for (size_t i = 0; i < SIDES; i++)
        for (size_t k = 0; k < BLOCKS; k++)
            c->sides[i].blocks[k].server_cpu = 0.95;
}
static void most_are_disturbed(void)
{
    c->disturbed = SIDES * BLOCKS / 2 + 1;
}
static void send_late(size_t blocks)
{
    for (size_t i = 0; i < blocks; i++)
        c->sides[i % SIDES].blocks[i / SIDES].is_late = true;
}
static void most_are_late(void)
{
    send_late(SIDES * BLOCKS / 2 + 1);
}
static void half_are_late(void)
{
    send_late(SIDES * BLOCKS / 2);
}
static void one_is_miscounted(void)
{
    c->miscounted = 1;
}
static void half_are_disturbed(void)
{
    c->disturbed = SIDES * BLOCKS / 2;
}
static void one_value_is_missing(void)
{
    c->sides[2].blocks[0].cpu_us = NAN;
}
static void one_answered_nothing(void)
{
    c->sides[0].blocks[0].requests_per_s = 0;
}
static void one_is_a_stranger(void)
{
    memcpy(c->candidates[1].url, "http://h/", 10);
}
static void it_was_interrupted(void)
{
    c->sides[2].n = 1;
}

static const struct {
    void (*happen)(void);
    bool ranked[LG_METRICS]; /* CPU, rate, latency, memory */
} doubts[] = {
    {client_is_at_its_limit, {true, false, true, true}},
    {both_are_at_their_limit, {true, true, true, true}},
    {most_are_disturbed, {true, false, false, true}},
    {half_are_disturbed, {true, true, true, true}},
    {most_are_late, {true, true, false, true}},
    {half_are_late, {true, true, true, true}},
    {one_is_miscounted, {false, false, false, false}},
    {one_value_is_missing, {false, true, true, true}},
    {one_answered_nothing, {true, false, true, true}},
    {one_is_a_stranger, {false, true, true, false}},
    {it_was_interrupted, {false, false, false, false}},
};

START_TEST(what_cannot_be_ranked_says_why)
{
    setup();
    doubts[_i].happen();
    lg_conclude(c);
    for (int m = 0; m < LG_METRICS; m++) {
        ck_assert_int_eq(c->is_ranked[m], doubts[_i].ranked[m]);
        ck_assert_int_eq(lg_not_ranked(c, (enum lg_metric)m) == NULL, doubts[_i].ranked[m]);
    }
    free(c);
}
END_TEST

static const struct {
    struct lg_block block;
    bool is_disturbed;
} disturbances[] = {
    {{.others = 0.09, .own_wait = 0.09, .lateness = 0.09}, false},
    {{.others = 0.11}, true},
    {{.own_wait = 0.11}, true},
    {{.lateness = 0.11}, true},
};

START_TEST(disturbance_comes_from_others_only)
{
    ck_assert_int_eq(lg_is_disturbed(&disturbances[_i].block), disturbances[_i].is_disturbed);
}
END_TEST

START_TEST(unknown_values_are_left_out)
{
    double values[LG_STATS_MAX_BLOCKS];
    setup();
    c->sides[0].blocks[1].cpu_us = NAN;
    c->sides[0].blocks[2].cpu_us = 0;
    ck_assert_uint_eq(lg_side_values(c, &c->sides[0], LG_METRIC_CPU, values), BLOCKS - 2);
    free(c);
}
END_TEST

SUITE_MAIN("ranking", SUITE_TEST(a_clear_order_has_a_winner), SUITE_TEST(two_may_share_the_lead),
           SUITE_LOOP(latency_is_ranked_by_what_all_know, percents),
           SUITE_LOOP(what_cannot_be_ranked_says_why, doubts),
           SUITE_LOOP(disturbance_comes_from_others_only, disturbances),
           SUITE_TEST(unknown_values_are_left_out))
