/* client/multi.c - libcurl's multi interface under calls that park the task.
 *
 * libcurl wants three things of an event loop: to be told when one of its
 * sockets is ready, to be called when its one timer expires, and to be left
 * alone by its own callbacks.  Its sockets come and go as it likes (some are
 * never announced as closed, numbers are reused), so they do not enter the
 * loop one by one: they live in an epoll set of the client's own, together
 * with a timerfd, and the loop watches that one descriptor.
 *
 *   cl_multi_get                     driver (one task per cl_multi)
 *     take a slot (or wait for one)
 *     curl_multi_add_handle
 *     settle: run what is due         co_wait_fd(epoll set)
 *     park  <---------- wake -------- curl_multi_socket_action per ready socket
 *     reply                           settle: due timers, then finished transfers
 *
 * Callbacks only write down what libcurl wants (on_timer) or change the epoll
 * set (on_socket); they never call libcurl, and nothing parks inside libcurl,
 * so whichever task calls it, it is never entered twice.
 *
 * When it goes wrong: a cancelled task or a passed deadline takes its transfer
 * out of libcurl and gives the slot back.  An error of libcurl's machinery (not
 * of one transfer) ends every transfer under way with that error. */
#include "client/multi.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "client/errors.h"
#include "client/transfer.h"
#include "coro/base/clock.h"
#include "coro/base/err.h"
#include "coro/base/list.h"
#include "coro/io.h"
#include "coro/sync.h"

#define EVENTS_PER_WAIT 64
/* Timers that are due again at once, before other tasks get a turn. */
#define DUE_ROUNDS 8

struct slot {
    struct cl_transfer transfer;
    struct co_list link; /* in idle or active */
    struct co_event done;
    CURLcode result; /* when done */
    int err;         /* when done: of the machinery, over result; 0: none */
};

struct cl_multi {
    CURLM *curl;
    int epoll_fd;
    int timer_fd;
    int64_t due_ns;         /* when libcurl wants to be called; CLOCK_NEVER: not */
    int64_t armed_ns;       /* when timer_fd fires; CLOCK_NEVER: not */
    int err;                /* the driver has ended for this reason */
    int references;         /* owner, driver, everybody inside cl_multi_get: the last one frees */
    struct cl_multi **here; /* of a loop's own: cleared when the driver ends */
    unsigned slots_max;
    struct co_sem places; /* how many more transfers may start now */
    struct co_list idle;
    struct co_list active;
    struct co_task *driver;
};

/* ---- libcurl's callbacks: notes only ---- */

static int on_timer(CURLM *curl MAYBE_UNUSED, long timeout_ms, void *arg)
{
    struct cl_multi *multi = arg;
    multi->due_ns = timeout_ms < 0 ? CLOCK_NEVER : clock_now_ns() + timeout_ms * NS_PER_MS;
    return 0;
}

static int on_socket(CURL *easy MAYBE_UNUSED, curl_socket_t fd, int what, void *arg,
                     void *unused MAYBE_UNUSED)
{
    struct cl_multi *multi = arg;
    struct epoll_event event = {.data.fd = fd};
    if (what == CURL_POLL_REMOVE) {
        /* already gone when libcurl closed it first */
        epoll_ctl(multi->epoll_fd, EPOLL_CTL_DEL, fd, &event);
        return 0;
    }
    if ((what & CURL_POLL_IN) != 0)
        event.events |= EPOLLIN;
    if ((what & CURL_POLL_OUT) != 0)
        event.events |= EPOLLOUT;
    if (epoll_ctl(multi->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0)
        return 0;
    if (errno == EEXIST && epoll_ctl(multi->epoll_fd, EPOLL_CTL_MOD, fd, &event) == 0)
        return 0;
    return -1;
}

/* ---- what happens after libcurl was called ---- */

static void finish(struct cl_multi *multi, struct slot *slot, CURLcode result, int err)
{
    slot->result = result;
    slot->err = err;
    curl_multi_remove_handle(multi->curl, slot->transfer.easy);
    co_event_set(&slot->done);
}

static void finish_all(struct cl_multi *multi, int err)
{
    LIST_FOR_EACH(it, &multi->active)
    {
        struct slot *slot = LIST_ENTRY(it, struct slot, link);
        if (!slot->done.is_set)
            finish(multi, slot, CURLE_OK, err);
    }
}

static void drain_finished(struct cl_multi *multi)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(multi->curl, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode result = message->data.result; /* remove_handle frees the message */
        char *private = NULL;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
        struct cl_transfer *transfer = (struct cl_transfer *)(void *)private;
        finish(multi, CONTAINER_OF(transfer, struct slot, transfer), result, 0);
    }
}

/* Fire timer_fd no later than libcurl's deadline.  A deadline that moved back
 * leaves the earlier firing in place, which then finds nothing due: most
 * requests never touch the descriptor. */
static void arm_timer(struct cl_multi *multi)
{
    if (multi->due_ns >= multi->armed_ns)
        return;
    int64_t at_ns = multi->due_ns > 0 ? multi->due_ns : 1;
    struct itimerspec when = {
        .it_value = {.tv_sec = at_ns / NS_PER_S, .tv_nsec = at_ns % NS_PER_S}};
    timerfd_settime(multi->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
    multi->armed_ns = at_ns;
}

static void action(struct cl_multi *multi, curl_socket_t fd, int events)
{
    int running;
    CURLMcode rc = curl_multi_socket_action(multi->curl, fd, events, &running);
    if (rc != CURLM_OK && rc != CURLM_BAD_SOCKET)
        finish_all(multi, cl_error_from_multi(rc));
}

/* Call libcurl for what is due, wake who is finished, arm for the rest. */
static void settle(struct cl_multi *multi)
{
    for (int i = 0; i < DUE_ROUNDS && multi->due_ns <= clock_now_ns(); i++) {
        long timeout_ms = -1;
        action(multi, CURL_SOCKET_TIMEOUT, 0);
        /* on_timer is called only for changes: ask, so that no deadline is lost */
        curl_multi_timeout(multi->curl, &timeout_ms);
        on_timer(multi->curl, timeout_ms, multi);
    }
    drain_finished(multi);
    arm_timer(multi);
}

/* ---- the driver ---- */

static void multi_unref(struct cl_multi *multi);

static void on_ready(struct cl_multi *multi, const struct epoll_event *event)
{
    int flags = 0;
    if (event->data.fd == multi->timer_fd) {
        uint64_t fired;
        ssize_t n = read(multi->timer_fd, &fired, sizeof fired);
        (void)n; /* only clears the readiness */
        multi->armed_ns = CLOCK_NEVER;
        return;
    }
    if ((event->events & (EPOLLIN | EPOLLHUP)) != 0)
        flags |= CURL_CSELECT_IN;
    if ((event->events & EPOLLOUT) != 0)
        flags |= CURL_CSELECT_OUT;
    if ((event->events & EPOLLERR) != 0)
        flags |= CURL_CSELECT_ERR;
    action(multi, event->data.fd, flags);
}

static int drive(void *arg)
{
    struct cl_multi *multi = arg;
    struct epoll_event events[EVENTS_PER_WAIT];
    int rv;
    while ((rv = co_wait_fd(multi->epoll_fd, CO_READABLE, CO_NO_DEADLINE)) >= 0) {
        int n = epoll_wait(multi->epoll_fd, events, EVENTS_PER_WAIT, 0);
        for (int i = 0; i < n; i++)
            on_ready(multi, &events[i]);
        settle(multi);
    }
    multi->err = rv;
    if (multi->here != NULL)
        *multi->here = NULL;
    finish_all(multi, rv);
    multi_unref(multi);
    return rv;
}

/* ---- slots: the admission of transfers ---- */

static int slot_new(struct slot **ret_slot)
{
    struct slot *slot = calloc(1, sizeof *slot);
    if (slot == NULL)
        return -ENOMEM;
    int rv = cl_transfer_init(&slot->transfer);
    if (rv < 0) {
        free(slot);
        return rv;
    }
    list_init(&slot->link);
    co_event_init(&slot->done);
    *ret_slot = slot;
    return 0;
}

/* libcurl's own limits would count the waiting as part of the transfer's time. */
static int slot_take(struct cl_multi *multi, int64_t deadline_ns, struct slot **ret_slot)
{
    int rv = co_sem_acquire(&multi->places, deadline_ns);
    if (rv < 0)
        return rv;
    struct co_list *link = list_pop_head(&multi->idle);
    if (link != NULL)
        *ret_slot = LIST_ENTRY(link, struct slot, link);
    else
        rv = slot_new(ret_slot);
    if (rv < 0)
        co_sem_release(&multi->places);
    return rv;
}

static void slot_give(struct cl_multi *multi, struct slot *slot)
{
    list_del(&slot->link);
    list_add_head(&multi->idle, &slot->link);
    co_sem_release(&multi->places);
}

/* ---- the calls ---- */

static int give_up(struct cl_multi *multi, struct slot *slot, int rv)
{
    struct cl_reply *reply = slot->transfer.reply;
    curl_multi_remove_handle(multi->curl, slot->transfer.easy);
    settle(multi);
    snprintf(reply->why, sizeof reply->why, "%s", rv == -ETIMEDOUT ? "timed out" : err_text(rv));
    return rv;
}

static int run(struct cl_multi *multi, struct slot *slot, int64_t deadline_ns)
{
    int rv = multi->err; /* the driver may have ended while we waited */
    if (rv < 0)
        return rv;
    co_event_clear(&slot->done);
    list_add_tail(&multi->active, &slot->link);
    rv = cl_error_from_multi(curl_multi_add_handle(multi->curl, slot->transfer.easy));
    if (rv < 0)
        return rv;
    settle(multi);
    rv = co_event_wait(&slot->done, deadline_ns);
    if (!slot->done.is_set)
        return give_up(multi, slot, rv);
    if (slot->err < 0)
        return slot->err;
    return cl_transfer_end(&slot->transfer, slot->result);
}

int cl_multi_get(struct cl_multi *multi, const struct cl_request *req, struct cl_reply *reply,
                 int64_t deadline_ns)
{
    struct slot *slot = NULL;
    multi->references++;
    int rv = multi->err < 0 ? multi->err : slot_take(multi, deadline_ns, &slot);
    if (rv == 0) {
        rv = cl_transfer_begin(&slot->transfer, req, reply);
        if (rv == 0)
            rv = run(multi, slot, deadline_ns);
        if (rv < 0 && reply->why[0] == '\0')
            snprintf(reply->why, sizeof reply->why, "%s", err_text(rv));
        slot_give(multi, slot);
    } else {
        snprintf(reply->why, sizeof reply->why, "%s", err_text(rv));
    }
    multi_unref(multi);
    return rv;
}

static void multi_unref(struct cl_multi *multi)
{
    if (--multi->references > 0)
        return;
    LIST_FOR_EACH_SAFE(it, &multi->idle)
    {
        struct slot *slot = LIST_ENTRY(it, struct slot, link);
        cl_transfer_fini(&slot->transfer);
        co_event_fini(&slot->done);
        free(slot);
    }
    co_sem_fini(&multi->places);
    if (multi->curl != NULL)
        curl_multi_cleanup(multi->curl); /* still calls on_socket */
    if (multi->timer_fd >= 0)
        close(multi->timer_fd);
    if (multi->epoll_fd >= 0)
        co_close(multi->epoll_fd);
    free(multi);
}

static int set_up(struct cl_multi *multi)
{
    struct epoll_event event = {.events = EPOLLIN};
    multi->curl = curl_multi_init();
    if (multi->curl == NULL)
        return -ENOMEM;
    curl_multi_setopt(multi->curl, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(multi->curl, CURLMOPT_SOCKETDATA, multi);
    curl_multi_setopt(multi->curl, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(multi->curl, CURLMOPT_TIMERDATA, multi);
    /* else it keeps four times as many as there are transfers */
    curl_multi_setopt(multi->curl, CURLMOPT_MAXCONNECTS, (long)multi->slots_max);
    multi->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (multi->epoll_fd < 0)
        return -errno;
    multi->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (multi->timer_fd < 0)
        return -errno;
    event.data.fd = multi->timer_fd;
    if (epoll_ctl(multi->epoll_fd, EPOLL_CTL_ADD, multi->timer_fd, &event) < 0)
        return -errno;
    multi->driver = co_spawn_named("curl", drive, multi);
    if (multi->driver == NULL)
        return -errno;
    multi->references++;
    return 0;
}

int cl_multi_new(unsigned max_transfers, struct cl_multi **ret_multi)
{
    struct cl_multi *multi = calloc(1, sizeof *multi);
    if (multi == NULL)
        return -ENOMEM;
    *multi = (struct cl_multi){.epoll_fd = -1,
                               .timer_fd = -1,
                               .due_ns = CLOCK_NEVER,
                               .armed_ns = CLOCK_NEVER,
                               .references = 1,
                               .slots_max = max_transfers > 0 ? max_transfers : 1};
    list_init(&multi->idle);
    list_init(&multi->active);
    co_sem_init(&multi->places, multi->slots_max);
    int rv = set_up(multi);
    if (rv < 0) {
        multi_unref(multi);
        return rv;
    }
    *ret_multi = multi;
    return 0;
}

int cl_multi_new_for_loop(unsigned max_transfers, struct cl_multi **here)
{
    int rv = cl_multi_new(max_transfers, here);
    if (rv < 0)
        return rv;
    struct cl_multi *multi = *here;
    multi->here = here;
    co_detach(multi->driver);
    multi->driver = NULL;
    multi_unref(multi); /* the driver's reference keeps it */
    return 0;
}

void cl_multi_free(struct cl_multi *multi)
{
    if (multi == NULL)
        return;
    co_cancel(multi->driver);
    co_detach(multi->driver);
    multi_unref(multi);
}
