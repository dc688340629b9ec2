/* Counting connections and requests, by address and in all. */

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "coro/base/clock.h"
#include "server/http/throttle.h"
#include "suite.h"

static struct http_address address_of(const char *text)
{
    struct http_address address;
    ck_assert_int_eq(http_address_parse((struct http_str){text, strlen(text)}, &address), 0);
    return address;
}

START_TEST(connections_are_counted_by_address)
{
    struct http_throttle *t = http_throttle_new();
    struct http_limits limits = {.connections_per_address = 2};
    struct http_address a = address_of("192.0.2.1"), b = address_of("192.0.2.2");
    uint32_t first, second, third, other;
    ck_assert(http_throttle_enter(t, &limits, &a, NS_PER_S, &first));
    ck_assert(http_throttle_enter(t, &limits, &a, NS_PER_S, &second));
    ck_assert(!http_throttle_enter(t, &limits, &a, NS_PER_S, &third));
    ck_assert_uint_eq(third, 0); /* not counted: it keeps nobody out while it hears so */
    ck_assert(http_throttle_enter(t, &limits, &b, NS_PER_S, &other));
    http_throttle_leave(t, first);
    ck_assert(http_throttle_enter(t, &limits, &a, NS_PER_S, &first));
    /* a /64 is one client */
    struct http_address c = address_of("2001:db8::1"), d = address_of("2001:db8::2");
    ck_assert(http_throttle_enter(t, &limits, &c, NS_PER_S, &first));
    ck_assert(http_throttle_enter(t, &limits, &d, NS_PER_S, &first));
    ck_assert(!http_throttle_enter(t, &limits, &c, NS_PER_S, &first));
    http_throttle_free(t);
}
END_TEST

START_TEST(requests_are_counted_by_the_second)
{
    struct http_throttle *t = http_throttle_new();
    struct http_limits limits = {.requests_per_address_per_s = 3};
    struct http_address a = address_of("192.0.2.1");
    for (int i = 0; i < 3; i++)
        ck_assert(http_throttle_request(t, &limits, &a, 5 * NS_PER_S + i));
    ck_assert(!http_throttle_request(t, &limits, &a, 5 * NS_PER_S + 9));
    ck_assert(http_throttle_request(t, &limits, &a, 6 * NS_PER_S));
    http_throttle_free(t);
}
END_TEST

START_TEST(no_limit_no_count)
{
    struct http_throttle *t = http_throttle_new();
    struct http_limits limits = {.connections_max = 1};
    struct http_address a = address_of("192.0.2.1");
    uint32_t cell;
    ck_assert(http_throttle_enter(t, &limits, &a, NS_PER_S, &cell));
    ck_assert_uint_eq(cell, 0);
    ck_assert(http_throttle_open(t, &limits));
    ck_assert(!http_throttle_open(t, &limits)); /* those that are refused do not count */
    ck_assert(!http_throttle_open(t, &limits));
    http_throttle_close(t);
    ck_assert(http_throttle_open(t, &limits));
    http_throttle_free(t);
}
END_TEST

START_TEST(what_a_dead_worker_held_is_given_back)
{
    struct http_throttle *t = http_throttle_new();
    struct http_limits one_each = {.connections_max = 1, .connections_per_address = 1};
    struct http_address a = address_of("192.0.2.1");
    struct http_held held = {0};
    uint32_t cell;
    http_throttle_note_in(&held);
    for (int i = 0; i < 3; i++) { /* it dies with a connection open */
        ck_assert(http_throttle_open(t, &one_each));
        ck_assert(http_throttle_enter(t, &one_each, &a, NS_PER_S, &cell));
        ck_assert_uint_ne(cell, 0);
        http_throttle_give_back(t, &held);
    }
    http_throttle_give_back(t, &held); /* held nothing any more */
    ck_assert(http_throttle_open(t, &one_each));
    ck_assert(http_throttle_enter(t, &one_each, &a, NS_PER_S, &cell));
    http_throttle_leave(t, cell); /* it ended in the usual way: nothing to give back */
    http_throttle_close(t);
    http_throttle_give_back(t, &held);
    ck_assert(http_throttle_open(t, &one_each));
    ck_assert(!http_throttle_open(t, &one_each));
    http_throttle_note_in(NULL);
    http_throttle_free(t);
}
END_TEST

/* ---- workers that meet ---- */

enum { WORKERS = 2, MEETINGS = 4000, ROUNDS = 10 };

static struct {
    struct http_throttle *throttle;
    _Atomic int arrived; /* of all workers, at all meetings */
    _Atomic int admitted[MEETINGS];
} meet;

static void wait_for_all(int meetings)
{
    atomic_fetch_add(&meet.arrived, 1);
    while (atomic_load(&meet.arrived) < WORKERS * meetings)
        sched_yield();
}

/* Of each address the workers see a connection in the same moment. */
static void *meet_main(void *arg)
{
    const struct http_limits one_each = {.connections_per_address = 1};
    struct http_address address = address_of("10.0.0.0");
    for (int i = 0; i < MEETINGS; i++) {
        uint32_t cell;
        address.ip[13] = (uint8_t)(i >> 16);
        address.ip[14] = (uint8_t)(i >> 8);
        address.ip[15] = (uint8_t)i;
        wait_for_all(i + 1);
        if (http_throttle_enter(meet.throttle, &one_each, &address, NS_PER_S, &cell))
            atomic_fetch_add(&meet.admitted[i], 1);
    }
    return arg;
}

static void meet_all(void)
{
    pthread_t threads[WORKERS];
    memset(&meet, 0, sizeof meet);
    meet.throttle = http_throttle_new();
    for (int i = 0; i < WORKERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, meet_main, NULL), 0);
    for (int i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < MEETINGS; i++)
        ck_assert_msg(meet.admitted[i] == 1, "%d of address %d", meet.admitted[i], i);
    http_throttle_free(meet.throttle);
}

START_TEST(connections_that_come_together_are_counted_together)
{
    for (int i = 0; i < ROUNDS; i++)
        meet_all();
}
END_TEST

SUITE_MAIN("throttle", SUITE_TEST(connections_that_come_together_are_counted_together),
           SUITE_TEST(connections_are_counted_by_address),
           SUITE_TEST(requests_are_counted_by_the_second), SUITE_TEST(no_limit_no_count),
           SUITE_TEST(what_a_dead_worker_held_is_given_back))
