/* Snapshots of loops as text and JSON: every kind of wait, names that need care, loops
 * that did not answer, and buffers that are full. */
#include <errno.h>
#include <string.h>

#include "child.h"
#include "coro/snapshot.h"
#include "suite.h"

static const struct co_site site = {"dir/\"f\".c", "spawner", 12, 0};

static struct co_task_info tasks[] = {
    {.id = 1, .name = "plain", .state = CO_TASK_RUNNING, .site = &site},
    {.id = 2,
     .name = "reader",
     .state = CO_TASK_PARKED,
     .wait = CO_WAIT_READ,
     .object = 7,
     .is_cancelled = true,
     .age_ns = 1500 * NS_PER_MS,
     .cpu_ticks = 2000000,
     .stack_bytes = 4000,
     .longest_ticks = 500000,
     .site = &site},
    {.id = 3,
     .name = "joins",
     .state = CO_TASK_PARKED,
     .wait = CO_WAIT_JOIN,
     .object = 2,
     .holder = "reader",
     .site = &site},
    {.id = 4,
     .name = "q\"uo\\te\n",
     .state = CO_TASK_PARKED,
     .wait = CO_WAIT_MUTEX,
     .object = 0xabc,
     .holder = "plain",
     .site = &site},
    {.id = 5, .name = "sleeps", .state = CO_TASK_PARKED, .wait = CO_WAIT_SLEEP, .site = &site},
    {.id = 6, .name = "done", .state = CO_TASK_DEAD, .site = &site},
};
static struct co_site_stats sites[] = {{.site = (struct co_site *)&site,
                                        .total = 9,
                                        .alive = 5,
                                        .cpu_ticks = 3000000,
                                        .stack_high_bytes = 12345}};
static struct co_loop_info full = {.name = "first",
                                   .tick_ns = 2,
                                   .counts = {.alive = 6, .ready = 1, .spawned = 9, .stacks = 8},
                                   .lag = {[3] = 4},
                                   .sites = sites,
                                   .site_count = 1,
                                   .tasks = tasks,
                                   .task_count = ARRAY_LEN(tasks),
                                   .unlisted = 3};
static struct co_loop_info busy = {.name = "busy \"one\"", .is_busy = true};
static struct co_loop_info *const loops[] = {&full, &busy};

static void write_all(struct buf *out, enum co_dump_format format)
{
    buf_init(out, 1 << 20);
    ck_assert_int_eq(coro_snapshot_write(out, format, loops, ARRAY_LEN(loops)), 0);
}

START_TEST(the_text_says_who_waits_on_what)
{
    struct buf out;
    write_all(&out, CO_DUMP_TEXT);
    contains(&out, "loop first: 6 tasks, 1 ready, ");
    contains(&out, "task 1 plain: running, age");
    contains(&out, "task 2 reader: parked, read 7, cancelled, age 1.500 s, cpu 4.000 ms, "
                   "longest slice 1.000 ms, stack 4000, spawned at dir/\"f\".c:12 (spawner)\n");
    contains(&out, "task 3 joins: parked, join of task 2 (reader), age");
    contains(&out, "parked, mutex 0xabc held by plain, age");
    contains(&out, "task 5 sleeps: parked, sleep, age");
    contains(&out, "task 6 done: ended, age");
    contains(&out, "       5          9        6.000        0.000      12345  dir/\"f\".c:12");
    contains(&out, "3 more tasks");
    contains(&out, "busy \"one\"");
    buf_fini(&out);
}
END_TEST

/* Brackets and quotes close in order; no control character stands inside. */
static bool is_closed(const char *json)
{
    char open[32];
    int depth = 0;
    bool in_text = false;
    for (; *json != 0; json++) {
        if (in_text) {
            if ((unsigned char)*json < ' ')
                return false;
            if (*json == '\\')
                json++;
            else if (*json == '"')
                in_text = false;
        } else if (*json == '"') {
            in_text = true;
        } else if (*json == '{' || *json == '[') {
            open[depth++] = *json;
        } else if (*json == '}' || *json == ']') {
            if (depth == 0 || open[--depth] != (*json == '}' ? '{' : '['))
                return false;
        }
    }
    return depth == 0 && !in_text;
}

START_TEST(the_json_is_whole)
{
    struct buf out;
    write_all(&out, CO_DUMP_JSON);
    contains(&out, "{\"loops\":[{\"loop\":\"first\",\"busy\":false,\"alive\":6,\"ready\":1,");
    contains(&out, "\"unlisted\":3,\"turn_ns_log2\":[0,0,0,4,0,");
    contains(&out, "\"name\":\"q\\\"uo\\\\te\\n\",\"state\":\"parked\",\"wait\":\"mutex\","
                   "\"object\":\"0xabc\",\"holder\":\"plain\"");
    contains(&out, "\"wait\":\"read\",\"fd\":7,\"cancelled\":true,\"age_ns\":1500000000,"
                   "\"cpu_ns\":4000000,\"longest_slice_ns\":1000000,\"stack_bytes\":4000");
    contains(&out, "\"wait\":\"join\",\"task\":2,\"holder\":\"reader\"");
    contains(&out, "\"site\":{\"file\":\"dir/\\\"f\\\".c\",\"line\":12,\"function\":\"spawner\"}");
    contains(&out, "{\"loop\":\"busy \\\"one\\\"\",\"busy\":true}]}\n");
    contains(&out, "],\"tasks\":[{\"id\":1,");
    contains(&out, "\"stack\":[]},{\"id\":2,");
    contains(&out, "\"stack\":[]},{\"id\":3,");
    ck_assert_int_eq(buf_append_char(&out, 0), 0);
    ck_assert(is_closed(out.data));
    buf_fini(&out);
}
END_TEST

static const enum co_dump_format formats[] = {CO_DUMP_TEXT, CO_DUMP_JSON};

START_TEST(a_full_buffer_is_an_error_wherever_it_ends)
{
    struct buf whole;
    write_all(&whole, formats[_i]);
    for (size_t max = 0; max < whole.len; max++) {
        struct buf out;
        buf_init(&out, max);
        ck_assert_int_eq(coro_snapshot_write(&out, formats[_i], loops, ARRAY_LEN(loops)),
                         -EMSGSIZE);
        buf_fini(&out);
    }
    buf_fini(&whole);
}
END_TEST

START_TEST(every_wait_has_a_name)
{
    for (uint8_t wait = CO_WAIT_SLEEP; wait <= CO_WAIT_OFFLOAD; wait++) {
        ck_assert_ptr_nonnull(coro_wait_name(wait));
        ck_assert_str_ne(coro_wait_name(wait), "");
        for (uint8_t other = CO_WAIT_NONE; other < wait; other++)
            ck_assert_str_ne(coro_wait_name(wait), coro_wait_name(other));
    }
}
END_TEST

SUITE_MAIN("coro_report", SUITE_TEST(the_text_says_who_waits_on_what),
           SUITE_TEST(the_json_is_whole),
           SUITE_LOOP(a_full_buffer_is_an_error_wherever_it_ends, formats),
           SUITE_TEST(every_wait_has_a_name))
