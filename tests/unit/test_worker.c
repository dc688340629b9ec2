/* A thread of load: what it begins, what it counts where, how it ends. */
#include <string.h>
#include <sys/eventfd.h>

#include "load_rig.h"
#include "loadgen/worker.h"
#include "suite.h"

#define OK       "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define PART_NS  (150 * NS_PER_MS)
#define PAUSE_US 20000

static void good(int fd, unsigned number MAYBE_UNUSED)
{
    while (scripted_read(fd))
        scripted_send(fd, OK);
}
static void slow(int fd, unsigned number MAYBE_UNUSED)
{
    while (scripted_read(fd)) {
        usleep(PAUSE_US);
        scripted_send(fd, OK);
    }
}
static atomic_uint heard; /* requests */

static void is_silent(int fd, unsigned number MAYBE_UNUSED)
{
    if (scripted_read(fd))
        atomic_fetch_add(&heard, 1);
    scripted_swallow(fd);
}

static struct load_rig rig;
static struct lg_worker worker;
static bool stop;
static int done_fd;

/* Worker `index` of the load, from now on. */
static void begin(unsigned index)
{
    __atomic_store_n(&stop, false, __ATOMIC_RELAXED);
    done_fd = eventfd(0, EFD_CLOEXEC);
    ck_assert_int_eq(lg_worker_init(&worker, &rig.load, index, clock_now_ns(), &stop), 0);
    worker.done_fd = done_fd;
}

static void run(void)
{
    begin(0);
    lg_worker_main(&worker);
    ck_assert_int_eq(worker.result, 0);
    ck_assert(lg_record_is_true(&worker.record));
    ck_assert(lg_record_is_true(&worker.warmup));
}

static void end(void)
{
    eventfd_t ended = 0;
    ck_assert_int_eq(eventfd_read(done_fd, &ended), 0);
    ck_assert_uint_eq(ended, 1);
    close(done_fd);
    lg_worker_fini(&worker);
    rig_end(&rig);
}

START_TEST(shares_add_up)
{
    rig_begin(&rig, good, NULL);
    rig.load.connections = 10;
    rig.load.idle = 5;
    rig.load.threads = 3;
    rig.load.requests_max = 100;
    unsigned connections = 0, idle = 0;
    uint64_t requests = 0;
    for (unsigned i = 0; i < 3; i++) {
        begin(i);
        connections += worker.connections;
        idle += worker.idle;
        requests += worker.requests_left;
        close(done_fd);
        lg_worker_fini(&worker);
    }
    ck_assert_uint_eq(connections, 10);
    ck_assert_uint_eq(idle, 5);
    ck_assert_uint_eq(requests, 100);
    rig_end(&rig);
}
END_TEST

/* A busy machine may give a short part no CPU: once more, longer. */
static int64_t longer_ns(int64_t part_ns)
{
    end();
    ck_assert_int_lt(part_ns, 30 * NS_PER_S);
    return 4 * part_ns;
}

START_TEST(warm_up_is_counted_apart)
{
    for (int64_t part_ns = PART_NS;; part_ns = longer_ns(part_ns)) {
        rig_begin(&rig, good, NULL);
        rig.load.connections = 2;
        rig.load.ramp_ns = rig.load.warmup_ns = part_ns / 2;
        rig.load.duration_ns = part_ns;
        run();
        ck_assert_int_eq(worker.record.start_ns, worker.start_ns + part_ns);
        ck_assert_int_eq(worker.end_ns, worker.start_ns + 2 * part_ns);
        if (worker.warmup.outcomes[LG_OK] > 0 && worker.record.outcomes[LG_OK] > 0)
            break;
    }
    end();
}
END_TEST

/* The server answers one at a time, every 20 ms: most of what is due finds no connection. */
START_TEST(what_was_due_and_not_sent_is_counted)
{
    rig_begin(&rig, slow, NULL);
    rig.load.rate_per_s = 1000;
    rig.load.duration_ns = PART_NS;
    run();
    ck_assert_uint_eq(worker.record.sent + worker.record.unsent, 150);
    ck_assert_uint_gt(worker.record.unsent, 100);
    ck_assert_uint_eq(worker.record.latency.total, 150);
    /* corrected latency holds the wait for a connection, raw does not */
    ck_assert_int_gt(worker.record.latency.max_ns, PART_NS / 2);
    ck_assert_uint_eq(worker.record.raw.total, worker.record.sent);
    end();
}
END_TEST

START_TEST(open_loop_begins_exactly_what_is_due)
{
    /* on a busy machine every request may be overdue: then nobody waited to be due */
    uint64_t lags = 0;
    for (int i = 0; i < 20 && lags == 0; i++) {
        rig_begin(&rig, good, NULL);
        rig.load.connections = 4;
        rig.load.rate_per_s = 200;
        rig.load.duration_ns = PART_NS;
        run();
        ck_assert_uint_eq(worker.record.sent + worker.record.unsent, 30);
        lags = worker.record.lag.total;
        end();
    }
    ck_assert_uint_gt(lags, 0);
}
END_TEST

static void *stop_soon(void *arg MAYBE_UNUSED)
{
    while (atomic_load(&heard) < 3)
        usleep(1000);
    __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
    return NULL;
}

START_TEST(told_to_stop_it_leaves_what_it_waits_for)
{
    pthread_t thread;
    atomic_store(&heard, 0);
    rig_begin(&rig, is_silent, NULL);
    rig.load.connections = 3;
    rig.load.duration_ns = 3600 * NS_PER_S;
    rig.load.timeout_ns = 3600 * NS_PER_S;
    ck_assert_int_eq(pthread_create(&thread, NULL, stop_soon, NULL), 0);
    run();
    pthread_join(thread, NULL);
    ck_assert_uint_eq(worker.record.sent, 3);
    ck_assert_uint_eq(worker.record.outcomes[LG_UNFINISHED], 3);
    ck_assert_uint_eq(worker.record.latency.total, 3); /* in the tail, with their age */
    ck_assert_ptr_null(worker.record.first_why[LG_UNFINISHED]);
    end();
}
END_TEST

START_TEST(idle_connections_ask_once_and_stay)
{
    for (int64_t part_ns = PART_NS;; part_ns = longer_ns(part_ns)) {
        rig_begin(&rig, good, NULL);
        rig.load.idle = 7;
        rig.load.warmup_ns = part_ns;
        rig.load.duration_ns = part_ns;
        run();
        if (worker.idle_open == 7)
            break;
    }
    ck_assert_uint_eq(atomic_load(&rig.server.connections), 1 + 1 + 7); /* reach, busy, idle */
    end();
}
END_TEST

START_TEST(it_knows_what_it_used)
{
    rig_begin(&rig, good, NULL);
    rig.load.requests_max = 50; /* over before the first tick */
    run();
    ck_assert_int_gt(worker.wall_ns, 0);
    ck_assert_int_gt(worker.cpu_ns, 0);
    ck_assert_int_le(worker.cpu_ns, worker.wall_ns);
    ck_assert_uint_eq(worker.live.ok, 50);
    end();
}
END_TEST

SUITE_MAIN("worker", SUITE_TEST(shares_add_up), SUITE_TEST(warm_up_is_counted_apart),
           SUITE_TEST(what_was_due_and_not_sent_is_counted),
           SUITE_TEST(open_loop_begins_exactly_what_is_due),
           SUITE_TEST(told_to_stop_it_leaves_what_it_waits_for),
           SUITE_TEST(idle_connections_ask_once_and_stay), SUITE_TEST(it_knows_what_it_used))
