/* coro/stack.h - the arena that a loop's task stacks are cut from.
 *
 * A stack, low to high: a guard that faults, `stack_bytes` of stack, and at
 * its top the struct co_task that runs on it, so that a sleeping task costs one
 * page and nothing else.  The address space comes in chunks; a stack stays
 * where it was cut until the arena ends, and is reused through the loop's pool.
 *
 * Guards: MADV_GUARD_INSTALL (Linux 6.13) needs no mapping of its own, so a
 * million guarded stacks fit under vm.max_map_count.  Where it is missing,
 * mprotect; where that fails (two mappings a stack), none, and a counter that
 * says so.
 *
 * Valgrind is told of every stack when it is cut, or it would take a switch for
 * a huge frame and forget what the memory held.  Once a stack: reuse says nothing.
 *
 *   context    the owning thread
 *   ownership  the arena owns its memory */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "coro/base/attr.h"

struct co_stack_chunk;

struct co_stack_arena {
    struct co_stack_chunk *chunks; /* newest first */
    size_t stack_bytes;
    size_t stride_bytes; /* guard and stack */
    size_t chunk_stacks; /* how many the next chunk tries to hold */
    size_t cut;          /* stacks handed out so far */
    size_t unguarded;    /* of these without a guard */
    bool is_emulated;    /* under Valgrind: what lies below a stack pointer may not be read */
};

struct co_stack {
    char *low; /* first usable byte, above the guard */
    size_t bytes;
};

void coro_stack_arena_init(struct co_stack_arena *arena, size_t stack_bytes);
void coro_stack_arena_fini(struct co_stack_arena *arena);

/* A stack that nobody had before.  0 or -ENOMEM. */
MUST_USE int coro_stack_cut(struct co_stack_arena *arena, struct co_stack *ret_stack);

/* Call fn for every stack that was cut, until it returns false. */
void coro_stack_each(const struct co_stack_arena *arena,
                     bool (*fn)(const struct co_stack *stack, void *arg), void *arg);

/* The stack whose guard or body holds addr.  false: none. */
bool coro_stack_at(const struct co_stack_arena *arena, const void *addr, bool *ret_in_guard,
                   struct co_stack *ret_stack);
