/* What both transports promise, over real sockets: bytes, deadlines, ends. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/tcp.h>
#include <sys/socket.h>
#include <sys/wait.h>
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

static void unix_pair(int flags)
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | flags, 0, pair), 0);
}

static void tcp_pair(int flags)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof addr;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&addr, sizeof addr), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&addr, &len), 0);
    pair[1] = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(pair[1], (struct sockaddr *)&addr, sizeof addr), 0);
    pair[0] = accept4(listener, NULL, NULL, flags);
    ck_assert_int_ge(pair[0], 0);
    close(listener);
}

static void with_pair(const struct kind *kind, void (*make_pair)(int flags), body_fn *body)
{
    make_pair(kind->is_coro ? SOCK_NONBLOCK : 0);
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

static void with_io(const struct kind *kind, body_fn *body)
{
    with_pair(kind, unix_pair, body);
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

static unsigned packets_in(int fd)
{
    struct tcp_info info;
    socklen_t len = sizeof info;
    ck_assert_int_eq(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
    return info.tcpi_segs_in;
}

static void say_goodbye(struct http_io *io, unsigned packets)
{
    char text[8];
    struct iovec iov[2] = {{"by", 2}, {"e", 1}};
    unsigned before = packets_in(pair[1]);
    ck_assert_int_eq(io->ops->writev(io, iov, 2, in_ms(io, 1000)), 3);
    ck_assert_int_eq(io->ops->shut_write(io), 0);
    ck_assert_int_eq(recv(pair[1], text, sizeof text, MSG_WAITALL), 3);
    ck_assert_mem_eq(text, "bye", 3);
    ck_assert_uint_eq(packets_in(pair[1]) - before, packets);
}

static void bytes_and_end(struct http_io *io)
{
    say_goodbye(io, 2);
}

static void bytes_with_end(struct http_io *io)
{
    io->is_last = true;
    say_goodbye(io, 1);
}

/* More than the socket takes at once. */
static void much_with_end(struct http_io *io)
{
    static char big[4 << 20], taken[sizeof big];
    struct iovec iov = {big, sizeof big};
    if (fork() == 0) {
        ssize_t n = recv(pair[1], taken, sizeof taken, MSG_WAITALL);
        _exit(n == sizeof taken && recv(pair[1], taken, 1, 0) == 0 ? 0 : 1);
    }
    io->is_last = true;
    ck_assert_int_eq(io->ops->writev(io, &iov, 1, in_ms(io, 10000)), sizeof big);
    ck_assert_int_eq(io->ops->shut_write(io), 0);
    int status;
    ck_assert_int_gt(wait(&status), 0);
    ck_assert_int_eq(status, 0);
}

START_TEST(the_end_comes_with_the_last_bytes)
{
    with_pair(&kinds[_i], tcp_pair, bytes_and_end);
    with_pair(&kinds[_i], tcp_pair, bytes_with_end);
    with_pair(&kinds[_i], tcp_pair, much_with_end);
}
END_TEST

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

SUITE_MAIN("server_io", SUITE_LOOP(both_move_bytes, kinds), SUITE_LOOP(both_keep_deadlines, kinds),
           SUITE_LOOP(both_report_a_lost_peer, kinds),
           SUITE_LOOP(the_end_comes_with_the_last_bytes, kinds))
