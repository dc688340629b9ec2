/* Deadlines and cancel: a scope that is told apart from what lies inside it,
 * and a task that cleans up when it is cancelled. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "coro/coro.h"

static int fetch_slowly(void)
{
    struct co_scope mine;
    co_scope_enter(&mine, co_after(10 * CO_NS_PER_S));
    int rv = co_sleep(CO_NS_PER_S); /* stands for something slow */
    if (co_scope_leave(&mine))
        printf("the fetch took too long\n");
    return rv;
}

static void say_goodbye(const char **name)
{
    printf("%s cleaned up\n", *name);
}

static int worker(void *arg)
{
    /* Ordinary unwinding: nothing special for tasks. */
    __attribute__((cleanup(say_goodbye))) const char *name = arg;
    int rv;
    do
        rv = co_sleep(CO_NS_PER_MS);
    while (rv == 0);
    return rv;
}

static int run(void *arg)
{
    (void)arg;
    struct co_scope request;
    co_scope_enter(&request, co_after(20 * CO_NS_PER_MS));
    int rv = fetch_slowly();
    if (co_scope_leave(&request))
        printf("the request timed out: %s\n", strerror(-rv));

    int result = 0;
    struct co_task *task = co_spawn(worker, "worker");
    if (task == NULL || co_sleep(5 * CO_NS_PER_MS) < 0)
        return 1;
    co_cancel(task);
    if (co_join(task, CO_NO_DEADLINE, &result) == 0)
        printf("worker ended: %s\n", strerror(-result));
    return 0;
}

int main(void)
{
    return co_run(run, NULL, NULL);
}
