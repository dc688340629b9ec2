/* server/http/overload.h - places: how many requests compute at once where the
 * kernel would let all of them (a thread or a process each).
 *
 * Threads by the hundred that share a CPU all get slower until none is answered
 * in time.  With places, a few compute, as fast as they can; the next wait for
 * a place, but no longer than queue-delay-max: then they are refused.  A handler
 * gives its place up before it waits for somebody else (http_begin_wait).
 *
 *   context    any thread, any process that shares the memory; on the hot path
 *              one atomic operation to take and one to give back
 *   ownership  the places are the caller's, in memory mapped before the first
 *              fork; those that a dead process held must be given back for it */
#pragma once

#include <semaphore.h>

#include "coro/base/attr.h"

struct http_places {
    sem_t free;
};

/* 0 or -errno. */
MUST_USE int http_places_init(struct http_places *places, unsigned count);
void http_places_fini(struct http_places *places);
/* So many were held by one that died. */
void http_places_restore(struct http_places *places, unsigned count);
