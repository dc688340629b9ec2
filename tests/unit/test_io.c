/* Sockets that park the task: reads, writes, ends, closing. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "suite.h"
#include "task_sockets.h"

#define BIG ((size_t)4 << 20)

/* ---- echo over TCP ---- */

#define ECHOES 200

static int echo_server(void *arg)
{
    int listen_fd = (int)(intptr_t)arg;
    int fd = co_accept(listen_fd, NULL, NULL, soon());
    ck_assert_int_ge(fd, 0);
    char buf[64];
    ssize_t n;
    while ((n = co_read(fd, buf, sizeof(buf), soon())) > 0)
        ck_assert_int_eq(co_write(fd, buf, (size_t)n, soon()), n);
    ck_assert_int_eq(n, 0);
    return co_close(fd);
}

static int echo_main(void *arg)
{
    (void)arg;
    struct sockaddr_in addr;
    int listen_fd = listen_anywhere(&addr);
    struct co_task *server = co_spawn(echo_server, (void *)(intptr_t)listen_fd);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(co_connect(fd, (struct sockaddr *)&addr, sizeof(addr), soon()), 0);
    for (int i = 0; i < ECHOES; i++) {
        char sent[64], got[64];
        memset(sent, 'a' + i % 26, sizeof(sent));
        size_t n = 1 + (size_t)i % 64; /* 64 fills the server's buffer to the brim */
        ck_assert_int_eq(co_write(fd, sent, n, soon()), (ssize_t)n);
        ck_assert_int_eq(co_read(fd, got, sizeof(got), soon()), (ssize_t)n);
        ck_assert_mem_eq(sent, got, n);
    }
    ck_assert_int_eq(co_close(fd), 0);
    ck_assert_int_eq(co_join(server, soon(), NULL), 0);
    return co_close(listen_fd);
}

START_TEST(tcp_echo)
{
    run(echo_main);
}
END_TEST

static int refused_main(void *arg)
{
    (void)arg;
    struct sockaddr_in addr;
    close(listen_anywhere(&addr));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(co_connect(fd, (struct sockaddr *)&addr, sizeof(addr), soon()), -ECONNREFUSED);
    return co_close(fd);
}

START_TEST(connect_tells_refusal)
{
    run(refused_main);
}
END_TEST

/* ---- deadlines and ends ---- */

static int late_writer(void *arg)
{
    ck_assert_int_eq(co_sleep(5 * NS_PER_MS), 0);
    ck_assert_int_eq(co_write((int)(intptr_t)arg, "late", 4, soon()), 4);
    return 0;
}

static int deadline_main(void *arg)
{
    (void)arg;
    int pair[2];
    char buf[16];
    make_pair(pair);
    ck_assert_int_eq(co_read(pair[0], buf, sizeof(buf), co_after(NS_PER_MS)), -ETIMEDOUT);
    ck_assert_int_eq(co_read(pair[0], buf, sizeof(buf), 0), -ETIMEDOUT);
    co_detach(co_spawn(late_writer, (void *)(intptr_t)pair[1]));
    ck_assert_int_eq(co_read(pair[0], buf, sizeof(buf), soon()), 4);
    /* data and end of stream in one event */
    ck_assert_int_eq(co_write(pair[1], "last", 4, soon()), 4);
    ck_assert_int_eq(co_close(pair[1]), 0);
    ck_assert_int_eq(co_sleep(NS_PER_MS), 0);
    ck_assert_int_eq(co_read(pair[0], buf, sizeof(buf), soon()), 4);
    ck_assert_int_eq(co_read(pair[0], buf, sizeof(buf), soon()), 0);
    ck_assert_int_eq(co_read(pair[0], buf, sizeof(buf), soon()), 0);
    ck_assert_int_eq(co_write(pair[0], "x", 1, soon()), -EPIPE);
    ck_assert_int_eq(co_close(pair[0]), 0);
    ck_assert_int_eq(co_read(pair[0], buf, sizeof(buf), soon()), -EBADF);
    return 0;
}

START_TEST(reads_time_out_and_end)
{
    run(deadline_main);
}
END_TEST

/* ---- a reset that comes in one event with data ---- */

/* Both ends of a TCP connection, non-blocking. */
static void make_tcp_pair(int pair[2])
{
    struct sockaddr_in addr;
    int listen_fd = listen_anywhere(&addr);
    pair[1] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(co_connect(pair[1], (struct sockaddr *)&addr, sizeof(addr), soon()), 0);
    pair[0] = co_accept(listen_fd, NULL, NULL, soon());
    ck_assert_int_ge(pair[0], 0);
    ck_assert_int_eq(co_close(listen_fd), 0);
}

/* Data and then a reset, both before the other side looks. */
static void send_and_reset(int fd, const char *data)
{
    struct linger hard = {.l_onoff = 1};
    ck_assert_int_eq(send(fd, data, strlen(data), 0), (ssize_t)strlen(data));
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)), 0);
    ck_assert_int_eq(co_close(fd), 0);
}

static int data_and_reset(void *arg)
{
    send_and_reset((int)(intptr_t)arg, "last");
    return 0;
}

static ssize_t read_plain(int fd, char *buf, size_t cap)
{
    return co_read(fd, buf, cap, soon());
}

static ssize_t read_vector(int fd, char *buf, size_t cap)
{
    struct iovec iov = {buf, cap};
    return co_readv(fd, &iov, 1, soon());
}

static const struct {
    ssize_t (*read)(int fd, char *buf, size_t cap);
    bool is_waiting; /* a reader is parked when the event comes */
    bool is_talking; /* the first read is answered before the reset */
} reset_cases[] = {{read_plain, false, false},
                   {read_plain, true, false},
                   {read_vector, true, false},
                   {read_plain, true, true}};

static int reset_main(void *arg)
{
    size_t i = (size_t)(intptr_t)arg;
    int pair[2];
    char buf[16];
    make_tcp_pair(pair);
    ck_assert_int_eq(co_read(pair[0], buf, sizeof(buf), co_after(NS_PER_MS)), -ETIMEDOUT);
    if (reset_cases[i].is_talking) {
        ck_assert_int_eq(co_write(pair[1], "hello", 5, soon()), 5);
        ck_assert_int_eq(reset_cases[i].read(pair[0], buf, sizeof(buf)), 5);
        ck_assert_int_eq(co_write(pair[0], "hello", 5, soon()), 5);
        ck_assert_int_eq(co_read(pair[1], buf, sizeof(buf), soon()), 5);
    }
    if (reset_cases[i].is_waiting)
        co_detach(co_spawn(data_and_reset, (void *)(intptr_t)pair[1]));
    else
        send_and_reset(pair[1], "last");
    ck_assert_int_eq(reset_cases[i].read(pair[0], buf, sizeof(buf)), 4);
    int64_t begin_ns = co_after(0);
    ck_assert_int_eq(reset_cases[i].read(pair[0], buf, sizeof(buf)), -ECONNRESET);
    ck_assert_int_lt(co_after(0) - begin_ns, 2 * NS_PER_S);
    ck_assert_int_eq(co_write(pair[0], "x", 1, soon()), -EPIPE);
    return co_close(pair[0]);
}

START_TEST(a_reset_that_comes_with_data_is_seen_by_the_next_read)
{
    ck_assert_int_eq(co_run(reset_main, (void *)(intptr_t)_i, NULL), 0);
}
END_TEST

/* The writer's side: it waits for room when data and reset come at once. */
static int reset_writer(void *arg)
{
    static char block[BIG];
    return (int)co_write((int)(intptr_t)arg, block, sizeof(block), soon());
}

static int reset_writer_main(void *arg)
{
    (void)arg;
    int pair[2], result;
    make_tcp_pair(pair);
    struct co_task *writer = co_spawn(reset_writer, (void *)(intptr_t)pair[0]);
    ck_assert_int_eq(co_sleep(2 * NS_PER_MS), 0);
    send_and_reset(pair[1], "last");
    ck_assert_int_eq(co_join(writer, soon(), &result), 0);
    ck_assert(result == -ECONNRESET || result == -EPIPE);
    return co_close(pair[0]);
}

START_TEST(a_reset_wakes_a_writer)
{
    run(reset_writer_main);
}
END_TEST

/* A parked descriptor: its task reads the data, parks it again, and is told. */
static int reset_turns;

static int on_reset_parked(void *arg, int why)
{
    int fd = (int)(intptr_t)arg;
    char buf[16];
    ck_assert_int_eq(why, 0);
    reset_turns++;
    ssize_t n = co_read(fd, buf, sizeof(buf), soon());
    if (n < 0) {
        ck_assert_int_eq(n, -ECONNRESET);
        return co_close(fd);
    }
    return co_park_fd(fd, soon(), on_reset_parked, arg);
}

static int reset_parked_main(void *arg)
{
    (void)arg;
    int pair[2];
    make_tcp_pair(pair);
    reset_turns = 0;
    ck_assert_int_eq(co_park_fd(pair[0], soon(), on_reset_parked, (void *)(intptr_t)pair[0]), 0);
    send_and_reset(pair[1], "last");
    for (int i = 0; i < 20000 && reset_turns < 2; i++)
        ck_assert_int_eq(co_sleep(NS_PER_MS), 0);
    ck_assert_int_eq(reset_turns, 2);
    return 0;
}

START_TEST(a_reset_unparks_a_descriptor_again)
{
    run(reset_parked_main);
}
END_TEST

static int pipe_main(void *arg)
{
    (void)arg;
    int ends[2];
    char buf[16];
    ck_assert_int_eq(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    ck_assert_int_eq(co_read(ends[0], buf, sizeof(buf), co_after(NS_PER_MS)), -ETIMEDOUT);
    ck_assert_int_eq(co_write(ends[1], "last", 4, soon()), 4);
    ck_assert_int_eq(co_close(ends[1]), 0);
    ck_assert_int_eq(co_read(ends[0], buf, sizeof(buf), soon()), 4);
    ck_assert_int_eq(co_read(ends[0], buf, sizeof(buf), soon()), 0);
    return co_close(ends[0]);
}

START_TEST(a_pipe_that_ends_with_data)
{
    run(pipe_main);
}
END_TEST

/* ---- big writes ---- */

static int drain(void *arg)
{
    int fd = (int)(intptr_t)arg;
    static char buf[65536];
    size_t total = 0;
    ssize_t n;
    while ((n = co_read(fd, buf, sizeof(buf), soon())) > 0)
        total += (size_t)n;
    ck_assert_int_eq(n, 0);
    ck_assert_uint_eq(total, BIG);
    return co_close(fd);
}

static int big_main(void *arg)
{
    (void)arg;
    int pair[2];
    make_pair(pair);
    static char half[BIG / 2];
    struct co_task *reader = co_spawn(drain, (void *)(intptr_t)pair[1]);
    struct iovec iov[] = {{half, sizeof(half)}, {half, sizeof(half)}};
    ck_assert_int_eq(co_writev(pair[0], iov, 2, soon()), (ssize_t)BIG);
    ck_assert_int_eq(co_close(pair[0]), 0);
    return co_join(reader, soon(), NULL);
}

START_TEST(a_write_larger_than_the_socket_waits)
{
    run(big_main);
}
END_TEST

/* ---- two waiters, close under a waiter, number reused ---- */

static int blocked_reader(void *arg)
{
    char c;
    return (int)co_read((int)(intptr_t)arg, &c, 1, soon());
}

static int blocked_writer(void *arg)
{
    static char block[BIG];
    return (int)co_write((int)(intptr_t)arg, block, sizeof(block), soon());
}

static int close_main(void *arg)
{
    (void)arg;
    int pair[2], result;
    char c;
    make_pair(pair);
    struct co_task *reader = co_spawn(blocked_reader, (void *)(intptr_t)pair[0]);
    struct co_task *writer = co_spawn(blocked_writer, (void *)(intptr_t)pair[0]);
    ck_assert_int_eq(co_yield (), 0);
    ck_assert_int_eq(co_read(pair[0], &c, 1, soon()), -EBUSY);
    ck_assert_int_eq(co_write(pair[0], &c, 1, soon()), -EBUSY);
    ck_assert_int_eq(co_close(pair[0]), 0);
    int other[2];
    make_pair(other);
    ck_assert_int_eq(other[0], pair[0]); /* the number is reused */
    ck_assert_int_eq(co_join(reader, soon(), &result), 0);
    ck_assert_int_eq(result, -EBADF);
    ck_assert_int_eq(co_join(writer, soon(), &result), 0);
    ck_assert_int_eq(result, -EBADF);
    ck_assert_int_eq(co_read(other[0], &c, 1, co_after(2 * NS_PER_MS)), -ETIMEDOUT);
    ck_assert_int_eq(co_write(other[1], "x", 1, soon()), 1);
    ck_assert_int_eq(co_read(other[0], &c, 1, soon()), 1);
    co_close(other[0]), co_close(other[1]);
    return co_close(pair[1]);
}

START_TEST(scenario_25_close_wakes_waiters_and_a_reused_number_is_clean)
{
    run(close_main);
}
END_TEST

static int cancel_main(void *arg)
{
    (void)arg;
    int pair[2], result;
    make_pair(pair);
    struct co_task *reader = co_spawn(blocked_reader, (void *)(intptr_t)pair[0]);
    ck_assert_int_eq(co_yield (), 0);
    co_cancel(reader);
    ck_assert_int_eq(co_close(pair[0]), 0); /* before the cancelled reader is back */
    ck_assert_int_eq(co_join(reader, soon(), &result), 0);
    ck_assert(result == -ECANCELED || result == -EBADF);
    return co_close(pair[1]);
}

START_TEST(cancel_then_close)
{
    run(cancel_main);
}
END_TEST

/* ---- any descriptor ---- */

static int wait_main(void *arg)
{
    (void)arg;
    int pair[2];
    make_pair(pair);
    ck_assert_int_eq(co_wait_fd(pair[0], 0, soon()), -EINVAL);
    ck_assert_int_eq(co_wait_fd(pair[0], CO_WRITABLE, soon()), CO_WRITABLE);
    ck_assert_int_eq(co_wait_fd(pair[0], CO_READABLE, co_after(NS_PER_MS)), -ETIMEDOUT);
    co_detach(co_spawn(late_writer, (void *)(intptr_t)pair[1]));
    ck_assert_int_eq(co_wait_fd(pair[0], CO_READABLE, soon()), CO_READABLE);
    ck_assert_int_eq(co_wait_fd(pair[0], CO_READABLE | CO_WRITABLE, soon()),
                     CO_READABLE | CO_WRITABLE);
    co_close(pair[0]), co_close(pair[1]);
    ck_assert_int_eq(co_wait_fd(pair[0], CO_READABLE, soon()), -EBADF);
    return 0;
}

START_TEST(wait_fd_asks_the_kernel)
{
    run(wait_main);
}
END_TEST

/* One that the loop reads and writes, too: its watch is used, beside other waiters. */
static int late_closer(void *arg)
{
    ck_assert_int_eq(co_sleep(5 * NS_PER_MS), 0);
    return co_close((int)(intptr_t)arg);
}

static int fd_waiter(void *arg)
{
    return co_wait_fd((int)(intptr_t)arg, CO_READABLE, soon());
}

static int wait_watched_main(void *arg)
{
    (void)arg;
    int pair[2], result;
    char c;
    make_pair(pair);
    /* one waiter a direction, also of a descriptor that nobody else has waited for */
    struct co_task *first = co_spawn(fd_waiter, (void *)(intptr_t)pair[0]);
    ck_assert_int_eq(co_yield (), 0);
    ck_assert_int_eq(co_wait_fd(pair[0], CO_READABLE, soon()), -EBUSY);
    ck_assert_int_eq(co_wait_fd(pair[0], CO_WRITABLE, soon()), CO_WRITABLE);
    co_cancel(first);
    ck_assert_int_eq(co_join(first, soon(), &result), 0);
    ck_assert_int_eq(result, -ECANCELED);
    ck_assert_int_eq(co_read(pair[0], &c, 1, co_after(NS_PER_MS)), -ETIMEDOUT);
    ck_assert_int_eq(co_wait_fd(pair[0], CO_READABLE, co_after(NS_PER_MS)), -ETIMEDOUT);
    co_detach(co_spawn(late_writer, (void *)(intptr_t)pair[1]));
    ck_assert_int_eq(co_wait_fd(pair[0], CO_READABLE, soon()), CO_READABLE);
    char buf[16];
    ck_assert_int_eq(co_read(pair[0], buf, sizeof(buf), soon()), 4);
    ck_assert_int_eq(co_read(pair[0], &c, 1, co_after(NS_PER_MS)), -ETIMEDOUT);
    /* one waiter a direction */
    struct co_task *reader = co_spawn(blocked_reader, (void *)(intptr_t)pair[0]);
    ck_assert_int_eq(co_yield (), 0);
    ck_assert_int_eq(co_wait_fd(pair[0], CO_READABLE, soon()), -EBUSY);
    ck_assert_int_eq(co_wait_fd(pair[0], CO_WRITABLE, soon()), CO_WRITABLE);
    co_cancel(reader);
    ck_assert_int_eq(co_join(reader, soon(), &result), 0);
    struct co_task *waiter = co_spawn(fd_waiter, (void *)(intptr_t)pair[0]);
    ck_assert_int_eq(co_yield (), 0);
    ck_assert_int_eq(co_read(pair[0], &c, 1, soon()), -EBUSY);
    ck_assert_int_eq(co_close(pair[0]), 0);
    ck_assert_int_eq(co_join(waiter, soon(), &result), 0);
    ck_assert_int_eq(result, -EBADF);
    return co_close(pair[1]);
}

START_TEST(wait_fd_shares_the_watch_of_other_calls)
{
    run(wait_watched_main);
}
END_TEST

static int wait_closed_main(void *arg)
{
    (void)arg;
    int pair[2];
    make_pair(pair);
    co_detach(co_spawn(late_closer, (void *)(intptr_t)pair[0]));
    ck_assert_int_eq(co_wait_fd(pair[0], CO_READABLE, soon()), -EBADF);
    int other[2];
    make_pair(other);
    ck_assert_int_eq(other[0], pair[0]);
    ck_assert_int_eq(co_wait_fd(other[0], CO_READABLE, co_after(NS_PER_MS)), -ETIMEDOUT);
    co_close(other[0]), co_close(other[1]);
    return co_close(pair[1]);
}

START_TEST(close_wakes_who_waits_for_the_descriptor)
{
    run(wait_closed_main);
}
END_TEST

/* The descriptor stays readable until the waiter has run, while a task that is
 * always ready keeps the loop from waiting: the waiter must get its turn. */
static int busy(void *arg)
{
    bool *is_over = arg;
    while (!*is_over)
        co_yield ();
    return 0;
}

static int wait_busy_main(void *arg)
{
    (void)arg;
    int pair[2];
    bool is_over = false;
    make_pair(pair);
    co_detach(co_spawn(late_writer, (void *)(intptr_t)pair[1]));
    struct co_task *task = co_spawn(busy, &is_over);
    ck_assert_int_eq(co_wait_fd(pair[0], CO_READABLE, soon()), CO_READABLE);
    is_over = true;
    co_close(pair[0]), co_close(pair[1]);
    int result;
    return co_join(task, soon(), &result);
}

START_TEST(wait_fd_gets_its_turn_on_a_busy_loop)
{
    run(wait_busy_main);
}
END_TEST

/* ---- two directions ---- */

static int duplex_main(void *arg)
{
    (void)arg;
    int pair[2], result;
    static char sink[65536];
    make_pair(pair);
    struct co_task *reader = co_spawn(blocked_reader, (void *)(intptr_t)pair[0]);
    struct co_task *writer = co_spawn(blocked_writer, (void *)(intptr_t)pair[0]);
    ck_assert_int_eq(co_yield (), 0);
    char c;
    ck_assert_int_eq(co_read(pair[0], &c, 1, soon()), -EBUSY); /* refused at once ... */
    co_cancel(reader);
    ck_assert_int_eq(co_join(reader, soon(), &result), 0);
    ck_assert_int_eq(result, -ECANCELED);
    for (size_t got = 0; got < BIG;) { /* ... and the writer goes on without the reader */
        ssize_t n = co_read(pair[1], sink, sizeof(sink), soon());
        ck_assert_int_gt(n, 0);
        got += (size_t)n;
    }
    ck_assert_int_eq(co_join(writer, soon(), &result), 0);
    ck_assert_int_eq(result, (int)BIG);
    reader = co_spawn(blocked_reader, (void *)(intptr_t)pair[0]);
    ck_assert_int_eq(co_yield (), 0);
    ck_assert_int_eq(co_write(pair[1], "x", 1, soon()), 1);
    ck_assert_int_eq(co_join(reader, soon(), &result), 0);
    ck_assert_int_eq(result, 1);
    co_close(pair[1]);
    return co_close(pair[0]);
}

START_TEST(scenario_26_one_waiter_a_direction_and_both_together)
{
    run(duplex_main);
}
END_TEST

static int broken_main(void *arg)
{
    (void)arg;
    int ends[2], result;
    char c;
    signal(SIGPIPE, SIG_IGN);
    ck_assert_int_eq(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    struct co_task *writer = co_spawn(blocked_writer, (void *)(intptr_t)ends[1]);
    ck_assert_int_eq(co_yield (), 0);
    ck_assert_int_eq(co_close(ends[0]), 0);
    ck_assert_int_eq(co_join(writer, soon(), &result), 0);
    ck_assert_int_eq(result, -EPIPE);
    co_close(ends[1]);

    ck_assert_int_eq(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    ck_assert_int_eq(co_read(ends[0], &c, 1, co_after(NS_PER_MS)), -ETIMEDOUT);
    ck_assert_int_eq(co_write(ends[1], "x", 1, soon()), 1);
    ck_assert_int_eq(co_sleep(5 * NS_PER_MS), 0); /* no stray wake ends the sleep */
    ck_assert_int_eq(co_read(ends[0], &c, 1, soon()), 1);
    co_close(ends[0]), co_close(ends[1]);
    ck_assert_int_eq(co_read(ends[0], &c, 1, soon()), -EBADF);
    ck_assert_int_eq(co_read(-1, &c, 1, soon()), -EBADF);
    ck_assert_int_eq(co_write(-1, &c, 1, soon()), -EBADF);
    return 0;
}

START_TEST(scenario_27_hang_ups_wake_and_time_outs_leave_nothing)
{
    run(broken_main);
}
END_TEST

/* ---- messages and files ---- */

static int udp_main(void *arg)
{
    (void)arg;
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    int a = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int b = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(a, (struct sockaddr *)&addr, len), 0);
    ck_assert_int_eq(getsockname(a, (struct sockaddr *)&addr, &len), 0);
    char got[16];
    struct iovec in = {got, sizeof(got)}, out = {(char[]){'h', 'i'}, 2};
    struct msghdr receive = {.msg_iov = &in, .msg_iovlen = 1};
    ck_assert_int_eq(co_recvmsg(a, &receive, 0, co_after(NS_PER_MS)), -ETIMEDOUT);
    struct msghdr send = {.msg_name = &addr, .msg_namelen = len, .msg_iov = &out, .msg_iovlen = 1};
    /* two short datagrams: a short read does not mean that there is no more */
    ck_assert_int_eq(co_sendmsg(b, &send, 0, soon()), 2);
    ck_assert_int_eq(co_sendmsg(b, &send, 0, soon()), 2);
    ck_assert_int_eq(co_recvmsg(a, &receive, 0, soon()), 2);
    ck_assert_int_eq(co_read(a, got, sizeof(got), soon()), 2);
    return co_close(a) + co_close(b);
}

static int send_file(void *arg)
{
    FILE *file = tmpfile();
    static char block[BIG];
    ck_assert_uint_eq(fwrite(block, 1, sizeof(block), file), sizeof(block));
    fflush(file);
    int fd = (int)(intptr_t)arg;
    ck_assert_int_eq(co_sendfile(fd, fileno(file), 0, BIG + 100, soon()), (ssize_t)BIG);
    fclose(file);
    return co_close(fd);
}

static int messages_main(void *arg)
{
    int pair[2], result;
    make_pair(pair);
    struct co_task *reader = co_spawn(drain, (void *)(intptr_t)pair[1]);
    ck_assert_int_eq(co_join(co_spawn(send_file, (void *)(intptr_t)pair[0]), soon(), &result), 0);
    ck_assert_int_eq(co_join(reader, soon(), &result), 0);
    return udp_main(arg);
}

START_TEST(datagrams_and_files)
{
    run(messages_main);
}
END_TEST

SUITE_MAIN("io", SUITE_TEST(scenario_26_one_waiter_a_direction_and_both_together),
           SUITE_TEST(scenario_27_hang_ups_wake_and_time_outs_leave_nothing),

           SUITE_TEST(datagrams_and_files), SUITE_TEST(tcp_echo), SUITE_TEST(connect_tells_refusal),
           SUITE_TEST(reads_time_out_and_end),
           SUITE_LOOP(a_reset_that_comes_with_data_is_seen_by_the_next_read, reset_cases),
           SUITE_TEST(a_reset_wakes_a_writer), SUITE_TEST(a_reset_unparks_a_descriptor_again),
           SUITE_TEST(a_pipe_that_ends_with_data), SUITE_TEST(a_write_larger_than_the_socket_waits),
           SUITE_TEST(scenario_25_close_wakes_waiters_and_a_reused_number_is_clean),
           SUITE_TEST(cancel_then_close), SUITE_TEST(wait_fd_asks_the_kernel),
           SUITE_TEST(wait_fd_gets_its_turn_on_a_busy_loop),
           SUITE_TEST(wait_fd_shares_the_watch_of_other_calls),
           SUITE_TEST(close_wakes_who_waits_for_the_descriptor), )
