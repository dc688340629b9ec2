/* What a timed scope costs, and a report of 8 workers with 1,000 call paths each. */
#include <stdio.h>
#include <stdlib.h>

#include "coro/prof/prof.h"
#include "coro/prof/snapshot.h"
#include "coro/prof/worker.h"
#include "server/profile/format.h"

enum { SCOPES = 1000000, ROUNDS = 41, WORKERS = 8, NODES = 1000, FANOUT = 10 };

static NOINLINE void plain(void)
{
    __asm__ volatile("");
}

static NOINLINE void timed(void)
{
    PROF_FN();
    __asm__ volatile("");
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof values[0], compare);
    return values[n / 2];
}

static double call_ns(void (*fn)(void))
{
    int64_t start_ns = clock_now_ns();
    for (int i = 0; i < SCOPES; i++)
        fn();
    return (double)(clock_now_ns() - start_ns) / SCOPES;
}

/* The price of the scope alone: what a call with it costs more than one without.
 * Of many rounds the quickest of each: others on the machine only ever add. */
static double scope_ns(void)
{
    double with = 1e9, without = 1e9;
    for (int i = 0; i < ROUNDS; i++) {
        double plain_ns = call_ns(plain), timed_ns = call_ns(timed);
        without = plain_ns < without ? plain_ns : without;
        with = timed_ns < with ? timed_ns : with;
    }
    return with - without;
}

/* A tree of NODES paths, FANOUT callees each, over 200 functions. */
static void fill(struct prof_slot *slot)
{
    static struct prof_site sites[200];
    static char names[200][16];
    for (int i = 0; i < 200; i++) {
        snprintf(names[i], sizeof names[i], "function_%d", i);
        sites[i] = (struct prof_site){.name = names[i], .file = "bench.c", .line = (uint32_t)i};
    }
    for (uint32_t i = 2; i < NODES; i++) {
        uint32_t parent = i < 2 + FANOUT ? 0 : 2 + (i - 2 - FANOUT) / FANOUT;
        struct prof_node *n =
            prof_child(slot, &slot->nodes[parent], &sites[(i * 7 + parent) % 200]);
        n->calls += i;
        n->self += i * 1000;
    }
}

static void report(double *ret_ms, double *ret_copy_us)
{
    double ms[ROUNDS], copy_us[ROUNDS];
    struct profile_filter all = {.slot = -1};
    for (int i = 0; i < ROUNDS; i++) {
        struct prof_snapshot *s;
        struct profile_report r;
        struct profile_view v;
        struct buf out;
        char message[PROFILE_MESSAGE_BYTES];
        buf_init(&out, 64u << 20);
        profile_view_init(&v);
        int64_t start_ns = clock_now_ns();
        if (prof_snapshot_take(0, &s) < 0 || profile_report_init(&r) < 0 ||
            profile_report_add(&r, s, 1, &all) < 0 || profile_report_finish(&r) < 0 ||
            profile_view_sort(&v, "cumulative", message) < 0 || profile_text(&out, &r, &v) < 0)
            exit(EXIT_FAILURE);
        ms[i] = (double)(clock_now_ns() - start_ns) / 1e6;
        /* what a busy worker does for it, between two requests */
        start_ns = clock_now_ns();
        prof_worker_answer(prof_ticks());
        copy_us[i] = (double)(clock_now_ns() - start_ns) / 1e3;
        buf_fini(&out);
        profile_report_fini(&r);
        profile_view_fini(&v);
        prof_snapshot_free(s);
    }
    *ret_ms = median(ms, ROUNDS);
    *ret_copy_us = median(copy_us, ROUNDS);
}

int main(void)
{
    double off_ns = scope_ns(), ms, copy_us;
    if (prof_segment_create(WORKERS) < 0)
        return EXIT_FAILURE;
    if (prof_worker_open("bench") < 0)
        return EXIT_FAILURE;
    double on_ns = scope_ns();
    prof_record(false);
    prof_wait_begin();
    prof_wait_end();
    double stopped_ns = scope_ns();
    prof_record(true);
    prof_worker_close();
    /* each slot is used once; the last stays open, as that of the thread that asks */
    for (int i = 0; i < WORKERS; i++) {
        struct prof_slot *slot;
        if (prof_worker_open("bench") < 0)
            return EXIT_FAILURE;
        slot = prof_self.slot;
        fill(slot);
        if (i + 1 < WORKERS) {
            prof_wait_begin(); /* at rest, and left open: the next takes another slot */
            prof_self = (struct prof_thread){.slot = NULL};
        }
    }
    report(&ms, &copy_us);
    printf("profile.scope %.1f ns\n", on_ns);
    printf("profile.scope_off %.2f ns\n", stopped_ns > off_ns ? stopped_ns : off_ns);
    printf("profile.report %.2f ms\n", ms);
    printf("profile.copy %.1f us\n", copy_us);
    return EXIT_SUCCESS;
}
