/* coro/task.c - the life of a task.
 *
 * Happy path: spawn takes a stack from the pool (the one used last: its pages
 * are warm) and queues it; the first switch enters task_main, or continues it
 * where the previous task of this stack left; the function runs; its end wakes
 * the joiner and leaves for good.  A detached task's stack goes back to the
 * pool at its end, a joinable one's when it is joined: the handle is the task,
 * and the task lies on its stack.
 *
 * Failure: no stack, no task: spawn returns NULL.  A task that ignores its
 * cancellation keeps the loop running until it ends. */
#include <sys/mman.h>

#include "coro/internal.h"
#include "coro/io.h"
#include "coro/run.h"

/* At the top of the stack, on cache lines of its own. */
#define TASK_BYTES ((sizeof(struct co_task) + 63) & ~(size_t)63)

/* What a pooled stack keeps of its memory. */
#define KEPT_BYTES ((size_t)32 << 10)
#define MARK_BYTES ((size_t)4096)
/* Eight looks: frames are dense enough that all of them rarely miss. */
#define MARK_WORDS_APART 64

/* ---- the pool ---- */

/* The task that lies on a stack of this arena. */
static struct co_task *task_of(const struct co_stack *stack)
{
    return (struct co_task *)(void *)(stack->low + stack->bytes - TASK_BYTES);
}

/* Words that a stack which went deep has very likely written to: in the first
 * pages below what a pooled stack keeps.  Fresh memory reads as zero. */
__attribute__((no_sanitize("address", "thread"))) static bool went_deep(const struct co_task *task)
{
    if (UNLIKELY(task->loop->is_emulated))
        return false;
    const uint64_t *mark =
        (const uint64_t *)(const void *)((const char *)task - KEPT_BYTES - MARK_BYTES);
    uint64_t seen = 0;
    for (size_t i = 0; i < MARK_BYTES / sizeof(*mark); i += MARK_WORDS_APART)
        seen |= mark[i];
    return seen != 0;
}

/* Give back the memory of a stack that is not kept warm.  Its own top stays:
 * this may run on it. */
static void trim(struct co_task *task)
{
    uintptr_t end = ((uintptr_t)task - KEPT_BYTES) & ~(uintptr_t)4095;
    if (madvise(task->stack_low, end - (uintptr_t)task->stack_low, MADV_DONTNEED) == 0)
        task->loop->trimmed++;
}

static NOINLINE void note_high(struct co_task *task)
{
    size_t bytes = coro_stack_high(task);
    if (bytes > task->stats->stack_high_bytes)
        task->stats->stack_high_bytes = bytes;
}

static void release(struct co_task *task)
{
    struct co_loop *loop = task->loop;
    bool is_deep = UNLIKELY(went_deep(task));
    /* Measuring is a system call: the first lives of a site, then ever fewer. */
    uint64_t total = task->stats->total;
    if (UNLIKELY(is_deep || (total & (total - 1)) == 0))
        note_high(task);
    if (UNLIKELY(is_deep || loop->pool_count >= loop->pool_max))
        trim(task);
    task->state = CO_TASK_FREE;
    task->next = loop->pool;
    loop->pool = task;
    loop->pool_count++;
}

/* A parked descriptor has fired and nothing else is ready: its task begins here and
 * now, on the stack of the one that has just been released. */
static bool has_next_life(struct co_loop *loop, struct co_task *task)
{
    if (loop->ready_head != NULL || list_is_empty(&loop->fired) || loop->budget <= 1)
        return false;
    /* charged before: the record is about to be written anew */
    if (loop->is_clocked)
        coro_charge_end(loop, task);
    coro_fds_start(loop);
    if (UNLIKELY(loop->ready_head != task)) /* no memory: the descriptor tries again later */
        return false;
    coro_spend(loop);
    coro_take_ready(loop);
    coro_charge_begin(loop, task);
    return true;
}

/* Runs on the task's stack for as long as the stack exists. */
static void task_main(void)
{
    struct co_loop *loop = coro_loop_tls;
    struct co_task *task = loop->self;
    coro_context_entered(&task->context);
    for (;;) {
        if (task->is_parked_fd)
            task->result = ((co_parked_fn *)(void *)task->fn)(task->arg, task->why);
        else
            task->result = task->fn(task->arg);
        if (UNLIKELY(task->locals != NULL))
            coro_locals_destroy(task);
        if (UNLIKELY(task->prof.top != NULL))
            prof_cursor_fini(&task->prof);
        loop->live--;
        task->stats->alive--;
        task->state = CO_TASK_DEAD;
        if (UNLIKELY(task->group != NULL))
            coro_group_ended(task);
        if (task->is_detached) {
            release(task);
            if (has_next_life(loop, task))
                continue;
        } else if (task->joiner != NULL) {
            coro_wake(task->joiner, 0);
        }
        coro_switch_away(loop, task);
    }
}

static struct co_task *task_cut(struct co_loop *loop)
{
    struct co_stack stack;
    if (coro_stack_cut(&loop->arena, &stack) < 0)
        return NULL;
    struct co_task *task = task_of(&stack);
    task->loop = loop;
    task->stack_low = stack.low;
    task->timer.place = 0;
    task->stats = NULL;
    task->state = CO_TASK_FREE;
    coro_context_init(&task->context, stack.low, stack.bytes - TASK_BYTES, task_main);
    return task;
}

/* ---- spawn ---- */

/* A new life on this stack: the figures of the last one go to its site for good. */
static inline void count_spawn(struct co_task *task, struct co_site_stats *stats)
{
    struct co_site_stats *last = task->stats;
    if (LIKELY(last != NULL)) {
        last->cpu_ticks += task->cpu_ticks;
        if (task->longest_ticks > last->longest_ticks)
            last->longest_ticks = task->longest_ticks;
    }
    task->cpu_ticks = 0;
    task->longest_ticks = 0;
    task->stats = stats;
    stats->total++;
    stats->alive++;
}

struct co_task *coro_spawn(struct co_loop *loop, struct co_site *site, const char *name, co_fn *fn,
                           void *arg)
{
    struct co_site_stats *stats = coro_site_find(loop, site);
    struct co_task *task = loop->pool;
    if (UNLIKELY(stats == NULL)) {
        errno = ENOMEM;
        return NULL;
    }
    if (LIKELY(task != NULL)) {
        loop->pool = task->next;
        loop->pool_count--;
    } else {
        task = task_cut(loop);
        if (task == NULL) {
            errno = ENOMEM;
            return NULL;
        }
    }
    task->is_detached = false;
    task->is_cancelled = false;
    task->is_cancel_wanted = false;
    task->cancel_off = 0;
    task->scope = NULL;
    task->group = NULL;
    task->locals = NULL;
    task->is_parked_fd = false;
    task->is_unwatched = false;
    if (UNLIKELY(loop->is_ending))
        task->is_cancelled = task->is_cancel_wanted = true;
    task->fn = fn;
    task->arg = arg;
    task->site = site;
    task->name = name;
    task->joiner = NULL;
    task->id = ++loop->next_id;
    task->spawned_ns = loop->now_ns;
    count_spawn(task, stats);
    prof_cursor_init(&task->prof, coro_ready_ticks(loop));
    loop->live++;
    coro_ready(loop, task);
    return task;
}

struct co_task *co_spawn_at(struct co_site *site, const char *name, co_fn *fn, void *arg)
{
    struct co_loop *loop = coro_loop_tls;
    if (loop == NULL) {
        errno = EPERM;
        return NULL;
    }
    return coro_spawn(loop, site, name, fn, arg);
}

const char *co_task_name(const struct co_task *task)
{
    return task->name != NULL ? task->name : task->site->function;
}

/* ---- the end ---- */

int co_join(struct co_task *task, int64_t deadline_ns, int *ret_result)
{
    struct co_task *self = coro_self_or_die("co_join");
    if (task == self)
        return -EDEADLK;
    if (task->joiner != NULL)
        return -EBUSY;
    if (task->state == CO_TASK_FREE || task->is_detached)
        return -EINVAL;
    if (task->state != CO_TASK_DEAD) {
        task->joiner = self;
        int rv = coro_park_fast(self, CO_WAIT_JOIN, task, deadline_ns);
        task->joiner = NULL;
        /* It may have ended while our cancel or deadline was on its way. */
        if (rv < 0 && task->state != CO_TASK_DEAD)
            return rv;
    }
    if (ret_result != NULL)
        *ret_result = task->result;
    release(task);
    return 0;
}

void co_detach(struct co_task *task)
{
    if (UNLIKELY(task == NULL))
        return;
    /* Its stack would come back twice. */
    if (UNLIKELY(task->joiner != NULL || task->is_detached || task->state == CO_TASK_FREE))
        coro_die("co_detach of a task that is joined or was given up");
    if (task->state == CO_TASK_DEAD)
        release(task);
    else
        task->is_detached = true;
}

void co_cancel(struct co_task *task)
{
    if (task->state == CO_TASK_DEAD || task->state == CO_TASK_FREE)
        return;
    task->is_cancel_wanted = true;
    if (task->cancel_off > 0)
        return;
    task->is_cancelled = true;
    coro_wake(task, -ECANCELED);
}

void co_cancel_disable(void)
{
    struct co_task *task = coro_self_or_die("co_cancel_disable");
    task->cancel_off++;
    task->is_cancelled = false;
}

void co_cancel_enable(void)
{
    struct co_task *task = coro_self_or_die("co_cancel_enable");
    coro_require(task->cancel_off > 0, "co_cancel_enable without co_cancel_disable");
    if (--task->cancel_off == 0)
        task->is_cancelled = task->is_cancel_wanted;
}

/* ---- scoped deadlines ---- */

void co_scope_enter(struct co_scope *scope, int64_t deadline_ns)
{
    struct co_task *task = coro_self_or_die("co_scope_enter");
    *scope = (struct co_scope){.outer = task->scope, .deadline_ns = deadline_ns};
    task->scope = scope;
}

bool co_scope_leave(struct co_scope *scope)
{
    struct co_task *task = coro_self_or_die("co_scope_leave");
    coro_require(task->scope == scope, "co_scope_leave of a scope that is not the innermost");
    task->scope = scope->outer;
    return scope->has_expired;
}

void co_scope_restart(struct co_scope *scope, int64_t deadline_ns)
{
    scope->deadline_ns = deadline_ns;
    scope->has_expired = false;
}

/* ---- the loop's end ---- */

static bool cancel_one(struct co_task *task, void *self)
{
    if (task != self)
        co_cancel(task);
    return true;
}

void coro_cancel_all(struct co_loop *loop)
{
    coro_task_each(loop, cancel_one, loop->self);
}

static bool fini_one(struct co_task *task, void *arg)
{
    (void)arg;
    coro_context_fini(&task->context);
    return true;
}

void coro_tasks_fini(struct co_loop *loop)
{
    coro_task_each(loop, fini_one, NULL);
}

/* ---- all tasks ---- */

struct each {
    bool (*fn)(struct co_task *task, void *arg);
    void *arg;
};

static bool each_stack(const struct co_stack *stack, void *arg)
{
    const struct each *each = arg;
    return each->fn(task_of(stack), each->arg);
}

void coro_task_each(struct co_loop *loop, bool (*fn)(struct co_task *task, void *arg), void *arg)
{
    struct each each = {fn, arg};
    coro_stack_each(&loop->arena, each_stack, &each);
}

size_t coro_stack_used(const struct co_task *task)
{
    uintptr_t top = (uintptr_t)task;
    uintptr_t frame = task->state == CO_TASK_RUNNING ? (uintptr_t)__builtin_frame_address(0)
                                                     : coro_context_frame(&task->context);
    return frame < top && frame >= (uintptr_t)task->stack_low ? top - frame : 0;
}

/* The first word from `at` upwards that is not zero. */
__attribute__((no_sanitize("address", "thread"))) static const uint64_t *first_written(
    const uint64_t *at, const uint64_t *end)
{
    while (at < end && *at == 0)
        at++;
    return at;
}

size_t coro_stack_high(const struct co_task *task)
{
    enum { BATCH = 256 };
    unsigned char present[BATCH];
    const char *top = (const char *)task;
    if (task->loop->is_emulated)
        return 0;
    for (char *at = task->stack_low; at < top; at += BATCH * 4096) {
        size_t bytes = (size_t)(top - at) < BATCH * 4096 ? (size_t)(top - at) : BATCH * 4096;
        if (mincore(at, bytes, present) < 0)
            return 0;
        for (size_t page = 0; page * 4096 < bytes; page++) {
            if (!(present[page] & 1))
                continue;
            const char *end = at + (page + 1) * 4096 < top ? at + (page + 1) * 4096 : top;
            const uint64_t *word = first_written((const uint64_t *)(const void *)(at + page * 4096),
                                                 (const uint64_t *)(const void *)end);
            if ((const char *)word < end)
                return (size_t)(top - (const char *)word);
        }
    }
    return 0;
}
