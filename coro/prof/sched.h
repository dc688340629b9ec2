/* coro/prof/sched.h - what a scheduler calls when it switches tasks.
 *
 * A loop is a thread with an open slot; its own cursor (prof_loop_cursor)
 * stands for what it does outside tasks.  The caller reads the clock once per
 * switch and hands the same `now` (prof_ticks()) to the cursor that stops and
 * to the one that goes on, and uses it for its own accounting:
 *
 *   spawn    prof_cursor_init(&task->prof, now)
 *   switch   prof_park(&from->prof, now); prof_resume(&to->prof, now);
 *   wake     prof_ready(&task->prof, now)      now may be as old as the poll
 *   end      prof_park(...), then prof_cursor_fini(&task->prof)
 *
 *   context   the loop's thread; all of it is harmless without a slot
 *   ownership a cursor is the caller's memory; while it has open scopes they
 *             point at it, so it may not move */
#pragma once

#include "coro/prof/tree.h"

void prof_resume_slow(struct prof_cursor *c, uint64_t now);

static inline struct prof_cursor *prof_loop_cursor(void)
{
    return &prof_self.own;
}

/* A task that was spawned now and is ready to run. */
static inline void prof_cursor_init(struct prof_cursor *c, uint64_t now)
{
    *c = (struct prof_cursor){.parked = now, .readied = now};
}

/* c stops running. */
static inline void prof_park(struct prof_cursor *c, uint64_t now)
{
    if (prof_self.current != c || c == NULL)
        return;
    PROF_ADD(c->node->self, now - c->last);
    PROF_ADD(prof_self.slot->run, now - c->run_from);
    if (now - c->slice_start > PROF_SLICE_FLOOR_TICKS)
        prof_slice_ends(c, now);
    c->last = now;
    c->run_from = now;
    c->parked = now;
    c->readied = 0;
    prof_self.current = NULL;
}

/* What c waits for has happened; it runs when its turn comes. */
static inline void prof_ready(struct prof_cursor *c, uint64_t now)
{
    c->readied = now;
}

/* c runs from now on. */
static inline void prof_resume(struct prof_cursor *c, uint64_t now)
{
    prof_self.running = c;
    if (prof_self.slot != NULL)
        prof_resume_slow(c, now);
}

/* c's task has ended (or is given up with scopes still open, which is counted). */
void prof_cursor_fini(struct prof_cursor *c);
