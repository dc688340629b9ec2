/* coro/stack.c - stacks cut from large mappings.
 *
 * Happy path: one mmap for many stacks, one madvise a stack when it is cut.
 * A chunk that does not fit (ulimit -v, strict overcommit) is tried again at
 * half the size, down to a single stack; then -ENOMEM. */
#include "coro/stack.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

/* Macros that are a few harmless instructions outside Valgrind; -DNVALGRIND leaves them out. */
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND                 0
#define VALGRIND_STACK_REGISTER(start, end) 0U
#define VALGRIND_STACK_DEREGISTER(id)       (void)(id)
#endif

/* Debian 12's headers are older than the kernels that know it. */
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

#define PAGE_BYTES ((size_t)4096)
/* Wide enough that a library's large frame does not step over it.  An odd
 * number of pages: stack tops a power of two apart would share cache sets. */
#define GUARD_BYTES      (17 * PAGE_BYTES)
#define CHUNK_STACKS_MIN 16
#define CHUNK_STACKS_MAX 4096

struct co_stack_chunk {
    struct co_stack_chunk *next;
    char *base;
    size_t stacks;  /* that fit */
    size_t cut;     /* handed out */
    unsigned ids[]; /* Valgrind's, of the stacks cut; no room for them without it */
};

void coro_stack_arena_init(struct co_stack_arena *arena, size_t stack_bytes)
{
    stack_bytes = (stack_bytes + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
    *arena = (struct co_stack_arena){.stack_bytes = stack_bytes,
                                     .stride_bytes = stack_bytes + GUARD_BYTES,
                                     .chunk_stacks = CHUNK_STACKS_MIN,
                                     .is_emulated = RUNNING_ON_VALGRIND != 0};
}

void coro_stack_arena_fini(struct co_stack_arena *arena)
{
    while (arena->chunks != NULL) {
        struct co_stack_chunk *chunk = arena->chunks;
        arena->chunks = chunk->next;
        for (size_t i = 0; arena->is_emulated && i < chunk->cut; i++)
            VALGRIND_STACK_DEREGISTER(chunk->ids[i]);
        munmap(chunk->base, chunk->stacks * arena->stride_bytes);
        free(chunk);
    }
}

static int add_chunk(struct co_stack_arena *arena)
{
    size_t stacks = arena->chunk_stacks;
    size_t ids_bytes = arena->is_emulated ? stacks * sizeof(unsigned) : 0;
    struct co_stack_chunk *chunk = malloc(sizeof(*chunk) + ids_bytes);
    if (chunk == NULL)
        return -ENOMEM;
    char *base;
    for (;;) {
        base = mmap(NULL, stacks * arena->stride_bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
        if (base != MAP_FAILED)
            break;
        if (stacks == 1) {
            free(chunk);
            return -ENOMEM;
        }
        stacks /= 2;
    }
    /* A huge page would make 2 MiB resident for one sleeping task.  A kernel
     * without huge pages refuses the advice: nothing is lost. */
    (void)madvise(base, stacks * arena->stride_bytes, MADV_NOHUGEPAGE);
    *chunk = (struct co_stack_chunk){.next = arena->chunks, .base = base, .stacks = stacks};
    arena->chunks = chunk;
    if (arena->chunk_stacks < CHUNK_STACKS_MAX)
        arena->chunk_stacks *= 2;
    return 0;
}

static bool guard(char *base)
{
    return madvise(base, GUARD_BYTES, MADV_GUARD_INSTALL) == 0 ||
           mprotect(base, GUARD_BYTES, PROT_NONE) == 0;
}

int coro_stack_cut(struct co_stack_arena *arena, struct co_stack *ret_stack)
{
    if (arena->chunks == NULL || arena->chunks->cut == arena->chunks->stacks) {
        int rv = add_chunk(arena);
        if (rv < 0)
            return rv;
    }
    struct co_stack_chunk *chunk = arena->chunks;
    char *base = chunk->base + chunk->cut * arena->stride_bytes;
    char *low = base + GUARD_BYTES;
    if (!guard(base))
        arena->unguarded++;
    if (UNLIKELY(arena->is_emulated))
        chunk->ids[chunk->cut] = VALGRIND_STACK_REGISTER(low, low + arena->stack_bytes);
    chunk->cut++;
    arena->cut++;
    *ret_stack = (struct co_stack){.low = low, .bytes = arena->stack_bytes};
    return 0;
}

void coro_stack_each(const struct co_stack_arena *arena,
                     bool (*fn)(const struct co_stack *stack, void *arg), void *arg)
{
    for (const struct co_stack_chunk *chunk = arena->chunks; chunk != NULL; chunk = chunk->next)
        for (size_t i = 0; i < chunk->cut; i++) {
            struct co_stack stack = {.low = chunk->base + i * arena->stride_bytes + GUARD_BYTES,
                                     .bytes = arena->stack_bytes};
            if (!fn(&stack, arg))
                return;
        }
}

bool coro_stack_at(const struct co_stack_arena *arena, const void *addr, bool *ret_in_guard,
                   struct co_stack *ret_stack)
{
    for (const struct co_stack_chunk *chunk = arena->chunks; chunk != NULL; chunk = chunk->next) {
        uintptr_t offset = (uintptr_t)addr - (uintptr_t)chunk->base;
        if (offset >= chunk->cut * arena->stride_bytes)
            continue;
        char *base = chunk->base + offset / arena->stride_bytes * arena->stride_bytes;
        *ret_in_guard = offset % arena->stride_bytes < GUARD_BYTES;
        *ret_stack = (struct co_stack){.low = base + GUARD_BYTES, .bytes = arena->stack_bytes};
        return true;
    }
    return false;
}
