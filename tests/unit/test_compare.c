/* The plan of a comparison: who takes part, in which order, what it says. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "loadgen/compare.h"
#include "suite.h"

static const struct {
    size_t n;
    unsigned rounds;
} squares[] = {{2, 2}, {3, 3}, {3, 6}, {4, 8}, {8, 64}, {3, 7}};

START_TEST(everybody_stands_in_every_place_once)
{
    size_t n = squares[_i].n;
    unsigned rounds = squares[_i].rounds;
    unsigned char order[LG_STATS_MAX_BLOCKS * LG_STATS_MAX_GROUPS];
    lg_latin_square(n, rounds, 42, order);
    for (unsigned first = 0; first + n <= rounds; first += (unsigned)n)
        for (size_t who = 0; who < n; who++)
            for (size_t place = 0; place < n; place++) {
                int times = 0, in_round = 0;
                for (unsigned r = first; r < first + n; r++)
                    times += order[r * n + place] == who;
                for (size_t p = 0; p < n; p++)
                    in_round += order[(first + place) * n + p] == who;
                ck_assert_int_eq(times, 1);
                ck_assert_int_eq(in_round, 1);
            }
}
END_TEST

START_TEST(seeds_give_different_orders)
{
    unsigned char a[18], b[18], again[18];
    int different = 0;
    lg_latin_square(3, 6, 1, again);
    for (uint64_t seed = 2; seed < 12; seed++) {
        lg_latin_square(3, 6, 1, a);
        lg_latin_square(3, 6, seed, b);
        ck_assert_mem_eq(a, again, sizeof a);
        different += memcmp(a, b, sizeof a) != 0;
    }
    ck_assert_int_gt(different, 5);
}
END_TEST

static const struct {
    const char *modes;
    const char *targets[4]; /* NULL behind the last */
    int rv;
    size_t n;
    const char *last;
    pid_t pid;
} parties[] = {
    {"coroutine,thread,prefork", {0}, 0, 3, "prefork", 0},
    {"coroutine,coroutine", {0}, 0, 2, "coroutine#2", 0},
    {"coroutine", {0}, -EINVAL, 0, "", 0},
    {"coroutine,,thread", {0}, -EINVAL, 0, "", 0},
    {"coroutine,threads", {0}, -EINVAL, 0, "", 0},
    {"", {"a=http://h/x,y", "b=http://h/,1"}, 0, 2, "b", 1},
    {"", {"a=http://h/", "b=http://h/,2147483647"}, -EINVAL, 0, "", 0},
    {"", {"a=http://h/", "b=http://h/", "a=http://i/"}, -EINVAL, 0, "", 0},
    {"", {"a=http://h/"}, -EINVAL, 0, "", 0},
    {"", {"a=http://h/", "http://h/"}, -EINVAL, 0, "", 0},
};

START_TEST(candidates)
{
    struct lg_options o = {.modes = parties[_i].modes};
    struct lg_candidate list[LG_STATS_MAX_GROUPS];
    struct lg_why why = {""};
    size_t n = 0;
    while (parties[_i].targets[o.n_targets] != NULL) {
        o.targets[o.n_targets] = parties[_i].targets[o.n_targets];
        o.n_targets++;
    }
    ck_assert_int_eq(lg_candidates(&o, list, &n, &why), parties[_i].rv);
    if (parties[_i].rv < 0) {
        ck_assert_str_ne(why.text, "");
        return;
    }
    ck_assert_uint_eq(n, parties[_i].n);
    ck_assert_str_eq(list[n - 1].name, parties[_i].last);
    ck_assert_int_eq(list[n - 1].pid, parties[_i].pid);
}
END_TEST

static const struct {
    double budget_s;
    size_t scenarios;
    int rv;
    unsigned rounds; /* that remain of 6 */
    bool shorter;    /* blocks */
} budgets[] = {
    {0, 10, 0, 6, false},       {47, 1, 0, 6, false},    {36, 1, 0, 5, false},
    {28, 1, 0, 5, true},        {5, 1, -ETIME, 5, true}, {350, 10, 0, 5, false},
    {100, 10, -ETIME, 5, true},
};

START_TEST(budgets_are_kept_or_refused)
{
    struct lg_options o = {.rounds = 6, .budget_ns = (int64_t)(budgets[_i].budget_s * 1e9)};
    struct lg_why why = {""};
    const int64_t part_ns = 500000000;
    const struct lg_scenario *list[10];
    for (size_t i = 0; i < ARRAY_LEN(list); i++)
        list[i] = &lg_scenarios[0];
    o.load.duration_ns = part_ns;
    o.load.warmup_ns = 300000000;
    ck_assert_int_eq(lg_compare_fit(&o, list, budgets[_i].scenarios, 3, &why), budgets[_i].rv);
    ck_assert_uint_eq(o.rounds, budgets[_i].rounds);
    ck_assert_int_eq(o.load.duration_ns < part_ns, budgets[_i].shorter);
    if (budgets[_i].rv == 0 && budgets[_i].budget_s > 0)
        ck_assert_double_le(lg_compare_seconds(&o, list, budgets[_i].scenarios, 3),
                            budgets[_i].budget_s);
    ck_assert_int_eq(why.text[0] != '\0', budgets[_i].rv < 0);
}
END_TEST

static const struct {
    size_t candidates;
    unsigned asked, rounds;
} rounds[] = {{2, 0, 6}, {3, 0, 6}, {8, 0, 7}, {8, 2, 2}};

START_TEST(rounds_are_as_many_as_a_winner_needs)
{
    const struct lg_scenario *list[] = {&lg_scenarios[0]};
    struct lg_options o = {.rounds = rounds[_i].asked};
    struct lg_why why = {""};
    ck_assert_int_eq(lg_compare_fit(&o, list, 1, rounds[_i].candidates, &why), 0);
    ck_assert_uint_eq(o.rounds, rounds[_i].rounds);
}
END_TEST

START_TEST(scenarios_are_found_by_name)
{
    ck_assert_ptr_nonnull(lg_scenario_find("tiny", 4));
    ck_assert_ptr_null(lg_scenario_find("tin", 3));
    for (size_t i = 0; i < lg_n_scenarios; i++) {
        const struct lg_scenario *s = &lg_scenarios[i];
        ck_assert_ptr_eq(lg_scenario_find(s->name, strlen(s->name)), s);
        ck_assert_double_gt(s->rate_factor, 0);
        ck_assert_ptr_nonnull(s->paths[0].path);
        ck_assert_int_eq(
            strncmp(s->paths[0].path, "/test/", 6) == 0 ||
                (s->paths[1].path != NULL && strncmp(s->paths[1].path, "/test/", 6) == 0),
            s->needs_test_routes);
    }
}
END_TEST

SUITE_MAIN("compare", SUITE_LOOP(everybody_stands_in_every_place_once, squares),
           SUITE_TEST(seeds_give_different_orders), SUITE_LOOP(candidates, parties),
           SUITE_LOOP(budgets_are_kept_or_refused, budgets),
           SUITE_LOOP(rounds_are_as_many_as_a_winner_needs, rounds),
           SUITE_TEST(scenarios_are_found_by_name))
