/* coro/signal.h - signals as something to wait for.
 *
 *   context   CO_FN: only inside a task; may yield
 *   deadline  absolute ns of co_now(); CO_NO_DEADLINE waits for ever
 *   returns   0 or more, or -errno; -ETIMEDOUT, -ECANCELED
 *   ownership the caller's memory */
#pragma once

#include <signal.h>

#include "coro/coro.h"

EXTERN_C_BEGIN

struct co_signals {
    int fd;
    sigset_t before; /* the thread's mask, to be restored */
};

/* From now on the signals of the set are not delivered to this thread but wait
 * to be taken.  Call it before other threads start: they inherit the mask, and
 * a thread that leaves a signal unblocked would get it instead. */
MUST_USE int co_signals_open(struct co_signals *signals, const sigset_t *set);
/* The next signal's number. */
CO_FN MUST_USE int co_signals_wait(struct co_signals *signals, int64_t deadline_ns);
/* Signals that wait are delivered as usual when the mask is restored. */
void co_signals_close(struct co_signals *signals);

EXTERN_C_END
