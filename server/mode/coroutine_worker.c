/* server/mode/coroutine_worker.c - a worker of coroutine mode: a thread and its loop.
 *
 * A task accepts on each listener.  One that all workers share (a UNIX socket, an
 * inherited one) belongs to worker 0, which hands connections round.
 *
 * The worker's first task (tend) stays until it is told to stop, shuts new
 * handshakes out, ends the accepting tasks, which empty their queue first, and goes
 * when the last connection has; when it returns early (cut), co_run cancels what is
 * left. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "coro/base/cpu_share.h"
#include "coro/base/err.h"
#include "coro/base/log.h"
#include "coro/coro.h"
#include "coro/io.h"
#include "coro/prof/worker.h"
#include "server/metrics/metrics.h"
#include "server/mode/coroutine.h"

#define DRAIN_LOOK_NS (20 * NS_PER_MS)

/* ---- accepting ---- */

struct handover {
    struct worker *worker;
    int fd;
};

static void on_handover(void *arg)
{
    struct handover *h = arg;
    coroutine_serve(h->worker, h->fd);
    atomic_fetch_sub(&h->worker->mode->arriving, 1);
    free(h);
}

/* Run fn on the worker's loop; -ESHUTDOWN when it has ended. */
int coroutine_post(struct worker *w, void (*fn)(void *arg), void *arg)
{
    pthread_mutex_lock(&w->port_lock);
    int rv = w->port == NULL ? -ESHUTDOWN : co_port_post(w->port, fn, arg);
    pthread_mutex_unlock(&w->port_lock);
    return rv;
}

/* Round to the next worker's loop; kept when that fails. */
static void hand_over(struct worker *w, int fd)
{
    struct worker *to = &w->mode->workers[w->next++ % w->mode->count];
    struct handover *h = to == w ? NULL : malloc(sizeof *h);
    if (h != NULL) {
        *h = (struct handover){.worker = to, .fd = fd};
        atomic_fetch_add(&w->mode->arriving, 1);
        if (coroutine_post(to, on_handover, h) == 0)
            return;
        atomic_fetch_sub(&w->mode->arriving, 1);
        free(h);
    }
    coroutine_serve(w, fd);
}

static void take(const struct accepting *a, int fd)
{
    metrics_add(METRICS_ACCEPTED, 1);
    if (a->is_shared)
        hand_over(a->worker, fd);
    else
        coroutine_serve(a->worker, fd);
}

/* Take what is queued already: closing would reset it. */
static void empty_queue(const struct accepting *a)
{
    for (;;) {
        int fd = accept4(a->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0)
            take(a, fd);
        else if (errno != EINTR && errno != ECONNABORTED)
            return;
    }
}

/* Until cancelled.  Out of descriptors, co_accept waits until it gets one. */
static int accept_loop(void *arg)
{
    const struct accepting *a = arg;
    struct coroutine_mode *m = a->worker->mode;
    int rv;
    while ((rv = co_accept(a->fd, NULL, NULL, CO_NO_DEADLINE)) >= 0)
        take(a, rv);
    if (rv != -ECANCELED) {
        log_error("cannot accept connections any more: %s", err_text(rv));
        mode_fail(m->server);
    }
    /* an inherited socket lives on: its next owner takes what is queued */
    if (!a->worker->is_cut && !a->is_inherited)
        empty_queue(a);
    co_close(a->fd);
    atomic_fetch_sub(&m->arriving, 1);
    return 0;
}

static int start_accepting(struct worker *w)
{
    for (size_t i = 0; i < w->accepting_count; i++) {
        struct accepting *a = &w->accepting[i];
        a->task = co_spawn(accept_loop, a);
        if (a->task == NULL)
            return -ENOMEM;
        atomic_fetch_add(&w->mode->arriving, 1);
    }
    return 0;
}

static void stop_accepting(struct worker *w)
{
    for (size_t i = 0; i < w->accepting_count; i++) {
        int result;
        if (w->accepting[i].task == NULL)
            continue;
        co_cancel(w->accepting[i].task);
        if (co_join(w->accepting[i].task, CO_NO_DEADLINE, &result) < 0)
            co_detach(w->accepting[i].task);
        w->accepting[i].task = NULL;
    }
}

/* ---- a worker ---- */

static int sleep_for_ever(void *arg)
{
    (void)arg;
    return co_sleep_until(CO_NO_DEADLINE);
}

static int queued(const struct worker *w)
{
    int sum = 0;
    for (size_t i = 0; i < w->accepting_count; i++)
        if (!w->accepting[i].is_inherited)
            sum += listen_queue_len(w->accepting[i].fd);
    return sum;
}

/* Shut new handshakes out, let those complete that have begun, and be accepted: without
 * descriptors that takes until one is free. */
static int settle(const struct worker *w)
{
    for (size_t i = 0; i < w->accepting_count; i++)
        if (!w->accepting[i].is_inherited)
            listen_quiesce(w->accepting[i].fd);
    int rv = co_sleep(MODE_SETTLE_NS);
    while (rv == 0 && !w->is_cut && queued(w) > 0)
        rv = co_sleep(DRAIN_LOOK_NS);
    return rv;
}

/* The worker's first task: see the head of this file. */
static int tend(void *arg)
{
    struct worker *w = arg;
    int result, rv = 0;
    w->gate = co_spawn(sleep_for_ever, NULL);
    if (w->gate == NULL || start_accepting(w) < 0)
        rv = -ENOMEM;
    if (rv == 0) {
        pthread_mutex_lock(&w->port_lock);
        w->port = co_port_get();
        pthread_mutex_unlock(&w->port_lock);
        metrics_add(METRICS_WORKERS, 1);
        metrics_add(METRICS_WORKERS_STARTED, 1);
        sem_post(&w->mode->started);
        rv = co_join(w->gate, CO_NO_DEADLINE, &result);
    }
    if (rv == 0 && !w->is_cut)
        rv = settle(w);
    stop_accepting(w);
    while (!w->is_cut && rv == 0 && (w->conn_count > 0 || atomic_load(&w->mode->arriving) > 0)) {
        coroutine_close_idle(w);
        rv = co_sleep(DRAIN_LOOK_NS);
    }
    pthread_mutex_lock(&w->port_lock);
    co_port_unref(w->port);
    w->port = NULL;
    pthread_mutex_unlock(&w->port_lock);
    return rv;
}

void *coroutine_worker_main(void *arg)
{
    struct worker *w = arg;
    struct coroutine_mode *m = w->mode;
    char name[16];
    snprintf(name, sizeof name, "worker-%u", w->index);
    pthread_setname_np(pthread_self(), name);
    cpu_share_prompt();
    metrics_enter(w->slot);
    prof_worker_open(name);
    int rv = co_run(tend, w, &(struct co_options){.name = name});
    prof_worker_close();
    metrics_release(w->slot);
    if (rv < 0) {
        int none = 0;
        atomic_compare_exchange_strong(&m->start_rv, &none, rv);
        sem_post(&m->started); /* when it never got so far */
    }
    atomic_fetch_sub(&m->running, 1);
    if (atomic_load(&m->is_ending))
        mode_wake(m->server);
    else
        mode_fail(m->server);
    return NULL;
}
