/* loadgen/conn.h - one connection of a worker, a task of its own.
 *
 *   context    CO_FN
 *   ownership  the caller's memory; the worker is borrowed */
#pragma once

#include "coro/coro.h"
#include "loadgen/reply.h"
#include "loadgen/worker.h"

struct lg_conn {
    struct lg_worker *worker;
    struct co_task *task;
    unsigned index;      /* within the worker */
    int fd;              /* -1: not connected */
    int64_t backoff_ns;  /* how long to wait after the last failed connect */
    int64_t due_ns;      /* of the request under way */
    int64_t sent_ns;     /* 0: not yet */
    int64_t now_ns;      /* the last reading of the clock */
    unsigned unanswered; /* requests written whose answer is not complete */
    struct lg_reply reply;
};

void lg_conn_init(struct lg_conn *c, struct lg_worker *worker, unsigned index);
/* Send and receive until the worker's end.  A co_fn; arg is the lg_conn. */
CO_FN int lg_conn_main(void *arg);
/* Ask once, then hold the connection open until cancelled.  A co_fn. */
CO_FN int lg_conn_idle(void *arg);
