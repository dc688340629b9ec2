/* Reports: cProfile's rules on a tree, filters, differences. */
#include <string.h>

#include "profile_tree.h"
#include "server/profile/report.h"
#include "suite.h"

static struct prof_slot *slot;
static struct profile_report r;

TREE_SITE(site_a, "a", "t.c", 1);
TREE_SITE(site_b, "b", "t.c", 2);
TREE_SITE(site_c, "c", "t.c", 3);
TREE_SITE(site_write, "{write}", "t.c", 4);
TREE_SITE(site_write_too, "{write}", "u.c", 40);

static void open_tree(void)
{
    ck_assert_int_eq(prof_segment_create(4), 0);
    ck_assert_int_eq(prof_worker_open("made up"), 0);
    prof_worker_close();
    slot = prof_slot_at(0);
    slot->run = slot->nodes[PROF_NODE_ROOT].self = 0;
}

static struct prof_snapshot *take(void)
{
    struct prof_snapshot *s;
    ck_assert_int_eq(prof_snapshot_take(0, &s), 0);
    s->tick_ns = 1; /* ticks are ns */
    return s;
}

static void derive(const struct profile_filter *filter)
{
    static const struct profile_filter all = {.slot = -1};
    struct prof_snapshot *s = take();
    ck_assert_int_eq(profile_report_init(&r), 0);
    ck_assert_int_eq(profile_report_add(&r, s, 1, filter == NULL ? &all : filter), 0);
    ck_assert_int_eq(profile_report_finish(&r), 0);
    prof_snapshot_free(s);
}

static void close_tree(void)
{
    profile_report_fini(&r);
    prof_segment_destroy();
}

static const struct profile_function *find(const char *name)
{
    for (uint32_t i = 0; i < r.function_count; i++)
        if (strcmp(r.functions[i].site->name, name) == 0)
            return &r.functions[i];
    return NULL;
}

static const struct profile_edge *find_edge(const char *caller, const char *callee)
{
    for (uint32_t i = 0; i < r.edge_count; i++)
        if (strcmp(r.functions[r.edges[i].caller].site->name, caller) == 0 &&
            strcmp(r.functions[r.edges[i].callee].site->name, callee) == 0)
            return &r.edges[i];
    return NULL;
}

/* a calls itself three deep, seven times in all: 7/2, and its total counts once. */
START_TEST(recursion_is_counted_as_cprofile_does)
{
    open_tree();
    struct prof_node *n = tree_add(slot, &slot->nodes[0], &site_a, 2, 10);
    n = tree_add(slot, n, &site_a, 3, 20);
    n = tree_add(slot, n, &site_a, 2, 30);
    tree_add(slot, n, &site_write, 5, 4);
    derive(NULL);
    const struct profile_function *a = find("a");
    ck_assert_int_eq(a->calls, 7);
    ck_assert_int_eq(a->primitive, 2);
    ck_assert_int_eq(a->self, 60);
    ck_assert_int_eq(a->total, 64);
    const struct profile_edge *self = find_edge("a", "a");
    ck_assert_int_eq(self->calls, 5);
    ck_assert_int_eq(self->primitive, 3);
    ck_assert_int_eq(self->total, 54); /* of the outermost of them */
    ck_assert_double_eq(a->cumtime, 64e-9);
    close_tree();
}
END_TEST

START_TEST(mutual_recursion)
{
    open_tree();
    struct prof_node *n = tree_add(slot, &slot->nodes[0], &site_a, 1, 1);
    n = tree_add(slot, n, &site_b, 1, 2);
    n = tree_add(slot, n, &site_a, 1, 4);
    tree_add(slot, n, &site_b, 1, 8);
    derive(NULL);
    ck_assert_int_eq(find("a")->calls, 2);
    ck_assert_int_eq(find("a")->primitive, 1);
    ck_assert_int_eq(find("a")->total, 15);
    ck_assert_int_eq(find("b")->total, 14);
    ck_assert_int_eq(find_edge("a", "b")->calls, 2);
    ck_assert_int_eq(find_edge("a", "b")->primitive, 1);
    ck_assert_int_eq(find_edge("b", "a")->total, 12);
    close_tree();
}
END_TEST

START_TEST(a_builtin_is_one_function_wherever_it_is_written)
{
    open_tree();
    tree_add(slot, tree_add(slot, &slot->nodes[0], &site_a, 1, 1), &site_write, 2, 5);
    tree_add(slot, tree_add(slot, &slot->nodes[0], &site_b, 1, 1), &site_write_too, 3, 7);
    derive(NULL);
    ck_assert_int_eq(find("{write}")->calls, 5);
    ck_assert_int_eq(find("{write}")->self, 12);
    ck_assert_str_eq(find("{write}")->file, "~");
    ck_assert_str_eq(find("{write}")->name, "<write>");
    ck_assert_str_eq(find("a")->label, "t.c:1(a)");
    ck_assert_int_eq(find_edge("b", "{write}")->calls, 3);
    close_tree();
}
END_TEST

START_TEST(an_endpoint_keeps_what_is_inside_its_handler)
{
    open_tree();
    struct prof_node *a = tree_add(slot, &slot->nodes[0], &site_a, 10, 100);
    struct prof_node *b = tree_add(slot, a, &site_b, 4, 40);
    tree_add(slot, b, &site_write, 4, 4);
    tree_add(slot, a, &site_write, 6, 6);
    slot->nodes[0].self = 1000;
    struct profile_filter filter = {.slot = -1, .endpoints = {"b"}, .endpoint_count = 1};
    derive(&filter);
    ck_assert_ptr_null(find("a"));
    ck_assert_ptr_null(find("{unscoped}"));
    ck_assert_int_eq(find("b")->total, 44);
    ck_assert_int_eq(find("{write}")->calls, 4);
    ck_assert_int_eq(r.nodes[0].total, 44);
    close_tree();
}
END_TEST

START_TEST(a_difference_shows_only_what_happened_between)
{
    static const struct profile_filter all = {.slot = -1};
    open_tree();
    struct prof_node *a = tree_add(slot, &slot->nodes[0], &site_a, 10, 100);
    tree_add(slot, a, &site_b, 5, 50);
    struct prof_snapshot *before = take();
    tree_add(slot, &slot->nodes[0], &site_a, 3, 30);
    tree_add(slot, a, &site_c, 1, 7);
    struct prof_snapshot *after = take();
    ck_assert_int_eq(profile_report_init(&r), 0);
    ck_assert_int_eq(profile_report_add(&r, after, 1, &all), 0);
    ck_assert_int_eq(profile_report_add(&r, before, -1, &all), 0);
    ck_assert_int_eq(profile_report_finish(&r), 0);
    ck_assert_int_eq(find("a")->calls, 3);
    ck_assert_int_eq(find("a")->total, 37);
    ck_assert_int_eq(find("c")->calls, 1);
    ck_assert(!find("b")->is_shown);
    ck_assert(find("a")->is_shown);
    ck_assert_int_eq(r.run, r.self);
    prof_snapshot_free(before);
    prof_snapshot_free(after);
    close_tree();
}
END_TEST

START_TEST(unscoped_time_is_a_row_without_calls)
{
    open_tree();
    slot->nodes[0].self = slot->run = 500;
    tree_add(slot, &slot->nodes[0], &site_a, 1, 1);
    derive(NULL);
    ck_assert_int_eq(find("{unscoped}")->self, 500);
    ck_assert_int_eq(find("{unscoped}")->calls, 0);
    ck_assert_uint_eq(find("a")->first_caller, PROFILE_NONE);
    ck_assert_int_eq(r.run, r.self);
    close_tree();
}
END_TEST

START_TEST(one_worker_alone)
{
    open_tree();
    tree_add(slot, &slot->nodes[0], &site_a, 4, 40);
    derive(&(struct profile_filter){.slot = 0});
    ck_assert_int_eq(find("a")->calls, 4);
    profile_report_fini(&r);
    derive(&(struct profile_filter){.slot = 3});
    ck_assert_uint_eq(r.function_count, 0);
    close_tree();
}
END_TEST

/* The longest slices of a and b before and after; the reset is at "before" when that is 0. */
static const struct {
    uint64_t a_before, a_after;
    bool is_recent;
} slices[] = {{0, 30, true}, {30, 40, true}, {30, 30, false}, {0, 0, false}};

START_TEST(a_longest_slice_is_recent_when_it_grew)
{
    static const struct profile_filter all = {.slot = -1};
    open_tree();
    struct prof_node *b = tree_add(slot, &slot->nodes[0], &site_b, 1, 10);
    struct prof_node *a = tree_add(slot, b, &site_a, 10, 100);
    b->slice = 0;
    a->slice = slices[_i].a_before;
    struct prof_snapshot *before = take();
    a->calls++;
    b->calls++;
    a->slice = slices[_i].a_after;
    struct prof_snapshot *after = take();
    ck_assert_int_eq(profile_report_init(&r), 0);
    ck_assert_int_eq(profile_report_add(&r, after, 1, &all), 0);
    ck_assert_int_eq(profile_report_add(&r, before, -1, &all), 0);
    ck_assert_int_eq(profile_report_finish(&r), 0);
    ck_assert_int_eq(find("a")->slice, (int64_t)slices[_i].a_after);
    ck_assert_int_eq(find("a")->is_slice_recent, slices[_i].is_recent);
    /* callers of it ran as long */
    ck_assert_int_eq(find("b")->slice, (int64_t)slices[_i].a_after);
    ck_assert_int_eq(find("b")->is_slice_recent, slices[_i].is_recent);
    prof_snapshot_free(before);
    prof_snapshot_free(after);
    close_tree();
}
END_TEST

SUITE_MAIN("profile_report", SUITE_TEST(recursion_is_counted_as_cprofile_does),
           SUITE_TEST(mutual_recursion),
           SUITE_TEST(a_builtin_is_one_function_wherever_it_is_written),
           SUITE_TEST(an_endpoint_keeps_what_is_inside_its_handler),
           SUITE_TEST(a_difference_shows_only_what_happened_between),
           SUITE_TEST(unscoped_time_is_a_row_without_calls), SUITE_TEST(one_worker_alone),
           SUITE_LOOP(a_longest_slice_is_recent_when_it_grew, slices))
