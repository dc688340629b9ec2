/* One block on a server that runs already: two parts, measured from outside. */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "coro/base/clock.h"
#include "loadgen/block.h"
#include "scripted_server.h"
#include "suite.h"

#define OK      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define PART_NS (250 * NS_PER_MS)

static void good(int fd, unsigned number MAYBE_UNUSED)
{
    while (scripted_read(fd))
        scripted_send(fd, OK);
}
static void refuses(int fd, unsigned number MAYBE_UNUSED)
{
    while (scripted_read(fd))
        scripted_send(fd, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
}

static struct scripted_server server;
static struct lg_options options;
static struct lg_candidate candidate;
static struct lg_block_plan plan;
static struct lg_parts parts;
static struct lg_block block;
static struct lg_why why;
static bool stop;

/* On a busy machine a short part may see nothing: see run_until_seen. */
static int64_t part_ns = PART_NS;

static void setup(scripted_serve *serve, double rate)
{
    scripted_start(&server, serve, true);
    options = (struct lg_options){.shape = {.method = "GET", .keepalive = true},
                                  .load = {.connections = 3,
                                           .threads = 1,
                                           .pipeline = 1,
                                           .keepalive = true,
                                           .duration_ns = part_ns,
                                           .warmup_ns = part_ns / 2,
                                           .timeout_ns = 4 * part_ns,
                                           .core = -1}};
    candidate = (struct lg_candidate){.name = "test", .pid = getpid()};
    snprintf(candidate.url, sizeof candidate.url, "http://127.0.0.1:%d/x", server.port);
    plan = (struct lg_block_plan){.options = &options,
                                  .scenario = lg_scenario_find("tiny", 4),
                                  .candidate = &candidate,
                                  .stop = &stop,
                                  .server_core = -1,
                                  .own_core = -1,
                                  .rate = rate};
    ck_assert_int_eq(lg_parts_init(&parts), 0);
}

static void teardown(void)
{
    scripted_stop(&server);
    lg_parts_fini(&parts);
}

/* Runs a block on a server of its own, again and longer until its closed part (and its open
 * part, if there is one) has seen `outcome`. */
static void run_until_seen(scripted_serve *serve, bool has_open, enum lg_outcome outcome, int pid)
{
    part_ns = PART_NS;
    for (;;) {
        double requests = 50; /* of the open part */
        setup(serve, has_open ? requests * 1e9 / (double)part_ns : 0);
        candidate.pid = pid;
        int rv = lg_block_run(&plan, &parts, &block, &why);
        bool is_seen = rv == 0 && parts.closed.outcomes[outcome] > 0 &&
                       (!has_open || parts.open.outcomes[outcome] == (uint64_t)requests);
        if (is_seen || part_ns > 10 * NS_PER_S) {
            ck_assert_int_eq(rv, 0);
            break;
        }
        teardown();
        part_ns *= 4;
    }
}

START_TEST(both_parts_are_measured)
{
    run_until_seen(good, true, LG_OK, getpid());
    ck_assert_double_gt(block.requests_per_s, 0);
    ck_assert_double_gt(block.cpu_us, 0); /* our own, as the server is here */
    ck_assert_double_gt(block.pss_bytes, 100000);
    ck_assert_int_eq(block.processes, 1);
    ck_assert_int_ge(block.threads, 2);
    ck_assert_double_gt(block.answered, 0);
    ck_assert(!isnan(block.latency_us[2])); /* p50 of 50 requests */
    ck_assert(isnan(block.latency_us[0]));  /* not p99 */
    ck_assert(block.is_counted);
    ck_assert_uint_gt(parts.closed.sent, 0);
    ck_assert_uint_eq(parts.open.sent + parts.open.unsent, 50);
    teardown();
}
END_TEST

START_TEST(a_pilot_has_no_open_part)
{
    run_until_seen(good, false, LG_OK, getpid());
    ck_assert_double_gt(block.requests_per_s, 0);
    ck_assert_uint_eq(parts.open.sent, 0);
    ck_assert(isnan(block.latency_us[2]));
    teardown();
}
END_TEST

START_TEST(refusals_are_no_throughput)
{
    run_until_seen(refuses, true, LG_STATUS, getpid());
    ck_assert_double_eq(block.requests_per_s, 0);
    ck_assert_double_eq(block.answered, 0);
    ck_assert(!parts.held_rate);
    ck_assert(isnan(block.cpu_us));
    ck_assert_uint_gt(parts.closed.outcomes[LG_STATUS], 0);
    teardown();
}
END_TEST

START_TEST(without_a_pid_there_is_no_cost)
{
    run_until_seen(good, false, LG_OK, 0);
    ck_assert_double_gt(block.requests_per_s, 0);
    ck_assert(isnan(block.cpu_us));
    ck_assert(isnan(block.pss_bytes));
    teardown();
}
END_TEST

START_TEST(processes_are_there_before_it_is_measured)
{
    pid_t other = fork(); /* as if the server had a worker */
    if (other == 0)
        for (;;)
            pause();
    part_ns = 50 * NS_PER_MS;
    setup(good, 0);
    candidate.pid = getpid();
    int64_t began_ns = clock_now_ns();
    ck_assert_int_eq(lg_block_run(&plan, &parts, &block, &why), 0);
    ck_assert_int_ge(clock_now_ns() - began_ns, 250 * NS_PER_MS); /* a look beforehand */
    ck_assert_int_eq(block.processes, 2);
    kill(other, SIGKILL);
    waitpid(other, NULL, 0);
    teardown();
}
END_TEST

START_TEST(a_server_that_is_not_there)
{
    setup(good, 0);
    scripted_stop(&server);
    ck_assert_int_eq(lg_block_run(&plan, &parts, &block, &why), -ECONNREFUSED);
    ck_assert_ptr_nonnull(strstr(why.text, "Connection refused"));
    lg_parts_fini(&parts);
}
END_TEST

START_TEST(a_program_that_is_not_there)
{
    setup(good, 0);
    options.domaind = "/nowhere/domaind";
    memcpy(candidate.mode, "thread", 7);
    ck_assert_int_eq(lg_block_run(&plan, &parts, &block, &why), -ENOENT);
    ck_assert_ptr_nonnull(strstr(why.text, "/nowhere/domaind"));
    teardown();
}
END_TEST

START_TEST(an_interrupt_is_passed_on)
{
    setup(good, 200);
    stop = true;
    ck_assert_int_eq(lg_block_run(&plan, &parts, &block, &why), -EINTR);
    teardown();
}
END_TEST

SUITE_MAIN("block", SUITE_TEST(both_parts_are_measured), SUITE_TEST(a_pilot_has_no_open_part),
           SUITE_TEST(refusals_are_no_throughput), SUITE_TEST(without_a_pid_there_is_no_cost),
           SUITE_TEST(processes_are_there_before_it_is_measured),
           SUITE_TEST(a_server_that_is_not_there), SUITE_TEST(a_program_that_is_not_there),
           SUITE_TEST(an_interrupt_is_passed_on))
