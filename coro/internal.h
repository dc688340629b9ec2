/* coro/internal.h - the structures that the parts of the runtime share, and
 * the two calls on which every wait is built: park and wake.
 *
 * A task is in exactly one state; only these moves exist:
 *
 *     FREE --spawn--> READY --switch--> RUNNING --park--> PARKED
 *       ^               ^                 |  |               |
 *       |               +------yield------+  +--end--> DEAD  |
 *       |               +---------------wake-----------------+
 *       +--- join, or at once when detached --- DEAD
 *
 * A wait ends by whatever wakes the task first (its object, its deadline, a
 * cancel); later wakes of a task that is not parked are no-ops.  A task that
 * put itself on a list of waiters takes itself off when it is back: nobody
 * frees or unlinks a parked task. */
#pragma once

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "coro/base/attr.h"
#include "coro/base/clock.h"
#include "coro/base/list.h"
#include "coro/coro.h"
#include "coro/prof/sched.h"
#include "coro/reactor.h"
#include "coro/stack.h"
#include "coro/switch.h"
#include "coro/timer.h"

/* Sanitizers widen every frame. */
#if defined(CO_ASAN) || defined(CO_TSAN)
#define CO_STACK_BYTES_DEFAULT ((size_t)1 << 20)
#else
#define CO_STACK_BYTES_DEFAULT ((size_t)256 << 10)
#endif

enum co_task_state {
    CO_TASK_FREE, /* its stack is in the pool */
    CO_TASK_READY,
    CO_TASK_RUNNING,
    CO_TASK_PARKED,
    CO_TASK_DEAD, /* has ended, handle not given back yet */
};

/* Why a task is parked: what reports say, and the type of wait_on. */
enum co_wait {
    CO_WAIT_NONE,
    CO_WAIT_SLEEP,
    CO_WAIT_JOIN, /* wait_on: the task */
    CO_WAIT_READ, /* wait_on: the fd, as an integer */
    CO_WAIT_WRITE,
    CO_WAIT_FD,
    CO_WAIT_MUTEX, /* from here on wait_on is the object */
    CO_WAIT_COND,
    CO_WAIT_SEM,
    CO_WAIT_EVENT,
    CO_WAIT_SEND,
    CO_WAIT_RECV,
    CO_WAIT_SELECT, /* none: several */
    CO_WAIT_PUT,
    CO_WAIT_GET,
    CO_WAIT_QUEUE,
    CO_WAIT_GROUP,
    CO_WAIT_OFFLOAD, /* none */
    CO_WAIT_RESOLVE, /* none */
};

/* What the tasks of one spawn site did in one loop.  cpu and longest lack the
 * tasks that still lie on a stack: those are added when somebody asks, and for
 * good when the stack is used again. */
struct co_site_stats {
    struct co_site *site;
    uint64_t total;
    uint64_t alive;
    uint64_t cpu_ticks;
    uint64_t longest_ticks; /* longest stretch without a switch */
    size_t stack_high_bytes;
};

/* At the top of its own stack, so that one page holds it and its first frames. */
struct co_task {
    struct co_context context;
    struct co_task *next; /* in the run queue, or in the pool */
    struct co_loop *loop;
    uint8_t state; /* enum co_task_state */
    uint8_t wait;  /* enum co_wait, while parked */
    bool is_detached;
    bool is_cancelled;     /* every wait fails from now on */
    bool is_cancel_wanted; /* takes effect when cancel_off is 0 */
    uint16_t cancel_off;   /* depth of cancel-disabled sections */
    bool is_unwatched;     /* may block its loop */
    bool is_parked_fd;     /* fn is a co_parked_fn and gets `why` */
    int why;
    int woken; /* what the current park returns */
    int result;
    co_fn *fn;
    void *arg;
    struct co_site *site;
    const char *name; /* borrowed */
    struct co_task *joiner;
    struct co_timer timer; /* the deadline of the current wait */
    const void *wait_on;
    struct co_scope *scope; /* innermost; NULL: none */
    struct co_group *group;
    struct co_list group_link;
    struct co_local_value *locals;
    uint64_t id;
    char *stack_low;
    int64_t spawned_ns;
    struct co_site_stats *stats; /* NULL: no site has used this stack yet */
    uint64_t cpu_ticks;          /* this life's */
    uint64_t longest_ticks;
    struct prof_cursor prof;
};

struct co_post {
    struct co_post *next;
    void (*fn)(void *arg);
    void *arg;
};

struct co_fd;

struct co_loop {
    /* The first lines are what every switch touches. */
    struct co_task *self; /* NULL: the loop itself runs */
    struct co_task *ready_head;
    struct co_task *ready_tail;
    bool is_clocked;      /* each switch reads the tick counter: accounting or recording is on */
    bool is_tick_fresh;   /* `ticks` is of this poll */
    bool is_emulated;     /* as in the arena: stacks are neither measured nor trimmed */
    int budget;           /* atomic: switches left before the loop looks at I/O and timers */
    int io_budget;        /* calls left that a task may do without giving way */
    struct co_list fired; /* parked descriptors that are readable and have no task yet */
    struct co_task *pool;
    size_t pool_count;
    size_t pool_max;
    int64_t now_ns;
    uint64_t ticks;          /* at the last switch */
    uint64_t turn_end_ticks; /* no further switch between tasks after this */
    struct co_context context;
    struct co_timers timers;
    struct reactor *reactor;

    struct co_fd **fds; /* by descriptor */
    size_t fds_cap;
    struct co_fd *fd_pool;
    struct co_list probes; /* struct fd_probe */
    size_t parked_fds;
    struct dns *dns; /* NULL: no name was asked for yet */

    struct co_stack_arena arena;
    size_t live; /* tasks that have not ended */
    uint64_t next_id;
    bool is_ending;
    bool is_accounting;
    uint64_t turn_ticks_max;
    struct co_site_stats **sites; /* by site->id */
    uint32_t sites_cap;
    int turn_switches; /* the budget of this turn */
    const char *name;

    struct co_port *port;
    size_t outside;  /* waits that another thread will end */
    size_t fd_waits; /* waits that a descriptor may end */
    bool is_deadlock_told;

    struct co_list all; /* in the list of loops; guarded by its lock */
    bool is_listed;
    int ring_slot;
    unsigned dumps_seen;
    char *alt_stack;
    uint64_t turns;    /* atomic */
    uint64_t switches; /* up to the last turn */
    uint64_t trimmed;
    uint64_t accept_failures;
    uint64_t lag[64]; /* turns, by the bit length of their ticks */

    pthread_t thread;
    int64_t watchdog_ns; /* not above 0: not watched */
    bool is_polling;     /* atomic: nothing for the watchdog to judge */
    pid_t tid;
    bool is_watch_told;     /* these four: the watchdog's */
    int64_t watch_delay_ns; /* time it had waited for a CPU when the stretch began; -1: not read */
    uint64_t watch_beat;
    int64_t watch_since_ns; /* 0: it has not looked yet */
};

/* When a task became ready, for the clock that switches are counted by.  Made
 * ready by the loop itself: the last switch lies before the poll. */
static inline uint64_t coro_ready_ticks(struct co_loop *loop)
{
    if (loop->is_clocked && loop->self == NULL && !loop->is_tick_fresh) {
        loop->ticks = prof_ticks();
        loop->is_tick_fresh = true;
    }
    return loop->ticks;
}

/* The loop of this thread.  initial-exec: one instruction, also in the shared library. */
extern __thread struct co_loop *coro_loop_tls
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* ---- sched.c ---- */

/* Park the running task until somebody wakes it or deadline_ns passes; returns
 * what it was woken with, -ETIMEDOUT, -ECANCELED, or -ENOMEM (no timer). */
int coro_park(enum co_wait wait, const void *wait_on, int64_t deadline_ns);
/* Make a parked task ready; its park returns `woken`.  Else a no-op. */
void coro_wake(struct co_task *task, int woken);
/* After a call that did not block: every so often, let others run.  Events come
 * meanwhile: what the call found out about its descriptor is noted before. */
void coro_io_budget_spent(struct co_task *task);
static inline void coro_count_io(struct co_loop *loop)
{
    if (UNLIKELY(--loop->io_budget <= 0))
        coro_io_budget_spent(loop->self);
}

/* ---- task.c ---- */

struct co_task *coro_spawn(struct co_loop *loop, struct co_site *site, const char *name, co_fn *fn,
                           void *arg);
/* Cancel every task that is left. */
void coro_cancel_all(struct co_loop *loop);
/* Give back what the tasks of an ended loop hold besides their stacks. */
void coro_tasks_fini(struct co_loop *loop);

/* Every task, also ended and free ones, until fn returns false. */
void coro_task_each(struct co_loop *loop, bool (*fn)(struct co_task *task, void *arg), void *arg);
/* Bytes of stack that a task which does not run has in use now. */
size_t coro_stack_used(const struct co_task *task);
/* The most its stack ever had in use since its memory was fresh. */
size_t coro_stack_high(const struct co_task *task);

struct co_counts;
void coro_counts_of(const struct co_loop *loop, struct co_counts *ret_counts);
void coro_lag_of(const struct co_loop *loop, uint64_t *ret_buckets);

/* ---- site.c ---- */

/* The figures of a site in this loop; NULL: out of memory. */
struct co_site_stats *coro_site_find_slow(struct co_loop *loop, struct co_site *site);
static inline struct co_site_stats *coro_site_find(struct co_loop *loop, struct co_site *site)
{
    uint32_t id = __atomic_load_n(&site->id, __ATOMIC_RELAXED);
    if (LIKELY(id != 0 && id < loop->sites_cap && loop->sites[id] != NULL))
        return loop->sites[id];
    return coro_site_find_slow(loop, site);
}
void coro_sites_fini(struct co_loop *loop);

/* ---- group.c, local.c ---- */

/* A member has ended; called on its own stack. */
void coro_group_ended(struct co_task *task);
/* Destroy the values of the running task. */
void coro_locals_destroy(struct co_task *task);

/* ---- fd.c, park.c ---- */

/* Make the task of the descriptor that fired first; there is one. */
void coro_fds_start(struct co_loop *loop);
/* The loop ends: parked descriptors come back as tasks with -ECANCELED. */
void coro_fds_cancel(struct co_loop *loop);
void coro_fds_fini(struct co_loop *loop);

/* ---- dns.c ---- */

void coro_dns_fini(struct co_loop *loop);

/* ---- post.c ---- */

/* A loop's mailbox: shared by the loop and the threads that will post to it. */
MUST_USE int coro_port_open(struct co_loop *loop);
void coro_port_close(struct co_loop *loop);
struct co_port *coro_port_ref(struct co_port *port);
void coro_port_unref(struct co_port *port);
/* Any thread: have post->fn(post->arg) run on the loop's flow.  The post stays
 * the caller's memory, untouched until then.  0 or -ESHUTDOWN. */
MUST_USE int coro_port_post(struct co_port *port, struct co_post *post);
int coro_port_fd(const struct co_port *port);
bool coro_port_is_posted(const struct co_port *port);
/* A program may post.  Asked before is_posted: whoever posted held it. */
bool coro_port_is_held(const struct co_port *port);
/* No task is left.  True: nothing was queued, and nothing will be; else run it. */
bool coro_port_end(struct co_port *port);
/* Run what was posted. */
void coro_port_run(struct co_port *port);

/* A bug of the caller's that no return value could repair. */
NORETURN void coro_die(const char *what);
NORETURN void coro_die_outside(const char *call);
static inline void coro_require(bool is_so, const char *else_what)
{
    if (UNLIKELY(!is_so))
        coro_die(else_what);
}

/* The running task when it may block.  Calling this outside a task is a bug of
 * the caller's that no return value could repair. */
static inline struct co_task *coro_self_or_die(const char *call)
{
    struct co_loop *loop = coro_loop_tls;
    if (UNLIKELY(loop == NULL || loop->self == NULL))
        coro_die_outside(call);
    return loop->self;
}
