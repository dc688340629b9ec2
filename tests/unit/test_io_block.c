/* The transport that blocks its thread: whole writes, cut, waits that others end; and
 * no system call for a deadline in ordinary traffic. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "coro/base/clock.h"
#include "server/io/io.h"
#include "suite.h"

static int pair[2];
static struct io_block block;

static void open_pair(const atomic_bool *is_cut)
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    ck_assert_int_eq(io_block_init(&block, pair[0], is_cut), 0);
}

static void close_pair(void)
{
    close(pair[0]);
    close(pair[1]);
}

static int64_t timeout_ns(int option)
{
    struct timeval tv;
    socklen_t len = sizeof tv;
    ck_assert_int_eq(getsockopt(pair[0], SOL_SOCKET, option, &tv, &len), 0);
    return tv.tv_sec * NS_PER_S + tv.tv_usec * NS_PER_US;
}

/* How near its deadline a wait is, and what the socket's timeout is then. */
static const struct {
    int64_t left_ns;
    bool is_armed_anew;
} deadlines[] = {
    {CLOCK_NEVER, false},
    {60 * NS_PER_S, false},
    {NS_PER_S, true},
};

START_TEST(a_near_deadline_alone_arms_the_socket_anew)
{
    char byte;
    struct iovec iov = {"a", 1};
    open_pair(NULL);
    int64_t before_ns = timeout_ns(SO_RCVTIMEO);
    ck_assert_int_ge(before_ns, NS_PER_S);
    ck_assert_int_eq(timeout_ns(SO_SNDTIMEO), before_ns);
    int64_t until_ns = clock_add_ns(clock_now_ns(), deadlines[_i].left_ns);
    ck_assert_int_eq(write(pair[1], "a", 1), 1);
    ck_assert_int_eq(block.io.ops->read(&block.io, &byte, 1, until_ns), 1);
    ck_assert_int_eq(block.io.ops->writev(&block.io, &iov, 1, until_ns), 1);
    for (int i = 0; i < 2; i++) {
        int64_t now_ns = timeout_ns(i == 0 ? SO_RCVTIMEO : SO_SNDTIMEO);
        if (deadlines[_i].is_armed_anew)
            ck_assert_int_le(now_ns, deadlines[_i].left_ns + 10 * NS_PER_MS);
        else
            ck_assert_int_eq(now_ns, before_ns);
    }
    close_pair();
}
END_TEST

START_TEST(a_descriptor_without_timeouts_is_refused)
{
    ck_assert_int_eq(pipe(pair), 0);
    ck_assert_int_eq(io_block_init(&block, pair[0], NULL), -ENOTSOCK);
    close_pair();
}
END_TEST

static void *drain_slowly(void *arg)
{
    (void)arg;
    char chunk[65536];
    size_t total = 0;
    while (total < (8u << 20)) {
        ssize_t n = read(pair[1], chunk, sizeof chunk);
        ck_assert_int_gt(n, 0);
        total += (size_t)n;
    }
    return NULL;
}

START_TEST(a_blocking_write_takes_as_long_as_it_needs)
{
    static char big[8 << 20];
    pthread_t reader;
    open_pair(NULL);
    ck_assert_int_eq(pthread_create(&reader, NULL, drain_slowly, NULL), 0);
    struct iovec iov[2] = {{big, 5 << 20}, {big + (5 << 20), 3 << 20}};
    ck_assert_int_eq(block.io.ops->writev(&block.io, iov, 2, CLOCK_NEVER), 8 << 20);
    pthread_join(reader, NULL);
    close_pair();
}
END_TEST

static atomic_bool cut;

static void *cut_soon(void *arg)
{
    (void)arg;
    usleep(20000);
    cut = true;
    shutdown(pair[0], SHUT_RDWR);
    return NULL;
}

START_TEST(a_cut_wakes_a_blocked_read)
{
    char byte;
    pthread_t cutter;
    open_pair(&cut);
    ck_assert_int_eq(pthread_create(&cutter, NULL, cut_soon, NULL), 0);
    ck_assert_int_eq(block.io.ops->read(&block.io, &byte, 1, CLOCK_NEVER), -ECANCELED);
    pthread_join(cutter, NULL);
    close_pair();
}
END_TEST

/* ---- a client that keeps us waiting ---- */

static int64_t patience_ns;

static void hurry(int signo)
{
    (void)signo;
    io_block_hurry(&block, patience_ns);
}

struct prodder {
    pthread_t whom;
    atomic_bool is_over;
};

/* Again and again: one signal may come a moment before the wait. */
static void *prod(void *arg)
{
    struct prodder *prodder = arg;
    while (!atomic_load(&prodder->is_over)) {
        usleep(5000);
        pthread_kill(prodder->whom, SIGUSR2);
    }
    return NULL;
}

/* Call fn while signals come; then as if there had been none. */
static ssize_t while_prodded(ssize_t (*fn)(void))
{
    struct sigaction action = {.sa_handler = hurry, .sa_flags = SA_RESTART}, before;
    struct prodder prodder = {.whom = pthread_self()};
    pthread_t thread;
    ck_assert_int_eq(sigaction(SIGUSR2, &action, &before), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, prod, &prodder), 0);
    ssize_t rv = fn();
    atomic_store(&prodder.is_over, true);
    pthread_join(thread, NULL);
    sigaction(SIGUSR2, &before, NULL);
    return rv;
}

static ssize_t read_more(void)
{
    char byte;
    io_block_expect(&block);
    return block.io.ops->read(&block.io, &byte, 1, clock_now_ns() + 60 * NS_PER_S);
}

static ssize_t read_idle(void)
{
    char byte;
    return block.io.ops->read(&block.io, &byte, 1, clock_now_ns() + NS_PER_S / 4);
}

static ssize_t write_much(void)
{
    static char much[8 << 20];
    struct iovec iov = {much, sizeof much};
    return block.io.ops->writev(&block.io, &iov, 1, clock_now_ns() + 60 * NS_PER_S);
}

static const struct {
    ssize_t (*fn)(void);
    bool ends_early;
} waits[] = {
    {read_more, true},
    {write_much, true},
    {read_idle, false}, /* between requests: another's business */
};

START_TEST(a_wait_for_a_slow_client_ends_when_others_wait)
{
    patience_ns = NS_PER_S / 20;
    open_pair(NULL);
    int64_t began_ns = clock_now_ns();
    ck_assert_int_eq(while_prodded(waits[_i].fn), -ETIMEDOUT);
    int64_t took_ns = clock_now_ns() - began_ns;
    ck_assert_int_ge(took_ns, waits[_i].ends_early ? patience_ns : NS_PER_S / 4);
    ck_assert_int_lt(took_ns, 50 * NS_PER_S); /* not by its deadline */
    close_pair();
}
END_TEST

SUITE_MAIN("io_block", SUITE_LOOP(a_near_deadline_alone_arms_the_socket_anew, deadlines),
           SUITE_TEST(a_descriptor_without_timeouts_is_refused),
           SUITE_TEST(a_blocking_write_takes_as_long_as_it_needs),
           SUITE_TEST(a_cut_wakes_a_blocked_read),
           SUITE_LOOP(a_wait_for_a_slow_client_ends_when_others_wait, waits))
