/* The calling-context tree: what enter, exit, park and resume charge to whom.
 *
 * Tasks are played by hand: a cursor each, switched with given ticks, so that
 * the sums can be checked to the tick; scopes read the real clock. */
#include <errno.h>
#include <setjmp.h>
#include <string.h>

#include "coro/prof/prof.h"
#include "coro/prof/sched.h"
#include "coro/prof/worker.h"
#include "suite.h"

static struct prof_slot *open_slot(void)
{
    ck_assert_int_eq(prof_segment_create(4), 0);
    ck_assert_int_eq(prof_worker_open("test"), 0);
    return prof_slot_at(0);
}

static void close_slot(void)
{
    prof_worker_close();
    prof_segment_destroy();
}

static const struct prof_node *find_after(const struct prof_slot *slot, const char *name,
                                          uint32_t from)
{
    for (uint32_t i = from; i < slot->used; i++)
        if (slot->nodes[i].site != NULL && strcmp(slot->nodes[i].site->name, name) == 0)
            return &slot->nodes[i];
    return NULL;
}

static const struct prof_node *find(const struct prof_slot *slot, const char *name)
{
    return find_after(slot, name, 0);
}

static uint64_t sum_self(const struct prof_slot *slot)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < slot->used; i++)
        sum += slot->nodes[i].self;
    return sum;
}

static void spin_us(int us)
{
    int64_t until = clock_now_ns() + us * NS_PER_US;
    while (clock_now_ns() < until)
        ;
}

static void inner(void)
{
    PROF_FN();
    PROF_SCOPE("{spin}");
    spin_us(50);
}

static void outer(int calls)
{
    PROF_FN();
    for (int i = 0; i < calls; i++)
        inner();
}

START_TEST(paths_count_and_charge)
{
    struct prof_slot *slot = open_slot();
    outer(3);
    outer(4);
    const struct prof_node *o = find(slot, "outer"), *i = find(slot, "inner"),
                           *s = find(slot, "{spin}");
    ck_assert_uint_eq(o->calls, 2);
    ck_assert_uint_eq(i->calls, 7);
    ck_assert_uint_eq(s->calls, 7);
    ck_assert_uint_eq(i->parent, o->index);
    ck_assert_uint_eq(s->parent, i->index);
    ck_assert_uint_eq(o->parent, PROF_NODE_ROOT);
    ck_assert_int_eq(o->in_flight + i->in_flight + s->in_flight, 0);
    double tick_ns = prof_tick_ns();
    ck_assert_double_ge((double)s->self * tick_ns, 7 * 50e3 * 0.9);
    /* the longest slice includes the callees */
    ck_assert_uint_ge(o->slice, i->slice);
    ck_assert_double_ge((double)o->slice * tick_ns, 4 * 50e3 * 0.9);
    close_slot();
}
END_TEST

START_TEST(one_function_on_two_paths_is_two_nodes)
{
    struct prof_slot *slot = open_slot();
    inner();
    outer(1);
    const struct prof_node *first = find(slot, "inner");
    const struct prof_node *second = find_after(slot, "inner", first->index + 1);
    ck_assert_ptr_nonnull(second);
    ck_assert_ptr_eq(first->site, second->site);
    ck_assert_uint_ne(first->parent, second->parent);
    close_slot();
}
END_TEST

START_TEST(file_and_line_are_the_projects)
{
    struct prof_slot *slot = open_slot();
    inner();
    ck_assert_str_eq(find(slot, "inner")->site->file, "tests/unit/test_prof_tree.c");
    ck_assert_uint_gt(find(slot, "inner")->site->line, 1);
    close_slot();
}
END_TEST

START_TEST(sites_form_an_array)
{
    ptrdiff_t bytes = (const char *)__stop_prof_sites - (const char *)__start_prof_sites;
    ck_assert_int_eq(bytes % (ptrdiff_t)sizeof(struct prof_site), 0);
    ck_assert_int_gt(bytes, 0);
    bool seen_inner = false;
    for (const struct prof_site *s = __start_prof_sites; s < __stop_prof_sites; s++) {
        ck_assert_ptr_nonnull(s->name);
        seen_inner = seen_inner || strcmp(s->name, "inner") == 0;
    }
    ck_assert(seen_inner);
}
END_TEST

/* Two tasks run slices of 2:1 and are parked for given spans. */
START_TEST(switches_charge_nobody_for_others)
{
    struct prof_slot *slot = open_slot();
    static const struct prof_site a_site = {.name = "a"}, b_site = {.name = "b"};
    struct prof_cursor a, b;
    struct prof_scope a_scope, b_scope;
    uint64_t t = prof_ticks() + 1000000000; /* ahead of what the scopes read below */
    prof_park(prof_loop_cursor(), t);
    prof_cursor_init(&a, t);
    prof_cursor_init(&b, t);
    prof_resume(&a, t);
    prof_enter(&a_scope, &a_site);
    a.last = a.slice_start = a.run_from = t; /* as if enter had read t */
    slot->nodes[PROF_NODE_ROOT].self = slot->run = 0;
    for (int round = 0; round < 10; round++) {
        prof_park(&a, t += 200);
        prof_resume(&b, t);
        if (round == 0) {
            prof_enter(&b_scope, &b_site);
            b.last = t;
            slot->nodes[PROF_NODE_ROOT].self = 0;
        }
        prof_park(&b, t += 100);
        prof_ready(&a, t + 30);
        prof_resume(&a, t += 50);
        prof_ready(&b, t + 200); /* the moment it is parked again it runs */
    }
    const struct prof_node *an = find(slot, "a"), *bn = find(slot, "b");
    ck_assert_uint_eq(an->self, 2000);
    ck_assert_uint_eq(bn->self, 1000);
    ck_assert_uint_eq(an->wait, 10 * (100 + 30));
    ck_assert_uint_eq(an->ready, 10 * 20);
    ck_assert_uint_eq(slot->run, 3000);
    ck_assert_uint_eq(sum_self(slot), slot->run);
    prof_cursor_fini(&a);
    prof_cursor_fini(&b);
    prof_worker_close();
    prof_segment_destroy();
}
END_TEST

START_TEST(a_loop_that_lets_tasks_run_does_not_wait)
{
    struct prof_slot *slot = open_slot();
    struct prof_cursor c;
    uint64_t now = prof_ticks();
    prof_cursor_init(&c, now);
    prof_park(prof_loop_cursor(), now);
    prof_resume(&c, now);
    prof_park(&c, now += 1000000);
    prof_resume(prof_loop_cursor(), now);
    prof_cursor_fini(&c);
    ck_assert_uint_eq(slot->nodes[PROF_NODE_ROOT].wait, 0);
    ck_assert_uint_eq(slot->nodes[PROF_NODE_ROOT].ready, 0);
    close_slot();
}
END_TEST

START_TEST(many_parked_in_one_function_is_no_recursion)
{
    enum { N = 50 };
    struct prof_slot *slot = open_slot();
    static const struct prof_site site = {.name = "handler"};
    struct prof_cursor c[N];
    struct prof_scope s[N];
    for (int i = 0; i < N; i++) {
        uint64_t now = prof_ticks();
        prof_cursor_init(&c[i], now);
        prof_park(prof_loop_cursor(), now);
        prof_resume(&c[i], now);
        prof_enter(&s[i], &site);
        now = prof_ticks();
        prof_park(&c[i], now);
        prof_resume(prof_loop_cursor(), now);
    }
    const struct prof_node *n = find(slot, "handler");
    ck_assert_uint_eq(n->calls, N);
    ck_assert_int_eq(n->in_flight, N);
    ck_assert_ptr_null(find_after(slot, "handler", n->index + 1));
    for (int i = N - 1; i >= 0; i--) { /* any order */
        uint64_t now = prof_ticks();
        prof_park(prof_loop_cursor(), now);
        prof_resume(&c[i], now);
        prof_exit(&s[i]);
        prof_park(&c[i], now = prof_ticks());
        prof_cursor_fini(&c[i]);
        prof_resume(prof_loop_cursor(), now);
    }
    ck_assert_int_eq(n->in_flight, 0);
    prof_worker_close();
    ck_assert_uint_eq(sum_self(slot), slot->run);
    prof_segment_destroy();
}
END_TEST

static void recurse(int depth)
{
    PROF_FN();
    if (depth > 1)
        recurse(depth - 1);
}

START_TEST(deep_recursion_ends_in_the_overflow_node)
{
    struct prof_slot *slot = open_slot();
    recurse(3 * PROF_NODES_MAX);
    ck_assert_uint_eq(slot->used, PROF_NODES_MAX);
    uint64_t calls = 0;
    for (uint32_t i = 0; i < slot->used; i++) {
        calls += slot->nodes[i].calls;
        ck_assert_int_eq(slot->nodes[i].in_flight, 0);
    }
    ck_assert_uint_eq(calls, 3 * PROF_NODES_MAX);
    ck_assert_uint_eq(slot->overflowed, slot->nodes[PROF_NODE_OVERFLOW].calls);
    prof_worker_close();
    ck_assert_uint_eq(sum_self(slot), slot->run);
    prof_segment_destroy();
}
END_TEST

static jmp_buf escape;
static volatile bool does_escape = true;

static NOINLINE void jumps(int depth)
{
    PROF_FN();
    if (depth > 0)
        jumps(depth - 1);
    else if (does_escape)
        longjmp(escape, 1);
}

static NOINLINE void catches(void)
{
    PROF_FN();
    if (setjmp(escape) == 0)
        jumps(4);
}

START_TEST(longjmp_is_healed_by_the_next_exit)
{
    struct prof_slot *slot = open_slot();
    catches();
    inner();
    ck_assert_uint_eq(find(slot, "inner")->parent, PROF_NODE_ROOT);
    for (uint32_t i = 0; i < slot->used; i++)
        ck_assert_int_eq(slot->nodes[i].in_flight, 0);
    ck_assert_uint_eq(slot->abandoned, 5);
    prof_worker_close();
    ck_assert_uint_eq(sum_self(slot), slot->run);
    prof_segment_destroy();
}
END_TEST

START_TEST(an_abandoned_task_is_counted)
{
    struct prof_slot *slot = open_slot();
    static const struct prof_site site = {.name = "task"};
    struct prof_cursor c;
    struct prof_scope s, s2;
    uint64_t now = prof_ticks();
    prof_cursor_init(&c, now);
    prof_park(prof_loop_cursor(), now);
    prof_resume(&c, now);
    prof_enter(&s, &site);
    prof_enter(&s2, &site);
    prof_park(&c, now = prof_ticks());
    prof_cursor_fini(&c);
    prof_resume(prof_loop_cursor(), now);
    ck_assert_uint_eq(slot->abandoned, 2);
    ck_assert_int_eq(find(slot, "task")->in_flight, 0);
    close_slot();
}
END_TEST

START_TEST(a_long_slice_is_noted_for_every_open_call)
{
    double leaf_ns = 1e9; /* a busy machine interrupts some, not all */
    for (int tries = 0; tries < 20 && leaf_ns >= 150e3; tries++) {
        struct prof_slot *slot = open_slot();
        static const struct prof_site hog = {.name = "hog"}, leaf = {.name = "leaf"};
        struct prof_scope a, b;
        prof_enter(&a, &hog);
        spin_us(200);
        prof_enter(&b, &leaf);
        prof_wait_begin(); /* parks while both are open */
        double tick_ns = prof_tick_ns();
        ck_assert_double_ge((double)find(slot, "hog")->slice * tick_ns, 150e3);
        ck_assert_uint_ge(slot->nodes[PROF_NODE_ROOT].slice, find(slot, "hog")->slice);
        leaf_ns = (double)find(slot, "leaf")->slice * tick_ns;
        prof_wait_end();
        prof_exit(&b);
        prof_exit(&a);
        close_slot();
    }
    ck_assert_double_lt(leaf_ns, 150e3);
}
END_TEST

START_TEST(a_blocking_call_is_waiting)
{
    enum { NAPS = 30 };
    struct prof_slot *slot = open_slot();
    uint64_t before = 0, least = UINT64_MAX; /* a busy machine interrupts some, not all */
    for (int i = 0; i < NAPS; i++) {
        {
            PROF_SCOPE("{nap}");
            prof_wait_begin();
            ck_assert_uint_eq(slot->seq & 1, 0);
            spin_us(300);
            prof_wait_end();
            prof_wait_end(); /* harmless */
            ck_assert_uint_eq(slot->seq & 1, 1);
        }
        uint64_t self = find(slot, "{nap}")->self;
        least = self - before < least ? self - before : least;
        before = self;
    }
    const struct prof_node *n = find(slot, "{nap}");
    double tick_ns = prof_tick_ns();
    ck_assert_uint_eq(n->calls, NAPS);
    ck_assert_double_ge((double)n->wait * tick_ns, NAPS * 300e3 * 0.9);
    ck_assert_double_lt((double)least * tick_ns, 300e3 / 3);
    close_slot();
}
END_TEST

START_TEST(stopped_records_nothing_and_scopes_still_nest)
{
    struct prof_slot *slot = open_slot();
    {
        PROF_SCOPE("around");
        prof_record(false);
        prof_wait_begin(); /* workers notice at a wait */
        prof_wait_end();
        inner();
        uint64_t before = sum_self(slot);
        spin_us(100);
        ck_assert_uint_eq(sum_self(slot), before);
        ck_assert_ptr_null(find(slot, "inner"));
    }
    ck_assert_int_eq(find(slot, "around")->in_flight, 0);
    prof_record(true);
    prof_wait_begin();
    prof_wait_end();
    inner();
    ck_assert_uint_eq(find(slot, "inner")->parent, PROF_NODE_ROOT);
    ck_assert_uint_eq(find(slot, "inner")->calls, 1);
    prof_worker_close();
    ck_assert_uint_eq(sum_self(slot), slot->run);
    prof_segment_destroy();
}
END_TEST

START_TEST(without_a_slot_nothing_happens)
{
    outer(2);
    prof_wait_begin();
    prof_wait_end();
    ck_assert_int_eq(prof_worker_open("none"), -ENOENT);
    ck_assert_ptr_null(prof_self.current);
}
END_TEST

SUITE_MAIN("prof_tree", SUITE_TEST(paths_count_and_charge),
           SUITE_TEST(one_function_on_two_paths_is_two_nodes),
           SUITE_TEST(file_and_line_are_the_projects), SUITE_TEST(sites_form_an_array),
           SUITE_TEST(switches_charge_nobody_for_others),
           SUITE_TEST(a_loop_that_lets_tasks_run_does_not_wait),
           SUITE_TEST(many_parked_in_one_function_is_no_recursion),
           SUITE_TEST(deep_recursion_ends_in_the_overflow_node),
           SUITE_TEST(longjmp_is_healed_by_the_next_exit), SUITE_TEST(an_abandoned_task_is_counted),
           SUITE_TEST(a_long_slice_is_noted_for_every_open_call),
           SUITE_TEST(a_blocking_call_is_waiting),
           SUITE_TEST(stopped_records_nothing_and_scopes_still_nest),
           SUITE_TEST(without_a_slot_nothing_happens))
