#include "coro/base/cpu_share.h"

#include <sched.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "coro/base/clock.h"

#define SLICE_MIN_NS    (100 * NS_PER_US) /* the kernel takes no less */
#define SLICE_USUAL_NS  0
#define NICE_BACKGROUND 5

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

static void share(int64_t slice_ns, int32_t nice_least)
{
    struct attributes a = {.size = sizeof a};
    if (syscall(SYS_sched_getattr, 0, &a, sizeof a, 0) < 0 || a.policy != SCHED_OTHER)
        return; /* whoever chose another policy knows better */
    a.runtime_ns = (uint64_t)slice_ns;
    if (a.nice < nice_least)
        a.nice = nice_least;
    syscall(SYS_sched_setattr, 0, &a, 0);
}

void cpu_share_prompt(void)
{
    share(SLICE_MIN_NS, -20);
}

void cpu_share_background(void)
{
    share(SLICE_USUAL_NS, NICE_BACKGROUND);
}
