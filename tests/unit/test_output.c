/* Output: all of it arrives; a full disk and a closed pipe are noticed and kept. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
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

/* ---- all at once ---- */

static void *swallow(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char bytes[4096];
    ssize_t n;
    intptr_t total = 0;
    while ((n = read(fd, bytes, sizeof bytes)) > 0)
        total += n;
    close(fd);
    return (void *)total;
}

/* A pipe that somebody else who has it made non-blocking is waited for all the same. */
START_TEST(all_is_written_whatever_the_flags_of_the_pipe)
{
    static const char text[1 << 20];
    static const int flags[] = {0, O_NONBLOCK};
    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        int fds[2];
        pthread_t reader;
        void *total;
        ck_assert_int_eq(pipe(fds), 0);
        ck_assert_int_eq(fcntl(fds[1], F_SETFL, flags[i]), 0);
        ck_assert_int_eq(pthread_create(&reader, NULL, swallow, (void *)(intptr_t)fds[0]), 0);
        ck_assert_int_eq(cl_write_all(fds[1], text, sizeof text), 0);
        close(fds[1]);
        pthread_join(reader, &total);
        ck_assert_int_eq((intptr_t)total, sizeof text);
    }
}
END_TEST

START_TEST(what_cannot_be_written_is_told)
{
    int fds[2], full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    signal(SIGPIPE, SIG_IGN);
    ck_assert_int_eq(pipe(fds), 0);
    close(fds[0]);
    ck_assert_int_eq(cl_write_all(full, "text", 4), -ENOSPC);
    ck_assert_int_eq(cl_write_all(full, NULL, 0), 0);
    ck_assert_int_eq(cl_write_all(fds[1], "text", 4), -EPIPE);
    close(fds[1]);
    close(full);
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
           SUITE_TEST(all_is_written_whatever_the_flags_of_the_pipe),
           SUITE_TEST(what_cannot_be_written_is_told), SUITE_TEST(a_slow_reader_gets_everything))
