/* coro/prof/tree.h - the calling-context tree and the cursors that walk it.
 *
 * Every worker (thread or process) has one slot: a tree whose nodes stand for
 * call paths, not functions.  Every task has a cursor that points at the node
 * it is in.  Time is charged to the cursor's node whenever it moves:
 *
 *   enter   the caller's node gets the time so far, the cursor goes to a child
 *   exit    the node gets the time so far, the cursor goes back to the caller
 *   park    the node gets the time so far; the run slice ends
 *   resume  the node gets the span since park as waiting (park until ready)
 *           and ready (until resume); a new run slice starts
 *
 * so a task that yields is never charged for others, a switch costs the same
 * however deep the stack, and sum of self == sum of run slices, to the tick.
 * The scope a call opens lies on the task's own C stack, which therefore is
 * the shadow stack: a longjmp over scopes is noticed and healed by the exit of
 * the scope around them, which must come before the task parks.  Cumulative times, callers and
 * recursion are derived by readers.
 *
 * Cells have one writer, the slot's thread; readers in other threads and
 * processes read them whole (8 bytes, relaxed) at any time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coro/base/attr.h"
#include "coro/prof/ticks.h"

enum {
    PROF_NODES_MAX = 1024,  /* per slot; paths beyond share the overflow node */
    PROF_TABLE_SIZE = 2048, /* power of two, twice the nodes */
    PROF_WORKER_NAME_WORDS = 3,
    PROF_NODE_ROOT = 0,
    PROF_NODE_OVERFLOW = 1,
};

/* A place that can be timed; one static record each in the ELF section
 * prof_sites.  32 bytes aligned to 32, so that the section is an array. */
struct prof_site {
    const char *name; /* function, or "{write}": shown as cProfile shows built-ins */
    const char *file;
    uint32_t line;
    uint32_t reserved[3];
} __attribute__((aligned(32)));

/* The program's own sites; libraries loaded beside it have their own arrays. */
extern const struct prof_site __start_prof_sites[] __attribute__((weak, visibility("hidden")));
extern const struct prof_site __stop_prof_sites[] __attribute__((weak, visibility("hidden")));

/* One call path: a cache line.  The identity cells never change once linked. */
struct prof_node {
    const struct prof_site *site; /* NULL: the root */
    uint32_t parent;              /* index in the slot's nodes */
    uint32_t index;
    uint64_t calls; /* entered */
    uint64_t self;  /* ticks: running here, not in callees */
    uint64_t wait;  /* ticks: parked here */
    uint64_t ready; /* ticks: woken here and waiting for the CPU */
    uint64_t slice; /* ticks: longest stretch without a switch, callees included */
    int32_t in_flight;
    uint32_t reserved;
} __attribute__((aligned(64)));

enum prof_slot_state { PROF_SLOT_FREE, PROF_SLOT_OPEN };

/* One worker's recording, in memory shared with the processes that report. */
struct prof_slot {
    /* who writes it, and how a reader gets an exact copy (snapshot.c) */
    uint32_t state; /* enum prof_slot_state */
    int32_t pid;
    int32_t tid;
    uint32_t generation; /* times opened */
    uint64_t seq;        /* even: the writer is at rest and nothing moves */
    uint32_t asked;      /* a reader wants a copy with this number */
    uint32_t answered;   /* copy[] holds the copy with this number */
    uint32_t copy_used;
    uint32_t abandoned; /* scopes that ended without their exit */
    uint64_t copy_run;
    uint64_t overflowed;                   /* calls that went to the overflow node */
    uint64_t name[PROF_WORKER_NAME_WORDS]; /* text, NUL terminated */
    /* the writer's own lines */
    uint64_t run __attribute__((aligned(64))); /* ticks: all run slices */
    uint64_t switches;
    uint32_t used; /* nodes in use */
    uint32_t table[PROF_TABLE_SIZE];
    struct prof_node nodes[PROF_NODES_MAX];
    struct prof_node copy[PROF_NODES_MAX];
};

struct prof_cursor;

/* One open call, in the caller's frame. */
struct prof_scope {
    struct prof_cursor *cursor; /* NULL: not recorded */
    struct prof_scope *up;      /* the scope around it */
    struct prof_node *node;
    struct prof_node *caller;
    uint64_t entered;
};

/* Where a task (or a plain thread) stands.  All zero is a cursor that never ran. */
struct prof_cursor {
    struct prof_node *node; /* NULL until first resumed */
    struct prof_scope *top; /* innermost open scope */
    uint64_t last;          /* charged up to here */
    uint64_t slice_start;   /* of the present run slice */
    uint64_t run_from;      /* of what slot->run has not counted yet */
    uint64_t parked;
    uint64_t readied;
    bool is_off; /* recording was stopped while this one was inside scopes */
};

/* This thread, as the recorder sees it. */
struct prof_thread {
    struct prof_cursor *current; /* where calls are recorded; NULL: nowhere */
    struct prof_cursor *running; /* whose turn it is, recorded or not */
    struct prof_slot *slot;      /* NULL: no slot open */
    bool is_resting;             /* between prof_wait_begin and prof_wait_end */
    struct prof_node *wait_node; /* the call that waits, when it has a name of its own */
    struct prof_node *wait_caller;
    struct prof_cursor own; /* of the plain thread, or of a loop outside its tasks */
};
extern _Thread_local struct prof_thread prof_self __attribute__((tls_model("initial-exec")));

#define PROF_GET(cell)        __atomic_load_n(&(cell), __ATOMIC_RELAXED)
#define PROF_SET(cell, value) __atomic_store_n(&(cell), (value), __ATOMIC_RELAXED)
#define PROF_ADD(cell, value) PROF_SET(cell, PROF_GET(cell) + (value))

/* A run slice this short is not looked for among the scopes around a park. */
#define PROF_SLICE_FLOOR_TICKS UINT64_C(16384)

/* The rare paths of the functions below (tree.c). */
struct prof_node *prof_child_slow(struct prof_slot *slot, struct prof_node *parent,
                                  const struct prof_site *site);
void prof_slice_ends(struct prof_cursor *c, uint64_t now);

static inline uint32_t prof_hash(uint32_t parent, const struct prof_site *site)
{
    uint32_t site_number = (uint32_t)((uintptr_t)site >> 5);
    return (site_number + parent * UINT32_C(0x9E3779B1)) & (PROF_TABLE_SIZE - 1);
}

static inline struct prof_node *prof_child(struct prof_slot *slot, struct prof_node *parent,
                                           const struct prof_site *site)
{
    struct prof_node *n = &slot->nodes[slot->table[prof_hash(parent->index, site)]];
    if (LIKELY(n->site == site && n->parent == parent->index))
        return n;
    return prof_child_slow(slot, parent, site);
}

static inline void prof_note_slice(struct prof_node *n, uint64_t span)
{
    /* signed: a clock that steps back by a few cycles between cores is no long slice */
    if (UNLIKELY((int64_t)span > (int64_t)PROF_GET(n->slice)))
        PROF_SET(n->slice, span);
}

/* Out of line, although they are short: a request has half a dozen scopes, and what
 * they cost is fetching instructions. */
void prof_enter_recorded(struct prof_scope *s, const struct prof_site *site);
void prof_exit_recorded(struct prof_scope *s);

static inline void prof_enter(struct prof_scope *s, const struct prof_site *site)
{
    s->cursor = prof_self.current;
    if (s->cursor != NULL)
        prof_enter_recorded(s, site);
}

static inline void prof_exit(struct prof_scope *s)
{
    if (s->cursor != NULL)
        prof_exit_recorded(s);
}
