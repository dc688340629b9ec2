/* domainc psl: asks for what is newer, looks whether it is the list, and only then lets
 * it take the place of the old one, in one step. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>

#include "said.h"
#include "scripted_server.h"
#include "suite.h"

#define DATE "Tue, 14 Nov 2023 22:13:20 GMT"
enum {
    DATE_S = 1700000000, /* DATE */
    RULES = 6000,        /* of the good list, besides com, uk, co.uk */
    ENDLESS_BYTES = 64 << 20,
};

/* ---- the server ---- */

/* Its thread lives during one call: what it is to do is set before, what it saw is read after. */
static struct {
    struct scripted_server server;
    char url[64];
    const char *head; /* what it answers, with Content-Length behind it */
    const char *body;
    size_t missing; /* of the bytes it promised */
    bool is_endless;
    size_t sent; /* of the endless one */
    unsigned asked;
    char since[64]; /* the last If-Modified-Since; "": none */
} site;

static const char ok_head[] = "HTTP/1.1 200 OK\r\nLast-Modified: " DATE "\r\n";

static void send_endlessly(int fd)
{
    static char lines[1 << 16];
    memset(lines, '\n', sizeof lines);
    scripted_send(fd, "HTTP/1.1 200 OK\r\n\r\n");
    while (site.sent < ENDLESS_BYTES && scripted_send_bytes(fd, lines, sizeof lines))
        site.sent += sizeof lines;
}

static void serve(int fd, unsigned number)
{
    char head[4096], answer[512];
    if (!scripted_read_head(fd, head, sizeof head))
        return;
    const char *since = strstr(head, "\r\nIf-Modified-Since: ");
    site.asked = number; /* connections: each has one request */
    snprintf(site.since, sizeof site.since, "%.29s", since != NULL ? since + 21 : "");
    if (site.is_endless) {
        send_endlessly(fd);
        return;
    }
    if (strcmp(site.since, DATE) == 0) {
        scripted_send(fd, "HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n");
        return;
    }
    snprintf(answer, sizeof answer, "%sConnection: close\r\nContent-Length: %zu\r\n\r\n", site.head,
             strlen(site.body) + site.missing);
    scripted_send(fd, answer);
    scripted_send(fd, site.body);
}

/* ---- lists, and the folder they are kept in ---- */

static char good[1 << 20], twice[1 << 20];
static char folder[64], path[128];

static size_t make_list(char *to, const char *begin, int rules)
{
    size_t n = (size_t)sprintf(to, "%s", begin);
    for (int i = 0; i < rules; i++)
        n += (size_t)sprintf(to + n, "s%d.com\n", i);
    return n;
}

static void write_list(const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    const struct timespec long_ago[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
    ck_assert_int_eq(fchmod(fd, mode), 0);
    ck_assert_int_eq(futimens(fd, long_ago), 0);
    close(fd);
}

static void check_file(int fd, const char *expected)
{
    static char text[1 << 20];
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    ck_assert_int_ge(n, 0);
    text[n] = '\0';
    ck_assert(strcmp(text, expected) == 0);
}

static void check_list(const char *expected)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    check_file(fd, expected);
    close(fd);
}

/* No temporary file is left: so many files are there. */
static void check_folder(int files)
{
    DIR *dir = opendir(folder);
    ck_assert_ptr_nonnull(dir);
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;)
        files -= entry->d_name[0] != '.';
    closedir(dir);
    ck_assert_int_eq(files, 0);
}

static void begin(void)
{
    make_list(good, "// VERSION: test-1\ncom\nuk\nco.uk\n", RULES);
    snprintf(folder, sizeof folder, "/tmp/test_psl.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/list.dat", folder);
    site.head = ok_head;
    site.body = good;
    site.missing = 0;
    site.is_endless = false;
}

static void end(void)
{
    unlink(path);
    ck_assert_int_eq(rmdir(folder), 0);
}

/* file: NULL for the place of its own. */
static void update_file(struct said *s, const char *file)
{
    site.asked = 0;
    site.since[0] = '\0';
    scripted_start(&site.server, serve, false);
    snprintf(site.url, sizeof site.url, "--url=http://127.0.0.1:%d/list", site.server.port);
    said_by(s, cl_cmd_psl, (const char *const[]){site.url, "update", file, NULL});
    scripted_stop(&site.server);
    ck_assert_uint_eq(site.asked, 1);
}

static void update(struct said *s)
{
    update_file(s, path);
}

static void check_updated(const char *expected)
{
    struct said s;
    update(&s);
    ck_assert_str_eq(s.err.text, "");
    ck_assert_int_eq(s.status, CL_EXIT_OK);
    said_has(s.out.text, " is updated; use it with --suffix-list=");
    said_free(&s);
    check_list(expected);
    check_folder(1);
}

/* ---- update ---- */

START_TEST(the_first_list_then_only_a_newer_one)
{
    struct said s;
    struct stat first, second;
    begin();
    update(&s);
    ck_assert_int_eq(s.status, CL_EXIT_OK);
    said_has(s.out.text, "/list: 6003 rules (6003 icann, 0 private), version test-1\n");
    said_free(&s);
    ck_assert_str_eq(site.since, ""); /* there was none to be newer than */
    check_list(good);
    ck_assert_int_eq(stat(path, &first), 0);
    ck_assert_int_eq(first.st_mtime, DATE_S);
    ck_assert_int_eq(first.st_mode & 0777, 0644);

    update(&s);
    ck_assert_int_eq(s.status, CL_EXIT_OK);
    said_has(s.out.text, "/list.dat is up to date\n");
    said_free(&s);
    ck_assert_str_eq(site.since, DATE);
    ck_assert_int_eq(stat(path, &second), 0);
    ck_assert_uint_eq(first.st_ino, second.st_ino);
    ck_assert_int_eq(second.st_mtime, DATE_S);
    check_folder(1);
    end();
}
END_TEST

/* Who has the old list open reads the old list to its end; the new one has its permissions. */
START_TEST(the_new_list_takes_its_place_in_one_step)
{
    struct stat st;
    begin();
    make_list(twice, "com\nuk\nco.uk\n", RULES + 1);
    write_list(twice, 0640);
    int reader = open(path, O_RDONLY | O_CLOEXEC);
    check_updated(good);
    ck_assert_str_eq(site.since, "Thu, 01 Jan 1970 00:00:01 GMT");
    check_file(reader, twice);
    ck_assert_int_eq(fstat(reader, &st), 0);
    ck_assert_uint_eq(st.st_nlink, 0);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0640);
    close(reader);
    end();
}
END_TEST

/* A file that is no list is no reason to ask for a newer one only. */
START_TEST(what_is_no_list_is_replaced)
{
    begin();
    write_list("<html>\n", 0644);
    check_updated(good);
    ck_assert_str_eq(site.since, "");
    end();
}
END_TEST

static char shown[1 << 20];

/* The old one is there as before: the same file, its time and what is in it. */
static void check_kept(const char *why)
{
    struct said s;
    struct stat before, after;
    ck_assert_int_eq(stat(path, &before), 0);
    update(&s);
    ck_assert_int_eq(s.status, CL_EXIT_FAILED);
    ck_assert_str_eq(s.out.text, "");
    said_has(s.err.text, why);
    said_free(&s);
    ck_assert_int_eq(stat(path, &after), 0);
    ck_assert_uint_eq(before.st_ino, after.st_ino);
    ck_assert_int_eq(after.st_mtime, 1);
    check_list(shown);
    check_folder(1);
}

static void begin_with_old(void)
{
    begin();
    make_list(shown, "com\nuk\nco.uk\n// old\n", RULES);
    write_list(shown, 0644);
}

static const struct {
    const char *begin; /* of the list, then so many rules, then the end */
    int rules;
    const char *end;
    const char *why;
} broken[] = {
    {"<html>captive portal</html>\n", 0, "", ":1: not a suffix rule"},
    {"", 0, "", "no suffix rules"},
    {"com\nuk\nco.uk\n", 4996, "", "4999 rules are too few"},
    {"com\nuk\n", RULES, "", "com or co.uk is missing"},
    {"uk\nco.uk\n", RULES, "", "com or co.uk is missing"},
    {"com\nuk\nco.uk\n", RULES, "a..b\n", ":6004: not a suffix rule: 'a..b'"},
    {"// ===BEGIN PRIVATE DOMAINS===\ncom\nuk\nco.uk\n", RULES, "// ===END PRIVATE DOMAINS===\n",
     "com or co.uk is missing"},
};

START_TEST(a_broken_list_keeps_the_old_one)
{
    static char body[1 << 20];
    begin_with_old();
    size_t n = make_list(body, broken[_i].begin, broken[_i].rules);
    strcpy(body + n, broken[_i].end);
    site.body = body;
    check_kept(broken[_i].why);
    end();
}
END_TEST

/* The fewest rules that pass are 5000, and half of those that were there. */
START_TEST(the_size_must_be_plausible)
{
    begin();
    make_list(shown, "com\nuk\nco.uk\n", 2 * (RULES + 3) + 2 - 3);
    write_list(shown, 0644);
    check_kept("6003 rules, but the list it would replace has 12008");
    make_list(twice, "com\nuk\nco.uk\n", 2 * (RULES + 3) + 1 - 3);
    write_list(twice, 0644);
    check_updated(good);
    make_list(twice, "com\nuk\nco.uk\n", 4997);
    site.body = twice;
    write_list(good, 0644);
    check_updated(twice);
    end();
}
END_TEST

static const struct {
    const char *head;
    const char *why;
} answers[] = {
    {"HTTP/1.1 503 Busy\r\n", "the server answers 503"},
    {"HTTP/1.1 404 Not Found\r\n", "the server answers 404"},
    {"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\n",
     "Protocol \"http\""}, /* only https is trusted */
    {"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n", "Protocol \"file\""},
    {"SSH-2.0\r\n", ": "},
};

START_TEST(a_server_without_a_list)
{
    begin_with_old();
    site.head = answers[_i].head;
    check_kept(answers[_i].why);
    end();
}
END_TEST

START_TEST(a_download_that_breaks_off)
{
    begin_with_old();
    site.missing = 100;
    check_kept("/list: ");
    end();
}
END_TEST

/* More than a list can be is not read to its end. */
START_TEST(an_endless_download)
{
    begin_with_old();
    site.is_endless = true;
    site.sent = 0;
    check_kept("/list: ");
    ck_assert_uint_lt(site.sent, ENDLESS_BYTES);
    end();
}
END_TEST

/* The disk is full while the new list is written: here a limit on the size of files. */
START_TEST(a_list_that_cannot_be_written)
{
    struct rlimit kept, low;
    begin_with_old();
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &kept), 0);
    low = kept;
    low.rlim_cur = 20000;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &low), 0);
    struct said s;
    update(&s);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &kept), 0);
    ck_assert_int_eq(s.status, CL_EXIT_FAILED);
    said_has(s.err.text, "/list.dat: File too large\n");
    said_free(&s);
    check_list(shown);
    check_folder(1);
    end();
}
END_TEST

START_TEST(a_folder_that_is_not_there)
{
    struct said s;
    char nowhere[160];
    begin();
    snprintf(nowhere, sizeof nowhere, "%s/no/list.dat", folder);
    update_file(&s, nowhere);
    ck_assert_int_eq(s.status, CL_EXIT_FAILED);
    said_has(s.err.text, "/no/list.dat: No such file or directory\n");
    said_free(&s);
    check_folder(0);
    end();
}
END_TEST

/* Without a FILE it is made where domainc finds it, folders and all. */
START_TEST(a_place_of_its_own)
{
    struct said s;
    begin();
    snprintf(path, sizeof path, "%s/domaind/public_suffix_list.dat", folder);
    ck_assert_int_eq(setenv("XDG_DATA_HOME", folder, 1), 0);
    update_file(&s, NULL);
    ck_assert_int_eq(unsetenv("XDG_DATA_HOME"), 0);
    ck_assert_int_eq(s.status, CL_EXIT_OK);
    said_has(s.out.text, " is updated: your domainc uses it now");
    said_free(&s);
    check_list(good);
    unlink(path);
    *strrchr(path, '/') = '\0';
    ck_assert_int_eq(rmdir(path), 0);
    end();
}
END_TEST

/* ---- check ---- */

START_TEST(check_says_what_a_file_is)
{
    struct said s;
    const char *const words[] = {"check", path, NULL};
    begin();
    write_list(good, 0644);
    said_by(&s, cl_cmd_psl, words);
    ck_assert_int_eq(s.status, CL_EXIT_OK);
    said_has(s.out.text, "/list.dat: 6003 rules (6003 icann, 0 private), version test-1\n");
    said_free(&s);
    strcat(strcpy(twice, good), "a..b\n");
    write_list(twice, 0644);
    said_by(&s, cl_cmd_psl, words);
    ck_assert_int_eq(s.status, CL_EXIT_FAILED);
    said_has(s.err.text, "/list.dat:6005: not a suffix rule: 'a..b'\n");
    said_free(&s);
    unlink(path);
    said_by(&s, cl_cmd_psl, words);
    ck_assert_int_eq(s.status, CL_EXIT_FAILED);
    said_has(s.err.text, "/list.dat: No such file or directory\n");
    said_free(&s);
    end();
}
END_TEST

static const struct {
    const char *words[4];
    const char *why;
} wrong[] = {
    {{NULL}, "update or check?"},
    {{"improve", NULL}, "'improve': update or check, then one file"},
    {{"update", "a", "b", NULL}, "'b': update or check, then one file"},
};

START_TEST(wrong_words_are_refused)
{
    said_usage(cl_cmd_psl, wrong[_i].words, wrong[_i].why);
}
END_TEST

SUITE_MAIN("psl", SUITE_TEST(the_first_list_then_only_a_newer_one),
           SUITE_TEST(the_new_list_takes_its_place_in_one_step),
           SUITE_TEST(what_is_no_list_is_replaced),
           SUITE_LOOP(a_broken_list_keeps_the_old_one, broken),
           SUITE_TEST(the_size_must_be_plausible), SUITE_LOOP(a_server_without_a_list, answers),
           SUITE_TEST(a_download_that_breaks_off), SUITE_TEST(an_endless_download),
           SUITE_TEST(a_list_that_cannot_be_written), SUITE_TEST(a_folder_that_is_not_there),
           SUITE_TEST(a_place_of_its_own), SUITE_TEST(check_says_what_a_file_is),
           SUITE_LOOP(wrong_words_are_refused, wrong))
