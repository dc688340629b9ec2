/* A whole run: threads, watchers, merging, room for the connections. */
#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/resource.h>

#include "load_rig.h"
#include "loadgen/run.h"
#include "suite.h"

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static void good(int fd, unsigned number MAYBE_UNUSED)
{
    while (scripted_read(fd))
        scripted_send(fd, OK);
}
static void closes(int fd, unsigned number MAYBE_UNUSED)
{
    (void)scripted_read(fd);
}

static struct load_rig rig;
static bool stop;

static void run(const struct lg_watcher *watcher, struct lg_result *ret_result)
{
    struct lg_why why = {""};
    ck_assert_int_eq(lg_run(&rig.load, &stop, watcher, ret_result, &why), 0);
    ck_assert(lg_record_is_true(&ret_result->record));
}

START_TEST(threads_are_merged)
{
    struct lg_result r;
    rig_begin(&rig, good, NULL);
    rig.load.threads = 3;
    rig.load.connections = 7;
    rig.load.requests_max = 1000;
    run(NULL, &r);
    ck_assert_uint_eq(r.record.outcomes[LG_OK], 1000);
    ck_assert_uint_eq(r.record.latency.total, 1000);
    ck_assert_double_gt(r.requests_per_s, 0);
    ck_assert_double_eq_tol(r.requests_per_s * r.seconds, 1000, 1);
    ck_assert(!r.interrupted);
    ck_assert_int_eq(r.server_counted, -1);
    lg_result_fini(&r);
    rig_end(&rig);
}
END_TEST

START_TEST(nothing_answered_has_no_cost_per_answer)
{
    struct lg_result r;
    rig_begin(&rig, closes, NULL);
    rig.load.requests_max = 5;
    run(NULL, &r);
    ck_assert_uint_eq(r.record.outcomes[LG_CLOSED], 5);
    ck_assert(isnan(r.own_cpu_us));
    lg_result_fini(&r);
    rig_end(&rig);
}
END_TEST

struct seen {
    unsigned marks[3], progress;
    int64_t due_ns[3];
    uint64_t ok;
    double first_seconds;
};

static void on_mark(void *arg, enum lg_mark mark, int64_t due_ns)
{
    struct seen *seen = arg;
    seen->marks[mark]++;
    seen->due_ns[mark] = due_ns;
}
static void on_progress(void *arg, double seconds, uint64_t ok, uint64_t failed MAYBE_UNUSED)
{
    struct seen *seen = arg;
    if (seen->progress++ == 0)
        seen->first_seconds = seconds;
    seen->ok = ok;
}

START_TEST(watchers_are_told)
{
    bool is_complete = false;
    /* longer, when the machine is so busy that a short run sees nothing */
    for (int64_t part_ns = 300 * NS_PER_MS; !is_complete && part_ns < 60 * NS_PER_S; part_ns *= 4) {
        struct lg_result r;
        struct seen seen = {0};
        rig_begin(&rig, good, NULL);
        rig.load.warmup_ns = part_ns;
        rig.load.duration_ns = part_ns;
        run(&(struct lg_watcher){.mark = on_mark, .progress = on_progress, .arg = &seen}, &r);
        for (int i = 0; i < 3; i++)
            ck_assert_uint_eq(seen.marks[i], 1);
        ck_assert_int_eq(seen.due_ns[LG_MARK_END] - seen.due_ns[LG_MARK_START], part_ns);
        ck_assert_int_eq(seen.due_ns[LG_MARK_START] - seen.due_ns[LG_MARK_WARM], part_ns / 2);
        is_complete = seen.progress >= 2 && seen.first_seconds < 0 /* still warming up */ &&
                      seen.ok > 0 && r.warmup.outcomes[LG_OK] > 0;
        lg_result_fini(&r);
        rig_end(&rig);
    }
    ck_assert(is_complete);
}
END_TEST

START_TEST(an_interrupted_run_says_so)
{
    struct lg_result r;
    rig_begin(&rig, good, NULL);
    rig.load.duration_ns = 3600 * NS_PER_S;
    stop = true;
    run(NULL, &r);
    ck_assert(r.interrupted);
    ck_assert_double_lt(r.seconds, 60);
    lg_result_fini(&r);
    rig_end(&rig);
}
END_TEST

START_TEST(room_for_the_connections)
{
    struct lg_why why = {""};
    struct rlimit limit = {100, 200};
    rig_begin(&rig, good, NULL);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    rig.load.connections = 100; /* above the soft limit: raised */
    ck_assert_int_eq(lg_preflight(&rig.load, &why), 0);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_uint_gt(limit.rlim_cur, 100);
    rig.load.idle = 100; /* above the hard one */
    ck_assert_int_eq(lg_preflight(&rig.load, &why), -EMFILE);
    ck_assert_ptr_nonnull(strstr(why.text, "200 connections need"));
    rig.load.idle = 70000;
    ck_assert_int_eq(lg_preflight(&rig.load, &why), -EADDRNOTAVAIL);
    ck_assert_ptr_nonnull(strstr(why.text, "local ports"));
    rig_end(&rig);
}
END_TEST

SUITE_MAIN("run", SUITE_TEST(threads_are_merged),
           SUITE_TEST(nothing_answered_has_no_cost_per_answer), SUITE_TEST(watchers_are_told),
           SUITE_TEST(an_interrupted_run_says_so), SUITE_TEST(room_for_the_connections))
