/* Replies and the lines for them: always one line, always JSON, whatever came. */
#include <string.h>

#include "client/answer.h"
#include "suite.h"

static struct buf buf_of(const char *bytes, size_t len)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    ck_assert_int_eq(buf_append(&b, bytes, len), 0);
    return b;
}

START_TEST(targets)
{
    struct buf target = buf_of("old", 3);
    struct buf url = buf_of("http://a/?b=c&d", 15);
    ck_assert_int_eq(cl_answer_target(&target, "http://s:1", false, NULL, &url), 0);
    ck_assert_str_eq(target.data, "http://s:1/domain?url=http://a/?b=c%26d");
    ck_assert_int_eq(cl_answer_target(&target, "http://s:1/x", true, "icann", &url), 0);
    ck_assert_str_eq(target.data,
                     "http://s:1/x/domain?format=text&suffixes=icann&url=http://a/?b=c%26d");
    buf_fini(&target);
    buf_fini(&url);
}
END_TEST

static const struct {
    int status;
    const char *type;
    bool is_text;
    enum cl_answer answer;
} replies[] = {
    {200, "application/json", false, CL_ANSWER_DOMAIN},
    {200, "application/json; charset=utf-8", false, CL_ANSWER_DOMAIN},
    {200, "text/plain; charset=utf-8", true, CL_ANSWER_DOMAIN},
    {200, "text/plain", false, CL_ANSWER_NONE},
    {200, "text/html", true, CL_ANSWER_NONE},
    {200, "", false, CL_ANSWER_NONE},
    {422, "application/problem+json", false, CL_ANSWER_REFUSED},
    {422, "application/problem+json", true, CL_ANSWER_REFUSED},
    {404, "application/json", false, CL_ANSWER_NONE},
    {0, "", false, CL_ANSWER_NONE},
};

START_TEST(what_replies_are)
{
    char why[CL_WHY_BYTES] = "";
    struct cl_reply reply;
    cl_reply_init(&reply);
    reply.status = replies[_i].status;
    strcpy(reply.content_type, replies[_i].type);
    ck_assert_int_eq(cl_answer_judge(&reply, replies[_i].is_text, why), replies[_i].answer);
    ck_assert_int_eq(why[0] != '\0', replies[_i].answer == CL_ANSWER_NONE);
}
END_TEST

static const struct {
    enum cl_answer answer;
    bool is_text;
    const char *body;
    const char *line;
} lines[] = {
    {CL_ANSWER_DOMAIN, false, "{\"domain\":\"a\"}\n", "{\"domain\":\"a\"}\n"},
    {CL_ANSWER_DOMAIN, false, "{\n  \"domain\": \"a\"\r\n}\r\n\n", "{   \"domain\": \"a\"  }\n"},
    {CL_ANSWER_DOMAIN, true, "a.example\n", "a.example\n"},
    {CL_ANSWER_DOMAIN, true, "two\nlines", "two lines\n"},
    {CL_ANSWER_DOMAIN, true, "", "\n"},
    {CL_ANSWER_REFUSED, true, "whatever", "\n"},
    {CL_ANSWER_NONE, true, "whatever", "\n"},
    {CL_ANSWER_REFUSED, false, "{\"status\":422,\"detail\":\"no host\",\"x\":1}\n",
     "{\"url\":\"u\\\"rl\",\"line\":7,\"error\":\"refused\",\"detail\":\"no host\"}\n"},
    {CL_ANSWER_REFUSED, false, "{\"detail\":\"a \\\"quoted\\\\\\\" one\"}",
     "{\"url\":\"u\\\"rl\",\"line\":7,\"error\":\"refused\",\"detail\":\"a \\\"quoted\\\\\\\" "
     "one\"}\n"},
    {CL_ANSWER_REFUSED, false, "{\"detail\":\"cut off",
     "{\"url\":\"u\\\"rl\",\"line\":7,\"error\":\"refused\",\"detail\":\"{\\\"detail\\\":\\\"cut "
     "off\"}\n"},
    {CL_ANSWER_REFUSED, false, "{\"detail\":\"cut off\\",
     "{\"url\":\"u\\\"rl\",\"line\":7,\"error\":\"refused\",\"detail\":\"{\\\"detail\\\":\\\"cut "
     "off\\\\\"}\n"},
    {CL_ANSWER_REFUSED, false, "plain\ntext",
     "{\"url\":\"u\\\"rl\",\"line\":7,\"error\":\"refused\",\"detail\":\"plain\\ntext\"}\n"},
    {CL_ANSWER_NONE, false, "whatever",
     "{\"url\":\"u\\\"rl\",\"line\":7,\"error\":\"no_answer\",\"detail\":\"why \\\"not\\\"\"}\n"},
};

START_TEST(lines_for_replies)
{
    struct buf text = buf_of("", 0);
    struct buf url = buf_of("u\"rl", 4);
    struct cl_reply reply;
    cl_reply_init(&reply);
    reply.body = buf_of(lines[_i].body, strlen(lines[_i].body));
    ck_assert_int_eq(cl_answer_render(&text, lines[_i].answer, &reply, lines[_i].is_text, &url, 7,
                                      "why \"not\""),
                     0);
    ck_assert_int_eq(buf_append_char(&text, '\0'), 0);
    ck_assert_str_eq(text.data, lines[_i].line);
    buf_fini(&text);
    buf_fini(&url);
    cl_reply_fini(&reply);
}
END_TEST

SUITE_MAIN("answer", SUITE_TEST(targets), SUITE_LOOP(what_replies_are, replies),
           SUITE_LOOP(lines_for_replies, lines))
