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

/* The first `cap` bytes of a file as text; "" when there is none. */
static void read_start(const char *path, char *text, size_t cap)
{
    ssize_t n = -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        n = read(fd, text, cap - 1);
        close(fd);
    }
    text[n > 0 ? n : 0] = '\0';
}

/* The kernel watches the counters of all cores and drops a source that drifts.  In a
 * virtual machine its source may be made of the counter by the hypervisor (kvm-clock):
 * then it says of the counter itself whether it is the same on every core. */
static bool kernel_trusts_tsc(void)
{
    char text[4096]; /* of cpuinfo: the first processor, most likely */
    read_start("/sys/devices/system/clocksource/clocksource0/current_clocksource", text,
               sizeof text);
    if (strcmp(text, "tsc\n") == 0)
        return true;
    if (strcmp(text, "kvm-clock\n") != 0)
        return false;
    read_start("/proc/cpuinfo", text, sizeof text);
    return strstr(text, " tsc_reliable ") != NULL;
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
