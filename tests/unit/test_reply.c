/* Answers: complete ones at every split point, pipelined ones, broken ones. */
#include <string.h>

#include "loadgen/reply.h"
#include "suite.h"

#define OK5 "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

static const struct {
    const char *bytes;
    enum lg_reply_turn turn; /* after all bytes */
    int status;
    bool keep_alive;
    bool is_head;
} answers[] = {
    {OK5, LG_REPLY_DONE, 200, true, false},
    {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", LG_REPLY_DONE, 404,
     false, false},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", LG_REPLY_DONE,
     200, true, false},
    {"HTTP/1.1 100 Continue\r\n\r\n" OK5, LG_REPLY_DONE, 200, true, false},
    {"HTTP/1.1 204 No Content\r\n\r\n", LG_REPLY_DONE, 204, true, false},
    {"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n", LG_REPLY_DONE, 304, true, false},
    {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", LG_REPLY_DONE, 200, true, true},
    {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", LG_REPLY_DONE, 200, false, false},
    {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", LG_REPLY_MORE, 0, false, false},
    {"HTTP/1.1 200 OK\r\nContent-Le", LG_REPLY_MORE, 0, false, false},
    {"HTTP/1.1 200 OK\r\n\r\nuntil the end", LG_REPLY_MORE, 0, false, false},
    {"SSH-2.0-OpenSSH_9.2\r\n", LG_REPLY_BAD, 0, false, false},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", LG_REPLY_BAD, 0, false, false},
    {"HTTP/1.1 200 OK\r\nContent-Length: minus\r\n\r\n", LG_REPLY_BAD, 0, false, false},
    {"HTTP/9000", LG_REPLY_BAD, 0, false, false},
};

START_TEST(an_answer_at_every_split_point)
{
    const char *bytes = answers[_i].bytes;
    size_t n = strlen(bytes);
    for (size_t split = 1; split <= n; split++) {
        struct lg_reply r = {0};
        size_t used = 0, more = 0;
        lg_reply_init(&r, answers[_i].is_head);
        enum lg_reply_turn turn = lg_reply_feed(&r, bytes, split, &used);
        if (turn == LG_REPLY_MORE && split < n) {
            ck_assert_uint_eq(used, split);
            turn = lg_reply_feed(&r, bytes + split, n - split, &more);
        }
        ck_assert_int_eq(turn, answers[_i].turn);
        ck_assert_int_eq(r.status, answers[_i].status);
        ck_assert_int_eq(r.keep_alive, answers[_i].keep_alive);
        if (turn == LG_REPLY_DONE)
            ck_assert_uint_eq(used + more, n);
    }
}
END_TEST

START_TEST(pipelined_answers_come_one_by_one)
{
    const char *bytes = OK5 "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n" OK5;
    const int want[] = {200, 503, 200};
    struct lg_reply r = {0};
    lg_reply_init(&r, false);
    for (int i = 0; i < 3; i++) {
        size_t used = 0;
        ck_assert_int_eq(lg_reply_feed(&r, bytes, strlen(bytes), &used), LG_REPLY_DONE);
        ck_assert_int_eq(r.status, want[i]);
        bytes += used;
    }
    ck_assert_str_eq(bytes, "");
}
END_TEST

START_TEST(the_end_of_the_stream_may_end_an_answer)
{
    const char *bytes = "HTTP/1.1 200 OK\r\n\r\nuntil the end";
    struct buf body;
    buf_init(&body, 100);
    struct lg_reply r = {.body = &body};
    size_t used = 0;
    lg_reply_init(&r, false);
    ck_assert_int_eq(lg_reply_feed(&r, bytes, strlen(bytes), &used), LG_REPLY_MORE);
    ck_assert(r.started);
    ck_assert_int_eq(lg_reply_feed(&r, NULL, 0, &used), LG_REPLY_DONE);
    ck_assert_int_eq(r.status, 200);
    ck_assert(!r.keep_alive);
    ck_assert_mem_eq(body.data, "until the end", 13);
    buf_fini(&body);
}
END_TEST

START_TEST(a_half_answer_is_not_completed_by_the_end)
{
    struct lg_reply r = {0};
    size_t used = 0;
    lg_reply_init(&r, false);
    const char *half = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel";
    ck_assert_int_eq(lg_reply_feed(&r, half, strlen(half), &used), LG_REPLY_MORE);
    ck_assert_int_eq(lg_reply_feed(&r, NULL, 0, &used), LG_REPLY_BAD);
    ck_assert_uint_eq(used, 0);
}
END_TEST

static const struct {
    const char *bytes;
    const char *problem;
} broken[] = {
    {"\x15\x03\x01\x02\x46", "it speaks TLS"},
    {"\x16\x03\x01\x02\x46", "it speaks TLS"},
    {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
     "it switched to another protocol"},
    {"HTTP/1.1 200 OK\r\nContent-Length: minus\r\n\r\n",
     "invalid character in content-length header"},
};

START_TEST(what_is_wrong_is_said)
{
    struct lg_reply r = {0};
    size_t used = 0;
    lg_reply_init(&r, false);
    const char *bytes = broken[_i].bytes;
    ck_assert_int_eq(lg_reply_feed(&r, bytes, strlen(bytes), &used), LG_REPLY_BAD);
    ck_assert_str_eq(r.problem, broken[_i].problem);
}
END_TEST

SUITE_MAIN("reply", SUITE_LOOP(what_is_wrong_is_said, broken),
           SUITE_LOOP(an_answer_at_every_split_point, answers),
           SUITE_TEST(pipelined_answers_come_one_by_one),
           SUITE_TEST(the_end_of_the_stream_may_end_an_answer),
           SUITE_TEST(a_half_answer_is_not_completed_by_the_end))
