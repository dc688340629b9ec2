#include "coro/base/cpu_share.h"

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "coro/base/clock.h"

#define SLICE_MIN_NS    (100 * NS_PER_US) /* the kernel takes no less */
#define SLICE_USUAL_NS  0
#define NICE_BACKGROUND 5
#define NICE_LEAST      (-20)
#define STEPS_AHEAD     10

/* Version 0 of the kernel's struct sched_attr; its header cannot stand beside <sched.h>. */
struct attributes {
    uint32_t size;
    uint32_t policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns;
    uint64_t deadline_ns;
    uint64_t period_ns;
};

/* false: not known, or whoever chose another policy knows better. */
static bool look(struct attributes *ret)
{
    *ret = (struct attributes){.size = sizeof *ret};
    return syscall(SYS_sched_getattr, 0, ret, sizeof *ret, 0) == 0 && ret->policy == SCHED_OTHER;
}

static void share(int64_t slice_ns, int32_t nice_least)
{
    struct attributes a;
    if (!look(&a))
        return;
    a.runtime_ns = (uint64_t)slice_ns;
    if (a.nice < nice_least)
        a.nice = nice_least;
    syscall(SYS_sched_setattr, 0, &a, 0);
}

void cpu_share_prompt(void)
{
    share(SLICE_MIN_NS, NICE_LEAST);
}

void cpu_share_background(void)
{
    share(SLICE_USUAL_NS, NICE_BACKGROUND);
}

/* How many steps of niceness this really was. */
static int step(int steps)
{
    struct attributes a;
    if (!look(&a))
        return 0;
    int before = a.nice;
    a.runtime_ns = SLICE_USUAL_NS;
    a.nice = before + steps < NICE_LEAST ? NICE_LEAST : before + steps;
    return syscall(SYS_sched_setattr, 0, &a, 0) == 0 ? a.nice - before : 0;
}

int cpu_share_ahead(void)
{
    return -step(-STEPS_AHEAD);
}

void cpu_share_give_back(int steps)
{
    if (steps > 0)
        (void)step(steps);
}
