/* Counting in leased slots, over threads and processes, and the report. */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/metrics/metrics.h"
#include "suite.h"

static const char *const paths[] = {"/domain", "/livez"};
static const int statuses[] = {200, 404};
static const char *const reasons[] = {"peer", "idle"};

static void start(unsigned workers)
{
    ck_assert_int_eq(metrics_init(workers), 0);
    metrics_name_routes(paths, ARRAY_LEN(paths));
    metrics_name_statuses(statuses, ARRAY_LEN(statuses));
    metrics_name_values(METRICS_CLOSED, reasons, ARRAY_LEN(reasons));
}

START_TEST(without_a_slot_it_counts_all_the_same)
{
    metrics_add(METRICS_ACCEPTED, 1); /* before init: nowhere, harmlessly */
    start(1);
    metrics_add(METRICS_ACCEPTED, 2);
    metrics_sub(METRICS_OPEN, 1);
    metrics_request(0, 200, 1000);
    ck_assert_uint_eq(metrics_read(METRICS_ACCEPTED), 2);
    ck_assert_int_eq((int64_t)metrics_read(METRICS_OPEN), -1);
    ck_assert_uint_eq(metrics_read_requests(), 1);
    metrics_fini();
}
END_TEST

START_TEST(slots_run_out_and_come_back)
{
    start(2);
    int a = metrics_lease(), b = metrics_lease();
    ck_assert_int_gt(a, 0);
    ck_assert_int_gt(b, 0);
    ck_assert_int_ne(a, b);
    ck_assert_int_eq(metrics_lease(), -EAGAIN);
    metrics_release(a);
    ck_assert_int_eq(metrics_lease(), a);
    metrics_fini();
}
END_TEST

START_TEST(a_released_slot_keeps_counters_and_drops_gauges)
{
    start(2);
    int slot = metrics_lease();
    metrics_enter(slot);
    metrics_add(METRICS_ACCEPTED, 5);
    metrics_add(METRICS_OPEN, 1);
    metrics_add_at(METRICS_CLOSED, 1, 3);
    metrics_release(slot);
    ck_assert_uint_eq(metrics_read(METRICS_ACCEPTED), 5);
    ck_assert_uint_eq(metrics_read(METRICS_OPEN), 0);
    ck_assert_uint_eq(metrics_read_at(METRICS_CLOSED, 1), 3);
    metrics_add(METRICS_ACCEPTED, 1); /* not in the released slot any more */
    ck_assert_uint_eq(metrics_read(METRICS_ACCEPTED), 6);
    metrics_fini();
}
END_TEST

#define ROUNDS 20000

static void *count(void *arg)
{
    metrics_enter(*(int *)arg);
    for (int i = 0; i < ROUNDS; i++) {
        metrics_add(METRICS_BYTES_IN, 3);
        metrics_request((size_t)i % 2, 200, i);
    }
    return NULL;
}

START_TEST(threads_lose_nothing)
{
    start(4);
    pthread_t threads[4];
    int slots[4];
    for (int i = 0; i < 4; i++) {
        slots[i] = metrics_lease();
        pthread_create(&threads[i], NULL, count, &slots[i]);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(metrics_read(METRICS_BYTES_IN), 4 * 3 * ROUNDS);
    ck_assert_uint_eq(metrics_read_requests(), 4 * ROUNDS);
    metrics_fini();
}
END_TEST

START_TEST(a_killed_process_loses_nothing)
{
    start(3);
    for (int i = 0; i < 3; i++) {
        int slot = metrics_lease();
        pid_t child = fork();
        if (child == 0) {
            count(&slot);
            metrics_add(METRICS_OPEN, 1);
            raise(SIGKILL);
        }
        int status;
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert(WIFSIGNALED(status));
        metrics_release(slot);
    }
    ck_assert_uint_eq(metrics_read_requests(), 3 * ROUNDS);
    ck_assert_uint_eq(metrics_read(METRICS_OPEN), 0);
    metrics_fini();
}
END_TEST

static const struct {
    enum metrics_format format;
    const char *line;
} lines[] = {
    {METRICS_PROMETHEUS, "# TYPE domaind_connections_accepted_total counter\n"},
    {METRICS_PROMETHEUS, "\ndomaind_connections_accepted_total 7\n"},
    {METRICS_PROMETHEUS, "\ndomaind_connections_open -1\n"},
    {METRICS_PROMETHEUS, "\ndomaind_connections_closed_total{reason=\"idle\"} 2\n"},
    {METRICS_PROMETHEUS, "\ndomaind_requests_total{route=\"/domain\",status=\"200\"} 2\n"},
    {METRICS_PROMETHEUS, "\ndomaind_requests_total{route=\"/livez\",status=\"404\"} 1\n"},
    {METRICS_PROMETHEUS, "\ndomaind_requests_total{route=\"other\",status=\"0\"} 1\n"},
    {METRICS_PROMETHEUS, "_bucket{route=\"/domain\",le=\"5e-05\"} 1\n"},
    {METRICS_PROMETHEUS, "_bucket{route=\"/domain\",le=\"0.0001\"} 2\n"},
    {METRICS_PROMETHEUS, "_bucket{route=\"/domain\",le=\"+Inf\"} 2\n"},
    {METRICS_PROMETHEUS, "_duration_seconds_sum{route=\"/domain\"} 0.000150000\n"},
    {METRICS_PROMETHEUS, "_duration_seconds_count{route=\"/domain\"} 2\n"},
    {METRICS_PROMETHEUS, "\ndomaind_loop_lag_seconds_bucket{le=\"+Inf\"} 1\n"},
    {METRICS_PROMETHEUS, "\ndomaind_loop_lag_seconds_sum 20.000000000\n"},
    {METRICS_PROMETHEUS, "\ndomaind_build_info{version=\"9\"} 1\n"},
    {METRICS_OPENMETRICS, "# TYPE domaind_connections_accepted counter\n"},
    {METRICS_OPENMETRICS, "\ndomaind_connections_accepted_total 7\n"},
    {METRICS_OPENMETRICS, "\n# EOF\n"},
};

START_TEST(the_report_reads)
{
    start(1);
    metrics_name_build("version=\"9\"");
    metrics_enter(metrics_lease());
    metrics_add(METRICS_ACCEPTED, 7);
    metrics_sub(METRICS_OPEN, 1);
    metrics_add_at(METRICS_CLOSED, 1, 2);
    metrics_request(0, 200, 50 * NS_PER_US);
    metrics_request(0, 200, 100 * NS_PER_US);
    metrics_request(1, 404, 0);
    metrics_request(99, 999, -5);
    metrics_observe(METRICS_LOOP_LAG, 20 * NS_PER_S);
    struct buf out;
    buf_init(&out, 1 << 20);
    ck_assert_int_eq(metrics_export(&out, lines[_i].format), 0);
    ck_assert_int_eq(buf_append_char(&out, '\0'), 0);
    ck_assert_msg(strstr(out.data, lines[_i].line) != NULL, "no %s in:\n%s", lines[_i].line,
                  out.data);
    buf_fini(&out);
    /* a report that does not fit says so */
    buf_init(&out, 100);
    ck_assert_int_eq(metrics_export(&out, lines[_i].format), -EMSGSIZE);
    buf_fini(&out);
    metrics_fini();
}
END_TEST

SUITE_MAIN("metrics", SUITE_TEST(without_a_slot_it_counts_all_the_same),
           SUITE_TEST(slots_run_out_and_come_back),
           SUITE_TEST(a_released_slot_keeps_counters_and_drops_gauges),
           SUITE_TEST(threads_lose_nothing), SUITE_TEST(a_killed_process_loses_nothing),
           SUITE_LOOP(the_report_reads, lines))
