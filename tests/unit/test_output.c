/* Output: all of it arrives; a full disk and a closed pipe are noticed and kept. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/output.h"
#include "coro/coro.h"
#include "suite.h"

#define LINES 40000

START_TEST(a_full_disk_is_noticed)
{
    struct cl_output out;
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    cl_output_init(&out, fd);
    ck_assert_int_eq(cl_output_write(&out, "text", 4), 0);
    ck_assert_int_eq(cl_output_close(&out), -ENOSPC);
    ck_assert_int_eq(cl_output_write(&out, "more", 4), -ENOSPC);
    cl_output_fini(&out);
}
END_TEST

START_TEST(a_closed_pipe_is_noticed)
{
    struct cl_output out;
    int fds[2];
    signal(SIGPIPE, SIG_IGN);
    ck_assert_int_eq(pipe(fds), 0);
    close(fds[0]);
    cl_output_init(&out, fds[1]);
    ck_assert_int_eq(cl_output_write(&out, "text", 4), 0);
    ck_assert_int_eq(cl_output_flush(&out), -EPIPE);
    ck_assert_int_eq(cl_output_close(&out), -EPIPE);
    cl_output_fini(&out);
}
END_TEST

/* ---- in a task: a slow reader parks the writer, not the loop ---- */

static int read_slowly(void *arg)
{
    int fd = (int)(intptr_t)arg;
    size_t total = 0;
    char bytes[4096];
    fcntl(fd, F_SETFL, O_NONBLOCK);
    for (;;) {
        ssize_t n = read(fd, bytes, sizeof bytes);
        if (n == 0)
            break;
        if (n > 0)
            total += (size_t)n;
        /* a loop that were blocked in write(2) would never come here */
        ck_assert_int_eq(co_yield (), 0);
    }
    close(fd);
    return (int)total;
}

static int write_much(void *arg MAYBE_UNUSED)
{
    struct cl_output out;
    int fds[2];
    int result = 0;
    ck_assert_int_eq(pipe(fds), 0);
    struct co_task *reader = co_spawn(read_slowly, (void *)(intptr_t)fds[0]);
    cl_output_init(&out, fds[1]);
    for (int i = 0; i < LINES; i++)
        ck_assert_int_eq(cl_output_write(&out, "0123456789", 10), 0);
    ck_assert_int_eq(cl_output_close(&out), 0);
    cl_output_fini(&out);
    ck_assert_int_eq(co_join(reader, CO_NO_DEADLINE, &result), 0);
    return result;
}

START_TEST(a_slow_reader_gets_everything)
{
    ck_assert_int_eq(co_run(write_much, NULL, NULL), LINES * 10);
}
END_TEST

SUITE_MAIN("output", SUITE_TEST(a_full_disk_is_noticed), SUITE_TEST(a_closed_pipe_is_noticed),
           SUITE_TEST(a_slow_reader_gets_everything))
