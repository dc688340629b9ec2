/* The switch itself: stacks, registers and arguments survive it, in any order of entry. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "coro/switch.h"
#include "coro/trace.h"
#include "suite.h"

enum { FLOWS = 8, ROUNDS = 200, STACK_BYTES = 256 * 1024 };

struct flow {
    struct co_context context;
    char *stack;
    int number;
    int64_t sum;
    bool is_aligned;
    bool is_on_its_stack;
};

static struct co_context outside;
static struct flow flows[FLOWS];
static struct flow *entering;

/* More values alive across the switch than there are registers. */
static NOINLINE int64_t juggle(struct flow *flow, int round, struct co_context *next)
{
    int64_t a = round + 1, b = a * 3, c = b ^ 5, d = c + 7, e = d * 11, f = e - 13, g = f ^ 17,
            h = g + 19, i = h * 23, j = i - 29, k = j ^ 31, l = k + 37, m = l * 41, n = m - 43;
    double x = (double)round * 0.5, y = x + 0.25, z = y * 3;
    __asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+x"(x), "+x"(y));
    coro_context_switch(&flow->context, next);
    return a + b + c + d + e + f + g + h + i + j + k + l + m + n +
           (int64_t)(x * 4 + y * 8 + z * 16);
}

/* The same without a switch in between. */
static int64_t expected_of(int round)
{
    struct flow alone;
    coro_context_adopt(&alone.context);
    int64_t a = round + 1, b = a * 3, c = b ^ 5, d = c + 7, e = d * 11, f = e - 13, g = f ^ 17,
            h = g + 19, i = h * 23, j = i - 29, k = j ^ 31, l = k + 37, m = l * 41, n = m - 43;
    double x = (double)round * 0.5, y = x + 0.25, z = y * 3;
    return a + b + c + d + e + f + g + h + i + j + k + l + m + n +
           (int64_t)(x * 4 + y * 8 + z * 16);
}

static void entry(void)
{
    struct flow *self = entering;
    coro_context_entered(&self->context);
    char local[64] __attribute__((aligned(32)));
    memset(local, self->number, sizeof(local));
    self->is_aligned =
        (uintptr_t)local % 32 == 0 && (uintptr_t)__builtin_frame_address(0) % 16 == 0;
    char *at = __builtin_frame_address(0);
    self->is_on_its_stack = at > self->stack && at <= self->stack + STACK_BYTES;
    for (int round = 0; round < ROUNDS; round++) {
        struct flow *next = &flows[(self->number + 1) % FLOWS];
        entering = next;
        self->sum += juggle(self, round, self->number + 1 < FLOWS ? &next->context : &outside);
        for (size_t i = 0; i < sizeof(local); i++)
            ck_assert_int_eq(local[i], self->number);
    }
    for (;;)
        coro_context_switch(&self->context, &outside);
}

START_TEST(flows_keep_their_own)
{
    coro_context_adopt(&outside);
    for (int i = 0; i < FLOWS; i++) {
        flows[i] = (struct flow){.number = i, .stack = aligned_alloc(4096, STACK_BYTES)};
        ck_assert_ptr_nonnull(flows[i].stack);
        coro_context_init(&flows[i].context, flows[i].stack, STACK_BYTES, entry);
        uintptr_t pc; /* has not run */
        ck_assert_int_eq(coro_trace_parked(&flows[i].context, flows[i].stack,
                                           flows[i].stack + STACK_BYTES, &pc, 1),
                         0);
    }
    int64_t sum = 0;
    for (int round = 0; round < ROUNDS; round++)
        sum += expected_of(round);
    for (int round = 0; round <= ROUNDS; round++) {
        entering = &flows[0];
        coro_context_switch(&outside, &flows[0].context);
    }
    for (int i = 0; i < FLOWS; i++) {
        uintptr_t frame = coro_context_frame(&flows[i].context);
        ck_assert(frame > (uintptr_t)flows[i].stack);
        ck_assert(frame < (uintptr_t)flows[i].stack + STACK_BYTES);
        ck_assert(flows[i].is_aligned);
        ck_assert(flows[i].is_on_its_stack);
        if (i == 0)
            ck_assert_int_eq(flows[i].sum, sum);
        coro_context_fini(&flows[i].context);
        free(flows[i].stack);
    }
}
END_TEST

/* A stack of any size and place: entry finds it aligned. */
static struct flow odd;

static void odd_entry(void)
{
    coro_context_entered(&odd.context);
    odd.is_aligned = (uintptr_t)__builtin_frame_address(0) % 16 == 0;
    coro_context_switch(&odd.context, &outside);
    abort();
}

static const size_t offsets[] = {0, 8, 16, 24, 63};

START_TEST(an_odd_stack_is_aligned)
{
    coro_context_adopt(&outside);
    odd = (struct flow){.stack = aligned_alloc(4096, STACK_BYTES)};
    coro_context_init(&odd.context, odd.stack, STACK_BYTES - offsets[_i], odd_entry);
    coro_context_switch(&outside, &odd.context);
    ck_assert(odd.is_aligned);
    coro_context_fini(&odd.context);
    free(odd.stack);
}
END_TEST

SUITE_MAIN("switch", SUITE_TEST(flows_keep_their_own), SUITE_LOOP(an_odd_stack_is_aligned, offsets))
