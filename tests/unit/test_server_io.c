/* What both transports promise, over real sockets: bytes, deadlines, ends. */
#include <errno.h>
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

SUITE_MAIN("server_io", SUITE_LOOP(both_move_bytes, kinds), SUITE_LOOP(both_keep_deadlines, kinds),
           SUITE_LOOP(both_report_a_lost_peer, kinds))
