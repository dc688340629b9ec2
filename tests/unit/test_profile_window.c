/* The rings of snapshots: ids, windows, what is forgotten, the reset. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "coro/prof/prof.h"
#include "coro/prof/worker.h"
#include "server/profile/window.h"
#include "suite.h"

static void open_all(void)
{
    ck_assert_int_eq(prof_segment_create(2), 0);
    ck_assert_int_eq(prof_worker_open("test"), 0);
    ck_assert_int_eq(profile_store_create(), 0);
}

static void close_all(void)
{
    profile_store_destroy();
    prof_worker_close();
    prof_segment_destroy();
}

static struct prof_snapshot *take(void)
{
    struct prof_snapshot *s;
    ck_assert_int_eq(profile_store_take(&s), 0);
    return s;
}

START_TEST(a_snapshot_is_found_again_as_it_was)
{
    open_all();
    struct prof_snapshot *s = take(), *again;
    {
        PROF_SCOPE("later");
    }
    struct prof_snapshot *later = take();
    ck_assert_uint_gt(later->id, s->id);
    ck_assert_int_eq(profile_store_get(s->id, &again), 0);
    ck_assert_uint_eq(again->bytes, s->bytes);
    ck_assert_mem_eq(again, s, s->bytes);
    prof_snapshot_free(again);
    ck_assert_int_eq(profile_store_get(12345, &again), -ENOENT);
    prof_snapshot_free(s);
    prof_snapshot_free(later);
    close_all();
}
END_TEST

START_TEST(old_ones_make_room)
{
    open_all();
    struct prof_snapshot *first = take(), *s = NULL;
    for (int i = 0; i < 1000; i++) {
        prof_snapshot_free(s);
        s = take();
    }
    struct prof_snapshot *again;
    ck_assert_int_eq(profile_store_get(first->id, &again), -ENOENT);
    ck_assert_int_eq(profile_store_get(s->id, &again), 0);
    ck_assert_mem_eq(again, s, s->bytes);
    prof_snapshot_free(again);
    ck_assert_int_eq(profile_store_get(s->id - 20, &again), 0);
    ck_assert_uint_eq(again->id, s->id - 20);
    prof_snapshot_free(again);
    prof_snapshot_free(s);
    prof_snapshot_free(first);
    close_all();
}
END_TEST

START_TEST(windows_start_at_a_tick)
{
    open_all();
    struct prof_snapshot *s;
    ck_assert_int_eq(profile_store_before(clock_now_ns(), &s), -ENOENT);
    profile_tick();
    profile_tick(); /* not due yet: the same second */
    int64_t now_ns = clock_now_ns();
    ck_assert_int_eq(profile_store_before(now_ns, &s), 0);
    ck_assert_uint_eq(s->id, 1);
    ck_assert_int_le(s->at_ns, now_ns);
    prof_snapshot_free(s);
    /* none is that old: the oldest */
    ck_assert_int_eq(profile_store_before(1, &s), 0);
    ck_assert_uint_eq(s->id, 1);
    prof_snapshot_free(s);
    close_all();
}
END_TEST

START_TEST(a_reset_is_a_moment_to_count_from)
{
    open_all();
    struct prof_snapshot *s;
    ck_assert_int_eq(profile_store_origin(&s), -ENOENT);
    ck_assert_int_eq(profile_store_reset(), 0);
    ck_assert_int_eq(profile_store_origin(&s), 0);
    uint64_t first = s->id;
    prof_snapshot_free(s);
    ck_assert_int_eq(profile_store_reset(), 0);
    ck_assert_int_eq(profile_store_origin(&s), 0);
    ck_assert_uint_gt(s->id, first);
    prof_snapshot_free(s);
    close_all();
}
END_TEST

START_TEST(processes_share_the_rings)
{
    open_all();
    pid_t pid = fork();
    if (pid == 0) {
        struct prof_snapshot *s;
        _exit(profile_store_take(&s) == 0 && s->id == 1 ? 0 : 1);
    }
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    struct prof_snapshot *s;
    ck_assert_int_eq(profile_store_get(1, &s), 0);
    prof_snapshot_free(s);
    s = take();
    ck_assert_uint_eq(s->id, 2);
    prof_snapshot_free(s);
    close_all();
}
END_TEST

START_TEST(without_a_store_nothing_is_kept)
{
    struct prof_snapshot *s;
    profile_tick();
    ck_assert_int_eq(profile_store_take(&s), -ENOENT);
    ck_assert_int_eq(profile_store_get(1, &s), -ENOENT);
    ck_assert_int_eq(profile_store_before(1, &s), -ENOENT);
}
END_TEST

SUITE_MAIN("profile_window", SUITE_TEST(a_snapshot_is_found_again_as_it_was),
           SUITE_TEST(old_ones_make_room), SUITE_TEST(windows_start_at_a_tick),
           SUITE_TEST(a_reset_is_a_moment_to_count_from), SUITE_TEST(processes_share_the_rings),
           SUITE_TEST(without_a_store_nothing_is_kept))
