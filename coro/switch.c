/* The part of switching that does not depend on speed: new contexts, and the
 * two portable ways to jump.
 *
 * setjmp: makecontext builds the first frame of a stack, swapcontext enters it
 * once, _setjmp there remembers it, and from then on only _longjmp is used:
 * no system call.  _FORTIFY_SOURCE must be off in this file: its longjmp check
 * refuses jumps to another stack. */
#undef _FORTIFY_SOURCE
#include "coro/switch.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

#if !defined(CO_SWITCH_FAST)
#include <ucontext.h>
#endif

static void note_stack(struct co_context *ctx, char *low, size_t bytes)
{
#if !defined(CO_SWITCH_FAST)
    ctx->frame = NULL;
#endif
#if defined(CO_ASAN)
    ctx->stack_low = low;
    ctx->stack_bytes = bytes;
    ctx->fake_stack = NULL;
#elif defined(CO_TSAN)
    ctx->fiber = __tsan_create_fiber(0);
    (void)low, (void)bytes;
#else
    (void)ctx, (void)low, (void)bytes;
#endif
}

void coro_context_adopt(struct co_context *ctx)
{
    memset(ctx, 0, sizeof(*ctx));
#if defined(CO_ASAN)
    pthread_attr_t attr;
    void *low;
    if (pthread_getattr_np(pthread_self(), &attr) == 0) {
        if (pthread_attr_getstack(&attr, &low, &ctx->stack_bytes) == 0)
            ctx->stack_low = low;
        pthread_attr_destroy(&attr);
    }
#elif defined(CO_TSAN)
    ctx->fiber = __tsan_get_current_fiber();
#endif
}

void coro_context_fini(struct co_context *ctx)
{
#if defined(CO_TSAN)
    __tsan_destroy_fiber(ctx->fiber);
#else
    (void)ctx;
#endif
}

#if !defined(CO_SWITCH_FAST)
/* A handler on this thread reads it: initial-exec, no allocation. */
static __thread volatile sig_atomic_t is_swapping __attribute__((tls_model("initial-exec")));

bool coro_context_is_swapping(void)
{
    return is_swapping;
}

void coro_context_arrived(void)
{
    is_swapping = false;
}

static void swap(ucontext_t *from, ucontext_t *to)
{
    is_swapping = true;
    swapcontext(from, to);
    is_swapping = false;
}
#endif

#if defined(CO_SWITCH_FAST)

void coro_context_init(struct co_context *ctx, char *low, size_t bytes, void (*entry)(void))
{
    /* As if somebody had called entry: a return address (null: backtraces end
     * there) that leaves the stack pointer 8 off a multiple of 16. */
    uintptr_t top = ((uintptr_t)low + bytes) & ~(uintptr_t)15;
    void **frame = (void **)(top - 24);
    frame[0] = NULL;
    /* And as if it had a caller's frame: a signal may come between the loading of
     * the frame pointer and the jump, and its handler may unwind. */
    frame[1] = frame[2] = NULL;
    note_stack(ctx, low, bytes);
    ctx->sp = frame;
    ctx->bp = frame + 1;
    ctx->pc = (void *)entry;
}

#elif defined(CO_SWITCH_SETJMP)

/* What the first entry of a stack needs; makecontext passes only ints. */
static __thread struct {
    struct co_context *ctx;
    void (*entry)(void);
    ucontext_t *creator;
} boot;

static void boot_main(void)
{
    void (*entry)(void) = boot.entry;
    ucontext_t unused;
    if (_setjmp(boot.ctx->env) == 0)
        swap(&unused, boot.creator);
    entry();
}

void coro_context_init(struct co_context *ctx, char *low, size_t bytes, void (*entry)(void))
{
    ucontext_t creator, fresh;
    getcontext(&fresh);
    fresh.uc_stack.ss_sp = low;
    fresh.uc_stack.ss_size = bytes;
    fresh.uc_link = NULL;
    note_stack(ctx, low, bytes);
    boot.ctx = ctx;
    boot.entry = entry;
    boot.creator = &creator;
    makecontext(&fresh, boot_main, 0);
#if defined(CO_ASAN)
    struct co_context self;
    coro_context_adopt(&self);
    __sanitizer_start_switch_fiber(&self.fake_stack, low, bytes);
#elif defined(CO_TSAN)
    void *self = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(ctx->fiber, 0);
#endif
    swap(&creator, &fresh);
#if defined(CO_ASAN)
    __sanitizer_finish_switch_fiber(self.fake_stack, NULL, NULL);
#elif defined(CO_TSAN)
    __tsan_switch_to_fiber(self, 0);
#endif
}

NOINLINE void coro_context_jump(struct co_context *from, struct co_context *to)
{
    from->frame = __builtin_frame_address(0);
    if (_setjmp(from->env) == 0)
        _longjmp(to->env, 1);
}

#else

void coro_context_init(struct co_context *ctx, char *low, size_t bytes, void (*entry)(void))
{
    note_stack(ctx, low, bytes);
    getcontext(&ctx->uc);
    ctx->uc.uc_stack.ss_sp = low;
    ctx->uc.uc_stack.ss_size = bytes;
    ctx->uc.uc_link = NULL;
    makecontext(&ctx->uc, entry, 0);
}

NOINLINE void coro_context_jump(struct co_context *from, struct co_context *to)
{
    from->frame = __builtin_frame_address(0);
    /* The signal mask is the thread's, not the flow's: take it along. */
    pthread_sigmask(SIG_SETMASK, NULL, &to->uc.uc_sigmask);
    swap(&from->uc, &to->uc);
}

#endif
