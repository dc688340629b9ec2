/* The reactor: edges and levels, hang-ups, deadlines, and watches that go away. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "coro/base/clock.h"
#include "coro/reactor.h"
#include "suite.h"

static struct reactor *reactor;
static struct reactor_watch *watch, *other;
static int ends[2];
static int told;
static unsigned told_events;

static void on_event(void *arg, unsigned events)
{
    (void)arg;
    told++;
    told_events |= events;
}

static void set_up(void)
{
    ck_assert_int_eq(reactor_new(&reactor), 0);
    watch = calloc(1, reactor_watch_bytes());
    other = calloc(1, reactor_watch_bytes());
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    told = 0;
    told_events = 0;
}

static void tear_down(void)
{
    reactor_free(reactor);
    free(watch);
    free(other);
    close(ends[0]);
    if (ends[1] >= 0)
        close(ends[1]);
}

static void feed(void)
{
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
}

static int poll_now(void)
{
    told = 0;
    told_events = 0;
    ck_assert_int_eq(reactor_poll(reactor, 0), 0);
    return told;
}

/* With n descriptors left; libevent alone would end the process for some n. */
static int new_with(int n)
{
    struct rlimit limit, few;
    struct reactor *made = NULL;
    int next = dup(0);
    ck_assert_int_ge(next, 0);
    close(next);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    few = (struct rlimit){.rlim_cur = (rlim_t)(next + n), .rlim_max = limit.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    int rv = reactor_new(&made);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    reactor_free(made);
    return rv;
}

START_TEST(without_descriptors_it_is_an_error)
{
    int n = 0;
    while (n < 10 && new_with(n) == -EMFILE)
        n++;
    ck_assert_int_gt(n, 1);
    ck_assert_int_lt(n, 10);
    ck_assert_int_eq(new_with(n), 0);
}
END_TEST

static const struct {
    enum reactor_trigger trigger;
    int again; /* told when nothing was read in between */
} triggers[] = {{REACTOR_EDGE, 0}, {REACTOR_LEVEL, 1}};

START_TEST(an_edge_is_told_once_and_a_level_while_it_lasts)
{
    set_up();
    ck_assert_int_eq(
        reactor_watch(reactor, watch, ends[0], REACTOR_READ, triggers[_i].trigger, on_event, NULL),
        0);
    ck_assert_int_eq(poll_now(), 0);
    feed();
    ck_assert_int_eq(poll_now(), 1);
    ck_assert_uint_eq(told_events, REACTOR_READ);
    ck_assert_int_eq(poll_now(), triggers[_i].again);
    feed(); /* a new arrival is a new edge */
    ck_assert_int_eq(poll_now(), 1);
    reactor_unwatch(watch);
    feed();
    ck_assert_int_eq(poll_now(), 0);
    tear_down();
}
END_TEST

START_TEST(both_directions_and_a_hang_up)
{
    set_up();
    ck_assert_int_eq(reactor_watch(reactor, watch, ends[0], REACTOR_READ | REACTOR_WRITE,
                                   REACTOR_EDGE, on_event, NULL),
                     0);
    ck_assert_int_eq(poll_now(), 1);
    ck_assert_uint_eq(told_events, REACTOR_WRITE);
    /* data and its end at once: both are told, the end cannot be missed */
    feed();
    close(ends[1]);
    ends[1] = -1;
    ck_assert_int_eq(poll_now(), 1);
    ck_assert_uint_eq(told_events, REACTOR_READ | REACTOR_WRITE | REACTOR_HUP);
    reactor_unwatch(watch);
    tear_down();
}
END_TEST

/* ---- watches that change while callbacks run ---- */

static void on_unwatch_other(void *arg, unsigned events)
{
    on_event(arg, events);
    reactor_unwatch(arg);
}

START_TEST(a_callback_may_unwatch_another)
{
    set_up();
    int more[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, more), 0);
    /* whichever comes first takes the other one away */
    ck_assert_int_eq(
        reactor_watch(reactor, watch, ends[0], REACTOR_READ, REACTOR_EDGE, on_unwatch_other, other),
        0);
    ck_assert_int_eq(
        reactor_watch(reactor, other, more[0], REACTOR_READ, REACTOR_EDGE, on_unwatch_other, watch),
        0);
    feed();
    ck_assert_int_eq(write(more[1], "x", 1), 1);
    ck_assert_int_eq(poll_now(), 1);
    reactor_unwatch(watch); /* once more: harmless */
    reactor_unwatch(other);
    close(more[0]);
    close(more[1]);
    tear_down();
}
END_TEST

START_TEST(what_cannot_be_watched_is_refused)
{
    set_up();
    int file = open("/proc/self/exe", O_RDONLY);
    ck_assert_int_eq(
        reactor_watch(reactor, watch, file, REACTOR_READ, REACTOR_EDGE, on_event, NULL), -EPERM);
    close(file);
    ck_assert_int_eq(
        reactor_watch(reactor, watch, file, REACTOR_READ, REACTOR_EDGE, on_event, NULL), -EBADF);
    ck_assert_int_eq(poll_now(), 0); /* and leaves the others alone */
    tear_down();
}
END_TEST

/* ---- deadlines ---- */

START_TEST(a_poll_ends_at_its_deadline_and_not_before)
{
    set_up();
    for (int i = 0; i < 5; i++) {
        /* later, then earlier than what is armed already */
        int64_t deadline_ns = clock_now_ns() + (i % 2 ? 2 : 10) * NS_PER_MS;
        ck_assert_int_eq(reactor_poll(reactor, deadline_ns), 0);
        int64_t now_ns = clock_now_ns();
        /* an older, earlier deadline may end it: only once */
        if (now_ns < deadline_ns)
            ck_assert_int_eq(reactor_poll(reactor, deadline_ns), 0);
        ck_assert_int_ge(clock_now_ns(), deadline_ns);
    }
    /* in the past */
    ck_assert_int_eq(reactor_poll(reactor, clock_now_ns() - NS_PER_S), 0);
    ck_assert_int_eq(reactor_poll(reactor, 1), 0);
    /* without a deadline, an event ends it */
    ck_assert_int_eq(
        reactor_watch(reactor, watch, ends[0], REACTOR_READ, REACTOR_EDGE, on_event, NULL), 0);
    feed();
    while (told == 0)
        ck_assert_int_eq(reactor_poll(reactor, CLOCK_NEVER), 0);
    /* a deadline far away, not reached; the next one is nearer */
    int64_t far_ns = clock_now_ns() + 3600 * NS_PER_S, near_ns = clock_now_ns() + 2 * NS_PER_MS;
    feed();
    ck_assert_int_eq(reactor_poll(reactor, far_ns), 0);
    ck_assert_int_eq(reactor_poll(reactor, near_ns), 0);
    ck_assert_int_ge(clock_now_ns(), near_ns);
    reactor_unwatch(watch);
    tear_down();
}
END_TEST

SUITE_MAIN("reactor_event", SUITE_TEST(without_descriptors_it_is_an_error),
           SUITE_LOOP(an_edge_is_told_once_and_a_level_while_it_lasts, triggers),
           SUITE_TEST(both_directions_and_a_hang_up), SUITE_TEST(a_callback_may_unwatch_another),
           SUITE_TEST(what_cannot_be_watched_is_refused),
           SUITE_TEST(a_poll_ends_at_its_deadline_and_not_before))
