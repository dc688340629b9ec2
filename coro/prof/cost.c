/* What a scope costs on this machine: measured, so that a report can say it. */
#include <stdlib.h>

#include "coro/prof/prof.h"
#include "coro/prof/worker.h"

/* The best of several short batches: the rest is what other programs took. */
#define BATCHES 20
#define SCOPES  1000

static NOINLINE void timed(void)
{
    PROF_SCOPE("{cost}");
    __asm__ volatile("");
}

/* Records into a tree of its own, on this thread. */
static double measure(void)
{
    struct prof_slot *slot = calloc(1, sizeof *slot);
    if (slot == NULL)
        return 0;
    prof_tree_init(slot);
    struct prof_thread self = prof_self;
    struct prof_cursor cursor = {.node = &slot->nodes[PROF_NODE_ROOT], .last = prof_ticks()};
    prof_self.slot = slot;
    prof_self.current = &cursor;
    timed(); /* makes the node */
    uint64_t least = UINT64_MAX;
    for (int batch = 0; batch < BATCHES; batch++) {
        uint64_t start = prof_ticks();
        for (int i = 0; i < SCOPES; i++)
            timed();
        uint64_t ticks = prof_ticks() - start;
        least = ticks < least ? ticks : least;
    }
    prof_self.slot = self.slot;
    prof_self.current = self.current;
    free(slot);
    return (double)least * prof_tick_ns() / SCOPES;
}

double prof_scope_cost_ns(void)
{
    static double cost_ns; /* several threads may measure at once: about the same */
    double known;
    __atomic_load(&cost_ns, &known, __ATOMIC_RELAXED);
    if (known == 0) {
        known = measure();
        __atomic_store(&cost_ns, &known, __ATOMIC_RELAXED);
    }
    return known;
}
