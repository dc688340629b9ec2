/* The transport that parks its task: others run meanwhile, and a cancel ends the wait. */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "coro/io.h"
#include "server/io/io.h"
#include "suite.h"

static int pair[2];
static struct http_io io;

static int with_pair(int (*fn)(void *arg))
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    io_coro_init(&io, pair[0]);
    int rv = co_run(fn, NULL, NULL);
    close(pair[1]);
    return rv;
}

static int read_byte(void *arg)
{
    char *byte = arg;
    return (int)io.ops->read(&io, byte, 1, CO_NO_DEADLINE);
}

static int answer_while_it_waits(void *arg)
{
    (void)arg;
    char byte = 0;
    int result = -1;
    struct co_task *reader = co_spawn(read_byte, &byte);
    ck_assert_ptr_nonnull(reader);
    co_yield (); /* it waits now */
    ck_assert_int_eq(byte, 0);
    ck_assert_int_eq(write(pair[1], "a", 1), 1);
    ck_assert_int_eq(co_join(reader, CO_NO_DEADLINE, &result), 0);
    ck_assert_int_eq(result, 1);
    ck_assert_int_eq(byte, 'a');
    co_close(pair[0]);
    return 0;
}

START_TEST(another_task_runs_while_one_reads)
{
    ck_assert_int_eq(with_pair(answer_while_it_waits), 0);
}
END_TEST

static int write_much(void *arg)
{
    static char much[8 << 20];
    (void)arg;
    struct iovec iov[2] = {{much, 5 << 20}, {much + (5 << 20), 3 << 20}};
    return (int)io.ops->writev(&io, iov, 2, CO_NO_DEADLINE);
}

static int take_it_all(void *arg)
{
    static char piece[1 << 16];
    int result = -1;
    ssize_t total = 0, n;
    (void)arg;
    struct co_task *writer = co_spawn(write_much, NULL);
    ck_assert_ptr_nonnull(writer);
    while (total < 8 << 20 && (n = co_read(pair[1], piece, sizeof piece, CO_NO_DEADLINE)) > 0)
        total += n;
    ck_assert_int_eq(total, 8 << 20);
    ck_assert_int_eq(co_join(writer, CO_NO_DEADLINE, &result), 0);
    ck_assert_int_eq(result, 8 << 20);
    co_close(pair[0]);
    return 0;
}

START_TEST(a_write_goes_on_until_all_is_out)
{
    ck_assert_int_eq(with_pair(take_it_all), 0);
}
END_TEST

static int (*const waits[])(void *arg) = {read_byte, write_much};
static int (*wait_fn)(void *arg); /* one of them */

static int cancel_one(void *arg)
{
    char byte;
    int result = 0;
    (void)arg;
    struct co_task *waiter = co_spawn(wait_fn, &byte);
    ck_assert_ptr_nonnull(waiter);
    co_yield ();
    co_cancel(waiter);
    ck_assert_int_eq(co_join(waiter, CO_NO_DEADLINE, &result), 0);
    ck_assert_int_eq(result, -ECANCELED);
    co_close(pair[0]);
    return 0;
}

START_TEST(a_cancel_ends_the_wait)
{
    wait_fn = waits[_i];
    ck_assert_int_eq(with_pair(cancel_one), 0);
}
END_TEST

SUITE_MAIN("io_coro", SUITE_TEST(another_task_runs_while_one_reads),
           SUITE_TEST(a_write_goes_on_until_all_is_out), SUITE_LOOP(a_cancel_ends_the_wait, waits))
