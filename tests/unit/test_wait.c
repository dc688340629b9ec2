/* What can be waited for, and that waiting parks a task and blocks a thread. */
#include "client/wait.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "coro/coro.h"
#include "suite.h"

START_TEST(what_can_be_waited_for)
{
    int pipes[2], sockets[2];
    ck_assert_int_eq(pipe(pipes), 0);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    ck_assert(cl_wait_is_pollable(pipes[0]) && cl_wait_is_pollable(pipes[1]));
    ck_assert(cl_wait_is_pollable(sockets[0]));
    ck_assert(!cl_wait_is_pollable(file)); /* epoll refuses it */
    ck_assert(!cl_wait_is_pollable(null));
    if (terminal >= 0)
        ck_assert(cl_wait_is_pollable(terminal));
    const int all[] = {pipes[0], pipes[1], sockets[0], sockets[1], file, null, terminal};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (all[i] >= 0)
            close(all[i]);
    ck_assert(!cl_wait_is_pollable(file)); /* closed */
}
END_TEST

static void *write_once(void *arg)
{
    usleep(50000);
    ck_assert_int_eq(write(*(int *)arg, "x", 1), 1);
    return NULL;
}

/* Also where read() would not: whom a pipe is shared with may have made it non-blocking. */
START_TEST(a_thread_blocks)
{
    int fds[2];
    char byte;
    pthread_t writer;
    ck_assert_int_eq(pipe2(fds, O_NONBLOCK), 0);
    ck_assert_int_eq(cl_wait_writable(fds[1]), 0);
    ck_assert_int_eq(pthread_create(&writer, NULL, write_once, &fds[1]), 0);
    ck_assert_int_eq(cl_wait_readable(fds[0]), 0);
    ck_assert_int_eq(read(fds[0], &byte, 1), 1);
    ck_assert_int_eq(pthread_join(writer, NULL), 0);
    close(fds[1]);
    ck_assert_int_eq(cl_wait_readable(fds[0]), 0); /* its end is to be read, too */
    close(fds[0]);
    ck_assert_int_eq(cl_wait_readable(fds[0]), 0); /* the read says what is wrong */
}
END_TEST

struct pair {
    int fds[2];
    bool is_written;
};

static int write_later(void *arg)
{
    struct pair *pair = arg;
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(co_yield (), 0);
    pair->is_written = true;
    ck_assert_int_eq(write(pair->fds[1], "x", 1), 1);
    return 0;
}

static int wait_in_a_task(void *arg)
{
    struct pair *pair = arg;
    ck_assert_int_eq(pipe2(pair->fds, O_NONBLOCK), 0);
    ck_assert_int_eq(cl_wait_writable(pair->fds[1]), 0);
    co_detach(co_spawn(write_later, pair));
    ck_assert_int_eq(cl_wait_readable(pair->fds[0]), 0);
    ck_assert(pair->is_written); /* so the other task ran meanwhile */
    close(pair->fds[0]);
    close(pair->fds[1]);
    return 0;
}

START_TEST(a_task_parks)
{
    struct pair pair = {.is_written = false};
    ck_assert_int_eq(co_run(wait_in_a_task, &pair, NULL), 0);
}
END_TEST

SUITE_MAIN("wait", SUITE_TEST(what_can_be_waited_for), SUITE_TEST(a_thread_blocks),
           SUITE_TEST(a_task_parks))
