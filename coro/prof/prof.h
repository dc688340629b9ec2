/* coro/prof/prof.h - what timed code writes.
 *
 *   int domain_parse(...)            ssize_t n;
 *   {                                {
 *       PROF_FN();                       PROF_SCOPE("{read}");
 *       ...                              n = read(fd, buf, cap);
 *   }                                }
 *
 * A scope lasts until its block ends, by whatever way.  While this thread has
 * no open slot (worker.h), or recording is stopped, it costs one load and one
 * branch; recording, about two reads of the time stamp counter.  Keep scopes
 * to what a reader of the table wants to see: a handful per request.
 *
 *   context   any thread, any task; not in signal handlers
 *   names     borrowed for ever (string literals).  PROF_SCOPE("{write}"), with
 *             the braces, is shown as cProfile shows built-ins: without file
 *             and line, merged wherever it is written */
#pragma once

#include "coro/prof/tree.h"

static inline void prof_scope_leave(struct prof_scope *s)
{
    prof_exit(s);
}

#define PROF_SITE_(var, site_name)                                                                 \
    static const struct prof_site var __attribute__((section("prof_sites"), used)) = {             \
        .name = (site_name), .file = __FILE__, .line = __LINE__}
#define PROF_OPEN_(scope, site, site_name)                                                         \
    PROF_SITE_(site, site_name);                                                                   \
    __attribute__((cleanup(prof_scope_leave))) struct prof_scope scope;                            \
    prof_enter(&scope, &site)
#define PROF_PASTE_(a, b)      a##b
#define PROF_NAME_(stem, line) PROF_PASTE_(stem, line)

/* First statement of a function: time it under its own name. */
#define PROF_FN() PROF_OPEN_(prof_fn_scope, prof_fn_site, __func__)
/* Time the rest of this block under a name. */
#define PROF_SCOPE(name)                                                                           \
    PROF_OPEN_(PROF_NAME_(prof_scope_, __LINE__), PROF_NAME_(prof_site_, __LINE__), name)

/* The clock as it was read last in this task, for who has just left a scope: costs
 * nothing while recording. */
static inline uint64_t prof_recent_ticks(void)
{
    const struct prof_cursor *c = prof_self.current;
    return c != NULL ? c->last : prof_ticks();
}

/* Around a system call that may block this thread: what lies between is
 * waiting, not self time, and the thread's tree may be read meanwhile.
 * PROF_WAIT_BEGIN shows the call under a name as PROF_SCOPE would, for half the
 * price.  wait_end without its begin does nothing, so a loop may call it both
 * in the first callback and after the poll. */
#define PROF_WAIT_BEGIN(name)                                                                      \
    do {                                                                                           \
        PROF_SITE_(prof_wait_site, name);                                                          \
        prof_wait_enter(&prof_wait_site);                                                          \
    } while (0)
void prof_wait_begin(void);
void prof_wait_enter(const struct prof_site *site);
void prof_wait_end(void);

/* What one recorded scope costs here, ns; measured at the first call (under a
 * millisecond). */
double prof_scope_cost_ns(void);
