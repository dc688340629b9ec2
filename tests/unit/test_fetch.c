/* domainc fetch: what it takes for URLs, what it says in the end, what it exits with. */
#include <fcntl.h>
#include <sys/mman.h>

#include "client/lines.h"
#include "fetch_site.h"
#include "said.h"
#include "suite.h"

static const char *const modes[] = {"serial", "thread", "process", "coroutine"};

static void fetch(struct said *s, const char *const *words)
{
    said_by(s, cl_cmd_fetch, words);
}

/* A file in memory that is read by its path. */
static const char *path_of(const struct buf *text, char path[64])
{
    int fd = memfd_create("urls", MFD_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text->data, text->len), (ssize_t)text->len);
    snprintf(path, 64, "/proc/self/fd/%d", fd);
    return path;
}

static size_t lines_of(const char *text)
{
    size_t n = 0;
    for (; (text = strchr(text, '\n')) != NULL; text++)
        n++;
    return n;
}

/* ---- the URLs ---- */

/* As many as make the list grow several times; empty lines are none; the last line has no end. */
START_TEST(every_line_of_a_file_is_a_url)
{
    enum { MANY = 300 };
    struct said s;
    struct buf text;
    char path[64], url[SITE_URL_BYTES], row[SITE_URL_BYTES + 8];
    site_start();
    buf_init(&text, 1 << 20);
    for (unsigned i = 0; i < MANY; i++)
        ck_assert_int_eq(buf_printf(&text, "%s%s%s", i > 0 ? "\n" : "", i % 7 == 0 ? "\n" : "",
                                    site_url(url, "ok", i)),
                         0);
    fetch(&s, (const char *const[]){"-f", path_of(&text, path), NULL});
    ck_assert_int_eq(s.status, CL_EXIT_OK);
    site_check_seen(MANY, 1);
    ck_assert_uint_eq(lines_of(s.out.text), MANY);
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(row, sizeof row, "\t%s\n", site_url(url, "ok", i));
        said_has(s.out.text, row);
    }
    said_has(s.err.text, "300 URLs: 300 fetched, 0 failed, ");
    said_has(s.err.text, "; 0 retries; ");
    said_free(&s);
    buf_fini(&text);
    site_stop();
}
END_TEST

/* Of a line that is cut, or that C would read as a shorter one, nothing is asked. */
START_TEST(a_line_that_would_be_another_url_is_not_fetched)
{
    struct said s;
    struct buf text;
    char path[64], url[SITE_URL_BYTES];
    site_start();
    buf_init(&text, 1 << 20);
    ck_assert_int_eq(buf_printf(&text, "%s/%0*d\n", site_url(url, "ok", 0), CL_LINE_MAX_BYTES, 1),
                     0);
    ck_assert_int_eq(buf_append_str(&text, site_url(url, "ok", 1)), 0);
    ck_assert_int_eq(buf_append(&text, "\0x\n", 3), 0);
    ck_assert_int_eq(buf_append_str(&text, site_url(url, "ok", 2)), 0);
    fetch(&s, (const char *const[]){"-m", modes[_i], "-f", path_of(&text, path), NULL});
    ck_assert_int_eq(s.status, CL_EXIT_FAILED);
    ck_assert_uint_eq(site_read(&site.requests), 1);
    ck_assert_uint_eq(site_read(&site.seen[2]), 1);
    said_has(s.out.text, "\tline 1: longer than 65536 bytes\n");
    said_has(s.out.text, "\tline 2: holds a NUL byte\n");
    ck_assert_uint_lt(s.out.len, 1000); /* a part shows which line it was */
    said_has(s.err.text, "3 URLs: 1 fetched, 2 failed");
    said_free(&s);
    buf_fini(&text);
    site_stop();
}
END_TEST

START_TEST(a_file_that_cannot_be_read)
{
    struct said s;
    fetch(&s, (const char *const[]){"-f", "/nonexistent/urls", NULL});
    ck_assert_int_eq(s.status, CL_EXIT_FAILED);
    ck_assert_str_eq(s.out.text, "");
    said_has(s.err.text, ": cannot read /nonexistent/urls: No such file or directory\n");
    said_free(&s);
}
END_TEST

/* ---- how it ends ---- */

static const struct {
    const char *what, *option;
    int status;
} exits[] = {
    {"ok", "--timeout=200s", CL_EXIT_OK},    {"gone", "--timeout=200s", CL_EXIT_OK},
    {"gone", "--fail", CL_EXIT_FAILED},      {"half", "--timeout=200s", CL_EXIT_FAILED},
    {"busy", "--retry=0", CL_EXIT_OK},       {"once", "--retry=1", CL_EXIT_OK},
    {"ok", "--public-only", CL_EXIT_FAILED},
};

START_TEST(the_exit_code_says_whether_all_were_fetched)
{
    struct said s;
    char url[SITE_URL_BYTES], good[SITE_URL_BYTES];
    const char *option = exits[_i].option;
    site_start();
    site_url(url, exits[_i].what, 0);
    fetch(&s, (const char *const[]){"-q", option, site_url(good, "ok", 1), url, NULL});
    ck_assert_int_eq(s.status, exits[_i].status);
    ck_assert_uint_eq(lines_of(s.out.text), 2);
    ck_assert_str_eq(s.err.text, ""); /* quiet */
    bool is_asked = strcmp(option, "--public-only") != 0;
    bool is_again = strcmp(option, "--retry=1") == 0;
    ck_assert_uint_eq(site_read(&site.seen[0]), is_again ? 2 : is_asked);
    ck_assert_uint_eq(site_read(&site.seen[1]), is_asked);
    ck_assert_uint_eq(strstr(s.out.text, "127.0.0.1 is not public") != NULL, !is_asked);
    said_free(&s);
    site_stop();
}
END_TEST

/* One by one the order stays. */
START_TEST(serial_keeps_the_order)
{
    struct said s;
    char urls[3][SITE_URL_BYTES];
    const char *words[] = {"-m", "serial", "-q", urls[0], urls[1], urls[2], NULL};
    site_start();
    for (unsigned i = 0; i < 3; i++)
        site_url(urls[i], "ok", i);
    fetch(&s, words);
    const char *at = s.out.text;
    for (unsigned i = 0; i < 3; i++) {
        at = strstr(at, urls[i]);
        ck_assert_msg(at != NULL, "%s", s.out.text);
    }
    said_free(&s);
    site_stop();
}
END_TEST

/* A table of the modes instead of lines; each mode has fetched each URL. */
START_TEST(all_modes_in_turn_give_a_table)
{
    struct said s;
    char urls[2][SITE_URL_BYTES], row[64];
    site_start();
    fetch(&s, (const char *const[]){"--mode=all", "-c", "2", site_url(urls[0], "ok", 0),
                                    site_url(urls[1], "ok", 1), NULL});
    ck_assert_int_eq(s.status, CL_EXIT_OK);
    ck_assert_str_eq(s.err.text, "");
    site_check_seen(2, ARRAY_LEN(modes));
    const char *at = s.out.text;
    ck_assert_int_eq(strncmp(at, "mode ", 5), 0);
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        at = strchr(at, '\n') + 1;
        snprintf(row, sizeof row, "%-10s %8d %8d ", modes[i], 2, 0);
        ck_assert_msg(strncmp(at, row, strlen(row)) == 0, "%s", s.out.text);
    }
    ck_assert_str_eq(strchr(at, '\n'), "\n");
    said_free(&s);

    site_forget();
    fetch(&s, (const char *const[]){"--mode=all", "--fail", site_url(urls[0], "gone", 0), NULL});
    ck_assert_int_eq(s.status, CL_EXIT_FAILED);
    said_free(&s);
    site_stop();
}
END_TEST

START_TEST(a_full_disk_is_told)
{
    struct said s;
    char url[SITE_URL_BYTES];
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    ck_assert_int_ge(full, 0);
    site_start();
    said_begin(&s);
    ck_assert_int_ge(dup2(full, STDOUT_FILENO), 0);
    said_end(&s, said_call(cl_cmd_fetch, (const char *const[]){"-m", modes[_i], "-q",
                                                               site_url(url, "ok", 0), NULL}));
    ck_assert_int_eq(s.status, CL_EXIT_FAILED);
    said_has(s.err.text, ": cannot write the output: No space left on device\n");
    said_free(&s);
    close(full);
    site_stop();
}
END_TEST

static const struct {
    const char *words[4];
    const char *why;
} wrong[] = {
    {{NULL}, "which URLs?"},
    {{"-f", "x", "http://a/", NULL}, "not both"},
    {{"--mode=fast", "u", NULL}, "serial, thread, process, coroutine or all, not 'fast'"},
    {{"-c", "0", "u", NULL}, "-c: not a number from 1 to 10000: '0'"},
    {{"--timeout=never", "u", NULL}, "--timeout: not a time"},
    {{"--timeout=0s", "u", NULL}, "--timeout: not a time"},
    {{"--retry=-1", "u", NULL}, "--retry: not a number"},
    {{"--nonsense", "u", NULL}, "unrecognized option"},
};

START_TEST(wrong_words_are_refused)
{
    said_usage(cl_cmd_fetch, wrong[_i].words, wrong[_i].why);
}
END_TEST

SUITE_MAIN("fetch", SUITE_TEST(every_line_of_a_file_is_a_url),
           SUITE_LOOP(a_line_that_would_be_another_url_is_not_fetched, modes),
           SUITE_TEST(a_file_that_cannot_be_read),
           SUITE_LOOP(the_exit_code_says_whether_all_were_fetched, exits),
           SUITE_TEST(serial_keeps_the_order), SUITE_TEST(all_modes_in_turn_give_a_table),
           SUITE_LOOP(a_full_disk_is_told, modes), SUITE_LOOP(wrong_words_are_refused, wrong))
