/* server/http/overload.h - places: how many requests compute at once where the
 * kernel would let all of them (a thread or a process each).
 *
 * Threads by the hundred that share a CPU all get slower until none is answered
 * in time.  With places, a few compute, as fast as they can; the next wait for
 * a place, but no longer than queue-delay-max: then they are refused.  While some
 * wait in vain, so are those at once that have too many before them.  A handler
 * gives its place up before it waits for somebody else (http_begin_wait).
 *
 *   context    any thread, any process that shares the memory; on the hot path
 *              one atomic operation to take and one to give back
 *   ownership  the places are the caller's, in memory mapped before the first
 *              fork; those that a dead process held must be given back for it */
#pragma once

#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "coro/base/attr.h"

struct http_places {
    sem_t free;
    atomic_int waiting;     /* about so many wait for one */
    atomic_llong grant_ns;  /* while some wait, one of them gets a place about every so long */
    atomic_llong missed_ns; /* when one last waited in vain, by clock_now_ns(); 0: never */
};

/* 0 or -errno. */
MUST_USE int http_places_init(struct http_places *places, unsigned count);
void http_places_fini(struct http_places *places);
/* One died that held so many, or was waiting. */
void http_places_restore(struct http_places *places, unsigned count, bool was_waiting);
