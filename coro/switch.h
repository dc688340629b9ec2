/* coro/switch.h - one flow of control saved, another one continued.
 *
 * Three ways to do it, chosen by the build option CO_SWITCH; every test passes
 * with each:
 *   fast      x86-64: inline assembly that stores stack pointer, frame pointer
 *             and resume address and declares every other register clobbered,
 *             so that the compiler saves only what is alive.  Elsewhere: setjmp.
 *   setjmp    makecontext once per stack, then _setjmp/_longjmp
 *   ucontext  swapcontext: a system call per switch (it saves the signal mask)
 *
 *   context   the thread that owns both contexts
 *   shared    floating point control words and signal mask belong to the
 *             thread, not to the context (ucontext saves them, nobody may
 *             rely on it)
 *
 * No shadow stack is switched: nothing here may be linked with -z shstk. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coro/base/attr.h"

#if defined(CO_SWITCH_FAST) && !defined(__x86_64__)
#undef CO_SWITCH_FAST
#define CO_SWITCH_SETJMP 1
#endif

#if defined(CO_SWITCH_SETJMP)
#include <setjmp.h>
#elif defined(CO_SWITCH_UCONTEXT)
#include <ucontext.h>
#elif !defined(CO_SWITCH_FAST)
#error "one of CO_SWITCH_FAST, CO_SWITCH_SETJMP, CO_SWITCH_UCONTEXT must be defined"
#endif

#if defined(__SANITIZE_ADDRESS__)
#define CO_ASAN 1
#elif defined(__SANITIZE_THREAD__)
#define CO_TSAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CO_ASAN 1
#elif __has_feature(thread_sanitizer)
#define CO_TSAN 1
#endif
#endif

#if defined(CO_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#elif defined(CO_TSAN)
#include <sanitizer/tsan_interface.h>
#endif

struct co_context {
#if defined(CO_SWITCH_FAST)
    void *sp;
    void *bp;
    void *pc;
#elif defined(CO_SWITCH_SETJMP)
    jmp_buf env;
    void *frame; /* where backtraces start: the registers in env are scrambled */
#else
    ucontext_t uc;
    void *frame;
#endif
#if defined(CO_ASAN)
    const void *stack_low;
    size_t stack_bytes;
    void *fake_stack;
#elif defined(CO_TSAN)
    void *fiber;
#endif
};

/* Prepare ctx to run entry() on the stack [low, low + bytes) when first
 * switched to.  entry never returns and calls coro_context_entered first. */
void coro_context_init(struct co_context *ctx, char *low, size_t bytes, void (*entry)(void));
/* The calling thread's own flow, to be saved by the first switch away from it. */
void coro_context_adopt(struct co_context *ctx);
/* The frame pointer of a flow that is switched away.  Before its first run that
 * leads to no caller. */
static inline uintptr_t coro_context_frame(const struct co_context *ctx)
{
#if defined(CO_SWITCH_FAST)
    return (uintptr_t)ctx->bp;
#else
    return (uintptr_t)ctx->frame;
#endif
}
/* Give back what init took (sanitizer state); ctx is not the running one. */
void coro_context_fini(struct co_context *ctx);

#if defined(CO_SWITCH_SETJMP) || defined(CO_SWITCH_UCONTEXT)
/* For signal handlers.  glibc's swapcontext loads the stack pointer some steps before
 * it has a return address there, and does not say so to unwinders: one that begins
 * inside finds garbage for a caller, and faults.  True from before the call until it
 * has arrived on the other side. */
bool coro_context_is_swapping(void);
void coro_context_arrived(void);
#else
static inline bool coro_context_is_swapping(void)
{
    return false;
}
static inline void coro_context_arrived(void)
{
}
#endif

#if defined(CO_SWITCH_SETJMP) || defined(CO_SWITCH_UCONTEXT)
void coro_context_jump(struct co_context *from, struct co_context *to);
#else
static inline void coro_context_jump(struct co_context *from, struct co_context *to)
{
    /* Our own resume address is the local label; the other side's may be a
     * label of another inlined copy or the entry function. */
    __asm__ volatile("leaq 1f(%%rip), %%rdx\n\t"
                     "movq %%rsp, 0(%0)\n\t"
                     "movq %%rbp, 8(%0)\n\t"
                     "movq %%rdx, 16(%0)\n\t"
                     "movq 0(%1), %%rsp\n\t"
                     "movq 8(%1), %%rbp\n\t"
                     "jmpq *16(%1)\n"
                     "1:\n\t"
                     : "+D"(from), "+S"(to)
                     :
                     : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
                       "r15", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
                       "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15",
                       "memory", "cc");
}
#endif

/* Tell the sanitizers that this flow runs (again). */
static inline void coro_context_entered(struct co_context *self)
{
    coro_context_arrived();
#if defined(CO_ASAN)
    __sanitizer_finish_switch_fiber(self->fake_stack, NULL, NULL);
#else
    (void)self;
#endif
}

/* Save this flow in `from` and continue `to`; returns when somebody continues `from`. */
static inline void coro_context_switch(struct co_context *from, struct co_context *to)
{
#if defined(CO_ASAN)
    __sanitizer_start_switch_fiber(&from->fake_stack, to->stack_low, to->stack_bytes);
#elif defined(CO_TSAN)
    /* The fibers of one loop share its thread: a switch orders what they do. */
    __tsan_switch_to_fiber(to->fiber, 0);
#endif
    coro_context_jump(from, to);
    coro_context_entered(from);
}
