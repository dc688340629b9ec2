/* Tasks waiting for each other.  Tests named scenario_N are the cases that
 * other runtimes got wrong; N is their number in the list of thirty that
 * ARCHITECTURE.md refers to. */
#include <errno.h>
#include <string.h>

#include "child.h"
#include "coro/sync.h"
#include "suite.h"

static char trace[512];

static void mark(const char *what)
{
    if (trace[0] != 0)
        strcat(trace, " ");
    strcat(trace, what);
}

static int64_t in_ms(int64_t ms)
{
    return co_after(ms * NS_PER_MS);
}

static int64_t soon(void)
{
    return in_ms(10000);
}

static void run(co_fn *fn)
{
    trace[0] = 0;
    ck_assert_int_eq(co_run(fn, NULL, NULL), 0);
}

static void join_ok(struct co_task *task)
{
    int result;
    ck_assert_int_eq(co_join(task, soon(), &result), 0);
    ck_assert_int_eq(result, 0);
}

/* ---- event ---- */

static struct co_event event;
static int woken;

static int event_waiter(void *arg)
{
    (void)arg;
    int rv = co_event_wait(&event, soon());
    woken += rv == 0;
    return rv;
}

static const int waiter_counts[] = {1, 100, 1000};
static int waiter_count;

static int set_clear_main(void *arg)
{
    (void)arg;
    static struct co_task *tasks[1000];
    co_event_init(&event);
    woken = 0;
    for (int i = 0; i < waiter_count; i++)
        tasks[i] = co_spawn(event_waiter, NULL);
    ck_assert_int_eq(co_yield (), 0);
    co_event_set(&event);
    co_event_clear(&event);
    for (int i = 0; i < waiter_count; i++)
        join_ok(tasks[i]);
    ck_assert_int_eq(woken, waiter_count);
    co_event_fini(&event);
    return 0;
}

START_TEST(scenario_17_set_then_clear_wakes_every_waiter)
{
    waiter_count = waiter_counts[_i];
    run(set_clear_main);
}
END_TEST

static int event_marker(void *arg)
{
    ck_assert_int_eq(co_event_wait(&event, soon()), 0);
    mark(arg);
    if (strcmp(arg, "1") == 0)
        co_detach(co_spawn(event_marker, "3")); /* arrives during the notification */
    return 0;
}

static int late_waiter_main(void *arg)
{
    (void)arg;
    co_event_init(&event);
    co_detach(co_spawn(event_marker, "1"));
    co_detach(co_spawn(event_marker, "2"));
    ck_assert_int_eq(co_yield (), 0);
    co_event_set(&event);
    ck_assert_int_eq(co_yield (), 0);
    ck_assert_int_eq(co_yield (), 0);
    ck_assert_str_eq(trace, "1 2 3");
    co_event_clear(&event);
    ck_assert_int_eq(co_event_wait(&event, in_ms(10)), -ETIMEDOUT);
    co_event_fini(&event);
    return 0;
}

START_TEST(scenario_18_a_waiter_that_comes_during_the_notification_is_last)
{
    run(late_waiter_main);
}
END_TEST

/* ---- queue ---- */

static struct co_queue *queue;

static int getter(void *arg)
{
    void *item = NULL;
    int rv = co_queue_get(queue, &item, in_ms((intptr_t)arg));
    return rv < 0 ? rv : (int)(intptr_t)item;
}

static int timed_out_getters_main(void *arg)
{
    (void)arg;
    int first_result, second_result;
    queue = co_queue_new(0);
    struct co_task *first = co_spawn(getter, (void *)5), *second = co_spawn(getter, (void *)10000);
    ck_assert_int_eq(co_join(first, soon(), &first_result), 0);
    ck_assert_int_eq(co_queue_put(queue, (void *)42, soon()), 0);
    ck_assert_int_eq(co_join(second, soon(), &second_result), 0);
    ck_assert_int_eq(first_result, -ETIMEDOUT);
    ck_assert_int_eq(second_result, 42);

    first = co_spawn(getter, (void *)1), second = co_spawn(getter, (void *)1);
    ck_assert_int_eq(co_join(first, soon(), &first_result), 0);
    ck_assert_int_eq(co_join(second, soon(), &second_result), 0);
    ck_assert_int_eq(first_result, -ETIMEDOUT);
    ck_assert_int_eq(second_result, -ETIMEDOUT);
    ck_assert_int_eq(co_queue_put(queue, (void *)43, soon()), 0);
    ck_assert_uint_eq(co_queue_len(queue), 1);
    co_queue_free(queue);
    return 0;
}

START_TEST(scenario_19_a_getter_that_timed_out_swallows_nothing)
{
    run(timed_out_getters_main);
}
END_TEST

static int putter(void *arg)
{
    (void)arg;
    static const char *const names[] = {"a", "b", "c"};
    for (int i = 0; i < 3; i++) {
        int rv = co_queue_put(queue, (void *)(uintptr_t)names[i], soon());
        if (rv < 0)
            return rv;
        mark(names[i]);
    }
    return 0;
}

static int bounded_main(void *arg)
{
    (void)arg;
    queue = co_queue_new(2);
    struct co_task *task = co_spawn(putter, NULL);
    ck_assert_int_eq(co_yield (), 0);
    ck_assert_str_eq(trace, "a b");
    ck_assert_int_eq(co_queue_put(queue, NULL, in_ms(1)), -ETIMEDOUT);
    void *item;
    static const char *const expected[] = {"a", "b", "c"};
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(co_queue_get(queue, &item, soon()), 0);
        ck_assert_str_eq(item, expected[i]);
    }
    join_ok(task);
    ck_assert_str_eq(trace, "a b c");
    co_queue_free(queue);
    return 0;
}

START_TEST(scenario_20_a_full_queue_holds_its_putter)
{
    run(bounded_main);
}
END_TEST

static int queue_joiner(void *arg)
{
    (void)arg;
    return co_queue_join(queue, soon());
}

static int shutdown_main(void *arg)
{
    (void)arg;
    void *item;
    queue = co_queue_new(0);
    ck_assert_int_eq(co_queue_put(queue, "x", soon()), 0);
    ck_assert_int_eq(co_queue_put(queue, "y", soon()), 0);
    co_queue_shutdown(queue, false);
    ck_assert_int_eq(co_queue_put(queue, "z", soon()), -ESHUTDOWN);
    ck_assert_int_eq(co_queue_get(queue, &item, soon()), 0);
    ck_assert_int_eq(co_queue_get(queue, &item, soon()), 0);
    ck_assert_str_eq(item, "y");
    ck_assert_int_eq(co_queue_get(queue, &item, soon()), -ESHUTDOWN);
    struct co_task *joiner = co_spawn(queue_joiner, NULL);
    ck_assert_int_eq(co_yield (), 0);
    ck_assert_int_eq(co_queue_task_done(queue), 0);
    ck_assert_int_eq(co_queue_task_done(queue), 0);
    ck_assert_int_eq(co_queue_task_done(queue), -EINVAL);
    join_ok(joiner);
    co_queue_free(queue);

    queue = co_queue_new(1); /* now with waiters on both sides of it, and at once */
    ck_assert_int_eq(co_queue_put(queue, "x", soon()), 0);
    struct co_task *blocked = co_spawn(putter, NULL);
    joiner = co_spawn(queue_joiner, NULL);
    ck_assert_int_eq(co_yield (), 0);
    co_queue_shutdown(queue, true);
    int result;
    ck_assert_int_eq(co_join(blocked, soon(), &result), 0);
    ck_assert_int_eq(result, -ESHUTDOWN);
    join_ok(joiner);
    ck_assert_int_eq(co_queue_get(queue, &item, soon()), -ESHUTDOWN);
    co_queue_free(queue);

    queue = co_queue_new(0);
    blocked = co_spawn(getter, (void *)10000);
    ck_assert_int_eq(co_yield (), 0);
    co_queue_shutdown(queue, true);
    ck_assert_int_eq(co_join(blocked, soon(), &result), 0);
    ck_assert_int_eq(result, -ESHUTDOWN);
    co_queue_free(queue);
    return 0;
}

START_TEST(scenario_22_shutdown_drains_or_drops)
{
    run(shutdown_main);
}
END_TEST

/* ---- channel ---- */

static struct co_chan *chan;

static int word_sender(void *arg)
{
    (void)arg;
    const char *word = "hello";
    mark("sending");
    ck_assert_int_eq(co_chan_send(chan, &word, soon()), 0);
    mark("sent hello");
    word = "world";
    ck_assert_int_eq(co_chan_send(chan, &word, soon()), 0);
    mark("sent world");
    return 0;
}

static int rendezvous_main(void *arg)
{
    bool receiver_first = arg != NULL;
    const char *word;
    trace[0] = 0;
    chan = co_chan_new(sizeof(char *), 0);
    struct co_task *sender = co_spawn(word_sender, NULL);
    if (!receiver_first)
        ck_assert_int_eq(co_yield (), 0);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(co_chan_recv(chan, &word, soon()), 0);
        mark(word);
    }
    join_ok(sender);
    co_chan_free(chan);
    return 0;
}

START_TEST(scenario_21_the_receiver_goes_on_before_the_sender)
{
    ck_assert_int_eq(co_run(rendezvous_main, trace, NULL), 0);
    ck_assert_str_eq(trace, "sending hello sent hello world sent world");
    ck_assert_int_eq(co_run(rendezvous_main, NULL, NULL), 0);
}
END_TEST

static int chan_receiver(void *arg)
{
    int item;
    return co_chan_recv(arg, &item, soon());
}

static int chan_sender(void *arg)
{
    int item = 5;
    return co_chan_send(arg, &item, soon());
}

static int close_main(void *arg)
{
    (void)arg;
    struct co_chan *there = co_chan_new(sizeof(int), 0), *back = co_chan_new(sizeof(int), 0);
    struct co_task *tasks[4];
    for (int i = 0; i < 4; i++)
        tasks[i] = co_spawn(i < 2 ? chan_receiver : chan_sender, i < 2 ? there : back);
    ck_assert_int_eq(co_yield (), 0);
    co_chan_close(there);
    int result, item = 1;
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(co_join(tasks[i], soon(), &result), 0);
        ck_assert_int_eq(result, -EPIPE);
    }
    ck_assert_int_eq(co_chan_send(there, &item, soon()), -EPIPE);
    ck_assert_int_eq(co_chan_recv(back, &item, soon()), 0); /* the other direction works */
    ck_assert_int_eq(item, 5);
    join_ok(tasks[2]);
    co_chan_close(back);
    ck_assert_int_eq(co_join(tasks[3], soon(), &result), 0);
    ck_assert_int_eq(result, -EPIPE);
    co_chan_free(there);
    co_chan_free(back);
    return 0;
}

static int select_main(void *arg)
{
    (void)arg;
    struct co_chan *a = co_chan_new(sizeof(int), 1), *b = co_chan_new(sizeof(int), 1);
    int one = 1, two = 2, got_a = 0, got_b = 0;
    ck_assert_int_eq(co_chan_send(a, &one, soon()), 0);
    ck_assert_int_eq(co_chan_send(b, &two, soon()), 0);
    struct co_select clauses[] = {{CO_CHAN_RECV, b, &got_b, -1}, {CO_CHAN_RECV, a, &got_a, -1}};
    ck_assert_int_eq(co_select(clauses, 2, soon()), 0); /* both ready: the first listed */
    ck_assert_int_eq(got_b, 2);
    ck_assert_int_eq(co_select(clauses, 2, soon()), 1);
    ck_assert_int_eq(got_a, 1);
    struct co_select twice[] = {{CO_CHAN_RECV, a, &got_a, -1}, {CO_CHAN_RECV, a, &got_b, -1}};
    ck_assert_int_eq(co_select(twice, 2, in_ms(50)), -ETIMEDOUT);
    ck_assert_int_eq(co_select(twice, 2, 0), -ETIMEDOUT);
    struct co_task *sender = co_spawn(chan_sender, a);
    got_a = got_b = 0;
    ck_assert_int_eq(co_select(twice, 2, soon()), 0);
    ck_assert_int_eq(got_a, 5);
    ck_assert_int_eq(got_b, 0); /* exactly one clause happened */
    join_ok(sender);
    struct co_task *receiver = co_spawn(chan_receiver, b);
    ck_assert_int_eq(co_yield (), 0);
    struct co_select mixed[] = {{CO_CHAN_RECV, a, &got_a, -1}, {CO_CHAN_SEND, b, &two, -1}};
    ck_assert_int_eq(co_select(mixed, 2, soon()), 1);
    join_ok(receiver);
    co_chan_close(a);
    ck_assert_int_eq(co_select(mixed, 2, soon()), 0);
    ck_assert_int_eq(mixed[0].result, -EPIPE);
    co_chan_free(a);
    co_chan_free(b);
    return 0;
}

START_TEST(scenario_23_close_wakes_and_select_takes_the_first_ready)
{
    run(close_main);
    run(select_main);
}
END_TEST

static int buffered_main(void *arg)
{
    (void)arg;
    chan = co_chan_new(3, 4); /* an odd size, more items than slots */
    char item[4] = "", got[4] = "";
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 4; i++) {
            item[0] = (char)('a' + i);
            ck_assert_int_eq(co_chan_send(chan, item, soon()), 0);
        }
        ck_assert_int_eq(co_chan_send(chan, item, in_ms(1)), -ETIMEDOUT);
        for (int i = 0; i < 3; i++) {
            ck_assert_int_eq(co_chan_recv(chan, got, soon()), 0);
            ck_assert_int_eq(got[0], 'a' + i);
        }
        ck_assert_int_eq(co_chan_recv(chan, got, soon()), 0);
    }
    ck_assert_int_eq(co_chan_send(chan, item, soon()), 0);
    co_chan_close(chan);
    ck_assert_int_eq(co_chan_recv(chan, got, soon()), 0); /* what was sent arrives */
    ck_assert_int_eq(co_chan_recv(chan, got, soon()), -EPIPE);
    co_chan_free(chan);
    return 0;
}

START_TEST(a_buffered_channel_wraps_and_drains)
{
    run(buffered_main);
}
END_TEST

/* ---- semaphore and bounded group ---- */

static struct co_sem sem;

static int acquirer(void *arg)
{
    int rv = co_sem_acquire(&sem, soon());
    if (rv == 0)
        mark(arg);
    return rv;
}

static int sem_main(void *arg)
{
    (void)arg;
    co_sem_init(&sem, 0);
    ck_assert_int_eq(co_sem_acquire(&sem, in_ms(10)), -ETIMEDOUT);
    struct co_task *tasks[3];
    static const char *const names[] = {"1", "2", "3"};
    for (int i = 0; i < 3; i++)
        tasks[i] = co_spawn(acquirer, (void *)(uintptr_t)names[i]);
    ck_assert_int_eq(co_yield (), 0);
    for (int i = 0; i < 3; i++) {
        co_sem_release(&sem);
        ck_assert(!co_sem_try_acquire(&sem)); /* it belongs to the waiter already */
    }
    for (int i = 0; i < 3; i++)
        join_ok(tasks[i]);
    ck_assert_str_eq(trace, "1 2 3");
    co_sem_release(&sem);
    ck_assert(co_sem_try_acquire(&sem));
    co_sem_fini(&sem);
    return 0;
}

static struct co_group group;
static int applied;

static int apply_nested(void *arg)
{
    intptr_t depth = (intptr_t)arg;
    applied += (int)depth;
    if (depth == 1)
        return 0;
    /* a group of one place inside a member of another: no deadlock */
    struct co_group inner;
    co_group_init(&inner, 1, 0);
    ck_assert_int_eq(co_group_spawn(&inner, apply_nested, (void *)(depth - 1), soon()), 0);
    int rv = co_group_wait(&inner, soon());
    ck_assert_int_eq(co_group_close(&inner), 0);
    return rv;
}

static int pool_main(void *arg)
{
    (void)arg;
    co_group_init(&group, 1, 0);
    applied = 0;
    ck_assert_int_eq(co_group_spawn(&group, apply_nested, (void *)3, soon()), 0);
    ck_assert_int_eq(co_group_spawn(&group, apply_nested, (void *)1, 0), -EAGAIN);
    ck_assert_int_eq(co_group_wait(&group, soon()), 0);
    ck_assert_int_eq(applied, 6);
    return co_group_close(&group);
}

START_TEST(scenario_24_semaphores_are_fair_and_pools_bounded)
{
    run(sem_main);
    run(pool_main);
}
END_TEST

/* ---- mutex and condition ---- */

static struct co_mutex mutex;
static struct co_cond cond;
static bool is_held_after;

static int locker(void *arg)
{
    (void)arg;
    int rv = co_mutex_lock(&mutex, soon());
    if (rv == 0)
        ck_assert_int_eq(co_mutex_unlock(&mutex), 0);
    return rv;
}

static int cond_waiter(void *arg)
{
    (void)arg;
    ck_assert_int_eq(co_mutex_lock(&mutex, soon()), 0);
    int rv = co_cond_wait(&cond, &mutex, soon());
    is_held_after = mutex.owner == co_self();
    ck_assert_int_eq(co_mutex_unlock(&mutex), 0);
    return rv;
}

static int sem_waiter(void *arg)
{
    (void)arg;
    return co_sem_acquire(&sem, soon());
}

static int interrupt_main(void *arg)
{
    (void)arg;
    static co_fn *const waits[] = {locker, cond_waiter, sem_waiter};
    int result;
    co_mutex_init(&mutex);
    co_cond_init(&cond);
    co_sem_init(&sem, 0);
    for (int i = 0; i < 3; i++) {
        if (i == 0)
            ck_assert_int_eq(co_mutex_lock(&mutex, soon()), 0);
        struct co_task *task = co_spawn(waits[i], NULL);
        ck_assert_int_eq(co_yield (), 0);
        is_held_after = false;
        co_cancel(task);
        ck_assert_int_eq(co_join(task, soon(), &result), 0);
        ck_assert_int_eq(result, -ECANCELED);
        if (i == 0)
            ck_assert_int_eq(co_mutex_unlock(&mutex), 0);
        ck_assert_int_eq(is_held_after, i == 1);
    }
    ck_assert_ptr_null(mutex.owner);
    struct co_task *task = co_spawn(cond_waiter, NULL);
    ck_assert_int_eq(co_yield (), 0);
    co_cond_signal(&cond);
    join_ok(task);
    ck_assert(is_held_after);
    return 0;
}

START_TEST(scenario_14_cancel_ends_any_wait_and_a_condition_returns_locked)
{
    run(interrupt_main);
}
END_TEST

static int thief(void *arg)
{
    (void)arg;
    return co_mutex_unlock(&mutex);
}

static int misuse_main(void *arg)
{
    (void)arg;
    int result;
    co_mutex_init(&mutex);
    ck_assert_int_eq(co_mutex_unlock(&mutex), -EPERM);
    ck_assert_int_eq(co_mutex_lock(&mutex, soon()), 0);
    ck_assert_int_eq(co_mutex_lock(&mutex, soon()), -EDEADLK);
    ck_assert(!co_mutex_try_lock(&mutex));
    ck_assert_int_eq(co_join(co_spawn(thief, NULL), soon(), &result), 0);
    ck_assert_int_eq(result, -EPERM);
    co_cond_init(&cond);
    ck_assert_int_eq(co_mutex_unlock(&mutex), 0);
    ck_assert_int_eq(co_cond_wait(&cond, &mutex, soon()), -EPERM);
    ck_assert(co_mutex_try_lock(&mutex));
    ck_assert_int_eq(co_mutex_unlock(&mutex), 0);
    co_mutex_fini(&mutex);
    return 0;
}

START_TEST(misuse_of_a_mutex_is_refused)
{
    run(misuse_main);
}
END_TEST

/* ---- a condition and the deadline around it ---- */

struct guarded {
    struct co_mutex mutex;
    struct co_cond cond;
    bool is_held;
};

static int holds_for_long(void *arg)
{
    struct guarded *g = arg;
    ck_assert_int_eq(co_mutex_lock(&g->mutex, CO_NO_DEADLINE), 0);
    g->is_held = true;
    ck_assert_int_eq(co_sleep(30 * NS_PER_MS), 0);
    g->is_held = false;
    return co_mutex_unlock(&g->mutex);
}

static int waits_in_a_scope(void *arg)
{
    struct guarded g = {.is_held = false};
    struct co_scope scope;
    (void)arg;
    co_mutex_init(&g.mutex);
    co_cond_init(&g.cond);
    ck_assert_int_eq(co_mutex_lock(&g.mutex, CO_NO_DEADLINE), 0);
    struct co_task *task = co_spawn(holds_for_long, &g);
    co_scope_enter(&scope, co_after(5 * NS_PER_MS));
    ck_assert_int_eq(co_cond_wait(&g.cond, &g.mutex, CO_NO_DEADLINE), -ETIMEDOUT);
    ck_assert(co_scope_leave(&scope));
    ck_assert(!g.is_held);
    ck_assert_int_eq(co_mutex_unlock(&g.mutex), 0);
    ck_assert_int_eq(co_join(task, CO_NO_DEADLINE, NULL), 0);
    co_cond_fini(&g.cond);
    co_mutex_fini(&g.mutex);
    return 0;
}

START_TEST(a_condition_returns_locked_when_the_deadline_around_it_passed)
{
    ck_assert_int_eq(co_run(waits_in_a_scope, NULL, NULL), 0);
}
END_TEST

/* ---- mistakes that no return value could repair ---- */

static struct {
    struct co_mutex mutex;
    struct co_cond cond;
    struct co_sem sem;
    struct co_event event;
    struct co_chan *chan;
    struct co_queue *queue;
} objects;

enum mistake {
    FINI_MUTEX,
    FINI_COND,
    FINI_SEM,
    FINI_EVENT,
    FREE_CHAN,
    FREE_QUEUE,
};

static const struct {
    enum mistake mistake;
    const char *said;
} mistakes[] = {
    {FINI_MUTEX, "coro: co_mutex_fini of a mutex that is locked or waited for\n"},
    {FINI_COND, "coro: co_cond_fini of a condition that is waited for\n"},
    {FINI_SEM, "coro: co_sem_fini of a semaphore that is waited for\n"},
    {FINI_EVENT, "coro: co_event_fini of an event that is waited for\n"},
    {FREE_CHAN, "coro: co_chan_free of a channel that is waited for\n"},
    {FREE_QUEUE, "coro: co_queue_free of a queue that is waited for\n"},
};

static enum mistake mistake_now;

static int waits_on_it(void *arg)
{
    int item;
    void *got;
    (void)arg;
    switch (mistake_now) {
    case FINI_MUTEX:
        return co_mutex_lock(&objects.mutex, CO_NO_DEADLINE);
    case FINI_COND:
        return co_mutex_lock(&objects.mutex, CO_NO_DEADLINE) +
               co_cond_wait(&objects.cond, &objects.mutex, CO_NO_DEADLINE);
    case FINI_SEM:
        return co_sem_acquire(&objects.sem, CO_NO_DEADLINE);
    case FINI_EVENT:
        return co_event_wait(&objects.event, CO_NO_DEADLINE);
    case FREE_CHAN:
        return co_chan_recv(objects.chan, &item, CO_NO_DEADLINE);
    case FREE_QUEUE:
        return co_queue_get(objects.queue, &got, CO_NO_DEADLINE);
    }
    return 0;
}

static int makes_a_mistake(void *arg)
{
    (void)arg;
    co_mutex_init(&objects.mutex);
    co_cond_init(&objects.cond);
    co_sem_init(&objects.sem, 0);
    co_event_init(&objects.event);
    objects.chan = co_chan_new(sizeof(int), 0);
    objects.queue = co_queue_new(0);
    co_detach(co_spawn(waits_on_it, NULL));
    if (co_yield () < 0)
        return 1;
    switch (mistake_now) {
    case FINI_MUTEX:
        co_mutex_fini(&objects.mutex);
        break;
    case FINI_COND:
        co_cond_fini(&objects.cond);
        break;
    case FINI_SEM:
        co_sem_fini(&objects.sem);
        break;
    case FINI_EVENT:
        co_event_fini(&objects.event);
        break;
    case FREE_CHAN:
        co_chan_free(objects.chan);
        break;
    case FREE_QUEUE:
        co_queue_free(objects.queue);
        break;
    }
    return 0;
}

static void mistaken_child(void)
{
    static const struct co_options unwatched = {.watchdog_ns = -1};
    co_run(makes_a_mistake, NULL, &unwatched);
}

START_TEST(a_mistake_ends_the_program_and_is_named)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    mistake_now = mistakes[_i].mistake;
    int status = in_child(mistaken_child, &text);
    contains(&text, mistakes[_i].said);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    buf_fini(&text);
}
END_TEST

SUITE_MAIN("sync", SUITE_LOOP(a_mistake_ends_the_program_and_is_named, mistakes),
           SUITE_LOOP(scenario_17_set_then_clear_wakes_every_waiter, waiter_counts),
           SUITE_TEST(scenario_18_a_waiter_that_comes_during_the_notification_is_last),
           SUITE_TEST(scenario_19_a_getter_that_timed_out_swallows_nothing),
           SUITE_TEST(scenario_20_a_full_queue_holds_its_putter),
           SUITE_TEST(scenario_21_the_receiver_goes_on_before_the_sender),
           SUITE_TEST(scenario_22_shutdown_drains_or_drops),
           SUITE_TEST(scenario_23_close_wakes_and_select_takes_the_first_ready),
           SUITE_TEST(scenario_24_semaphores_are_fair_and_pools_bounded),
           SUITE_TEST(scenario_14_cancel_ends_any_wait_and_a_condition_returns_locked),
           SUITE_TEST(a_buffered_channel_wraps_and_drains),
           SUITE_TEST(misuse_of_a_mutex_is_refused),
           SUITE_TEST(a_condition_returns_locked_when_the_deadline_around_it_passed))
