/* loadgen/usage.h - what a server uses, all its processes and threads together.
 *
 * CPU is read from the processes' own CPU clocks (nanoseconds, ended threads
 * included); of children that ended meanwhile the kernel adds what they used to
 * their parent's account (in ticks of 10 ms).  Memory is PSS: pages that
 * prefork children share are counted once.
 *
 *   context    any; reads /proc, takes about 10 us a process (memory: 100 us)
 *   returns    0, or -ESRCH when the server is not there */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "coro/base/attr.h"

/* CPU time used by pid and all its descendants, also the ended ones. */
MUST_USE int lg_usage_cpu_ns(pid_t pid, int64_t *ret_cpu_ns);

struct lg_memory {
    int64_t pss_bytes; /* 0: the kernel does not tell */
    int processes;
    int threads;
};
MUST_USE int lg_usage_memory(pid_t pid, struct lg_memory *ret_memory);

/* Time of one CPU (or of all, cpu < 0) since boot, by user. */
struct lg_machine {
    int64_t busy_ns;
    int64_t stolen_ns; /* taken by the hypervisor */
};
MUST_USE int lg_usage_machine(int cpu, struct lg_machine *ret_machine);
