/* The four ways to wait: the same fetches, lines and totals from each of them. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>

#include "client/fetch.h"
#include "fetch_site.h"
#include "said.h"
#include "suite.h"

static const enum cl_fetch_mode modes[] = {
#define MODE(name) CL_FETCH_##name,
    CL_FETCH_MODE(MODE)
#undef MODE
};

/* ---- a plan, and what came of it ---- */

enum { URLS_MAX = 40 };

struct fetched {
    struct cl_fetch_plan plan;
    struct cl_fetch_url urls[URLS_MAX];
    char texts[URLS_MAX][SITE_URL_BYTES];
    enum cl_fetch_mode mode;
    struct cl_fetch_totals totals;
    struct said said;
};

static void plan(struct fetched *f, enum cl_fetch_mode mode)
{
    *f = (struct fetched){
        .mode = mode,
        .plan = {
            .urls = f->urls,
            .workers = 4,
            .request = {.timeout_ns = 200 * NS_PER_S,
                        .body_max_bytes = 1000,
                        .flags = CL_DISCARD_BODY | CL_NO_PROXY},
            .retry = {.attempts_max = 1, .first_ns = NS_PER_MS, .longest_ns = 10 * NS_PER_MS}}};
}

static void add(struct fetched *f, const char *what, unsigned n)
{
    size_t i = f->plan.count++;
    ck_assert_uint_lt(i, URLS_MAX);
    f->urls[i].text = site_url(f->texts[i], what, n);
}

static void add_many(struct fetched *f, const char *what, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        add(f, what, i);
}

static int run(void *arg)
{
    struct fetched *f = arg;
    return cl_fetch_run(f->mode, &f->plan, &f->totals);
}

/* said.status is what the run returned. */
static void fetch(struct fetched *f)
{
    said_begin(&f->said);
    said_end(&f->said, run(f));
}

static void check_totals(const struct fetched *f, uint64_t good, uint64_t bad, uint64_t retries)
{
    ck_assert_int_eq(f->said.status, 0);
    ck_assert_uint_eq(f->totals.fetched, good);
    ck_assert_uint_eq(f->totals.failed, bad);
    ck_assert_uint_eq(f->totals.retries, retries);
    ck_assert(!f->totals.is_output_lost);
    ck_assert_int_gt(f->totals.elapsed_ns, 0);
    ck_assert_int_gt(f->totals.cpu_ns, 0);
}

/* The line of that URL begins so and ends so; what is between are its milliseconds. */
static void check_line(const struct fetched *f, const char *begin, const char *url, const char *end)
{
    char tail[600];
    snprintf(tail, sizeof tail, "\t%s%s\n", url, end);
    const char *at = strstr(f->said.out.text, tail);
    ck_assert_msg(at != NULL, "no '%s' in %s", tail, f->said.out.text);
    ck_assert_ptr_null(strstr(at + 1, tail));
    while (at > f->said.out.text && at[-1] != '\n')
        at--;
    double ms;
    int n = 0;
    ck_assert_msg(strncmp(at, begin, strlen(begin)) == 0, "not '%s': %s", begin, at);
    ck_assert_int_eq(sscanf(at + strlen(begin), "%lf%n", &ms, &n), 1);
    ck_assert_int_eq(strncmp(at + strlen(begin) + n, tail, strlen(tail)), 0);
}

/* ---- what every mode does ---- */

START_TEST(each_url_is_fetched_once_and_has_a_line)
{
    struct fetched f;
    site_start();
    plan(&f, modes[_i]);
    add_many(&f, "ok", URLS_MAX);
    fetch(&f);
    check_totals(&f, URLS_MAX, 0, 0);
    ck_assert_uint_eq(f.totals.bytes, 2 * URLS_MAX);
    site_check_seen(URLS_MAX, 1);
    for (size_t i = 0; i < URLS_MAX; i++)
        check_line(&f, "200\t2\t", f.urls[i].text, "");
    said_free(&f.said);
    site_stop();
}
END_TEST

/* The server answers when all workers are with it: they wait together, and no more of them. */
START_TEST(workers_wait_together)
{
    struct fetched f;
    site_start();
    plan(&f, modes[_i]);
    unsigned workers = modes[_i] == CL_FETCH_serial ? 1 : f.plan.workers;
    site_set_meet(workers);
    add_many(&f, "meet", 12);
    fetch(&f);
    check_totals(&f, 12, 0, 0);
    ck_assert_uint_eq(site_read(&site.most_busy), workers);
    said_free(&f.said);
    site_stop();
}
END_TEST

static void add_failures(struct fetched *f)
{
    static char scheme[] = "ftp://127.0.0.1/", refused[] = "a\tb", why[] = "line 9: too odd";
    add(f, "ok", 0);
    add(f, "gone", 1);
    add(f, "half", 2);
    f->urls[f->plan.count++].text = scheme;
    f->urls[f->plan.count++] = (struct cl_fetch_url){.text = refused, .refusal = why};
}

START_TEST(a_failure_costs_only_its_own_url)
{
    struct fetched f;
    site_start();
    plan(&f, modes[_i]);
    add_failures(&f);
    fetch(&f);
    check_totals(&f, 2, 3, 0);
    site_check_seen(3, 1);
    check_line(&f, "200\t2\t", f.urls[0].text, "");
    check_line(&f, "404\t2\t", f.urls[1].text, "");
    check_line(&f, "-\t0\t", f.urls[2].text, "\tthe connection closed in mid-reply");
    check_line(&f, "-\t0\t", f.urls[3].text, "\tonly http and https are fetched");
    check_line(&f, "-\t0\t", "a\\tb", "\tline 9: too odd");
    said_free(&f.said);
    site_stop();
}
END_TEST

START_TEST(json_lines_and_statuses_that_are_failures)
{
    struct fetched f;
    char part[200];
    site_start();
    plan(&f, modes[_i]);
    f.plan.is_json = f.plan.is_status_error = true;
    add_failures(&f);
    fetch(&f);
    check_totals(&f, 1, 4, 0);
    snprintf(part, sizeof part, "{\"url\":\"%s\",\"ms\":", f.urls[1].text);
    said_has(f.said.out.text, part);
    said_has(f.said.out.text, ",\"status\":404,\"bytes\":2,\"redirects\":0}\n");
    said_has(f.said.out.text, "{\"url\":\"a\\tb\",\"ms\":0.0,\"error\":\"line 9: too odd\"}\n");
    said_free(&f.said);
    site_stop();
}
END_TEST

START_TEST(what_can_help_is_tried_again)
{
    struct fetched f;
    site_start();
    plan(&f, modes[_i]);
    f.plan.retry.attempts_max = 3;
    add(&f, "once", 0);
    add(&f, "busy", 1);
    add(&f, "gone", 2);
    fetch(&f);
    check_totals(&f, 3, 0, 1 + 2);
    ck_assert_uint_eq(site_read(&site.seen[0]), 2);
    ck_assert_uint_eq(site_read(&site.seen[1]), 3);
    ck_assert_uint_eq(site_read(&site.seen[2]), 1);
    check_line(&f, "200\t2\t", f.urls[0].text, "");
    check_line(&f, "503\t0\t", f.urls[1].text, ""); /* the last attempt's */
    said_free(&f.said);
    site_stop();
}
END_TEST

START_TEST(a_silent_run_prints_nothing)
{
    struct fetched f;
    site_start();
    plan(&f, modes[_i]);
    f.plan.is_silent = true;
    add_many(&f, "ok", 9);
    fetch(&f);
    check_totals(&f, 9, 0, 0);
    site_check_seen(9, 1);
    ck_assert_str_eq(f.said.out.text, "");
    said_free(&f.said);
    site_stop();
}
END_TEST

/* ---- nobody takes the lines ---- */

/* Each worker ends with the line it could not write: nothing is fetched for nobody. */
static void check_lost(enum cl_fetch_mode mode, int to, int err)
{
    struct fetched f;
    site_start();
    plan(&f, mode);
    add_many(&f, "ok", URLS_MAX);
    said_into(&f.said, to, run, &f);
    ck_assert_int_eq(f.said.status, err);
    ck_assert(f.totals.is_output_lost);
    ck_assert_uint_le(site_read(&site.requests), f.plan.workers);
    said_free(&f.said);
    site_stop();
    close(to);
}

START_TEST(a_full_disk_ends_the_run)
{
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    ck_assert_int_ge(full, 0);
    check_lost(modes[_i], full, -ENOSPC);
}
END_TEST

START_TEST(a_closed_pipe_ends_the_run)
{
    int ends[2];
    signal(SIGPIPE, SIG_IGN);
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    close(ends[0]);
    check_lost(modes[_i], ends[1], -EPIPE);
}
END_TEST

/* ---- processes ---- */

START_TEST(a_process_that_dies_is_told)
{
    struct fetched f;
    site_start();
    plan(&f, CL_FETCH_process);
    f.plan.workers = 1;
    add(&f, "ok", 0);
    add(&f, "kill", 1);
    add(&f, "ok", 2);
    fetch(&f);
    ck_assert_int_eq(f.said.status, -ECHILD);
    ck_assert(!f.totals.is_output_lost);
    ck_assert_uint_eq(f.totals.fetched, 1);
    ck_assert_uint_eq(site_read(&site.seen[2]), 0);
    said_free(&f.said);
    site_stop();
}
END_TEST

SUITE_MAIN("fetch_run", SUITE_LOOP(each_url_is_fetched_once_and_has_a_line, modes),
           SUITE_LOOP(workers_wait_together, modes),
           SUITE_LOOP(a_failure_costs_only_its_own_url, modes),
           SUITE_LOOP(json_lines_and_statuses_that_are_failures, modes),
           SUITE_LOOP(what_can_help_is_tried_again, modes),
           SUITE_LOOP(a_silent_run_prints_nothing, modes),
           SUITE_LOOP(a_full_disk_ends_the_run, modes),
           SUITE_LOOP(a_closed_pipe_ends_the_run, modes), SUITE_TEST(a_process_that_dies_is_told))
