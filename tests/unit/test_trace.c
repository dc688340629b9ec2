/* Native stacks: walked from saved registers, named down to static functions. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "child.h"
#include "coro/internal.h"
#include "coro/trace.h"
#include "suite.h"

enum { SLEEP_LINE = __LINE__ + 4 };

static NOINLINE int innermost(void)
{
    int rv = co_sleep(3600 * NS_PER_S);
    __asm__ volatile("");
    return rv;
}

static NOINLINE int between(int depth)
{
    int rv = depth > 0 ? between(depth - 1) : innermost();
    __asm__ volatile("");
    return rv;
}

static int parks(void *arg)
{
    int rv = between((int)(intptr_t)arg);
    __asm__ volatile("");
    return rv;
}

static int index_of(const uintptr_t *pcs, int count, const char *function)
{
    for (int i = 0; i < count; i++) {
        struct co_frame frame;
        coro_trace_name(pcs[i], 1, &frame);
        if (strcmp(frame.function, function) == 0)
            return i;
    }
    return -1;
}

static int parked_main(void *arg)
{
    (void)arg;
    uintptr_t pcs[CO_TRACE_MAX];
    struct co_task *fresh = co_spawn(parks, (void *)3);
    ck_assert_int_eq(
        coro_trace_parked(&fresh->context, fresh->stack_low, (char *)fresh, pcs, CO_TRACE_MAX), 0);
    ck_assert_int_eq(co_yield (), 0);
    int count =
        coro_trace_parked(&fresh->context, fresh->stack_low, (char *)fresh, pcs, CO_TRACE_MAX);
    int at = index_of(pcs, count, "innermost");
    ck_assert_int_ge(at, 0);
    for (int i = 1; i <= 4; i++)
        ck_assert_int_eq(index_of(pcs + at + i, 1, "between"), 0);
    ck_assert_int_eq(index_of(pcs + at + 5, 1, "parks"), 0);
    ck_assert_int_eq(index_of(pcs + at + 6, 1, "task_main"), 0);
    ck_assert_int_ge(count, at + 7); /* below task_main: makecontext's frames, where it is used */

    struct co_frame frame;
    coro_trace_name(pcs[at], 1, &frame);
    ck_assert_ptr_nonnull(strstr(frame.file, "tests/unit/test_trace.c"));
    ck_assert_int_eq(frame.line, SLEEP_LINE);

    /* as many as asked for, the innermost */
    uintptr_t few[3];
    ck_assert_int_eq(coro_trace_parked(&fresh->context, fresh->stack_low, (char *)fresh, few, 3),
                     3);
    ck_assert_mem_eq(few, pcs, sizeof(few));

    struct buf text;
    buf_init(&text, 1 << 16);
    ck_assert_int_eq(coro_trace_text(&text, pcs + at, 1), 0);
    contains(&text, "  #0 innermost at ");
    char line[32];
    snprintf(line, sizeof(line), "test_trace.c:%d\n", SLEEP_LINE);
    contains(&text, line);
    buf_fini(&text);
    return 0;
}

START_TEST(a_parked_task_is_walked_to_its_first_function)
{
    ck_assert_int_eq(co_run(parked_main, NULL, NULL), 0);
}
END_TEST

static NOINLINE int own(uintptr_t *pcs, int max, int skip)
{
    int count = coro_trace_self(pcs, max, skip);
    __asm__ volatile("");
    return count;
}

static int self_main(void *arg)
{
    (void)arg;
    uintptr_t all[CO_TRACE_MAX], fewer[CO_TRACE_MAX];
    int count = own(all, CO_TRACE_MAX, 0);
    int at = index_of(all, count, "own");
#if !defined(CO_ASAN) && !defined(CO_TSAN) /* they put a frame of their own in between */
    ck_assert_int_eq(at, 0);
#endif
    ck_assert_int_ge(at, 0);
    ck_assert_int_eq(index_of(all + at, count - at, "self_main"), 1);
    int skipped = own(fewer, CO_TRACE_MAX, 1);
    ck_assert_int_eq(index_of(fewer, skipped, "self_main"), at);
    ck_assert_int_eq(own(fewer, 1, 0), 1);
    ck_assert_int_eq(own(fewer, 5, 1000), 0);
    return 0;
}

START_TEST(a_running_task_is_walked_too)
{
    ck_assert_int_eq(co_run(self_main, NULL, NULL), 0);
}
END_TEST

START_TEST(what_has_no_name_says_so)
{
    struct co_frame frame;
    int here;
    coro_trace_name((uintptr_t)&here, 1, &frame);
    ck_assert_str_eq(frame.function, "??");
    ck_assert_str_eq(frame.file, "");
    /* an exact address is not taken for the call before it */
    coro_trace_name((uintptr_t)own, 0, &frame);
    ck_assert_str_eq(frame.function, "own");
    coro_trace_name((uintptr_t)own, 1, &frame);
    ck_assert_str_ne(frame.function, "own");
    struct buf text;
    uintptr_t pc = (uintptr_t)&here;
    buf_init(&text, 1 << 16);
    ck_assert_int_eq(coro_trace_text(&text, &pc, 1), 0);
    ck_assert_int_eq(buf_append_char(&text, 0), 0);
    ck_assert_str_eq(text.data, "  #0 ??\n");
    buf_fini(&text);
}
END_TEST

/* What a damaged stack can hold: the walk stays inside and ends. */
static const struct {
    int link; /* where the saved frame pointer leads, in words; -1: outside */
    uintptr_t pc;
    int expected;
} damaged[] = {
    {4, 0x1000, 2}, /* upwards: goes on, ends at the zero there */
    {0, 0x1000, 1}, /* to itself */
    {-1, 0x1000, 1},
    {4, 0, 0},
};

START_TEST(a_damaged_stack_ends_the_walk)
{
#if defined(CO_SWITCH_FAST)
    uintptr_t words[16] = {0}, pcs[CO_TRACE_MAX];
    struct co_context context = {.bp = words};
    words[0] = damaged[_i].link < 0 ? 0x10 : (uintptr_t)(words + damaged[_i].link);
    words[1] = damaged[_i].pc;
    words[4] = (uintptr_t)(words + 8);
    words[5] = 0x2000;
    ck_assert_int_eq(
        coro_trace_parked(&context, (char *)words, (char *)(words + 16), pcs, CO_TRACE_MAX),
        damaged[_i].expected);
    /* a frame that does not lie on the stack at all, or across its end */
    ck_assert_int_eq(coro_trace_parked(&context, (char *)(words + 1), (char *)(words + 16), pcs, 4),
                     0);
    ck_assert_int_eq(coro_trace_parked(&context, (char *)words, (char *)(words + 1), pcs, 4), 0);
#endif
}
END_TEST

/* ---- a signal at any instruction of a switch ---- */

#if defined(__x86_64__) && !defined(CO_ASAN) && !defined(CO_TSAN)
#define TRAP_FLAG 0x100

static volatile bool is_stepping;
static unsigned steps;

/* After each instruction: unwind from there. */
static void on_step(int signo, siginfo_t *info, void *context)
{
    (void)signo, (void)info;
    uintptr_t pcs[CO_TRACE_MAX];
    greg_t *flags = &((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL];
    ck_assert_int_ge(coro_trace_self(pcs, CO_TRACE_MAX, 2), 0);
    steps++;
    if (!is_stepping)
        *flags &= ~TRAP_FLAG;
}

static int switches_back(void *arg)
{
    /* what lies at the stack pointer of a flow that is switched away is no address */
    volatile uintptr_t junk[16];
    (void)arg;
    for (size_t i = 0; i < ARRAY_LEN(junk); i++)
        junk[i] = 0x1234567;
    int rv = co_yield ();
    return rv < 0 ? rv : junk[3] != 0x1234567;
}

static int stepped_main(void *arg)
{
    struct co_task *task = co_spawn(switches_back, arg);
    int result, rv = 0;
    is_stepping = true;
    __asm__ volatile("subq $128, %%rsp\n\tpushfq\n\torq %0, (%%rsp)\n\tpopfq\n\taddq $128, %%rsp"
                     :
                     : "i"(TRAP_FLAG)
                     : "memory", "cc");
    for (int i = 0; i < 3 && rv == 0; i++)
        rv = co_yield (); /* into a fresh stack, and back; once more; to the loop */
    is_stepping = false;
    if (rv == 0)
        rv = co_join(task, CO_NO_DEADLINE, &result);
    return rv < 0 ? rv : result;
}
#endif

START_TEST(a_signal_handler_may_unwind_inside_a_switch)
{
#if defined(__x86_64__) && !defined(CO_ASAN) && !defined(CO_TSAN)
    static const struct co_options unwatched = {.watchdog_ns = -1};
    struct sigaction action = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO};
    uintptr_t pc;
    (void)coro_trace_self(&pc, 1, 0); /* loads the unwinder */
    ck_assert_int_eq(sigaction(SIGTRAP, &action, NULL), 0);
    ck_assert_int_eq(co_run(stepped_main, NULL, &unwatched), 0);
    ck_assert_uint_gt(steps, 50);
#endif
}
END_TEST

SUITE_MAIN("trace", SUITE_TEST(a_signal_handler_may_unwind_inside_a_switch),
           SUITE_TEST(a_parked_task_is_walked_to_its_first_function),
           SUITE_TEST(a_running_task_is_walked_too), SUITE_TEST(what_has_no_name_says_so),
           SUITE_LOOP(a_damaged_stack_ends_the_walk, damaged))
