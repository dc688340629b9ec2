#include "coro/prof/ticks.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

bool prof_ticks_are_tsc;

/* Both clocks at start; a child made by fork keeps its parent's pair. */
static uint64_t start_ticks;
static int64_t start_ns;

#if defined(__x86_64__)
/* The rate is constant and the counter never stops: CPUID 8000_0007h EDX bit 8. */
static bool tsc_is_invariant(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(0x80000007U, &a, &b, &c, &d) != 0 && (d & (1U << 8)) != 0;
}

/* The kernel watches the counters of all cores and drops a source that drifts. */
static bool kernel_trusts_tsc(void)
{
    char name[8] = "";
    int fd = open("/sys/devices/system/clocksource/clocksource0/current_clocksource",
                  O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, name, sizeof name - 1);
    close(fd);
    return n >= 4 && strcmp(name, "tsc\n") == 0;
}
#endif

__attribute__((constructor)) static void ticks_init(void)
{
#if defined(__x86_64__)
    prof_ticks_are_tsc = tsc_is_invariant() && kernel_trusts_tsc();
#endif
    start_ns = clock_now_ns();
    start_ticks = prof_ticks();
}

double prof_tick_ns(void)
{
    if (!prof_ticks_are_tsc)
        return 1.0;
    /* A pair taken right after the first says nothing: let a millisecond pass. */
    int64_t now_ns;
    uint64_t now_ticks;
    do {
        now_ns = clock_now_ns();
        now_ticks = prof_ticks();
    } while (now_ns - start_ns < NS_PER_MS);
    return (double)(now_ns - start_ns) / (double)(now_ticks - start_ticks);
}
