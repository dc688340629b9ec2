/* Channels and select: what is sent arrives once, in order, and a wait that ends for
 * another reason takes and gives nothing. */
#include <errno.h>
#include <string.h>

#include "coro/sync.h"
#include "suite.h"

static int64_t soon(void)
{
    return co_after(20 * NS_PER_S);
}

/* One send or receive, as a task. */
struct call {
    struct co_chan *chan;
    int64_t deadline_ns;
    long item;
    int result;
};

static int send_main(void *arg)
{
    struct call *call = arg;
    return call->result = co_chan_send(call->chan, &call->item, call->deadline_ns);
}

static int recv_main(void *arg)
{
    struct call *call = arg;
    return call->result = co_chan_recv(call->chan, &call->item, call->deadline_ns);
}

static struct co_task *start(co_fn *fn, struct call *call)
{
    call->result = 1;
    struct co_task *task = co_spawn(fn, call);
    ck_assert_ptr_nonnull(task);
    ck_assert_int_eq(co_yield (), 0);
    return task;
}

static void finish(struct co_task *task)
{
    ck_assert_int_eq(co_join(task, soon(), NULL), 0);
}

/* ---- order and sizes ---- */

static const struct {
    size_t item_bytes;
    size_t capacity;
} shapes[] = {{1, 0}, {8, 0}, {8, 1}, {8, 3}, {3, 4}, {100, 2}, {0, 0}, {0, 2}};

enum { ITEMS = 50 };

static void fill(unsigned char *item, size_t bytes, int number)
{
    for (size_t i = 0; i < bytes; i++)
        item[i] = (unsigned char)(number * 7 + (int)i);
}

struct shaped {
    struct co_chan *chan;
    size_t bytes;
};

static int shaped_sender(void *arg)
{
    const struct shaped *shaped = arg;
    unsigned char item[100];
    int rv = 0;
    for (int i = 0; i < ITEMS && rv == 0; i++) {
        fill(item, shaped->bytes, i);
        rv = co_chan_send(shaped->chan, item, soon());
        memset(item, 0xff, sizeof(item)); /* the channel has its own copy */
    }
    co_chan_close(shaped->chan);
    return rv;
}

static int shape_main(void *arg)
{
    int i = (int)(intptr_t)arg, got = 0, rv, result;
    struct shaped shaped = {co_chan_new(shapes[i].item_bytes, shapes[i].capacity),
                            shapes[i].item_bytes};
    unsigned char item[101], expected[101];
    ck_assert_ptr_nonnull(shaped.chan);
    struct co_task *task = co_spawn(shaped_sender, &shaped);
    for (;;) {
        memset(item, 0xee, sizeof(item));
        memset(expected, 0xee, sizeof(expected));
        if ((rv = co_chan_recv(shaped.chan, item, soon())) < 0)
            break;
        fill(expected, shaped.bytes, got++);
        ck_assert_mem_eq(item, expected, sizeof(item)); /* nor does it write beyond */
        if (got % 3 == 0)
            ck_assert_int_eq(co_yield (), 0);
    }
    ck_assert_int_eq(rv, -EPIPE);
    ck_assert_int_eq(got, ITEMS);
    ck_assert_int_eq(co_join(task, soon(), &result), 0);
    ck_assert_int_eq(result, 0);
    co_chan_free(shaped.chan);
    return 0;
}

START_TEST(items_of_any_size_arrive_in_order)
{
    ck_assert_int_eq(co_run(shape_main, (void *)(intptr_t)_i, NULL), 0);
}
END_TEST

START_TEST(a_channel_too_large_is_refused)
{
    ck_assert_ptr_null(co_chan_new(SIZE_MAX / 2, 3));
    ck_assert_ptr_null(co_chan_new(1, SIZE_MAX));
    co_chan_free(NULL);
}
END_TEST

static int turns_main(void *arg)
{
    struct co_chan *chan = co_chan_new(sizeof(long), 0);
    struct call calls[6];
    struct co_task *tasks[6];
    long item;
    (void)arg;
    /* senders in line; then receivers in line */
    for (int i = 0; i < 3; i++) {
        calls[i] = (struct call){chan, soon(), 10 + i, 1};
        tasks[i] = start(send_main, &calls[i]);
    }
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(co_chan_recv(chan, &item, soon()), 0);
        ck_assert_int_eq(item, 10 + i);
    }
    for (int i = 3; i < 6; i++) {
        calls[i] = (struct call){chan, soon(), -1, 1};
        tasks[i] = start(recv_main, &calls[i]);
    }
    for (item = 23; item < 26; item++)
        ck_assert_int_eq(co_chan_send(chan, &item, soon()), 0);
    for (int i = 0; i < 6; i++) {
        finish(tasks[i]);
        ck_assert_int_eq(calls[i].result, 0);
        if (i >= 3)
            ck_assert_int_eq(calls[i].item, 20 + i);
    }
    co_chan_free(chan);
    return 0;
}

START_TEST(waiters_are_served_in_line)
{
    ck_assert_int_eq(co_run(turns_main, NULL, NULL), 0);
}
END_TEST

/* ---- waits that end otherwise ---- */

enum how { BY_DEADLINE, BY_CANCEL, BY_CLOSE };
static const struct {
    bool is_send;
    enum how how;
    int expected;
} endings[] = {{true, BY_DEADLINE, -ETIMEDOUT}, {false, BY_DEADLINE, -ETIMEDOUT},
               {true, BY_CANCEL, -ECANCELED},   {false, BY_CANCEL, -ECANCELED},
               {true, BY_CLOSE, -EPIPE},        {false, BY_CLOSE, -EPIPE}};

static int ending_main(void *arg)
{
    int i = (int)(intptr_t)arg;
    struct co_chan *chan = co_chan_new(sizeof(long), 0);
    bool is_timed = endings[i].how == BY_DEADLINE;
    struct call first = {chan, is_timed ? co_after(2 * NS_PER_MS) : soon(), 1, 1};
    struct call second = {chan, soon(), 2, 1};
    co_fn *fn = endings[i].is_send ? send_main : recv_main;
    struct co_task *a = start(fn, &first), *b = start(fn, &second);
    long item = 7;
    if (endings[i].how == BY_CANCEL)
        co_cancel(a);
    else if (endings[i].how == BY_CLOSE)
        co_chan_close(chan);
    finish(a);
    ck_assert_int_eq(first.result, endings[i].expected);
    ck_assert_int_eq(first.item, 1);
    if (endings[i].how == BY_CLOSE) {
        ck_assert_int_eq(co_chan_send(chan, &item, soon()), -EPIPE);
        ck_assert_int_eq(co_chan_recv(chan, &item, soon()), -EPIPE);
    } else if (endings[i].is_send) {
        ck_assert_int_eq(co_chan_recv(chan, &item, soon()), 0);
        ck_assert_int_eq(item, 2); /* the first one's was never sent */
        ck_assert_int_eq(co_chan_recv(chan, &item, co_after(NS_PER_MS)), -ETIMEDOUT);
    } else {
        ck_assert_int_eq(co_chan_send(chan, &item, soon()), 0);
    }
    finish(b);
    ck_assert_int_eq(second.result, endings[i].how == BY_CLOSE ? -EPIPE : 0);
    if (endings[i].how != BY_CLOSE && !endings[i].is_send)
        ck_assert_int_eq(second.item, 7); /* the first one swallowed nothing */
    co_chan_free(chan);
    return 0;
}

START_TEST(a_wait_that_ends_otherwise_moves_nothing)
{
    ck_assert_int_eq(co_run(ending_main, (void *)(intptr_t)_i, NULL), 0);
}
END_TEST

/* Served and cancelled before it runs again: the item counts. */
static int served_then_cancelled(void *arg)
{
    struct co_chan *chan = co_chan_new(sizeof(long), 1);
    struct call call = {chan, soon(), 0, 1};
    long item = 5;
    (void)arg;
    struct co_task *task = start(recv_main, &call);
    ck_assert_int_eq(co_chan_send(chan, &item, soon()), 0); /* buffered: we go on */
    co_cancel(task);
    finish(task);
    ck_assert_int_eq(call.result, 0);
    ck_assert_int_eq(call.item, 5);
    co_chan_free(chan);
    return 0;
}

START_TEST(what_was_handed_over_is_not_lost_to_a_cancel)
{
    ck_assert_int_eq(co_run(served_then_cancelled, NULL, NULL), 0);
}
END_TEST

static int close_main(void *arg)
{
    struct co_chan *chan = co_chan_new(sizeof(long), 2);
    long item;
    (void)arg;
    for (item = 1; item <= 2; item++)
        ck_assert_int_eq(co_chan_send(chan, &item, soon()), 0);
    struct call third = {chan, soon(), 3, 1};
    struct co_task *task = start(send_main, &third);
    co_chan_close(chan);
    co_chan_close(chan); /* once more: nothing happens */
    finish(task);
    ck_assert_int_eq(third.result, -EPIPE);
    for (long expected = 1; expected <= 2; expected++) {
        ck_assert_int_eq(co_chan_recv(chan, &item, soon()), 0);
        ck_assert_int_eq(item, expected);
    }
    ck_assert_int_eq(co_chan_recv(chan, &item, soon()), -EPIPE);
    co_chan_free(chan);
    return 0;
}

static int room_main(void *arg)
{
    struct co_chan *chan = co_chan_new(sizeof(long), 2);
    long item;
    (void)arg;
    for (item = 1; item <= 2; item++)
        ck_assert_int_eq(co_chan_send(chan, &item, soon()), 0);
    struct call third = {chan, soon(), 3, 1};
    struct co_task *task = start(send_main, &third);
    ck_assert_int_eq(co_chan_recv(chan, &item, soon()), 0);
    finish(task); /* there is room for it, though the channel is not empty */
    for (long expected = 2; expected <= 3; expected++) {
        ck_assert_int_eq(co_chan_recv(chan, &item, soon()), 0);
        ck_assert_int_eq(item, expected);
    }
    co_chan_free(chan);
    return 0;
}

START_TEST(room_goes_to_the_sender_that_waits)
{
    ck_assert_int_eq(co_run(room_main, NULL, NULL), 0);
}
END_TEST

START_TEST(what_is_buffered_outlives_the_close)
{
    ck_assert_int_eq(co_run(close_main, NULL, NULL), 0);
}
END_TEST

/* ---- select ---- */

enum { MANY = 20 }; /* more than fit on the stack */

struct choice {
    struct co_select *clauses;
    int count;
    int result;
};

static int choose(void *arg)
{
    struct choice *choice = arg;
    return choice->result = co_select(choice->clauses, choice->count, soon());
}

static int select_main(void *arg)
{
    int count = (int)(intptr_t)arg;
    struct co_chan *chans[MANY];
    struct co_select clauses[MANY];
    long items[MANY], item = 77;
    for (int i = 0; i < count; i++) {
        chans[i] = co_chan_new(sizeof(long), 0);
        items[i] = i;
        clauses[i] =
            (struct co_select){i % 2 ? CO_CHAN_SEND : CO_CHAN_RECV, chans[i], &items[i], 1};
    }
    ck_assert_int_eq(co_select(clauses, count, 0), -ETIMEDOUT);
    ck_assert_int_eq(co_select(clauses, count, co_after(NS_PER_MS)), -ETIMEDOUT);

    /* a receive that waits is served; every other clause is taken back */
    struct choice choice = {clauses, count, -1};
    struct co_task *task = co_spawn(choose, &choice);
    ck_assert_int_eq(co_yield (), 0);
    int last = count - 1 - (count - 1) % 2; /* the last receive */
    ck_assert_int_eq(co_chan_send(chans[last], &item, soon()), 0);
    ck_assert_int_eq(co_chan_recv(chans[1], &item, co_after(NS_PER_MS)), -ETIMEDOUT);
    finish(task);
    ck_assert_int_eq(choice.result, last);
    ck_assert_int_eq(clauses[last].result, 0);
    ck_assert_int_eq(items[last], 77);

    /* a send that waits */
    task = co_spawn(choose, &choice);
    ck_assert_int_eq(co_yield (), 0);
    ck_assert_int_eq(co_chan_recv(chans[1], &item, soon()), 0);
    finish(task);
    ck_assert_int_eq(choice.result, 1);
    ck_assert_int_eq(item, 1);

    /* a close, of what is waited for and of what is not */
    task = co_spawn(choose, &choice);
    ck_assert_int_eq(co_yield (), 0);
    co_chan_close(chans[0]);
    finish(task);
    ck_assert_int_eq(choice.result, 0);
    ck_assert_int_eq(clauses[0].result, -EPIPE);
    ck_assert_int_eq(co_select(clauses, count, soon()), 0); /* closed: able to go on */
    ck_assert_int_eq(clauses[0].result, -EPIPE);

    /* a cancel */
    struct choice rest = {clauses + 1, count - 1, -1};
    task = co_spawn(choose, &rest);
    ck_assert_int_eq(co_yield (), 0);
    co_cancel(task);
    int result;
    ck_assert_int_eq(co_join(task, soon(), &result), 0);
    ck_assert_int_eq(result, -ECANCELED);
    for (int i = 0; i < count; i++)
        co_chan_free(chans[i]); /* asserts that nobody waits */
    return 0;
}

START_TEST(select_does_exactly_one)
{
    static const int counts[] = {3, MANY};
    ck_assert_int_eq(co_run(select_main, (void *)(intptr_t)counts[_i], NULL), 0);
}
END_TEST

/* Two selects that could serve each other, and one that lists a channel twice. */
static int selects_meet(void *arg)
{
    struct co_chan *chan = co_chan_new(sizeof(long), 0);
    long sent = 9, got = 0, unused = 0;
    (void)arg;
    struct co_select both[] = {{CO_CHAN_RECV, chan, &unused, 1}, {CO_CHAN_RECV, chan, &got, 1}};
    struct choice choice = {both, 2, -1};
    struct co_task *task = co_spawn(choose, &choice);
    ck_assert_int_eq(co_yield (), 0);
    struct co_select one = {CO_CHAN_SEND, chan, &sent, 1};
    ck_assert_int_eq(co_select(&one, 1, soon()), 0);
    ck_assert_int_eq(co_select(&one, 1, co_after(NS_PER_MS)), -ETIMEDOUT);
    finish(task);
    ck_assert_int_eq(choice.result, 0);
    ck_assert_int_eq(unused, 9);
    ck_assert_int_eq(got, 0);
    co_chan_free(chan);
    return 0;
}

START_TEST(selects_serve_each_other_once)
{
    ck_assert_int_eq(co_run(selects_meet, NULL, NULL), 0);
}
END_TEST

static const int select_sizes[] = {0, 1};

static int sends_late(void *arg)
{
    int item = 7;
    int rv = co_sleep(NS_PER_MS);
    return rv < 0 ? rv : co_chan_send(arg, &item, soon());
}

/* Two sources, one of which has ended: its clause is taken out by its channel. */
static int one_source_left(void *arg)
{
    int got = 0, unused = 0;
    (void)arg;
    struct co_chan *chan = co_chan_new(sizeof(got), 0);
    struct co_select clauses[] = {{CO_CHAN_RECV, NULL, &unused, 1}, {CO_CHAN_RECV, chan, &got, 1}};
    ck_assert_int_eq(co_select(clauses, 2, 0), -ETIMEDOUT);
    struct co_task *sender = co_spawn(sends_late, chan);
    ck_assert_int_eq(co_select(clauses, 2, soon()), 1);
    ck_assert_int_eq(got, 7);
    ck_assert_int_eq(clauses[1].result, 0);
    ck_assert_int_eq(co_join(sender, soon(), NULL), 0);
    ck_assert_int_eq(co_select(clauses, 1, co_after(NS_PER_MS)), -ETIMEDOUT);
    ck_assert_int_eq(co_select(NULL, 0, co_after(NS_PER_MS)), -ETIMEDOUT);
    co_chan_free(chan);
    return 0;
}

START_TEST(a_clause_without_a_channel_never_happens)
{
    ck_assert_int_eq(co_run(one_source_left, NULL, NULL), 0);
}
END_TEST

SUITE_MAIN("chan", SUITE_TEST(a_clause_without_a_channel_never_happens),
           SUITE_LOOP(items_of_any_size_arrive_in_order, shapes),
           SUITE_TEST(a_channel_too_large_is_refused), SUITE_TEST(waiters_are_served_in_line),
           SUITE_LOOP(a_wait_that_ends_otherwise_moves_nothing, endings),
           SUITE_TEST(what_was_handed_over_is_not_lost_to_a_cancel),
           SUITE_TEST(what_is_buffered_outlives_the_close),
           SUITE_TEST(room_goes_to_the_sender_that_waits),
           SUITE_LOOP(select_does_exactly_one, select_sizes),
           SUITE_TEST(selects_serve_each_other_once))
