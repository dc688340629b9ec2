/* A pipeline of channels: numbers, their squares, the sum. */
#include <stdio.h>

#include "coro/sync.h"

struct stage {
    struct co_chan *in;
    struct co_chan *out;
};

static int numbers(void *arg)
{
    struct stage *stage = arg;
    int rv = 0;
    for (long i = 1; i <= 1000 && rv == 0; i++)
        rv = co_chan_send(stage->out, &i, CO_NO_DEADLINE);
    co_chan_close(stage->out); /* whoever receives drains it, then gets -EPIPE */
    return rv;
}

static int squares(void *arg)
{
    struct stage *stage = arg;
    long n;
    while (co_chan_recv(stage->in, &n, CO_NO_DEADLINE) == 0) {
        n *= n;
        if (co_chan_send(stage->out, &n, CO_NO_DEADLINE) < 0)
            break;
    }
    co_chan_close(stage->out);
    return 0;
}

static int run(void *arg)
{
    (void)arg;
    struct co_chan *raw = co_chan_new(sizeof(long), 16), *squared = co_chan_new(sizeof(long), 0);
    struct stage first = {.out = raw}, second = {.in = raw, .out = squared};
    struct co_group group;
    long sum = 0, n;
    if (raw == NULL || squared == NULL)
        return 1;
    co_group_init(&group, 0, 0);
    int rv = co_group_spawn(&group, numbers, &first, CO_NO_DEADLINE);
    if (rv == 0)
        rv = co_group_spawn(&group, squares, &second, CO_NO_DEADLINE);
    while (rv == 0 && co_chan_recv(squared, &n, CO_NO_DEADLINE) == 0)
        sum += n;
    if (co_group_close(&group) == 0 && rv == 0)
        printf("sum of squares: %ld\n", sum);
    co_chan_free(raw);
    co_chan_free(squared);
    return rv;
}

int main(void)
{
    return co_run(run, NULL, NULL) == 0 ? 0 : 1;
}
