/* The pipeline of domainc extract: whatever the number of workers, the same rows in
 * the order of the input, ended where it must end and said why. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>

#include "client/extract.h"
#include "said.h"
#include "suite.h"

static const unsigned jobs[] = {1, 2, 5};

/* ---- files, and what they give ---- */

struct input {
    struct buf text, expected; /* expected: a domain a line */
    char path[64];
};

static void input_init(struct input *in)
{
    buf_init(&in->text, 64 << 20);
    buf_init(&in->expected, 64 << 20);
}

static void input_fini(struct input *in)
{
    buf_fini(&in->text);
    buf_fini(&in->expected);
}

static void add_line(struct input *in, const char *domain, int padding)
{
    ck_assert_int_eq(buf_printf(&in->text, "http://%s/%0*d\n", domain, padding, 1), 0);
    ck_assert_int_eq(buf_printf(&in->expected, "%s\n", domain), 0);
}

/* Blocks of much work and blocks of little, in turn: a worker with an easy one is done
 * long before the worker with the hard one before it. */
static void add_uneven_blocks(struct input *in, int n)
{
    char domain[32];
    for (int block = 0; block < n; block++)
        for (int i = 0; i < (block % 2 == 0 ? 12000 : 5); i++) {
            snprintf(domain, sizeof domain, "h%d.b%d.com", i, block);
            add_line(in, domain, block % 2 == 0 ? 1 : 60000);
        }
}

/* A file in memory; the descriptor stays open till the process ends. */
static char *path_of(struct input *in)
{
    int fd = memfd_create("input", MFD_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, in->text.data, in->text.len), (ssize_t)in->text.len);
    snprintf(in->path, sizeof in->path, "/proc/self/fd/%d", fd);
    return in->path;
}

static struct extract_options with(const char *text)
{
    struct domain_suffixes *s;
    struct domain_load_error why;
    ck_assert_int_eq(domain_suffixes_parse(text, strlen(text), &s, &why), 0);
    return (struct extract_options){.suffixes = s,
                                    .engine = DOMAIN_ENGINE_SCAN,
                                    .fields = {EXTRACT_FIELD_DOMAIN},
                                    .field_count = 1,
                                    .jobs = 1};
}

static void release(const struct extract_options *o)
{
    domain_suffixes_unref((struct domain_suffixes *)(uintptr_t)o->suffixes);
}

static int run(void *arg)
{
    return extract_run(arg);
}

static void extract(struct said *s, struct extract_options *o, char **paths, size_t n)
{
    o->paths = paths;
    o->path_count = n;
    said_begin(s);
    said_end(s, extract_run(o));
}

static void check(const struct said *s, int status, const struct buf *expected, size_t len)
{
    ck_assert_int_eq(s->status, status);
    ck_assert_uint_eq(s->out.len, len);
    ck_assert(len == 0 || memcmp(s->out.text, expected->data, len) == 0);
}

/* ---- order ---- */

START_TEST(rows_come_in_the_order_of_the_input)
{
    struct extract_options o = with("com\n");
    struct input in;
    struct said s;
    input_init(&in);
    add_uneven_blocks(&in, 6);
    o.jobs = jobs[_i];
    char *paths[] = {path_of(&in), in.path}; /* the second file behind the first */
    extract(&s, &o, paths, 1);
    check(&s, CL_EXIT_OK, &in.expected, in.expected.len);
    ck_assert_str_eq(s.err.text, "");
    said_free(&s);
    extract(&s, &o, paths, 2);
    ck_assert_int_eq(s.status, CL_EXIT_OK);
    ck_assert_uint_eq(s.out.len, 2 * in.expected.len);
    ck_assert_mem_eq(s.out.text, in.expected.data, in.expected.len);
    ck_assert_mem_eq(s.out.text + in.expected.len, in.expected.data, in.expected.len);
    said_free(&s);
    input_fini(&in);
    release(&o);
}
END_TEST

START_TEST(counts_are_those_of_all_workers)
{
    struct extract_options o = with("com\n");
    struct input in;
    struct said s;
    input_init(&in);
    for (int i = 0; i < 30000; i++)
        add_line(&in, i % 3 == 0 ? "a.com" : "b.com", 40);
    o.jobs = jobs[_i];
    o.count_top = 2;
    char *paths[] = {path_of(&in)};
    extract(&s, &o, paths, 1);
    ck_assert_int_eq(s.status, CL_EXIT_OK);
    ck_assert_str_eq(s.out.text, "20000\tb.com\n10000\ta.com\n");
    said_free(&s);
    input_fini(&in);
    release(&o);
}
END_TEST

/* ---- bad lines ---- */

/* Good lines of several blocks, one bad line, and as many good ones again. */
static size_t add_around_a_bad_line(struct input *in)
{
    add_uneven_blocks(in, 4);
    size_t before = in->expected.len;
    ck_assert_int_eq(buf_append_str(&in->text, "http://1.2.3.256/\n"), 0);
    add_uneven_blocks(in, 4);
    return before;
}

START_TEST(a_bad_line_is_kept_skipped_or_the_end)
{
    struct extract_options o = with("com\n");
    struct input in;
    struct said s;
    input_init(&in);
    size_t before = add_around_a_bad_line(&in);
    o.jobs = jobs[_i];
    char *paths[] = {path_of(&in)};

    o.errors = EXTRACT_SKIP;
    extract(&s, &o, paths, 1);
    check(&s, CL_EXIT_OK, &in.expected, in.expected.len);
    said_has(s.err.text, "1 of 48021 lines have no domain: left out\n");
    said_has(s.err.text, ":24011: "); /* where it was */
    said_free(&s);

    o.errors = EXTRACT_STOP; /* nothing from behind it, whoever works there already */
    extract(&s, &o, paths, 1);
    check(&s, CL_EXIT_FAILED, &in.expected, before);
    said_has(s.err.text, "lines have no domain: stopped there\n");
    said_free(&s);

    o.errors = EXTRACT_KEEP;
    extract(&s, &o, paths, 1);
    ck_assert_int_eq(s.status, CL_EXIT_OK);
    ck_assert_uint_eq(s.out.len, in.expected.len + 1);
    ck_assert_mem_eq(s.out.text, in.expected.data, before);
    ck_assert_int_eq(s.out.text[before], '\n'); /* its empty row, in its place */
    ck_assert_str_eq(s.out.text + before + 1, s.out.text + s.out.len - (in.expected.len - before));
    said_free(&s);
    input_fini(&in);
    release(&o);
}
END_TEST

static size_t lines_of(const char *text)
{
    size_t n = 0;
    for (; (text = strchr(text, '\n')) != NULL; text++)
        n++;
    return n;
}

/* Ten are told one by one, whatever their files; then their number; quiet: nothing. */
START_TEST(many_bad_lines_are_a_number)
{
    struct extract_options o = with("com\n");
    struct input in;
    struct said s;
    input_init(&in);
    for (int i = 0; i < 6; i++)
        ck_assert_int_eq(buf_append_str(&in.text, "/\n"), 0);
    o.jobs = jobs[_i];
    char *paths[] = {path_of(&in), in.path, in.path};
    extract(&s, &o, paths, 3);
    ck_assert_str_eq(s.out.text, "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n");
    ck_assert_uint_eq(lines_of(s.err.text), 11);
    said_has(s.err.text, "18 of 18 lines have no domain\n");
    said_free(&s);
    o.is_quiet = true;
    extract(&s, &o, paths, 3);
    ck_assert_str_eq(s.err.text, "");
    said_free(&s);
    input_fini(&in);
    release(&o);
}
END_TEST

/* A line that is longer than a block, between two good ones. */
START_TEST(a_line_too_long_is_a_bad_line)
{
    struct extract_options o = with("com\n");
    struct input in;
    struct said s;
    input_init(&in);
    add_line(&in, "a.com", 1);
    ck_assert_int_eq(buf_printf(&in.text, "http://long.com/%0*d\n", 600000, 1), 0);
    add_line(&in, "b.com", 1);
    o.jobs = jobs[_i];
    o.format = EXTRACT_TSV;
    o.fields[0] = EXTRACT_FIELD_LINE;
    o.fields[1] = EXTRACT_FIELD_ERROR;
    o.fields[2] = EXTRACT_FIELD_DOMAIN;
    o.field_count = 3;
    char *paths[] = {path_of(&in)};
    extract(&s, &o, paths, 1);
    ck_assert_int_eq(s.status, CL_EXIT_OK);
    ck_assert_str_eq(s.out.text, "1\t\ta.com\n2\tline_too_long\t\n3\t\tb.com\n");
    said_free(&s);
    input_fini(&in);
    release(&o);
}
END_TEST

START_TEST(the_engine_that_is_wanted_answers)
{
    struct extract_options o = with("com\n");
    struct input in;
    struct said s;
    input_init(&in);
    ck_assert_int_eq(buf_append_str(&in.text, "http://u@A.com:8/\r\nHTTP://B.com\n"), 0);
    char *paths[] = {path_of(&in)};
    extract(&s, &o, paths, 1);
    ck_assert_str_eq(s.out.text, "a.com\nb.com\n");
    said_free(&s);
    o.engine = DOMAIN_ENGINE_REGEX;
    extract(&s, &o, paths, 1);
    ck_assert_str_eq(s.out.text, "u@A.com:8\n\n");
    said_free(&s);
    input_fini(&in);
    release(&o);
}
END_TEST

/* ---- the end before the end ---- */

START_TEST(a_file_that_cannot_be_read_ends_it_there)
{
    struct extract_options o = with("com\n");
    struct input in;
    struct said s;
    input_init(&in);
    add_uneven_blocks(&in, 3);
    o.jobs = jobs[_i];
    static char missing[] = "/nonexistent/urls";
    char *paths[] = {path_of(&in), missing, in.path};
    extract(&s, &o, paths, 3);
    check(&s, CL_EXIT_FAILED, &in.expected, in.expected.len);
    said_has(s.err.text, ": /nonexistent/urls: No such file or directory\n");
    ck_assert_uint_eq(lines_of(s.err.text), 1);
    said_free(&s);
    input_fini(&in);
    release(&o);
}
END_TEST

/* Where rows or counts cannot be written: told once, whatever the number of workers. */
static void check_lost(struct extract_options *o, int to, const char *why)
{
    struct input in;
    struct said s;
    input_init(&in);
    add_uneven_blocks(&in, 4);
    char *paths[] = {path_of(&in)};
    o->paths = paths;
    o->path_count = 1;
    said_into(&s, to, run, o);
    ck_assert_int_eq(s.status, CL_EXIT_FAILED);
    said_has(s.err.text, why);
    ck_assert_uint_eq(lines_of(s.err.text), 1);
    said_free(&s);
    input_fini(&in);
}

static void check_lost_rows_and_counts(int to, const char *why, unsigned n)
{
    struct extract_options o = with("com\n");
    o.jobs = n;
    check_lost(&o, to, why);
    o.count_top = 3;
    check_lost(&o, to, why);
    close(to);
    release(&o);
}

START_TEST(a_full_disk_is_told)
{
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    ck_assert_int_ge(full, 0);
    check_lost_rows_and_counts(full, ": standard output: No space left on device\n", jobs[_i]);
}
END_TEST

START_TEST(a_closed_pipe_is_told)
{
    int ends[2];
    signal(SIGPIPE, SIG_IGN);
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    close(ends[0]);
    check_lost_rows_and_counts(ends[1], ": standard output: Broken pipe\n", jobs[_i]);
}
END_TEST

SUITE_MAIN("extract_run", SUITE_LOOP(rows_come_in_the_order_of_the_input, jobs),
           SUITE_LOOP(counts_are_those_of_all_workers, jobs),
           SUITE_LOOP(a_bad_line_is_kept_skipped_or_the_end, jobs),
           SUITE_LOOP(many_bad_lines_are_a_number, jobs),
           SUITE_LOOP(a_line_too_long_is_a_bad_line, jobs),
           SUITE_TEST(the_engine_that_is_wanted_answers),
           SUITE_LOOP(a_file_that_cannot_be_read_ends_it_there, jobs),
           SUITE_LOOP(a_full_disk_is_told, jobs), SUITE_LOOP(a_closed_pipe_is_told, jobs))
