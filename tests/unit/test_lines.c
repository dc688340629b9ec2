/* Lines of files and pipes: every ending, at every split of the input. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/lines.h"
#include "coro/io.h"
#include "suite.h"

static void from_text(struct cl_lines *in, const char *text, size_t len)
{
    char path[] = "/tmp/lines.XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, len), (ssize_t)len);
    close(fd);
    ck_assert_int_eq(cl_lines_open(in, path), 0);
    unlink(path);
}

static void expect(struct cl_lines *in, const char *text, size_t len)
{
    struct cl_line line;
    ck_assert_int_eq(cl_lines_next(in, &line), 1);
    ck_assert_uint_eq(line.len, len);
    ck_assert_mem_eq(line.text, text, len);
    ck_assert_int_eq(line.text[len], '\0');
    ck_assert(!line.is_cut);
}

static void expect_end(struct cl_lines *in)
{
    struct cl_line line;
    ck_assert_int_eq(cl_lines_next(in, &line), 0);
    ck_assert_int_eq(cl_lines_next(in, &line), 0);
}

START_TEST(every_line_end)
{
    static const char text[] = "one\ntwo\r\n\n\r\nnul\0nul\ncr\rin\nlast";
    struct cl_lines in;
    from_text(&in, text, sizeof text - 1);
    expect(&in, "one", 3);
    expect(&in, "two", 3);
    expect(&in, "", 0);
    expect(&in, "", 0);
    expect(&in, "nul\0nul", 7);
    expect(&in, "cr\rin", 5);
    expect(&in, "last", 4);
    expect_end(&in);
    ck_assert_int_eq(in.read_bytes, sizeof text - 1);
    ck_assert_int_eq(in.size_bytes, sizeof text - 1);
    ck_assert_uint_eq(in.line, 7);
    cl_lines_close(&in);
}
END_TEST

/* A mark before the first line is no part of it; one of UTF-16 is refused. */
static const struct {
    const char *bytes;
    size_t len;
    enum cl_mark mark;
    int rv;
    const char *line;
} marks[] = {
    {"\xef\xbb\xbf"
     "a\n",
     5, CL_MARK_UTF8, 1, "a"},
    {"\xef\xbb\xbf", 3, CL_MARK_UTF8, 0, NULL},
    {"\xef\xbb", 2, CL_MARK_PART, 1, "\xef\xbb"},
    {"\xef"
     "a",
     2, CL_MARK_NONE, 1,
     "\xef"
     "a"},
    {"\xff\xfe"
     "a\0",
     4, CL_MARK_UTF16, -EILSEQ, NULL},
    {"\xfe\xff\0a", 4, CL_MARK_UTF16, -EILSEQ, NULL},
    {"\xff", 1, CL_MARK_PART, 1, "\xff"},
    {"a", 1, CL_MARK_NONE, 1, "a"},
    {"", 0, CL_MARK_PART, 0, NULL},
};

START_TEST(marks_of_an_encoding)
{
    struct cl_lines in;
    struct cl_line line;
    ck_assert_int_eq(cl_mark_of(marks[_i].bytes, marks[_i].len), marks[_i].mark);
    from_text(&in, marks[_i].bytes, marks[_i].len);
    if (marks[_i].rv == 1)
        expect(&in, marks[_i].line, strlen(marks[_i].line));
    else
        ck_assert_int_eq(cl_lines_next(&in, &line), marks[_i].rv);
    ck_assert_int_eq(cl_lines_next(&in, &line), marks[_i].rv < 0 ? marks[_i].rv : 0);
    cl_lines_close(&in);
}
END_TEST

START_TEST(nothing_at_all)
{
    struct cl_lines in;
    from_text(&in, "", 0);
    expect_end(&in);
    cl_lines_close(&in);
}
END_TEST

START_TEST(long_lines_are_cut_and_the_next_is_whole)
{
    enum { LONG = 3 * CL_LINE_MAX_BYTES + 17 };
    char *text = malloc(LONG + 6);
    memset(text, 'x', LONG);
    memcpy(text + LONG, "\nnext\n", 6);
    struct cl_lines in;
    struct cl_line line;
    from_text(&in, text, LONG + 6);
    ck_assert_int_eq(cl_lines_next(&in, &line), 1);
    ck_assert(line.is_cut);
    ck_assert_uint_eq(line.len, CL_LINE_MAX_BYTES);
    expect(&in, "next", 4);
    ck_assert_uint_eq(in.line, 2);
    expect_end(&in);
    ck_assert_int_eq(in.read_bytes, LONG + 6);
    cl_lines_close(&in);
    free(text);
}
END_TEST

START_TEST(a_line_of_the_longest_length_is_whole)
{
    char *text = malloc(CL_LINE_MAX_BYTES + 3);
    memset(text, 'x', CL_LINE_MAX_BYTES);
    memcpy(text + CL_LINE_MAX_BYTES - 1, "\nab", 4);
    struct cl_lines in;
    from_text(&in, text, CL_LINE_MAX_BYTES + 2);
    expect(&in, text, CL_LINE_MAX_BYTES - 1);
    expect(&in, "ab", 2);
    expect_end(&in);
    cl_lines_close(&in);
    free(text);
}
END_TEST

START_TEST(arguments_are_lines)
{
    char one[] = "https://a.example/";
    char two[] = "";
    char *texts[] = {one, two};
    struct cl_lines in;
    ck_assert_int_eq(cl_lines_of(&in, texts, 2), 0);
    expect(&in, one, strlen(one));
    expect(&in, "", 0);
    expect_end(&in);
    cl_lines_close(&in);
}
END_TEST

START_TEST(what_cannot_be_read)
{
    struct cl_lines in;
    ck_assert_int_eq(cl_lines_open(&in, "/nonexistent/file"), -ENOENT);
    ck_assert_int_eq(cl_lines_open(&in, "/"), -EISDIR);
    cl_lines_close(&in);
}
END_TEST

/* ---- in a task: waiting for input does not stop the loop ---- */

static const char split_text[] = "first\r\nsecond\n\nfourth";

static int write_slowly(void *arg)
{
    int fd = (int)(intptr_t)arg;
    for (size_t i = 0; i + 1 < sizeof split_text; i++) {
        ck_assert_int_eq(write(fd, split_text + i, 1), 1);
        ck_assert_int_eq(co_yield (), 0);
    }
    close(fd);
    return 0;
}

static int read_slowly(void *arg MAYBE_UNUSED)
{
    int fds[2];
    ck_assert_int_eq(pipe(fds), 0);
    struct co_task *writer = co_spawn(write_slowly, (void *)(intptr_t)fds[1]);
    char path[64];
    struct cl_lines in;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fds[0]);
    ck_assert_int_eq(cl_lines_open(&in, path), 0);
    close(fds[0]);
    expect(&in, "first", 5);
    expect(&in, "second", 6);
    expect(&in, "", 0);
    expect(&in, "fourth", 6);
    expect_end(&in);
    cl_lines_close(&in);
    int result;
    return co_join(writer, CO_NO_DEADLINE, &result);
}

START_TEST(a_pipe_may_make_a_task_wait)
{
    ck_assert_int_eq(co_run(read_slowly, NULL, NULL), 0);
}
END_TEST

SUITE_MAIN("lines", SUITE_LOOP(marks_of_an_encoding, marks), SUITE_TEST(every_line_end),
           SUITE_TEST(nothing_at_all), SUITE_TEST(long_lines_are_cut_and_the_next_is_whole),
           SUITE_TEST(a_line_of_the_longest_length_is_whole), SUITE_TEST(arguments_are_lines),
           SUITE_TEST(what_cannot_be_read), SUITE_TEST(a_pipe_may_make_a_task_wait))
