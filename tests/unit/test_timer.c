/* The heap of deadlines: order, disarming from anywhere, rearming while firing. */
#include <stdlib.h>

#include "coro/timer.h"
#include "suite.h"

#define MANY 1000

struct probe {
    struct co_timer timer;
    int64_t when_ns;
    int fired;
};

static int64_t last_fired_ns;

static void on_fire(struct co_timer *timer)
{
    struct probe *probe = CONTAINER_OF(timer, struct probe, timer);
    ck_assert_int_ge(probe->when_ns, last_fired_ns);
    last_fired_ns = probe->when_ns;
    probe->fired++;
}

START_TEST(fires_in_order_and_only_what_is_due)
{
    static struct probe probes[MANY];
    struct co_timers timers;
    coro_timers_init(&timers);
    ck_assert_int_eq(coro_timers_next(&timers), CLOCK_NEVER);
    last_fired_ns = 0;
    for (int i = 0; i < MANY; i++) {
        probes[i] = (struct probe){.timer.fire = on_fire, .when_ns = 1 + (i * 7919) % MANY};
        ck_assert_int_eq(coro_timer_arm(&timers, &probes[i].timer, probes[i].when_ns), 0);
    }
    for (int i = 0; i < MANY; i += 3) {
        coro_timer_disarm(&timers, &probes[i].timer);
        coro_timer_disarm(&timers, &probes[i].timer);
    }
    coro_timers_fire(&timers, MANY / 2);
    for (int i = 0; i < MANY; i++)
        ck_assert_int_eq(probes[i].fired, i % 3 != 0 && probes[i].when_ns <= MANY / 2);
    coro_timers_fire(&timers, MANY);
    for (int i = 0; i < MANY; i++)
        ck_assert_int_eq(probes[i].fired, i % 3 != 0);
    ck_assert_int_eq(coro_timers_next(&timers), CLOCK_NEVER);
    coro_timers_fini(&timers);
}
END_TEST

static struct co_timers rearming;

static void on_fire_rearm(struct co_timer *timer)
{
    struct probe *probe = CONTAINER_OF(timer, struct probe, timer);
    probe->fired++;
    probe->when_ns += 10;
    ck_assert_int_eq(coro_timer_arm(&rearming, timer, probe->when_ns), 0);
}

START_TEST(a_timer_may_rearm_itself)
{
    struct probe probe = {.timer.fire = on_fire_rearm, .when_ns = 10};
    coro_timers_init(&rearming);
    ck_assert_int_eq(coro_timer_arm(&rearming, &probe.timer, 10), 0);
    coro_timers_fire(&rearming, 35);
    ck_assert_int_eq(probe.fired, 3);
    ck_assert_int_eq(coro_timers_next(&rearming), 40);
    ck_assert_int_eq(coro_timer_when(&rearming, &probe.timer), 40);
    coro_timers_fini(&rearming);
}
END_TEST

SUITE_MAIN("timer", SUITE_TEST(fires_in_order_and_only_what_is_due),
           SUITE_TEST(a_timer_may_rearm_itself))
