/* coro/signal.h - signals as something to wait for.
 *
 *   context   CO_FN: only inside a task; may let others run.  The others: any code
 *             on the loop's thread; they never wait
 *   deadline  absolute ns of co_now(); CO_NO_DEADLINE waits for ever
 *   returns   0 or more, or -errno: what coro.h says of every wait
 *   ownership the caller's memory, open until co_signals_close */
#pragma once

#include <signal.h>

#include "coro/coro.h"

CO_C_BEGIN

struct co_signals {
    int fd;
    sigset_t before; /* the thread's mask, to be restored */
};

/* From now on the signals of the set are not delivered to this thread but wait
 * to be taken.  Call it before other threads start: they inherit the mask, and
 * a thread that leaves a signal unblocked would get it instead.  Before co_run is a
 * good place.  0; -EMFILE, -ENFILE, -ENOMEM: nothing has changed. */
CO_MUST_USE int co_signals_open(struct co_signals *signals, const sigset_t *set);
/* The next signal's number.  One that is sent again before it was taken counts once
 * (signal(7)).  -EBUSY: another task waits on these; -EBADF: closed meanwhile. */
CO_FN CO_MUST_USE int co_signals_wait(struct co_signals *signals, int64_t deadline_ns);
/* Whoever waits is woken with -EBADF.  Signals that wait are delivered as usual when
 * the mask is restored: call it on the thread that opened. */
void co_signals_close(struct co_signals *signals);

CO_C_END
