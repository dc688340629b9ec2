/* The scoreboard: what is noted, and how it reads. */
#include <stdlib.h>
#include <string.h>

#include "coro/base/clock.h"
#include "server/mode/scoreboard.h"
#include "suite.h"

static struct scoreboard *board;

static void set_up(unsigned count)
{
    board = aligned_alloc(64, sizeof *board + count * sizeof board->scores[0] + 64);
    ck_assert_ptr_nonnull(board);
    memset(board, 0, sizeof *board + count * sizeof board->scores[0]);
    board->count = count;
}

static void put(unsigned i, int pid, enum score_state state, int64_t age_ns)
{
    struct score *score = &board->scores[i];
    atomic_store(&score->pid, pid);
    atomic_store(&score->state, state);
    atomic_store(&score->since_ns, clock_now_ns() - age_ns);
}

static const struct {
    const char *bytes;
    size_t len;
    const char *kept;
} requests[] = {
    {"GET / HTTP/1.1\r\nHost: x\r\n", 25, "GET / HTTP/1.1"},
    {"GET /dom", 8, "GET /dom"},
    {"", 0, ""},
    {"\x1b[31mGET", 8, ""},
    {"a\xff", 2, "a"},
    {"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567", 88,
     "0123456789012345678901234567890123456789012345678901234567890123456789012345678"},
};

START_TEST(a_request_is_kept_as_far_as_it_prints)
{
    struct score score = {.request = "the one before"};
    score_note_request(&score, requests[_i].bytes, requests[_i].len);
    ck_assert_str_eq(score.request, requests[_i].kept);
}
END_TEST

static char *text_of(struct buf *out)
{
    ck_assert_int_eq(buf_append_char(out, '\0'), 0);
    return out->data;
}

START_TEST(children_are_counted_by_state)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    ck_assert_int_eq(metrics_init(1), 0);
    set_up(5);
    put(0, 10, SCORE_IDLE, 0);
    put(1, 11, SCORE_SERVING, 3 * NS_PER_S);
    put(2, 12, SCORE_SERVING, 7 * NS_PER_S);
    put(3, 13, SCORE_KEEPALIVE, 100 * NS_PER_S); /* no request, however long */
    metrics_extend(scoreboard_export, board);
    ck_assert_int_eq(metrics_export(&out, METRICS_PROMETHEUS), 0);
    const char *text = text_of(&out);
    ck_assert_ptr_nonnull(strstr(text, "domaind_children{state=\"serving\"} 2\n"));
    ck_assert_ptr_nonnull(strstr(text, "domaind_children{state=\"idle\"} 1\n"));
    ck_assert_ptr_nonnull(strstr(text, "domaind_children{state=\"keepalive\"} 1\n"));
    ck_assert_ptr_nonnull(strstr(text, "domaind_children{state=\"free\"} 1\n"));
    const char *longest = strstr(text, "\ndomaind_child_longest_seconds ");
    ck_assert_ptr_nonnull(longest);
    double seconds = strtod(longest + strlen("\ndomaind_child_longest_seconds "), NULL);
    ck_assert(seconds >= 7 && seconds < 60);
    metrics_unextend(scoreboard_export);
    buf_fini(&out);
    metrics_fini();
    free(board);
}
END_TEST

START_TEST(the_list_has_each_child_that_is_there)
{
    struct buf text, json;
    buf_init(&text, 1 << 20);
    buf_init(&json, 1 << 20);
    set_up(4);
    put(1, 11, SCORE_SERVING, NS_PER_S);
    put(2, 0, SCORE_STARTING, 0); /* its number is not known yet */
    put(3, 13, SCORE_KEEPALIVE, 2 * NS_PER_S);
    atomic_store(&board->scores[3].connections, 5);
    atomic_store(&board->scores[3].turns, 9);
    score_note_request(&board->scores[1], "GET /\"quoted\"", 13);
    ck_assert_int_eq(scoreboard_list(board, &text, false), 0);
    ck_assert_int_eq(scoreboard_list(board, &json, true), 0);
    int lines = 0;
    for (const char *at = text_of(&text); (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    ck_assert_int_eq(lines, 3);
    ck_assert_ptr_nonnull(strstr(text.data, "    1       11  serving "));
    ck_assert_ptr_nonnull(strstr(text.data, "GET /\"quoted\"\n"));
    const char *objects = text_of(&json);
    ck_assert_ptr_nonnull(
        strstr(objects, "{\"child\":1,\"pid\":11,\"state\":\"serving\",\"age_s\":1."));
    ck_assert_ptr_nonnull(strstr(objects, "\"request\":\"GET /\\\"quoted\\\"\"},{\"child\":3,"));
    ck_assert_ptr_nonnull(strstr(objects, "\"connections\":5,\"turns\":9,\"request\":\"\"}"));
    ck_assert_ptr_null(strstr(objects, "\"child\":2"));
    buf_fini(&text);
    buf_fini(&json);
    buf_init(&text, 20); /* what does not fit is said */
    ck_assert_int_lt(scoreboard_list(board, &text, true), 0);
    buf_fini(&text);
    free(board);
}
END_TEST

SUITE_MAIN("scoreboard", SUITE_LOOP(a_request_is_kept_as_far_as_it_prints, requests),
           SUITE_TEST(children_are_counted_by_state),
           SUITE_TEST(the_list_has_each_child_that_is_there))
