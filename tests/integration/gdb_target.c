/* What gdb is run on: a loop with a sleeping task and one that waits for an event. */
#include "coro/base/attr.h"
#include "coro/base/clock.h"
#include "coro/sync.h"

static struct co_event never;

static NOINLINE int nap_in_a_static_function(void)
{
    int rv = co_sleep(3600 * NS_PER_S);
    __asm__ volatile(""); /* no tail call: the frame is looked for */
    return rv;
}

static int nap(void *arg)
{
    (void)arg;
    return nap_in_a_static_function();
}

static int waiter_main(void *arg)
{
    (void)arg;
    int rv = co_event_wait(&never, CO_NO_DEADLINE);
    __asm__ volatile("");
    return rv;
}

void gdb_stop_here(void);
NOINLINE void gdb_stop_here(void)
{
    __asm__ volatile("");
}

static int first(void *arg)
{
    (void)arg;
    co_event_init(&never);
    co_detach(co_spawn_named("napper", nap, NULL));
    co_detach(co_spawn_named("waiter", waiter_main, NULL));
    int rv = co_yield ();
    gdb_stop_here();
    return rv;
}

int main(void)
{
    struct co_options options = {.watchdog_ns = -1}; /* a stopped program is not a blocked one */
    return co_run(first, NULL, &options);
}
