/* coro/reactor_event.c - the reactor on libevent; the only file that knows it.
 *
 * libevent keeps no time for us: its timers are as coarse as its clock and its
 * epoll timeout.  The earliest deadline is in a timerfd of our own, precise to
 * the microsecond, and set only before a wait whose deadline is earlier than
 * what it holds: a deadline that moves away costs one wake-up too many, and a
 * server whose deadlines all lie far off never sets it again.
 *
 * No locks (one thread), no cached time (we have our own). */
#include "coro/reactor.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "coro/base/clock.h"
#include "coro/prof/prof.h"

#define FDS_OF_A_REACTOR 4 /* libevent's epoll and signal pair, our timer */

struct reactor_watch {
    struct event event; /* its callback and argument are the user's fn and arg */
    reactor_fn *fn;
    void *arg;
};

struct reactor {
    struct event_base *base;
    int timer_fd;
    int64_t armed_ns; /* what timer_fd holds; CLOCK_NEVER: nothing */
    struct reactor_watch timer;
};

static void on_event(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    struct reactor_watch *watch = arg;
    prof_wait_end(); /* the first callback of a poll ends its wait */
    unsigned events = 0;
    if (what & EV_READ)
        events |= REACTOR_READ;
    if (what & EV_WRITE)
        events |= REACTOR_WRITE;
    /* libevent tells errors as both directions at once. */
    if (what & EV_CLOSED)
        events |= REACTOR_READ | REACTOR_HUP;
    watch->fn(watch->arg, events);
}

static void on_timer(void *arg, unsigned events)
{
    /* Edge-triggered: the next expiry tells again, nobody needs to read it. */
    (void)events;
    struct reactor *reactor = arg;
    reactor->armed_ns = CLOCK_NEVER;
}

static struct event_base *new_base(void)
{
    struct event_config *config = event_config_new();
    if (config == NULL)
        return NULL;
    struct event_base *base = NULL;
    if (event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_NO_CACHE_TIME |
                                          EVENT_BASE_FLAG_IGNORE_ENV) == 0 &&
        event_config_require_features(config, EV_FEATURE_ET | EV_FEATURE_EARLY_CLOSE) == 0)
        base = event_base_new_with_config(config);
    event_config_free(config);
    return base;
}

/* libevent ends the process when there is no descriptor left for its signals, so it is
 * not asked then.  (Another thread may still take the last ones in between.) */
static int check_room(void)
{
    int fds[FDS_OF_A_REACTOR], n = 0, rv = 0;
    while (n < FDS_OF_A_REACTOR && (fds[n] = eventfd(0, EFD_CLOEXEC)) >= 0)
        n++;
    if (n < FDS_OF_A_REACTOR)
        rv = -errno;
    while (n > 0)
        close(fds[--n]);
    return rv;
}

int reactor_new(struct reactor **ret_reactor)
{
    int rv = check_room();
    if (rv < 0)
        return rv;
    rv = -ENOMEM;
    struct reactor *reactor = calloc(1, sizeof(*reactor));
    if (reactor == NULL)
        return -ENOMEM;
    reactor->timer_fd = -1;
    reactor->armed_ns = CLOCK_NEVER;
    reactor->base = new_base();
    if (reactor->base == NULL)
        goto out;
    reactor->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (reactor->timer_fd < 0) {
        rv = -errno;
        goto out;
    }
    rv = reactor_watch(reactor, &reactor->timer, reactor->timer_fd, REACTOR_READ, REACTOR_EDGE,
                       on_timer, reactor);
    if (rv < 0)
        goto out;
    *ret_reactor = reactor;
    return 0;
out:
    if (reactor->timer_fd >= 0)
        close(reactor->timer_fd);
    if (reactor->base != NULL)
        event_base_free(reactor->base);
    free(reactor);
    return rv;
}

void reactor_free(struct reactor *reactor)
{
    if (reactor == NULL)
        return;
    reactor_unwatch(&reactor->timer);
    close(reactor->timer_fd);
    event_base_free(reactor->base);
    free(reactor);
}

size_t reactor_watch_bytes(void)
{
    return sizeof(struct reactor_watch);
}

int reactor_watch(struct reactor *reactor, struct reactor_watch *watch, int fd, unsigned events,
                  enum reactor_trigger trigger, reactor_fn *fn, void *arg)
{
    short what = EV_PERSIST;
    if (events & REACTOR_READ)
        what |= EV_READ;
    if (events & REACTOR_WRITE)
        what |= EV_WRITE;
    if (trigger == REACTOR_EDGE)
        what |= EV_ET | EV_CLOSED;
    watch->fn = fn;
    watch->arg = arg;
    errno = 0;
    if (event_assign(&watch->event, reactor->base, fd, what, on_event, watch) != 0 ||
        event_add(&watch->event, NULL) != 0)
        return errno > 0 ? -errno : -EINVAL;
    return 0;
}

void reactor_unwatch(struct reactor_watch *watch)
{
    event_del(&watch->event);
}

static int arm(struct reactor *reactor, int64_t deadline_ns)
{
    struct itimerspec at = {
        .it_value = {.tv_sec = deadline_ns / NS_PER_S, .tv_nsec = deadline_ns % NS_PER_S}};
    if (timerfd_settime(reactor->timer_fd, TFD_TIMER_ABSTIME, &at, NULL) < 0)
        return -errno;
    reactor->armed_ns = deadline_ns;
    return 0;
}

int reactor_poll(struct reactor *reactor, int64_t deadline_ns)
{
    /* ONCE in both cases: without it libevent polls again until nothing is active,
     * and a level-triggered watch is active until its task has run. */
    int flags = EVLOOP_ONCE | (deadline_ns <= 0 ? EVLOOP_NONBLOCK : 0);
    if (deadline_ns > 0 && deadline_ns < reactor->armed_ns) {
        int rv = arm(reactor, deadline_ns);
        if (rv < 0)
            return rv;
    }
    errno = 0;
    if (event_base_loop(reactor->base, flags) < 0)
        return errno > 0 ? -errno : -EIO;
    return 0;
}
