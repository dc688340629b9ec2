/* Several producers, one consumer that waits for whatever comes first, a deadline for
 * the whole, and an end that leaves nobody behind.
 *
 *   cc fanin.c $(pkg-config --cflags --libs coro) && ./a.out */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <coro/coro.h>
#include <coro/sync.h>

struct producer {
    const char *name;
    int items; /* below 0: it never stops by itself */
    int64_t pause_ns;
    struct co_chan *out;
};

/* Closes its channel however it ends: that is how the consumer knows. */
static int produce(void *arg)
{
    struct producer *p = arg;
    int rv = 0;
    for (int i = 0; i != p->items && rv == 0; i++) {
        rv = co_sleep(p->pause_ns);
        if (rv == 0)
            rv = co_chan_send(p->out, &i, CO_NO_DEADLINE);
    }
    co_chan_close(p->out);
    printf("%s: %s\n", p->name, rv < 0 ? strerror(-rv) : "done");
    return rv;
}

/* Add up what comes from both until both have ended, or the time is over. */
static int consume(struct co_chan *first, struct co_chan *second, int64_t deadline_ns, int *ret_sum)
{
    int item[2];
    struct co_select clauses[2] = {
        {.op = CO_CHAN_RECV, .chan = first, .item = &item[0]},
        {.op = CO_CHAN_RECV, .chan = second, .item = &item[1]},
    };
    *ret_sum = 0;
    while (clauses[0].chan != NULL || clauses[1].chan != NULL) {
        int which = co_select(clauses, 2, deadline_ns);
        if (which < 0)
            return which;
        if (clauses[which].result == -EPIPE)
            clauses[which].chan = NULL; /* ended: its clause never happens again */
        else
            *ret_sum += item[which];
    }
    return 0;
}

static int meet(struct producer *producers, int64_t span_ns)
{
    struct co_group group;
    int sum, rv = 0;
    co_group_init(&group, 0, 0);
    for (int i = 0; i < 2 && rv == 0; i++)
        rv = co_group_spawn(&group, produce, &producers[i], CO_NO_DEADLINE);
    if (rv == 0) {
        rv = consume(producers[0].out, producers[1].out, co_after(span_ns), &sum);
        printf("consumer: %s, the sum is %d\n", rv < 0 ? strerror(-rv) : "done", sum);
    }
    int left = co_group_close(&group); /* cancels who is left, and waits */
    return rv < 0 ? rv : left;
}

static int run(void *arg)
{
    struct producer producers[2] = {
        {.name = "counter", .items = 10, .pause_ns = CO_NS_PER_MS},
        {.name = "ticker", .items = -1, .pause_ns = 3600 * CO_NS_PER_S},
    };
    int rv = -ENOMEM;
    (void)arg;
    producers[0].out = co_chan_new(sizeof(int), 4);
    producers[1].out = co_chan_new(sizeof(int), 4);
    if (producers[0].out != NULL && producers[1].out != NULL)
        rv = meet(producers, CO_NS_PER_S / 2);
    co_chan_free(producers[0].out);
    co_chan_free(producers[1].out);
    return rv;
}

int main(void)
{
    int rv = co_run(run, NULL, NULL);
    if (rv == -ETIMEDOUT)
        return 0; /* the ticker outlasts any deadline */
    fprintf(stderr, "fanin: %s\n", strerror(-rv));
    return 1;
}
