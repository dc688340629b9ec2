/* The arena: stacks do not overlap, addresses are found, a guard faults. */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "coro/stack.h"
#include "suite.h"

#define STACK_BYTES ((size_t)64 << 10)

static bool count_one(const struct co_stack *stack, void *arg)
{
    (void)stack;
    ++*(int *)arg;
    return true;
}

START_TEST(stacks_are_apart_and_found_again)
{
    struct co_stack_arena arena;
    coro_stack_arena_init(&arena, STACK_BYTES);
    struct co_stack stacks[100];
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(coro_stack_cut(&arena, &stacks[i]), 0);
        ck_assert_uint_eq(stacks[i].bytes, STACK_BYTES);
        memset(stacks[i].low, i, stacks[i].bytes);
    }
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(stacks[i].low[0], i);
        ck_assert_int_eq(stacks[i].low[STACK_BYTES - 1], i);
        struct co_stack found;
        bool in_guard;
        ck_assert(coro_stack_at(&arena, stacks[i].low + 5, &in_guard, &found));
        ck_assert(!in_guard && found.low == stacks[i].low);
        ck_assert(coro_stack_at(&arena, stacks[i].low - 5, &in_guard, &found));
        ck_assert(in_guard && found.low == stacks[i].low);
    }
    bool in_guard;
    struct co_stack found;
    ck_assert(!coro_stack_at(&arena, &arena, &in_guard, &found));
    int count = 0;
    coro_stack_each(&arena, count_one, &count);
    ck_assert_int_eq(count, 100);
    ck_assert_uint_eq(arena.unguarded, 0);
    coro_stack_arena_fini(&arena);
}
END_TEST

START_TEST(a_guard_faults)
{
    struct co_stack_arena arena;
    coro_stack_arena_init(&arena, STACK_BYTES);
    struct co_stack stack;
    ck_assert_int_eq(coro_stack_cut(&arena, &stack), 0);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL);
        *(volatile char *)(stack.low - 1) = 1;
        _exit(0);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    coro_stack_arena_fini(&arena);
}
END_TEST

SUITE_MAIN("stack", SUITE_TEST(stacks_are_apart_and_found_again), SUITE_TEST(a_guard_faults))
