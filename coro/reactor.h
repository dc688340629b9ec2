/* coro/reactor.h - what a loop needs from an event library, and no more.
 *
 *   context    the loop's thread; callbacks run inside reactor_poll, on the
 *              loop's own stack, and may watch and unwatch
 *   returns    0 or -errno
 *   ownership  a watch is owned by its user: reactor_watch_bytes() bytes of
 *              memory that stay where they are while it is watched */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coro/base/attr.h"

/* REACTOR_HUP: the peer has closed its side, or the descriptor has an error. */
enum reactor_event { REACTOR_READ = 1, REACTOR_WRITE = 2, REACTOR_HUP = 4 };

/* Edge: told once per arrival, until unwatched.  Level: told while it is so. */
enum reactor_trigger { REACTOR_EDGE, REACTOR_LEVEL };

struct reactor;
struct reactor_watch;
typedef void reactor_fn(void *arg, unsigned events);

MUST_USE int reactor_new(struct reactor **ret_reactor);
void reactor_free(struct reactor *reactor);

size_t reactor_watch_bytes(void);
/* Call fn(arg, events) when fd has any of `events` (HUP and errors always). */
MUST_USE int reactor_watch(struct reactor *reactor, struct reactor_watch *watch, int fd,
                           unsigned events, enum reactor_trigger trigger, reactor_fn *fn,
                           void *arg);
/* No callback comes any more; call it before fd is closed. */
void reactor_unwatch(struct reactor_watch *watch);

/* Run the callbacks of what is ready.  With deadline_ns 0 do not wait; else
 * wait for something, at most until deadline_ns (which may be CLOCK_NEVER). */
MUST_USE int reactor_poll(struct reactor *reactor, int64_t deadline_ns);
