/* coro/overflow.c - a task that runs into its guard is named before it dies.
 *
 * The fault handler needs a stack of its own: the task's has no room left.  It
 * looks whether the address lies in a guard of this thread's arena, says so in
 * one write, and lets the fault happen again under the action that stood
 * before (usually: die by SIGSEGV, with a core).  A handler that somebody else
 * installed, a sanitizer for one, is left alone. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coro/loops.h"

#define ALT_STACK_BYTES ((size_t)64 << 10)

static pthread_mutex_t arm_lock = PTHREAD_MUTEX_INITIALIZER;
static bool is_armed;

static void append(char *text, size_t cap, const char *more)
{
    size_t n = strnlen(text, cap - 1);
    for (; *more != 0 && n + 1 < cap; more++)
        text[n++] = *more;
    text[n] = 0;
}

static void append_number(char *text, size_t cap, unsigned number)
{
    char digits[12];
    size_t at = sizeof(digits) - 1;
    digits[at] = 0;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    append(text, cap, digits + at);
}

/* Nothing here may allocate or lock. */
static void tell(const struct co_task *task)
{
    char text[512] = "coro: task ";
    append(text, sizeof(text), co_task_name(task));
    append(text, sizeof(text), " overflowed its stack, spawned at ");
    append(text, sizeof(text), task->site->file);
    append(text, sizeof(text), ":");
    append_number(text, sizeof(text), (unsigned)task->site->line);
    append(text, sizeof(text), " (");
    append(text, sizeof(text), task->site->function);
    append(text, sizeof(text), ")\n");
    (void)!write(STDERR_FILENO, text, strlen(text));
}

static void on_fault(int signo, siginfo_t *info, void *context)
{
    (void)context;
    const struct co_loop *loop = coro_loop_tls;
    bool in_guard;
    struct co_stack stack;
    if (loop != NULL && loop->self != NULL &&
        coro_stack_at(&loop->arena, info->si_addr, &in_guard, &stack) && in_guard &&
        stack.low == loop->self->stack_low)
        tell(loop->self);
    /* Returning repeats the fault; a signal that was sent is raised again. */
    signal(signo, SIG_DFL);
    if (info->si_code <= 0)
        raise(signo);
}

static int install(void)
{
    struct sigaction before;
    if (sigaction(SIGSEGV, NULL, &before) < 0)
        return -errno;
    if ((before.sa_flags & SA_SIGINFO) || before.sa_handler != SIG_DFL)
        return -EBUSY;
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    return sigaction(SIGSEGV, &action, NULL) < 0 ? -errno : 0;
}

int coro_overflow_arm(struct co_loop *loop)
{
    pthread_mutex_lock(&arm_lock);
    int rv = is_armed ? 0 : install();
    is_armed = is_armed || rv == 0;
    pthread_mutex_unlock(&arm_lock);
    if (rv < 0)
        return rv;
    stack_t before;
    if (sigaltstack(NULL, &before) == 0 && !(before.ss_flags & SS_DISABLE))
        return 0; /* this thread has one already */
    loop->alt_stack = malloc(ALT_STACK_BYTES);
    if (loop->alt_stack == NULL)
        return -ENOMEM;
    stack_t alt = {.ss_sp = loop->alt_stack, .ss_size = ALT_STACK_BYTES};
    return sigaltstack(&alt, NULL) < 0 ? -errno : 0;
}

void coro_overflow_disarm(struct co_loop *loop)
{
    if (loop->alt_stack == NULL)
        return;
    sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL);
    free(loop->alt_stack);
    loop->alt_stack = NULL;
}
