/* Which faults are told as overflows, and what becomes of all of them. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "child.h"
#include "coro/internal.h"
#include "coro/loops.h"
#include "suite.h"

/* A child of a process with threads starts none of its own (ThreadSanitizer). */
static const struct co_options unwatched = {.watchdog_ns = -1};

static NOINLINE int eat(volatile char *last, int depth)
{
    volatile char block[512];
    block[0] = (char)depth;
    return depth > 1 << 20 ? *last : eat(block, depth + 1) + block[0];
}

static int eater(void *arg)
{
    return eat(arg, 0);
}

static volatile int *volatile nowhere = (int *)64;

__attribute__((no_sanitize("address", "thread", "undefined"))) static int writes_to_nowhere(
    void *arg)
{
    (void)arg;
    *nowhere = 1;
    return 0;
}

/* Into the guard of a stack that is not the running one. */
__attribute__((no_sanitize("address", "thread", "undefined"))) static int writes_below_another(
    void *arg)
{
    struct co_task *task = arg;
    *(volatile char *)(task->stack_low - 100) = 1;
    return 0;
}

static int sleeper(void *arg)
{
    (void)arg;
    return co_sleep(3600 * NS_PER_S);
}

static int raises(void *arg)
{
    (void)arg;
    return raise(SIGSEGV);
}

enum fault { OVERFLOW, NULL_POINTER, ANOTHERS_GUARD, RAISED };
static enum fault fault;

static int fault_main(void *arg)
{
    char seed = 0;
    (void)arg;
    struct co_task *other = co_spawn(sleeper, NULL);
    co_fn *const fns[] = {eater, writes_to_nowhere, writes_below_another, raises};
    void *const args[] = {&seed, NULL, other, NULL};
    co_detach(co_spawn_named("culprit", fns[fault], args[fault]));
    return co_sleep(NS_PER_S);
}

static void run_loop(void)
{
    co_run(fault_main, NULL, &unwatched);
}

static void *thread_main(void *arg)
{
    run_loop();
    return arg;
}

static void run_loop_on_a_thread(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, thread_main, NULL) == 0)
        pthread_join(thread, NULL);
}

static const struct {
    enum fault fault;
    void (*fn)(void);
    bool is_told;
} faults[] = {{OVERFLOW, run_loop, true},
              {OVERFLOW, run_loop_on_a_thread, true},
              {NULL_POINTER, run_loop, false},
              {ANOTHERS_GUARD, run_loop, false},
              {RAISED, run_loop, false}};

START_TEST(only_overflows_are_told_and_all_are_fatal)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    fault = faults[_i].fault;
    int status = in_child(faults[_i].fn, &text);
    ck_assert(WIFSIGNALED(status));
    ck_assert_int_eq(WTERMSIG(status), SIGSEGV);
    ck_assert_int_eq(has(&text, "coro: task culprit overflowed its stack, spawned at "
                                "tests/unit/test_overflow.c:"),
                     faults[_i].is_told);
    ck_assert_int_eq(has(&text, "overflowed"), faults[_i].is_told);
    buf_fini(&text);
}
END_TEST

static void on_fault_of_ours(int signo)
{
    (void)signo;
    (void)!write(STDERR_FILENO, "ours\n", 5);
    _exit(7);
}

static void with_a_handler(void)
{
    char *alt = malloc(1 << 16);
    sigaltstack(&(stack_t){.ss_sp = alt, .ss_size = 1 << 16}, NULL);
    struct sigaction action = {.sa_handler = on_fault_of_ours, .sa_flags = SA_ONSTACK};
    sigaction(SIGSEGV, &action, NULL);
    run_loop();
}

START_TEST(a_handler_that_was_there_is_left_alone)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    fault = OVERFLOW;
    int status = in_child(with_a_handler, &text);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 7);
    ck_assert(has(&text, "ours\n") && !has(&text, "overflowed"));
    buf_fini(&text);
}
END_TEST

static int nothing(void *arg)
{
    stack_t during;
    (void)arg;
    sigaltstack(NULL, &during);
    return during.ss_flags & SS_DISABLE ? 1 : 0;
}

START_TEST(the_alternate_stack_goes_with_the_loop)
{
    stack_t none = {.ss_flags = SS_DISABLE}, before, after;
    sigaltstack(&none, &before);
#if !defined(CO_ASAN) && !defined(CO_TSAN) /* they keep one, and SIGSEGV, to themselves */
    ck_assert_int_eq(co_run(nothing, NULL, NULL), 0);
#else
    (void)nothing;
#endif
    sigaltstack(NULL, &after);
    ck_assert(after.ss_flags & SS_DISABLE);
    sigaltstack(&before, NULL);
}
END_TEST

SUITE_MAIN("overflow", SUITE_LOOP(only_overflows_are_told_and_all_are_fatal, faults),
           SUITE_TEST(a_handler_that_was_there_is_left_alone),
           SUITE_TEST(the_alternate_stack_goes_with_the_loop))
