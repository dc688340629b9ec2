/* Spawn sites: a number each in the process, figures for each loop. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#include "child.h"
#include "coro/inspect.h"
#include "coro/internal.h"
#include "dump.h"
#include "suite.h"

enum { SITES = 300 };

static struct co_site sites[SITES];

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int burns(void *arg)
{
    int64_t until_ns = clock_now_ns() + (intptr_t)arg * NS_PER_MS;
    while (clock_now_ns() < until_ns)
        ;
    return 0;
}

static int numbers_main(void *arg)
{
    (void)arg;
    bool is_seen[SITES * 4] = {false};
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < SITES; i++) {
            sites[i].file = "f.c";
            sites[i].function = "f";
            sites[i].line = i + 1;
            struct co_task *task = co_spawn_at(&sites[i], NULL, nothing, NULL);
            ck_assert_int_eq(co_join(task, CO_NO_DEADLINE, NULL), 0);
            ck_assert_uint_gt(sites[i].id, 0);
            ck_assert_uint_lt(sites[i].id, SITES * 4);
            if (round == 0)
                ck_assert(!is_seen[sites[i].id]);
            is_seen[sites[i].id] = true;
        }
    struct co_loop *loop = coro_loop_tls;
    for (int i = 0; i < SITES; i++) {
        struct co_site_stats *stats = coro_site_find(loop, &sites[i]);
        ck_assert_ptr_eq(stats->site, &sites[i]);
        ck_assert_uint_eq(stats->total, 2);
        ck_assert_uint_eq(stats->alive, 0);
    }
    return 0;
}

static void *other_loop(void *arg)
{
    ck_assert_int_eq(co_run(numbers_main, NULL, NULL), 0);
    return arg;
}

START_TEST(each_site_has_one_number_and_each_loop_its_figures)
{
    for (int i = 0; i < 3; i++) { /* one after the other: the sites are theirs in turn */
        pthread_t thread;
        ck_assert_int_eq(pthread_create(&thread, NULL, other_loop, NULL), 0);
        pthread_join(thread, NULL);
    }
}
END_TEST

static struct co_site shared = {"f.c", "f", 1, 0};

static int first_use(void *arg)
{
    struct co_task *task = co_spawn_at(&shared, NULL, nothing, NULL);
    ck_assert_int_eq(co_join(task, CO_NO_DEADLINE, NULL), 0);
    *(unsigned *)arg = shared.id;
    return 0;
}

static void *first_use_loop(void *arg)
{
    ck_assert_int_eq(co_run(first_use, arg, NULL), 0);
    return NULL;
}

START_TEST(threads_agree_on_a_sites_number)
{
    pthread_t threads[4];
    unsigned ids[4];
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, first_use_loop, &ids[i]), 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_uint_eq(ids[i], shared.id);
    }
}
END_TEST

static int figures_main(void *arg)
{
    struct buf text;
    unsigned alive, total;
    double cpu_ms, longest_ms;
    (void)arg;
    buf_init(&text, 1 << 20);
    for (intptr_t i = 1; i <= 3; i++) {
        struct co_task *task = co_spawn(burns, (void *)i);
        ck_assert_int_eq(co_join(task, CO_NO_DEADLINE, NULL), 0);
    }
    ck_assert_int_eq(dump_one(&text, CO_DUMP_TEXT), 0);
    ck_assert_int_eq(buf_append_char(&text, 0), 0);
    char *line = strstr(text.data, "(figures_main)");
    ck_assert_ptr_nonnull(line);
    while (line[-1] != '\n')
        line--;
    ck_assert_int_eq(sscanf(line, "%u %u %lf %lf", &alive, &total, &cpu_ms, &longest_ms), 4);
    ck_assert_uint_eq(alive, 0);
    ck_assert_uint_eq(total, 3);
    /* the ended ones count, also the last, whose stack nobody has used since */
    ck_assert_double_ge(cpu_ms, 6 * 0.99);
    ck_assert_double_ge(longest_ms, 3 * 0.99);
    ck_assert_double_le(longest_ms, cpu_ms);
    buf_fini(&text);
    return 0;
}

START_TEST(what_its_tasks_ran_is_kept)
{
    ck_assert_int_eq(co_run(figures_main, NULL, NULL), 0);
}
END_TEST

SUITE_MAIN("site", SUITE_TEST(each_site_has_one_number_and_each_loop_its_figures),
           SUITE_TEST(threads_agree_on_a_sites_number), SUITE_TEST(what_its_tasks_ran_is_kept))
