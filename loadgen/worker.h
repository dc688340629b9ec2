/* loadgen/worker.h - one thread of load: a loop with a task for each connection.
 *
 * Happy path: each connection's task takes the next request that is due,
 * sleeps until then, writes it, reads its answer and records both times.  In
 * the closed loop a request is due when the connection is free; in the open
 * loop the plan says when, whatever the server does: while all connections are
 * busy the plan runs on, and the next free one sends at once what is overdue,
 * measured from the instant it was due.
 *
 * Punctuality: a sleep ends tens of microseconds late (the timer's interrupt, an
 * idle CPU that has to wake up).  So in the open loop one more task looks at I/O
 * without sleeping while the next request is due in a moment.  What it uses is
 * known and not counted as load on this CPU; it needs more CPUs than there are load threads.
 *
 * The end: at the end of the duration no new request is begun; those under way
 * are waited for until their own timeout.  When told to stop (an interrupt) all
 * tasks are cancelled and what they wait for counts as unfinished.
 *
 *   context    lg_worker_main is the thread; the others run before and after
 *   returns    0, or -errno
 *   ownership  the caller's memory; the load is borrowed */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "coro/base/hist.h"
#include "loadgen/load.h"
#include "loadgen/plan.h"
#include "loadgen/record.h"

/* What the worker tells while it runs, ten times a second; atomics. */
struct lg_live {
    uint64_t ok;
    uint64_t failed;
};

struct lg_worker {
    const struct lg_load *load;
    unsigned index;
    unsigned connections; /* its share of them */
    unsigned idle;
    int64_t start_ns;
    int64_t measure_ns;     /* requests due earlier are warm-up */
    int64_t end_ns;         /* no request is due at or after */
    uint64_t requests_left; /* still to be begun */
    const bool *stop;       /* atomic: give up now */
    struct lg_plan plan;    /* open loop: requests still to be taken */
    struct lg_plan pace;    /* ... still to come: what the pacer looks at */
    uint64_t activity;      /* counts whatever a connection does */
    int64_t spin_ns;        /* the pacer's time in which nobody did anything, measured */
    struct lg_record record;
    struct lg_record warmup;
    struct hist loop_lag; /* how late the loop came to a task that was due */
    struct lg_live live;
    char *buffer; /* what is read; used up before the task yields */
    size_t next_request;
    unsigned idle_open; /* idle connections that stand */

    pthread_t thread;
    int done_fd; /* an eventfd that counts the threads which have ended; borrowed */
    int result;
    int64_t cpu_ns;  /* of this thread, within the measured time, without spin_ns */
    int64_t wait_ns; /* it was ready and had no CPU; 0 where the kernel does not tell */
    int64_t wall_ns;
    int64_t involuntary; /* context switches forced on it */
};

MUST_USE int lg_worker_init(struct lg_worker *w, const struct lg_load *load, unsigned index,
                            int64_t start_ns, const bool *stop);
void lg_worker_fini(struct lg_worker *w);
/* The thread; arg is the worker, result is set when it returns. */
void *lg_worker_main(void *arg);
