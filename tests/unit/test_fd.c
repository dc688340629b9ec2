/* What the loop knows about a descriptor: records and their reuse, and when it takes
 * a direction for drained. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "coro/fd.h"
#include "suite.h"

enum kind { STREAM, DATAGRAM, PIPE };
static const struct {
    enum kind kind;
    bool is_stream;
} kinds[] = {{STREAM, true}, {DATAGRAM, false}, {PIPE, false}};

/* ends[0] reads what ends[1] writes. */
static void make_ends(enum kind kind, int ends[2])
{
    int flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
    if (kind == PIPE)
        ck_assert_int_eq(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    else
        ck_assert_int_eq(
            socketpair(AF_UNIX, (kind == STREAM ? SOCK_STREAM : SOCK_DGRAM) | flags, 0, ends), 0);
}

static struct co_fd *obtain(int fd)
{
    struct co_fd *f = NULL;
    ck_assert_int_eq(coro_fd_obtain(coro_loop_tls, fd, -1, &f), 0);
    ck_assert_ptr_eq(coro_fd_find(coro_loop_tls, fd), f);
    return f;
}

static void run(co_fn *fn)
{
    ck_assert_int_eq(co_run(fn, NULL, NULL), 0);
}

/* ---- records ---- */

static int records(void *arg)
{
    int ends[2];
    struct co_fd *f;
    (void)arg;
    ck_assert_int_eq(coro_fd_obtain(coro_loop_tls, -1, -1, &f), -EBADF);
    ck_assert_ptr_null(coro_fd_find(coro_loop_tls, -1));
    ck_assert_ptr_null(coro_fd_find(coro_loop_tls, 1 << 20));
    make_ends(STREAM, ends);
    ck_assert_ptr_null(coro_fd_find(coro_loop_tls, ends[0]));
    f = obtain(ends[0]);
    ck_assert_ptr_eq(obtain(ends[0]), f); /* one a descriptor */
    ck_assert_int_eq(f->fd, ends[0]);
    ck_assert(!f->is_watched);
    ck_assert_uint_eq(f->ready, CO_READABLE | CO_WRITABLE);
    /* the table grows under records that stay where they are */
    int high = fcntl(ends[1], F_DUPFD_CLOEXEC, 900);
    ck_assert_int_ge(high, 900);
    struct co_fd *high_f = obtain(high);
    ck_assert_ptr_ne(high_f, f);
    ck_assert_ptr_eq(coro_fd_find(coro_loop_tls, ends[0]), f);
    ck_assert_int_eq(co_close(high), 0);
    ck_assert_ptr_null(coro_fd_find(coro_loop_tls, high));
    return co_close(ends[0]) + co_close(ends[1]);
}

START_TEST(a_descriptor_has_one_record_until_it_is_closed)
{
    run(records);
}
END_TEST

static int reused(void *arg)
{
    int ends[2], again[2];
    (void)arg;
    make_ends(STREAM, ends);
    struct co_fd *f = obtain(ends[0]);
    ck_assert_int_eq(coro_fd_watch(f), 0);
    f->is_hup = f->is_doubtful = f->is_read_out = true;
    f->ready = 0;
    int number = ends[0];
    ck_assert_int_eq(co_close(ends[0]) + co_close(ends[1]), 0);
    make_ends(DATAGRAM, again);
    ck_assert_int_eq(again[0], number); /* the kernel gives the lowest */
    struct co_fd *next = obtain(again[0]);
    ck_assert_ptr_eq(next, f); /* from the pool */
    ck_assert(!next->is_watched && !next->is_hup && !next->is_doubtful && !next->is_read_out);
    ck_assert(!next->is_stream);
    ck_assert_uint_eq(next->ready, CO_READABLE | CO_WRITABLE);
    ck_assert_ptr_null(next->reader);
    ck_assert_ptr_null(next->parked);
    return co_close(again[0]) + co_close(again[1]);
}

START_TEST(a_record_that_is_used_again_knows_nothing_of_before)
{
    run(reused);
}
END_TEST

static int kinds_main(void *arg)
{
    int ends[2];
    make_ends(kinds[(intptr_t)arg].kind, ends);
    ck_assert_int_eq(obtain(ends[0])->is_stream, kinds[(intptr_t)arg].is_stream);
    return co_close(ends[0]) + co_close(ends[1]);
}

START_TEST(a_stream_is_told_from_the_rest)
{
    ck_assert_int_eq(co_run(kinds_main, (void *)(intptr_t)_i, NULL), 0);
}
END_TEST

/* ---- readiness ---- */

/* Read `want` of the four bytes that come after we have waited. */
static struct co_fd *read_some(const int ends[2], size_t want)
{
    char got[8];
    struct co_fd *f = obtain(ends[0]);
    ck_assert_int_eq(co_read(ends[0], got, sizeof(got), co_after(NS_PER_MS)), -ETIMEDOUT);
    ck_assert(f->is_watched);
    ck_assert(!(f->ready & CO_READABLE)); /* EAGAIN: drained */
    ck_assert_int_eq(write(ends[1], "data", 4), 4);
    ck_assert_int_eq(coro_fd_await(coro_loop_tls, f, CO_READABLE, co_after(5 * NS_PER_S)), 0);
    ck_assert(f->ready & CO_READABLE);
    f->is_doubtful = false; /* what the first event told of both directions */
    ck_assert_int_eq(co_read(ends[0], got, want, co_after(5 * NS_PER_S)),
                     (ssize_t)(want < 4 ? want : 4));
    return f;
}

/* Only on a stream does a short read mean that there is no more. */
static int short_read(void *arg)
{
    int ends[2];
    make_ends(kinds[(intptr_t)arg].kind, ends);
    const struct co_fd *f = read_some(ends, 8);
    ck_assert_int_eq((f->ready & CO_READABLE) == 0, kinds[(intptr_t)arg].is_stream);
    return co_close(ends[0]) + co_close(ends[1]);
}

START_TEST(a_short_read_drains_a_stream_alone)
{
    ck_assert_int_eq(co_run(short_read, (void *)(intptr_t)_i, NULL), 0);
}
END_TEST

static int full_read(void *arg)
{
    int ends[2];
    (void)arg;
    make_ends(STREAM, ends);
    ck_assert(read_some(ends, 4)->ready & CO_READABLE);
    return co_close(ends[0]) + co_close(ends[1]);
}

START_TEST(a_full_read_leaves_it_open_whether_there_is_more)
{
    run(full_read);
}
END_TEST

/* is_doubtful: an error may have come with the last event. */
static const struct {
    bool is_hup, is_doubtful, is_written, is_all;
    uint8_t ready;
} rules[] = {
    {false, false, false, false, CO_WRITABLE},
    {true, false, false, false, CO_READABLE | CO_WRITABLE},
    {false, true, false, false, CO_READABLE | CO_WRITABLE},
    {false, true, true, true, CO_WRITABLE}, /* the write proved that there was none */
    {false, true, true, false, 0},
    {true, true, true, true, CO_READABLE | CO_WRITABLE},
    {false, false, true, false, 0},
};

static int apply_rule(void *arg)
{
    int ends[2], i = (int)(intptr_t)arg;
    make_ends(STREAM, ends);
    struct co_fd *f = obtain(ends[0]);
    f->is_hup = rules[i].is_hup;
    f->is_doubtful = rules[i].is_doubtful;
    coro_fd_read_out(coro_loop_tls, ends[0]);
    if (rules[i].is_written)
        coro_fd_written(coro_loop_tls, ends[0], rules[i].is_all);
    ck_assert_uint_eq(f->ready, rules[i].ready);
    return co_close(ends[0]) + co_close(ends[1]);
}

START_TEST(what_short_reads_and_writes_prove)
{
    ck_assert_int_eq(co_run(apply_rule, (void *)(intptr_t)_i, NULL), 0);
}
END_TEST

/* ---- calls that failed ---- */

static int retries(void *arg)
{
    int ends[2];
    (void)arg;
    make_ends(STREAM, ends);
    struct co_loop *loop = coro_loop_tls;
    int64_t soon = co_after(NS_PER_MS);
    ck_assert_int_eq(coro_fd_retry(loop, ends[0], CO_READABLE, soon, EINTR), 0);
    ck_assert_int_eq(coro_fd_retry(loop, ends[0], CO_READABLE, soon, ECONNRESET), -ECONNRESET);
    ck_assert_ptr_null(coro_fd_find(loop, ends[0])); /* nobody had to wait */
    ck_assert_int_eq(coro_fd_retry(loop, ends[0], CO_READABLE, soon, EAGAIN), -ETIMEDOUT);
    ck_assert_ptr_nonnull(coro_fd_find(loop, ends[0]));
    ck_assert_uint_eq(loop->fd_waits, 0);
    return co_close(ends[0]) + co_close(ends[1]);
}

START_TEST(a_call_that_failed_is_repeated_or_told)
{
    run(retries);
}
END_TEST

static int polls(void *arg)
{
    int ends[2];
    const unsigned both = CO_READABLE | CO_WRITABLE;
    (void)arg;
    make_ends(STREAM, ends);
    ck_assert_int_eq(coro_fd_poll(ends[0], CO_READABLE), 0);
    ck_assert_int_eq(coro_fd_poll(ends[0], both), CO_WRITABLE);
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    ck_assert_int_eq(coro_fd_poll(ends[0], both), (int)both);
    ck_assert_int_eq(coro_fd_poll(ends[0], CO_READABLE), CO_READABLE); /* asked for alone */
    ck_assert_int_eq(co_close(ends[1]), 0);
    ck_assert_int_eq(coro_fd_poll(ends[0], both), (int)both); /* hung up */
    int number = ends[0];
    ck_assert_int_eq(co_close(ends[0]), 0);
    ck_assert_int_eq(coro_fd_poll(number, both), -EBADF);
    return 0;
}

START_TEST(the_kernel_is_asked_without_waiting)
{
    run(polls);
}
END_TEST

/* ---- closing ---- */

static int awaits_both(void *arg)
{
    struct co_fd *f = arg;
    return coro_fd_await_any(coro_loop_tls, f, CO_READABLE | CO_WRITABLE, CO_NO_DEADLINE);
}

static int closes(void *arg)
{
    int ends[2], result;
    (void)arg;
    make_ends(STREAM, ends);
    struct co_fd *f = obtain(ends[0]);
    ck_assert_int_eq(coro_fd_watch(f), 0);
    ck_assert_int_eq(coro_fd_await(coro_loop_tls, f, CO_WRITABLE, co_after(5 * NS_PER_S)), 0);
    struct co_task *task = co_spawn(awaits_both, f);
    ck_assert_int_eq(co_yield (), 0);
    ck_assert_int_eq(coro_fd_await(coro_loop_tls, f, CO_READABLE, 0), -EBUSY);
    ck_assert_int_eq(coro_fd_await(coro_loop_tls, f, CO_WRITABLE, 0), -EBUSY);
    ck_assert_int_eq(co_close(ends[0]), 0);
    ck_assert_int_eq(co_join(task, co_after(5 * NS_PER_S), &result), 0);
    ck_assert_int_eq(result, -EBADF);
    ck_assert_int_eq(co_close(ends[0]), -EBADF);
    return co_close(ends[1]);
}

START_TEST(one_waiter_in_both_directions_is_woken_by_close)
{
    run(closes);
}
END_TEST

SUITE_MAIN("fd", SUITE_TEST(a_descriptor_has_one_record_until_it_is_closed),
           SUITE_TEST(a_record_that_is_used_again_knows_nothing_of_before),
           SUITE_LOOP(a_stream_is_told_from_the_rest, kinds),
           SUITE_LOOP(a_short_read_drains_a_stream_alone, kinds),
           SUITE_TEST(a_full_read_leaves_it_open_whether_there_is_more),
           SUITE_LOOP(what_short_reads_and_writes_prove, rules),
           SUITE_TEST(a_call_that_failed_is_repeated_or_told),
           SUITE_TEST(the_kernel_is_asked_without_waiting),
           SUITE_TEST(one_waiter_in_both_directions_is_woken_by_close))
