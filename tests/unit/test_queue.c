/* The queue: order, bound, unfinished work, and every way a wait on it can end. */
#include <errno.h>

#include "coro/sync.h"
#include "suite.h"

static int64_t soon(void)
{
    return co_after(20 * NS_PER_S);
}

static void *numbered(intptr_t number)
{
    return (void *)number;
}

/* One call, as a task. */
enum op { PUT, GET, JOIN };
struct call {
    struct co_queue *queue;
    enum op op;
    void *item;
    int result;
};

static int call_main(void *arg)
{
    struct call *call = arg;
    if (call->op == PUT)
        call->result = co_queue_put(call->queue, call->item, soon());
    else if (call->op == GET)
        call->result = co_queue_get(call->queue, &call->item, soon());
    else
        call->result = co_queue_join(call->queue, soon());
    return 0;
}

static struct co_task *start(struct call *call)
{
    call->result = 1;
    struct co_task *task = co_spawn(call_main, call);
    ck_assert_ptr_nonnull(task);
    ck_assert_int_eq(co_yield (), 0);
    return task;
}

static void ends_with(struct co_task *task, const struct call *call, int result)
{
    ck_assert_int_eq(co_join(task, soon(), NULL), 0);
    ck_assert_int_eq(call->result, result);
}

static void get_expect(struct co_queue *queue, intptr_t number)
{
    void *item = NULL;
    ck_assert_int_eq(co_queue_get(queue, &item, soon()), 0);
    ck_assert_ptr_eq(item, numbered(number));
}

static int order_main(void *arg)
{
    /* grows while its ring wraps, several times */
    struct co_queue *queue = co_queue_new(0);
    intptr_t in = 0, out = 0;
    (void)arg;
    for (int round = 0; round < 60; round++) {
        for (int i = 0; i < 7; i++)
            ck_assert_int_eq(co_queue_put(queue, numbered(in++), soon()), 0);
        for (int i = 0; i < 4; i++)
            get_expect(queue, out++);
        ck_assert_uint_eq(co_queue_len(queue), (size_t)(in - out));
    }
    while (out < in)
        get_expect(queue, out++);
    ck_assert_int_eq(co_queue_get(queue, &(void *){NULL}, co_after(NS_PER_MS)), -ETIMEDOUT);
    co_queue_free(queue);
    co_queue_free(NULL);
    return 0;
}

START_TEST(first_in_first_out_at_any_size)
{
    ck_assert_int_eq(co_run(order_main, NULL, NULL), 0);
}
END_TEST

static int line_main(void *arg)
{
    struct co_queue *queue = co_queue_new(2);
    struct call puts[4], gets[3];
    struct co_task *putters[4], *getters[3];
    (void)arg;
    for (int i = 0; i < 4; i++) {
        puts[i] = (struct call){queue, PUT, numbered(i), 1};
        putters[i] = start(&puts[i]);
        ck_assert_int_eq(puts[i].result, i < 2 ? 0 : 1);
    }
    ck_assert_uint_eq(co_queue_len(queue), 2);
    /* a late-comer finds no room although a get is about to make some */
    get_expect(queue, 0);
    ck_assert_int_eq(co_queue_put(queue, numbered(9), co_after(NS_PER_MS)), -ETIMEDOUT);
    for (int i = 1; i < 4; i++)
        get_expect(queue, i);
    for (int i = 0; i < 4; i++)
        ends_with(putters[i], &puts[i], 0);
    for (int i = 0; i < 3; i++) {
        gets[i] = (struct call){queue, GET, NULL, 1};
        getters[i] = start(&gets[i]);
    }
    co_cancel(getters[0]);
    for (int i = 1; i < 3; i++)
        ck_assert_int_eq(co_queue_put(queue, numbered(20 + i), soon()), 0);
    ends_with(getters[0], &gets[0], -ECANCELED);
    ck_assert_ptr_null(gets[0].item);
    for (int i = 1; i < 3; i++) {
        ends_with(getters[i], &gets[i], 0);
        ck_assert_ptr_eq(gets[i].item, numbered(20 + i));
    }
    co_queue_free(queue);
    return 0;
}

START_TEST(those_who_wait_are_served_in_line)
{
    ck_assert_int_eq(co_run(line_main, NULL, NULL), 0);
}
END_TEST

static int cancelled_put(void *arg)
{
    struct co_queue *queue = co_queue_new(1);
    struct call first = {queue, PUT, numbered(1), 1}, second = {queue, PUT, numbered(2), 1};
    (void)arg;
    ck_assert_int_eq(co_queue_put(queue, numbered(0), soon()), 0);
    struct co_task *a = start(&first), *b = start(&second);
    co_cancel(a);
    ends_with(a, &first, -ECANCELED);
    get_expect(queue, 0);
    get_expect(queue, 2); /* 1 was never put */
    ends_with(b, &second, 0);
    /* and does not count as unfinished */
    ck_assert_int_eq(co_queue_task_done(queue), 0);
    ck_assert_int_eq(co_queue_task_done(queue), 0);
    ck_assert_int_eq(co_queue_task_done(queue), -EINVAL);
    co_queue_free(queue);
    return 0;
}

START_TEST(a_cancelled_put_leaves_nothing)
{
    ck_assert_int_eq(co_run(cancelled_put, NULL, NULL), 0);
}
END_TEST

static int join_main(void *arg)
{
    struct co_queue *queue = co_queue_new(1);
    struct call join = {queue, JOIN, NULL, 1}, put = {queue, PUT, numbered(2), 1},
                get = {queue, GET, NULL, 1};
    (void)arg;
    ck_assert_int_eq(co_queue_join(queue, 0), 0); /* nothing was put: no wait */
    ck_assert_int_eq(co_queue_task_done(queue), -EINVAL);
    ck_assert_int_eq(co_queue_put(queue, numbered(1), soon()), 0);
    struct co_task *putter = start(&put);
    struct co_task *joiner = start(&join);
    get_expect(queue, 1);
    get_expect(queue, 2);
    ends_with(putter, &put, 0);
    ck_assert_int_eq(join.result, 1); /* empty, and unfinished */
    ck_assert_int_eq(co_queue_join(queue, co_after(NS_PER_MS)), -ETIMEDOUT);
    ck_assert_int_eq(co_queue_task_done(queue), 0);
    ck_assert_int_eq(co_yield (), 0);
    ck_assert_int_eq(join.result, 1);
    /* handed to a getter directly, an item counts too */
    struct co_task *getter = start(&get);
    ck_assert_int_eq(co_queue_put(queue, numbered(3), soon()), 0);
    ends_with(getter, &get, 0);
    ck_assert_int_eq(co_queue_task_done(queue), 0);
    ck_assert_int_eq(co_yield (), 0);
    ck_assert_int_eq(join.result, 1);
    ck_assert_int_eq(co_queue_task_done(queue), 0);
    ends_with(joiner, &join, 0);
    co_queue_free(queue);
    return 0;
}

START_TEST(join_waits_for_what_was_put)
{
    ck_assert_int_eq(co_run(join_main, NULL, NULL), 0);
}
END_TEST

static const struct {
    bool is_immediate;
    int get, len;
} shutdowns[] = {{false, 0, 1}, {true, -ESHUTDOWN, 0}};

static int shutdown_main(void *arg)
{
    int i = (int)(intptr_t)arg;
    void *item = NULL;
    struct co_queue *queue = co_queue_new(1), *empty = co_queue_new(1);
    struct call put = {queue, PUT, numbered(2), 1}, get = {empty, GET, NULL, 1},
                join = {queue, JOIN, NULL, 1};
    ck_assert_int_eq(co_queue_put(queue, numbered(1), soon()), 0);
    struct co_task *putter = start(&put), *getter = start(&get), *joiner = start(&join);
    co_queue_shutdown(queue, shutdowns[i].is_immediate);
    co_queue_shutdown(empty, shutdowns[i].is_immediate);
    ends_with(putter, &put, -ESHUTDOWN);
    ends_with(getter, &get, -ESHUTDOWN);
    ck_assert_int_eq(co_queue_put(queue, numbered(3), soon()), -ESHUTDOWN);
    ck_assert_int_eq(co_queue_put(empty, numbered(3), soon()), -ESHUTDOWN);
    ck_assert_uint_eq(co_queue_len(queue), (size_t)shutdowns[i].len);
    ck_assert_int_eq(co_queue_get(queue, &item, soon()), shutdowns[i].get);
    if (shutdowns[i].is_immediate) {
        ends_with(joiner, &join, 0); /* dropped counts as dealt with */
    } else {
        ck_assert_ptr_eq(item, numbered(1));
        ck_assert_int_eq(co_yield (), 0);
        ck_assert_int_eq(join.result, 1);
        ck_assert_int_eq(co_queue_task_done(queue), 0);
        ends_with(joiner, &join, 0);
    }
    ck_assert_int_eq(co_queue_get(queue, &item, soon()), -ESHUTDOWN);
    co_queue_free(queue);
    co_queue_free(empty);
    return 0;
}

START_TEST(shut_down_while_others_wait)
{
    ck_assert_int_eq(co_run(shutdown_main, (void *)(intptr_t)_i, NULL), 0);
}
END_TEST

static int dropped_in_work(void *arg)
{
    struct co_queue *queue = co_queue_new(0);
    struct call join = {queue, JOIN, NULL, 1};
    (void)arg;
    /* one item is in somebody's hands when the other one is dropped */
    ck_assert_int_eq(co_queue_put(queue, numbered(1), soon()), 0);
    ck_assert_int_eq(co_queue_put(queue, numbered(2), soon()), 0);
    get_expect(queue, 1);
    struct co_task *joiner = start(&join);
    co_queue_shutdown(queue, true);
    ck_assert_int_eq(co_yield (), 0);
    ck_assert_int_eq(join.result, 1);
    ck_assert_int_eq(co_queue_task_done(queue), 0);
    ends_with(joiner, &join, 0);
    ck_assert_int_eq(co_queue_task_done(queue), -EINVAL);
    co_queue_free(queue);
    return 0;
}

START_TEST(what_is_in_work_is_waited_for)
{
    ck_assert_int_eq(co_run(dropped_in_work, NULL, NULL), 0);
}
END_TEST

SUITE_MAIN("queue", SUITE_TEST(first_in_first_out_at_any_size),
           SUITE_TEST(those_who_wait_are_served_in_line),
           SUITE_TEST(a_cancelled_put_leaves_nothing), SUITE_TEST(join_waits_for_what_was_put),
           SUITE_LOOP(shut_down_while_others_wait, shutdowns),
           SUITE_TEST(what_is_in_work_is_waited_for))
