/* coro/sched.c - the run queue and the turn of the loop.
 *
 * A turn: look at I/O (waiting if nothing is ready), read the clock, fire
 * timers, run what other threads posted, then run ready tasks.  Tasks switch
 * to each other directly; the loop's own flow is entered when the queue is
 * empty or the turn's budget of switches is spent.  The budget follows the
 * clock, so that endless yielders do not keep I/O and timers waiting: it is
 * doubled after a short turn, cut down after a long one, and one switch is the
 * least.  When switches read the tick counter anyway, a turn also ends by time.
 * What remains is the slice of a task that does not yield at all.
 *
 * One reading of the tick counter per switch serves the accounting of tasks
 * and the profiler, and without either there is none. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coro/inspect.h"
#include "coro/internal.h"
#include "coro/loops.h"
#include "coro/prof/prof.h"
#include "coro/run.h"

/* What a pooled stack keeps (task.c), the task itself, and some room for it to run. */
#define STACK_MIN_BYTES ((size_t)64 << 10)

#define TURN_SWITCHES_FIRST 64
#define TURN_SWITCHES_MAX   256
#define TURN_SHORT_NS       (NS_PER_MS / 4)
#define TURN_LONG_NS        NS_PER_MS
#define WATCHDOG_DEFAULT_NS (100 * NS_PER_MS)

__thread struct co_loop *coro_loop_tls;

/* ---- switching ---- */

/* Charge what ran until now; returns when that is. */
static inline uint64_t charge(struct co_loop *loop, struct co_task *from)
{
    uint64_t now = prof_ticks();
    if (from != NULL) {
        uint64_t slice = now - loop->ticks;
        from->cpu_ticks += slice;
        if (slice > from->longest_ticks)
            from->longest_ticks = slice;
    }
    prof_park(from != NULL ? &from->prof : prof_loop_cursor(), now);
    loop->ticks = now;
    if (UNLIKELY(now > loop->turn_end_ticks && loop->budget > 0))
        __atomic_store_n(&loop->budget, loop->budget - CO_TURN_OVER, __ATOMIC_RELAXED);
    return now;
}

NOINLINE void coro_charge(struct co_loop *loop, struct co_task *from, struct prof_cursor *next)
{
    prof_resume(next, charge(loop, from));
}

NOINLINE void coro_charge_end(struct co_loop *loop, struct co_task *from)
{
    (void)charge(loop, from);
}

/* ---- park and wake ---- */

static void on_deadline(struct co_timer *timer)
{
    coro_wake(CONTAINER_OF(timer, struct co_task, timer), -ETIMEDOUT);
}

/* The scope whose deadline comes before *deadline_ns, which is moved there;
 * the outermost of equals, because it ends the most.  NULL: none does. */
static struct co_scope *earliest_scope(const struct co_task *task, int64_t *deadline_ns)
{
    struct co_scope *earliest = NULL;
    for (struct co_scope *scope = task->scope; scope != NULL; scope = scope->outer)
        if (scope->deadline_ns < *deadline_ns ||
            (earliest != NULL && scope->deadline_ns == *deadline_ns)) {
            earliest = scope;
            *deadline_ns = scope->deadline_ns;
        }
    return earliest;
}

NOINLINE int coro_park(enum co_wait wait, const void *wait_on, int64_t deadline_ns)
{
    struct co_loop *loop = coro_loop_tls;
    struct co_task *task = loop->self;
    if (UNLIKELY(task->is_cancelled))
        return -ECANCELED;
    struct co_scope *scope = NULL;
    if (UNLIKELY(task->scope != NULL))
        scope = earliest_scope(task, &deadline_ns);
    if (deadline_ns != CO_NO_DEADLINE) {
        task->timer.fire = on_deadline;
        int rv = coro_timer_arm(&loop->timers, &task->timer, deadline_ns);
        if (rv < 0)
            return rv;
    }
    coro_park_here(loop, task, wait, wait_on);
    if (UNLIKELY(scope != NULL && task->woken == -ETIMEDOUT))
        scope->has_expired = true;
    return task->woken;
}

void coro_wake(struct co_task *task, int woken)
{
    if (task->state != CO_TASK_PARKED)
        return;
    if (task->timer.place != 0)
        coro_timer_disarm(&task->loop->timers, &task->timer);
    struct co_loop *loop = task->loop;
    task->woken = woken;
    if (loop->is_clocked)
        prof_ready(&task->prof, coro_ready_ticks(loop));
    coro_ready(loop, task);
}

void coro_die(const char *what)
{
    fprintf(stderr, "coro: %s\n", what);
    abort();
}

void coro_die_outside(const char *call)
{
    fprintf(stderr, "coro: %s called outside a task\n", call);
    abort();
}

NOINLINE int co_yield (void)
{
    struct co_task *task = coro_self_or_die("co_yield");
    if (UNLIKELY(task->is_cancelled))
        return -ECANCELED;
    coro_give_way(task);
    return task->is_cancelled ? -ECANCELED : 0;
}

NOINLINE void coro_io_budget_spent(struct co_task *task)
{
    coro_give_way(task);
}

int co_sleep_until(int64_t deadline_ns)
{
    coro_self_or_die("co_sleep");
    int rv = coro_park(CO_WAIT_SLEEP, NULL, deadline_ns);
    /* -ETIMEDOUT before our own deadline is that of a scope around us. */
    return rv == -ETIMEDOUT && deadline_ns <= coro_loop_tls->now_ns ? 0 : rv;
}

int64_t co_after(int64_t span_ns)
{
    int64_t now_ns = clock_now_ns();
    if (coro_loop_tls != NULL)
        coro_loop_tls->now_ns = now_ns;
    return clock_add_ns(now_ns, span_ns);
}

int co_sleep(int64_t span_ns)
{
    return co_sleep_until(co_after(span_ns));
}

int64_t co_now(void)
{
    struct co_loop *loop = coro_loop_tls;
    return loop != NULL ? loop->now_ns : clock_now_ns();
}

struct co_task *co_self(void)
{
    return coro_loop_tls != NULL ? coro_loop_tls->self : NULL;
}

/* ---- counters ---- */

/* Switches to tasks in the running turn: what its budget lost, and the first. */
static uint64_t turn_switches_done(const struct co_loop *loop)
{
    int left = loop->budget < 0 ? loop->budget + CO_TURN_OVER : loop->budget;
    return (uint64_t)(loop->turn_switches - left) + 1;
}

void coro_counts_of(const struct co_loop *loop, struct co_counts *ret_counts)
{
    size_t ready = 0;
    for (const struct co_task *task = loop->ready_head; task != NULL; task = task->next)
        ready++;
    *ret_counts = (struct co_counts){
        .alive = loop->live,
        .ready = ready,
        .parked_fds = loop->parked_fds,
        .stacks = loop->arena.cut,
        .pooled = loop->pool_count,
        .unguarded = loop->arena.unguarded,
        .spawned = loop->next_id,
        .switches = loop->switches + (loop->self != NULL ? turn_switches_done(loop) : 0),
        .turns = loop->turns,
        .trimmed = loop->trimmed,
        .accept_failures = loop->accept_failures};
}

int co_counts(struct co_counts *ret_counts)
{
    if (coro_loop_tls == NULL)
        return -EPERM;
    coro_counts_of(coro_loop_tls, ret_counts);
    return 0;
}

void coro_lag_of(const struct co_loop *loop, uint64_t *ret_buckets)
{
    double tick_ns = prof_tick_ns();
    memset(ret_buckets, 0, CO_LAG_BUCKETS * sizeof(*ret_buckets));
    for (int bits = 0; bits < (int)ARRAY_LEN(loop->lag); bits++) {
        /* the middle of [2^(bits-1), 2^bits) ticks */
        double ns = bits == 0 ? 0 : 0.75 * (double)(UINT64_C(1) << (bits - 1)) * 2 * tick_ns;
        int bucket = 0;
        while (bucket + 1 < CO_LAG_BUCKETS && (double)(INT64_C(2) << bucket) <= ns)
            bucket++;
        ret_buckets[bucket] += loop->lag[bits];
    }
}

int co_lag(uint64_t ret_buckets[CO_LAG_BUCKETS])
{
    if (coro_loop_tls == NULL)
        return -EPERM;
    coro_lag_of(coro_loop_tls, ret_buckets);
    return 0;
}

/* ---- the loop ---- */

/* The next turn's budget, from how long this one took for `switches`. */
static void adapt_budget(struct co_loop *loop, int64_t turn_ns)
{
    if (turn_ns > TURN_LONG_NS) {
        int64_t fit = loop->turn_switches * TURN_LONG_NS / turn_ns;
        loop->turn_switches = fit < 1 ? 1 : (int)fit;
    } else if (turn_ns < TURN_SHORT_NS && loop->turn_switches < TURN_SWITCHES_MAX) {
        loop->turn_switches *= 2;
    }
}

static NOINLINE void run_ready(struct co_loop *loop)
{
    loop->is_clocked = loop->is_accounting || prof_self.slot != NULL;
    __atomic_store_n(&loop->budget, loop->turn_switches, __ATOMIC_RELAXED);
    loop->turn_end_ticks = UINT64_MAX;
    struct co_task *next = coro_take_ready(loop);
    coro_count_switch(loop, NULL, next);
    uint64_t start_ticks = loop->ticks;
    loop->turn_end_ticks = start_ticks + loop->turn_ticks_max;
    coro_context_switch(&loop->context, &next->context);
    __atomic_store_n(&loop->turns, loop->turns + 1, __ATOMIC_RELAXED);
    loop->switches += turn_switches_done(loop);
    /* the clock of a machine that was moved or restored may step back */
    uint64_t took = loop->ticks > start_ticks ? loop->ticks - start_ticks : 0;
    if (loop->is_clocked)
        loop->lag[64 - __builtin_clzll(took | 1)]++;
    if (loop->budget <= 0)
        adapt_budget(loop, clock_now_ns() - loop->now_ns);
}

/* Every task waits, and only for other tasks. */
static bool is_deadlocked(const struct co_loop *loop)
{
    return loop->live > 0 && loop->fd_waits == 0 && loop->parked_fds == 0 && loop->outside == 0 &&
           !coro_port_is_held(loop->port) && !coro_port_is_posted(loop->port);
}

static int poll_events(struct co_loop *loop, int64_t wait_ns)
{
    loop->is_tick_fresh = false;
    if (wait_ns != 0) {
        PROF_WAIT_BEGIN("{epoll_wait}");
        __atomic_store_n(&loop->is_polling, true, __ATOMIC_RELAXED);
    }
    int rv = reactor_poll(loop->reactor, wait_ns);
    if (wait_ns != 0)
        __atomic_store_n(&loop->is_polling, false, __ATOMIC_RELAXED);
    prof_wait_end(); /* without a wait: the place where a busy loop answers readers */
    return rv;
}

/* One is enough to begin with: its task lends its stack to the next when it ends.
 * But tasks that never let the queue run dry may not keep the others out: after a
 * turn that used its budget up, all take their place in the queue. */
static void start_fired(struct co_loop *loop)
{
    while (!list_is_empty(&loop->fired) && (loop->ready_head == NULL || loop->budget <= 0))
        coro_fds_start(loop);
}

/* The tasks that are ready, and the fired descriptors one after the other, for as
 * long as a turn may last. */
static void run_turn(struct co_loop *loop)
{
    uint64_t start_ticks = prof_ticks();
    do {
        start_fired(loop);
        if (loop->ready_head != NULL)
            run_ready(loop);
    } while (loop->ready_head == NULL && !list_is_empty(&loop->fired) && loop->budget > 0 &&
             (int64_t)(loop->ticks - start_ticks) < (int64_t)loop->turn_ticks_max);
}

static int run_turns(struct co_loop *loop)
{
    while (loop->live > 0 || loop->parked_fds > 0) {
        int64_t wait_ns = 0;
        if (loop->ready_head == NULL && list_is_empty(&loop->fired))
            wait_ns = coro_timers_next(&loop->timers);
        if (wait_ns <= loop->now_ns)
            wait_ns = 0;
        if (UNLIKELY(wait_ns == CO_NO_DEADLINE && is_deadlocked(loop))) {
            coro_deadlock(loop);
            continue;
        }
        int rv = poll_events(loop, wait_ns);
        if (rv < 0 && rv != -EINTR)
            return rv;
        loop->now_ns = clock_now_ns();
        coro_dump_if_asked(loop);
        coro_timers_fire(&loop->timers, loop->now_ns);
        coro_port_run(loop->port);
        run_turn(loop);
    }
    return 0;
}

static void loop_free(struct co_loop *loop)
{
    coro_loops_remove(loop);
    if (loop->watchdog_ns > 0)
        coro_watchdog_settle();
    coro_overflow_disarm(loop);
    coro_tasks_fini(loop);
    coro_port_close(loop);
    coro_dns_fini(loop);
    coro_fds_fini(loop);
    reactor_free(loop->reactor);
    coro_loop_tls = NULL; /* a signal handler looks at it */
    coro_timers_fini(&loop->timers);
    coro_stack_arena_fini(&loop->arena);
    coro_sites_fini(loop);
    free(loop);
}

static int loop_new(const struct co_options *options, struct co_loop **ret_loop)
{
    static const struct co_options defaults;
    if (options == NULL)
        options = &defaults;
    struct co_loop *loop = aligned_alloc(64, (sizeof(*loop) + 63) / 64 * 64);
    if (loop == NULL)
        return -ENOMEM;
    memset(loop, 0, sizeof(*loop));
    loop->name = options->name != NULL ? options->name : "main";
    loop->pool_max = options->pool_max_stacks != 0 ? options->pool_max_stacks : SIZE_MAX;
    loop->turn_switches = TURN_SWITCHES_FIRST;
    loop->is_accounting = !options->is_unaccounted;
    loop->is_clocked = loop->is_accounting;
    loop->turn_ticks_max = (uint64_t)((double)TURN_LONG_NS / prof_tick_ns());
    loop->ticks = prof_ticks();
    loop->thread = pthread_self();
    loop->tid = gettid();
    loop->watchdog_ns = options->watchdog_ns != 0 ? options->watchdog_ns : WATCHDOG_DEFAULT_NS;
    list_init(&loop->all);
    loop->ring_slot = -1;
    loop->now_ns = clock_now_ns();
    list_init(&loop->fired);
    list_init(&loop->probes);
    coro_timers_init(&loop->timers);
    size_t stack_bytes = options->stack_bytes != 0 ? options->stack_bytes : CO_STACK_BYTES_DEFAULT;
    coro_stack_arena_init(&loop->arena,
                          stack_bytes < STACK_MIN_BYTES ? STACK_MIN_BYTES : stack_bytes);
    loop->is_emulated = loop->arena.is_emulated;
    coro_context_adopt(&loop->context);
    int rv = reactor_new(&loop->reactor);
    if (rv == 0)
        rv = coro_port_open(loop);
    if (rv == 0)
        rv = coro_loops_add(loop);
    if (rv < 0) {
        loop_free(loop);
        return rv;
    }
    /* Both only report: without them tasks run all the same. */
    (void)!coro_overflow_arm(loop);
    if (loop->watchdog_ns > 0)
        coro_watchdog_start();
    *ret_loop = loop;
    return 0;
}

/* The first task: runs fn, then asks everybody else to end. */
struct main_call {
    co_fn *fn;
    void *arg;
};

static int main_task(void *arg)
{
    const struct main_call *call = arg;
    int result = call->fn(call->arg);
    struct co_loop *loop = coro_loop_tls;
    loop->is_ending = true;
    coro_fds_cancel(loop);
    coro_cancel_all(loop);
    return result;
}

int co_run(co_fn *fn, void *arg, const struct co_options *options)
{
    static struct co_site site = {__FILE__, "co_run", __LINE__, 0};
    if (coro_loop_tls != NULL)
        return -EBUSY;
    struct co_loop *loop;
    int rv = loop_new(options, &loop);
    if (rv < 0)
        return rv;
    coro_loop_tls = loop;
    struct main_call call = {fn, arg};
    struct co_task *first = coro_spawn(loop, &site, "main", main_task, &call);
    if (first == NULL)
        rv = -ENOMEM;
    else
        /* What others have posted until then runs, and the tasks that it spawns. */
        while ((rv = run_turns(loop)) == 0 && !coro_port_end(loop->port))
            coro_port_run(loop->port);
    if (rv == 0)
        rv = first->result;
    loop_free(loop);
    return rv;
}
