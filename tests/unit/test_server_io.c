/* Both transports over real sockets: whole writes, deadlines, ends, cancel. */
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "coro/base/clock.h"
#include "coro/io.h"
#include "server/io/io.h"
#include "suite.h"

/* A transport in the life of a test: made, exercised, closed. */
struct kind {
    const char *name;
    bool is_coro;
};
static const struct kind kinds[] = {{"block", false}, {"coro", true}};

static int pair[2];
static struct io_block block;
static struct http_io coro_io;

typedef void body_fn(struct http_io *io);

static int run_task(void *arg)
{
    (*(body_fn **)arg)(&coro_io);
    co_close(pair[0]);
    return 0;
}

static void with_io(const struct kind *kind, body_fn *body)
{
    ck_assert_int_eq(
        socketpair(AF_UNIX, SOCK_STREAM | (kind->is_coro ? SOCK_NONBLOCK : 0), 0, pair), 0);
    if (kind->is_coro) {
        io_coro_init(&coro_io, pair[0]);
        ck_assert_int_eq(co_run(run_task, &body, NULL), 0);
    } else {
        ck_assert_int_eq(io_block_init(&block, pair[0], NULL), 0);
        body(&block.io);
        close(pair[0]);
    }
    if (pair[1] >= 0)
        close(pair[1]);
}

static int64_t in_ms(struct http_io *io, int64_t ms)
{
    return io->ops->now_ns(io) + ms * NS_PER_MS;
}

static void bytes_both_ways(struct http_io *io)
{
    char text[8];
    struct iovec iov[2] = {{"he", 2}, {"llo", 3}};
    ck_assert_int_eq(write(pair[1], "abc", 3), 3);
    ck_assert_int_eq(io->ops->read(io, text, sizeof text, in_ms(io, 1000)), 3);
    ck_assert_mem_eq(text, "abc", 3);
    ck_assert_int_eq(io->ops->writev(io, iov, 2, in_ms(io, 1000)), 5);
    ck_assert_int_eq(read(pair[1], text, sizeof text), 5);
    ck_assert_mem_eq(text, "hello", 5);
    ck_assert_int_eq(io->ops->shut_write(io), 0);
    ck_assert_int_eq(read(pair[1], text, sizeof text), 0);
    ck_assert_int_eq(write(pair[1], "x", 1), 1);
    ck_assert_int_eq(io->ops->read(io, text, sizeof text, in_ms(io, 1000)), 1);
    close(pair[1]);
    pair[1] = -1;
    ck_assert_int_eq(io->ops->read(io, text, sizeof text, in_ms(io, 1000)), 0);
}

static void deadlines_end_waits(struct http_io *io)
{
    static char big[4 << 20];
    char byte;
    struct iovec iov = {big, sizeof big};
    int64_t before_ns = clock_now_ns();
    ck_assert_int_eq(io->ops->read(io, &byte, 1, in_ms(io, 40)), -ETIMEDOUT);
    ck_assert_int_eq(io->ops->writev(io, &iov, 1, in_ms(io, 40)), -ETIMEDOUT);
    ck_assert_int_ge(clock_now_ns() - before_ns, 80 * NS_PER_MS);
    /* a deadline that has passed, and bytes that are there */
    ck_assert_int_eq(write(pair[1], "a", 1), 1);
    ck_assert_int_eq(io->ops->read(io, &byte, 1, in_ms(io, 40)), 1);
}

static void a_lost_peer_is_an_error(struct http_io *io)
{
    struct iovec iov = {"a", 1};
    close(pair[1]);
    pair[1] = -1;
    ck_assert_int_eq(io->ops->writev(io, &iov, 1, in_ms(io, 1000)), -EPIPE);
}

START_TEST(both_move_bytes)
{
    with_io(&kinds[_i], bytes_both_ways);
}
END_TEST

START_TEST(both_keep_deadlines)
{
    with_io(&kinds[_i], deadlines_end_waits);
}
END_TEST

START_TEST(both_report_a_lost_peer)
{
    with_io(&kinds[_i], a_lost_peer_is_an_error);
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
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    ck_assert_int_eq(io_block_init(&block, pair[0], NULL), 0);
    ck_assert_int_eq(pthread_create(&reader, NULL, drain_slowly, NULL), 0);
    struct iovec iov[2] = {{big, 5 << 20}, {big + (5 << 20), 3 << 20}};
    ck_assert_int_eq(block.io.ops->writev(&block.io, iov, 2, CLOCK_NEVER), 8 << 20);
    pthread_join(reader, NULL);
    close(pair[0]);
    close(pair[1]);
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
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    ck_assert_int_eq(io_block_init(&block, pair[0], &cut), 0);
    ck_assert_int_eq(pthread_create(&cutter, NULL, cut_soon, NULL), 0);
    ck_assert_int_eq(block.io.ops->read(&block.io, &byte, 1, CLOCK_NEVER), -ECANCELED);
    pthread_join(cutter, NULL);
    close(pair[0]);
    close(pair[1]);
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
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    ck_assert_int_eq(io_block_init(&block, pair[0], NULL), 0);
    int64_t began_ns = clock_now_ns();
    ck_assert_int_eq(while_prodded(waits[_i].fn), -ETIMEDOUT);
    int64_t took_ns = clock_now_ns() - began_ns;
    ck_assert_int_ge(took_ns, waits[_i].ends_early ? patience_ns : NS_PER_S / 4);
    ck_assert_int_lt(took_ns, 50 * NS_PER_S); /* not by its deadline */
    close(pair[0]);
    close(pair[1]);
}
END_TEST

START_TEST(what_a_client_does_not_take_can_be_dropped)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof addr;
    char byte;
    int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&addr, len), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&addr, &len), 0);
    ck_assert_int_eq(connect(client, (struct sockaddr *)&addr, len), 0);
    int server = accept(listener, NULL, NULL);
    ck_assert_int_ge(server, 0);
    io_drop_unsent(server);
    close(server);
    ck_assert_int_eq(read(client, &byte, 1), -1);
    ck_assert_int_eq(errno, ECONNRESET);
    close(client);
    close(listener);
}
END_TEST

SUITE_MAIN("server_io", SUITE_LOOP(both_move_bytes, kinds), SUITE_LOOP(both_keep_deadlines, kinds),
           SUITE_LOOP(both_report_a_lost_peer, kinds),
           SUITE_TEST(a_blocking_write_takes_as_long_as_it_needs),
           SUITE_TEST(a_cut_wakes_a_blocked_read),
           SUITE_LOOP(a_wait_for_a_slow_client_ends_when_others_wait, waits),
           SUITE_TEST(what_a_client_does_not_take_can_be_dropped))
