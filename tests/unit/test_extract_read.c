/* Blocks of whole lines: however the bytes come, no line is lost, split or counted twice. */
#include "client/extract_read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/extract.h"
#include "suite.h"

enum { FILES_MAX = 3, TEXT_MAX = 4 << 20 };

/* Files of these contents, and one input over all of them. */
struct fixture {
    char paths[FILES_MAX][32];
    char *list[FILES_MAX];
    struct extract_input in;
    struct extract_block block;
};

static void begin(struct fixture *f, const char *const *texts, const size_t *lens, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        strcpy(f->paths[i], "/tmp/extract_read.XXXXXX");
        int fd = mkstemp(f->paths[i]);
        ck_assert_int_ge(fd, 0);
        for (size_t at = 0; at < lens[i];) {
            ssize_t n = write(fd, texts[i] + at, lens[i] - at);
            ck_assert_int_gt(n, 0);
            at += (size_t)n;
        }
        close(fd);
        f->list[i] = f->paths[i];
    }
    ck_assert_int_eq(extract_input_init(&f->in, f->list, count), 0);
    ck_assert_int_eq(extract_block_init(&f->block), 0);
}

static void end(struct fixture *f, size_t count)
{
    extract_block_fini(&f->block);
    extract_input_fini(&f->in);
    for (size_t i = 0; i < count; i++)
        unlink(f->paths[i]);
}

/* All lines that come, and that they are numbered as in their files. */
static size_t read_all(struct fixture *f, char *text)
{
    size_t len = 0;
    uint64_t number = 0, line = 1;
    const char *name = NULL;
    while (extract_read(&f->in, &f->block)) {
        const struct extract_block *b = &f->block;
        ck_assert_int_eq(b->error, 0);
        ck_assert_uint_eq(b->number, number++);
        ck_assert_uint_gt(b->len, 0);
        ck_assert_int_eq(b->at[b->len - 1], '\n');
        if (name != b->name)
            line = 1;
        name = b->name;
        ck_assert_uint_eq(b->first_line, line);
        for (size_t i = 0; i < b->len; i++)
            line += b->at[i] == '\n';
        ck_assert_uint_le(len + b->len, TEXT_MAX);
        memcpy(text + len, b->at, b->len);
        len += b->len;
    }
    return len;
}

static const struct {
    const char *text; /* of one file */
    size_t len;       /* 0: strlen */
    const char *lines;
} cases[] = {
    {"", 0, ""},
    {"\n", 0, "\n"},
    {"a", 0, "a\n"},
    {"a\nb\n", 0, "a\nb\n"},
    {"a\r\n\nb", 0, "a\r\n\nb\n"},
    {"\xef\xbb\xbf"
     "a\n",
     0, "a\n"},
    {"\xef\xbb\xbf", 0, ""},
    {"\xef\xbb", 0, "\xef\xbb\n"},
    {"\xef\xbb\xbf\xef\xbb\xbf", 0, "\xef\xbb\xbf\n"}, /* one mark */
    {"a\n\xef\xbb\xbf", 0, "a\n\xef\xbb\xbf\n"},       /* none in the middle */
    {"\xff", 0, "\xff\n"},
};

START_TEST(small_files)
{
    struct fixture f;
    char text[64];
    size_t len = cases[_i].len != 0 ? cases[_i].len : strlen(cases[_i].text);
    begin(&f, &cases[_i].text, &len, 1);
    ck_assert_uint_eq(f.in.total_bytes, len);
    size_t got = read_all(&f, text);
    ck_assert_uint_eq(got, strlen(cases[_i].lines));
    ck_assert_int_eq(got == 0 || memcmp(text, cases[_i].lines, got) == 0, 1);
    ck_assert(!extract_read(&f.in, &f.block));
    end(&f, 1);
}
END_TEST

/* Lines of every length up to the limit: block after block ends in mid-line. */
START_TEST(what_is_cut_by_a_block_is_carried_over)
{
    struct fixture f;
    char *text = malloc(TEXT_MAX), *got = malloc(TEXT_MAX);
    size_t len = 0;
    for (size_t n = 1; len + n < TEXT_MAX - 1; n = n * 5 / 4 + 1) {
        n = n > EXTRACT_LINE_MAX_BYTES ? 1 : n;
        memset(text + len, 'a' + (char)(n % 26), n);
        len += n;
        text[len++] = '\n';
    }
    begin(&f, (const char *const *)&text, &len, 1);
    ck_assert_uint_eq(read_all(&f, got), len);
    ck_assert_mem_eq(got, text, len);
    end(&f, 1);
    free(text);
    free(got);
}
END_TEST

/* A line that fits no block is handed out once, cut, and its rest is dropped. */
START_TEST(a_line_that_is_far_too_long)
{
    struct fixture f;
    size_t len = 3 << 20, lines = 0, cut = 0, behind = 0;
    char *text = malloc(len);
    memset(text, 'x', len);
    memcpy(text, "first\n", 6);
    memcpy(text + len - 6, "\nlast\n", 6);
    begin(&f, (const char *const *)&text, &len, 1);
    while (extract_read(&f.in, &f.block)) {
        const struct extract_block *b = &f.block;
        ck_assert_uint_eq(b->first_line, lines + 1);
        for (size_t i = 0; i < b->len; i++)
            lines += b->at[i] == '\n';
        cut += b->is_cut;
        if (b->is_cut)
            ck_assert_uint_gt(b->len, EXTRACT_LINE_MAX_BYTES);
        behind += b->len >= 5 && memcmp(b->at + b->len - 5, "last\n", 5) == 0;
    }
    ck_assert_uint_eq(lines, 3);
    ck_assert_uint_eq(cut, 1);
    ck_assert_uint_eq(behind, 1);
    end(&f, 1);
    free(text);
}
END_TEST

START_TEST(a_block_is_of_one_file)
{
    static const char *const texts[] = {"a\nb", "",
                                        "\xef\xbb\xbf"
                                        "c\n"};
    static const size_t lens[] = {3, 0, 5};
    struct fixture f;
    char text[64];
    begin(&f, texts, lens, 3);
    ck_assert_uint_eq(read_all(&f, text), 6);
    ck_assert_mem_eq(text, "a\nb\nc\n", 6);
    end(&f, 3);
}
END_TEST

/* What was read before comes first; then the error, in its turn; then the end. */
START_TEST(errors_end_it)
{
    static const struct {
        const char *text;
        size_t len;
        int error;
    } bad[] = {{"\xff\xfe"
                "a\0",
                4, -EILSEQ},
               {"\xfe\xff\0a", 4, -EILSEQ},
               {NULL, 0, -ENOENT}};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        const char *texts[] = {"a\n", bad[i].text, "never\n"};
        size_t lens[] = {2, bad[i].len, 6};
        struct fixture f;
        begin(&f, texts, lens, 3);
        if (bad[i].text == NULL)
            unlink(f.paths[1]);
        ck_assert(extract_read(&f.in, &f.block));
        ck_assert_mem_eq(f.block.at, "a\n", 2);
        ck_assert(extract_read(&f.in, &f.block));
        ck_assert_int_eq(f.block.error, bad[i].error);
        ck_assert_uint_eq(f.block.len, 0);
        ck_assert_uint_eq(f.block.number, 1);
        ck_assert_str_eq(f.block.name, f.paths[1]);
        ck_assert(!extract_read(&f.in, &f.block));
        end(&f, 3);
    }
}
END_TEST

/* A pipe that brings one byte at a time, in mid-mark and in mid-line; also one that
 * somebody else who has it made non-blocking. */
static const int pipe_flags[] = {0, O_NONBLOCK};

START_TEST(bytes_that_trickle)
{
    static const char sent[] = "\xef\xbb\xbf"
                               "ab\ncd\r\ne";
    static char dash[] = "-";
    char *list[] = {dash};
    int fds[2], kept = dup(STDIN_FILENO);
    struct extract_input in;
    struct extract_block block;
    char text[64];
    size_t len = 0;
    ck_assert_int_eq(pipe(fds), 0);
    ck_assert_int_eq(fcntl(fds[0], F_SETFL, pipe_flags[_i]), 0);
    ck_assert_int_eq(dup2(fds[0], STDIN_FILENO), STDIN_FILENO);
    close(fds[0]);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        for (size_t i = 0; i < sizeof sent - 1; i++) {
            if (write(fds[1], sent + i, 1) != 1)
                _exit(1);
            usleep(1000);
        }
        _exit(0);
    }
    close(fds[1]);
    ck_assert_int_eq(extract_input_init(&in, list, 1), 0);
    ck_assert_uint_eq(in.total_bytes, 0);
    ck_assert_int_eq(extract_block_init(&block), 0);
    while (extract_read(&in, &block)) {
        ck_assert_str_eq(block.name, "standard input");
        memcpy(text + len, block.at, block.len);
        len += block.len;
    }
    ck_assert_uint_eq(len, 9);
    ck_assert_mem_eq(text, "ab\ncd\r\ne\n", 9);
    extract_block_fini(&block);
    extract_input_fini(&in);
    ck_assert_int_ge(dup2(kept, STDIN_FILENO), 0);
    close(kept);
}
END_TEST

SUITE_MAIN("extract_read", SUITE_LOOP(small_files, cases),
           SUITE_TEST(what_is_cut_by_a_block_is_carried_over),
           SUITE_TEST(a_line_that_is_far_too_long), SUITE_TEST(a_block_is_of_one_file),
           SUITE_TEST(errors_end_it), SUITE_LOOP(bytes_that_trickle, pipe_flags))
