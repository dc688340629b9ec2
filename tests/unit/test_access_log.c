/* The access log: its lines, what becomes of them when they cannot be written, forks. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "coro/base/log.h"
#include "server/io/access_log.h"
#include "suite.h"

int __real_pthread_create(pthread_t *id, const pthread_attr_t *attr, void *(*fn)(void *),
                          void *arg);
int __wrap_pthread_create(pthread_t *id, const pthread_attr_t *attr, void *(*fn)(void *),
                          void *arg);

/* The system gives no thread (any more). */
static bool is_threadless;
static int refused_threads;

int __wrap_pthread_create(pthread_t *id, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
    if (!is_threadless)
        return __real_pthread_create(id, attr, fn, arg);
    refused_threads++;
    return EAGAIN;
}

static char folder[40], path[64], moved[64];

static void make_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/test_access_log.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/log", folder);
    snprintf(moved, sizeof moved, "%s/moved", folder);
}

static void remove_folder(void)
{
    unlink(path);
    unlink(moved);
    ck_assert_int_eq(rmdir(folder), 0);
}

static struct http_str str(const char *text)
{
    return (struct http_str){text, strlen(text)};
}

static const struct http_field fields[] = {
    {{"User-Agent", 10}, {"a \"b\"\x01", 6}},
    {{"Referer", 7}, {"http://r/", 9}},
};

/* A request that was answered; target "": its head was refused. */
static void record(const char *target, unsigned route_flags)
{
    struct http_route route = {"/x", "GET", NULL, route_flags};
    struct http_request req = {
        .verb = HTTP_VERB_GET,
        .version_minor = 1,
        .target = str(target),
        .fields = fields,
        .field_count = *target != '\0' ? ARRAY_LEN(fields) : 0,
        .id = str("the-id"),
    };
    http_address_from(NULL, &req.client);
    struct http_record r = {
        .request = &req,
        .route = &route,
        .status = 200,
        .duration_ns = 1500000,
        .bytes_in = 20,
        .bytes_out = 300,
    };
    access_log_record(&r);
}

/* The file's text, NUL terminated. */
static const char *text_of(const char *file)
{
    static char text[1 << 21];
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ssize_t n = read(fd, text, sizeof text - 1);
    ck_assert_int_ge(n, 0);
    text[n] = '\0';
    close(fd);
    return text;
}

static size_t lines_in(const char *text)
{
    size_t count = 0;
    for (; (text = strchr(text, '\n')) != NULL; text++)
        count++;
    return count;
}

/* How a line begins and ends; the time is between. */
static const struct {
    enum access_log_format format;
    const char *target;
    const char *begins, *ends;
} formats[] = {
    {ACCESS_LOG_COMBINED, "/x?a=\"b\"", "unix - - [",
     " +0000] \"GET /x?a=\\\"b\\\" HTTP/1.1\" 200 300 \"http://r/\" \"a \\\"b\\\"\\u0001\"\n"},
    {ACCESS_LOG_COMBINED, "", "unix - - [", " +0000] \"-\" 200 300 \"-\" \"-\"\n"},
    {ACCESS_LOG_JSON, "/x", "{\"time\":\"20",
     "Z\",\"client\":\"unix\",\"request\":\"GET /x HTTP/1.1\",\"status\":200,\"bytes_in\":20,"
     "\"bytes_out\":300,\"duration_us\":1500,\"request_id\":\"the-id\","
     "\"user_agent\":\"a \\\"b\\\"\\u0001\"}\n"},
    {ACCESS_LOG_JSON, "", "{\"time\":\"20",
     "Z\",\"client\":\"unix\",\"request\":\"-\",\"status\":200,\"bytes_in\":20,"
     "\"bytes_out\":300,\"duration_us\":1500,\"request_id\":\"the-id\",\"user_agent\":\"-\"}\n"},
};

START_TEST(a_line_for_each_request)
{
    make_folder();
    ck_assert_int_eq(access_log_open(path, formats[_i].format), 0);
    record(formats[_i].target, 0);
    record("/quiet", HTTP_ROUTE_QUIET);
    access_log_flush();
    const char *text = text_of(path), *ends = formats[_i].ends;
    ck_assert_uint_eq(lines_in(text), 1);
    ck_assert_msg(strncmp(text, formats[_i].begins, strlen(formats[_i].begins)) == 0, "%s", text);
    ck_assert_uint_gt(strlen(text), strlen(ends));
    ck_assert_str_eq(text + strlen(text) - strlen(ends), ends);
    access_log_close();
    record("/after", 0); /* nothing, and no harm */
    access_log_flush();
    remove_folder();
}
END_TEST

START_TEST(a_long_target_is_cut)
{
    char target[2000];
    make_folder();
    memset(target, 'x', sizeof target);
    target[sizeof target - 1] = '\0';
    ck_assert_int_eq(access_log_open(path, ACCESS_LOG_COMBINED), 0);
    record(target, 0);
    access_log_close();
    const char *text = text_of(path);
    ck_assert_uint_eq(lines_in(text), 1);
    ck_assert_uint_lt(strlen(text), 700);
    ck_assert_ptr_nonnull(strstr(text, "xx HTTP/1.1\" 200 "));
    remove_folder();
}
END_TEST

START_TEST(opened_again_it_goes_on_in_a_new_file)
{
    make_folder();
    ck_assert_int_eq(access_log_reopen(), 0); /* none is open */
    ck_assert_int_eq(access_log_open(path, ACCESS_LOG_COMBINED), 0);
    record("/one", 0);
    ck_assert_int_eq(rename(path, moved), 0);
    ck_assert_int_eq(access_log_reopen(), 0);
    record("/two", 0);
    access_log_close();
    ck_assert_ptr_nonnull(strstr(text_of(moved), "/one"));
    const char *text = text_of(path);
    ck_assert_ptr_nonnull(strstr(text, "/two"));
    ck_assert_ptr_null(strstr(text, "/one"));
    remove_folder();
}
END_TEST

START_TEST(the_old_file_stays_when_there_is_no_new_one)
{
    make_folder();
    ck_assert_int_eq(access_log_open(path, ACCESS_LOG_COMBINED), 0);
    ck_assert_int_eq(rename(path, moved), 0);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_eq(access_log_reopen(), -EISDIR);
    record("/goes-on", 0);
    access_log_close();
    ck_assert_ptr_nonnull(strstr(text_of(moved), "/goes-on"));
    ck_assert_int_eq(rmdir(path), 0);
    remove_folder();
}
END_TEST

START_TEST(a_fifo_that_nobody_reads_is_refused)
{
    make_folder();
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(access_log_open(path, ACCESS_LOG_COMBINED), -ENXIO);
    record("/x", 0);
    access_log_flush();
    remove_folder();
}
END_TEST

static void allow_bytes(rlim_t most)
{
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = most;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

START_TEST(a_full_disk_costs_lines_and_says_how_many)
{
    enum { BEFORE = 5, LOST_AT_LEAST = 3 };
    make_folder();
    log_init("test", LOG_WARN);
    signal(SIGXFSZ, SIG_IGN);
    int stderr_was = dup(STDERR_FILENO), said = open(moved, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge(dup2(said, STDERR_FILENO), 0);
    ck_assert_int_eq(access_log_open(path, ACCESS_LOG_COMBINED), 0);
    allow_bytes(150); /* one line, and a piece of the next */
    for (int i = 0; i < BEFORE; i++)
        record("/before", 0);
    access_log_flush();
    record("/between", 0);
    access_log_flush();
    allow_bytes(RLIM_INFINITY);
    record("/after", 0);
    access_log_close();
    ck_assert_int_ge(dup2(stderr_was, STDERR_FILENO), 0);
    close(stderr_was);
    close(said);
    /* the operator is told, once */
    ck_assert_str_eq(text_of(moved),
                     "test: warning: lines of the access log are dropped: File too large\n");
    unsigned lost = 0;
    const char *text = text_of(path), *note = strstr(text, "\n# ");
    ck_assert_ptr_nonnull(note);
    ck_assert_int_eq(sscanf(note, "\n# %u lines dropped\n", &lost), 1);
    ck_assert_uint_ge(lost, LOST_AT_LEAST);
    /* each is there, or counted; the piece of one is both */
    ck_assert_uint_eq(lines_in(text) - 2 + lost, BEFORE + 2);
    ck_assert_ptr_nonnull(strstr(note, "/after"));
    ck_assert_ptr_null(strstr(note, "/before"));
    remove_folder();
}
END_TEST

/* Append what is in the pipe now, NUL terminated. */
static void drain_into(char *text, size_t *len, size_t cap, int fd)
{
    ssize_t n;
    while ((n = read(fd, text + *len, cap - 1 - *len)) > 0)
        *len += (size_t)n;
    text[*len] = '\0';
}

START_TEST(a_reader_that_stops_costs_lines_not_requests)
{
    enum { LINES = 3000 };
    static char text[1 << 20];
    size_t len = 0, notes = 0, dropped = 0;
    make_folder();
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    int reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    ck_assert_int_ge(reader, 0);
    ck_assert_int_eq(access_log_open(path, ACCESS_LOG_COMBINED), 0);
    for (int i = 0; i < LINES; i++)
        record("/one-of-many-that-the-pipe-has-no-room-for", 0);
    access_log_flush();
    drain_into(text, &len, sizeof text, reader);
    record("/last", 0);
    access_log_flush();
    drain_into(text, &len, sizeof text, reader);
    for (const char *at = text; (at = strstr(at, "# ")) != NULL; at++, notes++)
        dropped += strtoul(at + 2, NULL, 10);
    ck_assert_uint_gt(dropped, 0);
    ck_assert_ptr_nonnull(strstr(text, "/last"));
    /* a line that was cut is counted as dropped, and its piece is there */
    size_t told = lines_in(text) - notes + dropped;
    ck_assert_uint_ge(told, LINES + 1);
    ck_assert_uint_le(told, LINES + 1 + notes);
    access_log_close();
    close(reader);
    remove_folder();
}
END_TEST

START_TEST(without_a_thread_to_write_it_is_written_all_the_same)
{
    make_folder();
    is_threadless = true;
    ck_assert_int_eq(access_log_open(path, ACCESS_LOG_COMBINED), 0);
    struct stat st = {.st_size = 0};
    size_t told = 0;
    for (; st.st_size == 0 && told < 100000; told++) {
        record("/one-of-many", 0);
        ck_assert_int_eq(stat(path, &st), 0);
    }
    ck_assert_int_gt(st.st_size, 0);
    ck_assert_int_gt(refused_threads, 0);
    /* there is a thread again, and nobody need flush */
    is_threadless = false;
    record("/last", 0);
    for (int i = 0; i < 6000 && strstr(text_of(path), "/last") == NULL; i++)
        usleep(10000);
    ck_assert_uint_eq(lines_in(text_of(path)), told + 1);
    access_log_close();
    remove_folder();
}
END_TEST

START_TEST(a_child_does_not_repeat_its_parent)
{
    make_folder();
    ck_assert_int_eq(access_log_open(path, ACCESS_LOG_COMBINED), 0);
    record("/parent", 0);
    pid_t pid = fork();
    if (pid == 0) {
        access_log_flush();
        _exit(0);
    }
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    access_log_close();
    ck_assert_uint_eq(lines_in(text_of(path)), 1);
    remove_folder();
}
END_TEST

/* (the first one first: a process that has a writer keeps it) */
SUITE_MAIN("access_log", SUITE_TEST(without_a_thread_to_write_it_is_written_all_the_same),
           SUITE_LOOP(a_line_for_each_request, formats), SUITE_TEST(a_long_target_is_cut),
           SUITE_TEST(opened_again_it_goes_on_in_a_new_file),
           SUITE_TEST(the_old_file_stays_when_there_is_no_new_one),
           SUITE_TEST(a_fifo_that_nobody_reads_is_refused),
           SUITE_TEST(a_full_disk_costs_lines_and_says_how_many),
           SUITE_TEST(a_reader_that_stops_costs_lines_not_requests),
           SUITE_TEST(a_child_does_not_repeat_its_parent))
