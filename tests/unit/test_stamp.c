/* The date line against the C library's, and request ids that never come twice. */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/http/work.h"
#include "suite.h"

/* "Date: ...\r\n" as the C library (in its C locale) writes the wall clock. */
static void expected_date(char line[64])
{
    time_t now = (time_t)(clock_wall_ns() / NS_PER_S);
    struct tm tm;
    gmtime_r(&now, &tm);
    ck_assert_uint_gt(strftime(line, 64, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm), 0);
}

START_TEST(the_date_is_of_this_second)
{
    char before[64], after[64];
    struct http_str stamp;
    do { /* until no second ended in between */
        expected_date(before);
        stamp = http_stamp(clock_now_ns(), NULL);
        expected_date(after);
    } while (strcmp(before, after) != 0);
    ck_assert_uint_eq(stamp.len, strlen(before));
    ck_assert(memcmp(stamp.data, before, stamp.len) == 0);
}
END_TEST

START_TEST(it_is_made_once_a_second)
{
    char first[64];
    int64_t now_ns = clock_now_ns();
    struct http_str stamp = http_stamp(now_ns, "name");
    memcpy(first, stamp.data, stamp.len);
    /* the clock it is asked by decides, to the end of the second that it was made in */
    stamp = http_stamp(now_ns, "name");
    ck_assert(memcmp(first, stamp.data, stamp.len) == 0);
    ck_assert_uint_eq(stamp.len, 37 + strlen("Server: name\r\n"));
    ck_assert(memcmp(stamp.data + 37, "Server: name\r\n", 14) == 0);
    stamp = http_stamp(now_ns, NULL);
    ck_assert_uint_eq(stamp.len, 37);
    ck_assert(http_tick_ns() > 0);
}
END_TEST

START_TEST(a_long_name_is_cut)
{
    char name[200];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = 0;
    struct http_str stamp = http_stamp(clock_now_ns(), name);
    ck_assert_uint_lt(stamp.len, 37 + 100);
    ck_assert(memcmp(stamp.data + stamp.len - 3, "n\r\n", 3) == 0);
}
END_TEST

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, HTTP_ID_BYTES);
}

START_TEST(ids_differ)
{
    enum { COUNT = 10000 };
    static char ids[COUNT][HTTP_ID_BYTES];
    for (int i = 0; i < COUNT; i++) {
        http_make_id(ids[i]);
        for (int k = 0; k < HTTP_ID_BYTES; k++)
            ck_assert(strchr("0123456789abcdef", ids[i][k]) != NULL && ids[i][k] != 0);
    }
    qsort(ids, COUNT, HTTP_ID_BYTES, compare);
    for (int i = 1; i < COUNT; i++)
        ck_assert(memcmp(ids[i - 1], ids[i], HTTP_ID_BYTES) != 0);
}
END_TEST

START_TEST(a_child_does_not_repeat_its_parent)
{
    char before[HTTP_ID_BYTES], ours[HTTP_ID_BYTES], theirs[HTTP_ID_BYTES];
    int ends[2];
    http_make_id(before);
    ck_assert_int_eq(pipe(ends), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        http_make_id(theirs);
        _exit(write(ends[1], theirs, sizeof theirs) == (ssize_t)sizeof theirs ? 0 : 1);
    }
    http_make_id(ours);
    ck_assert_int_eq(read(ends[0], theirs, sizeof theirs), (ssize_t)sizeof theirs);
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    ck_assert(memcmp(ours, theirs, sizeof ours) != 0);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

SUITE_MAIN("stamp", SUITE_TEST(the_date_is_of_this_second), SUITE_TEST(it_is_made_once_a_second),
           SUITE_TEST(a_long_name_is_cut), SUITE_TEST(ids_differ),
           SUITE_TEST(a_child_does_not_repeat_its_parent))
