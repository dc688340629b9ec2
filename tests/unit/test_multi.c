/* Many transfers on one loop, against a small server on the same loop. */
#include <errno.h>
#include <stdio.h>

#include "client/guard.h"
#include "client/multi.h"
#include "loop_server.h"
#include "suite.h"

#define TRANSFERS 40
#define PLACES    3

/* ---- the client ---- */

struct get {
    struct cl_multi *multi;
    struct server *server;
    const char *name;
    const struct cl_guard *guard;
    int64_t timeout_ns;
    int64_t deadline_ns;
    int rv;
    int status;
    char body[64];
};

static int do_get(void *arg)
{
    struct get *get = arg;
    char url[128];
    struct cl_reply reply;
    cl_reply_init(&reply);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/%s", get->server->port, get->name);
    const struct cl_request req = {.url = url,
                                   .guard = get->guard,
                                   .timeout_ns = get->timeout_ns,
                                   .body_max_bytes = 63,
                                   .flags = CL_NO_PROXY};
    get->rv = cl_multi_get(get->multi, &req, &reply, get->deadline_ns);
    get->status = reply.status;
    snprintf(get->body, sizeof get->body, "%.*s", (int)reply.body.len, reply.body.data);
    ck_assert_int_eq(get->rv < 0, reply.why[0] != '\0');
    cl_reply_fini(&reply);
    return 0;
}

static struct get get_named(struct cl_multi *multi, struct server *server, const char *name)
{
    struct get get = {.multi = multi,
                      .server = server,
                      .name = name,
                      .timeout_ns = 5 * NS_PER_S,
                      .deadline_ns = CO_NO_DEADLINE};
    return get;
}

static int many(void *arg MAYBE_UNUSED)
{
    struct server server;
    struct cl_multi *multi;
    struct get gets[TRANSFERS];
    struct co_task *tasks[TRANSFERS];
    char names[TRANSFERS][24];
    int result;
    server_start(&server);
    ck_assert_int_eq(cl_multi_new(PLACES, &multi), 0);
    for (int i = 0; i < TRANSFERS; i++) {
        snprintf(names[i], sizeof names[i], "number-%d", i);
        gets[i] = get_named(multi, &server, names[i]);
        tasks[i] = co_spawn(do_get, &gets[i]);
    }
    for (int i = 0; i < TRANSFERS; i++) {
        ck_assert_int_eq(co_join(tasks[i], CO_NO_DEADLINE, &result), 0);
        ck_assert_int_eq(gets[i].rv, 0);
        ck_assert_int_eq(gets[i].status, 200);
        ck_assert_str_eq(gets[i].body, names[i]);
    }
    ck_assert_int_eq(server.now_most, PLACES);
    ck_assert_int_le(server.connections, PLACES);
    cl_multi_free(multi);
    return 0;
}

START_TEST(many_share_few_connections)
{
    ck_assert_int_eq(co_run(many, NULL, NULL), 0);
}
END_TEST

static int failures(void *arg MAYBE_UNUSED)
{
    struct server server;
    struct cl_multi *multi;
    server_start(&server);
    ck_assert_int_eq(cl_multi_new(1, &multi), 0);

    struct get get = get_named(multi, &server, "close");
    do_get(&get);
    ck_assert_int_eq(get.rv, -ECONNRESET);

    get = get_named(multi, &server, "silence");
    get.timeout_ns = 20 * NS_PER_MS;
    do_get(&get);
    ck_assert_int_eq(get.rv, -ETIMEDOUT);

    get = get_named(multi, &server, "silence");
    get.deadline_ns = co_after(20 * NS_PER_MS);
    do_get(&get);
    ck_assert_int_eq(get.rv, -ETIMEDOUT);

    /* the place that each of them had is free again */
    get = get_named(multi, &server, "fine");
    do_get(&get);
    ck_assert_int_eq(get.rv, 0);
    ck_assert_str_eq(get.body, "fine");
    cl_multi_free(multi);
    return 0;
}

START_TEST(a_failure_costs_only_its_own_transfer)
{
    ck_assert_int_eq(co_run(failures, NULL, NULL), 0);
}
END_TEST

static int cancelled(void *arg MAYBE_UNUSED)
{
    struct server server;
    struct cl_multi *multi;
    int result;
    server_start(&server);
    ck_assert_int_eq(cl_multi_new(1, &multi), 0);
    struct get running = get_named(multi, &server, "silence");
    struct get waiting = get_named(multi, &server, "waiting");
    struct get last = get_named(multi, &server, "last");
    struct co_task *running_task = co_spawn(do_get, &running);
    struct co_task *waiting_task = co_spawn(do_get, &waiting);
    struct co_task *last_task = co_spawn(do_get, &last);
    ck_assert_int_eq(co_sleep(20 * NS_PER_MS), 0);
    co_cancel(waiting_task);
    co_cancel(running_task);
    ck_assert_int_eq(co_join(running_task, CO_NO_DEADLINE, &result), 0);
    ck_assert_int_eq(co_join(waiting_task, CO_NO_DEADLINE, &result), 0);
    ck_assert_int_eq(co_join(last_task, CO_NO_DEADLINE, &result), 0);
    ck_assert_int_eq(running.rv, -ECANCELED);
    ck_assert_int_eq(waiting.rv, -ECANCELED);
    ck_assert_int_eq(last.rv, 0);
    cl_multi_free(multi);
    return 0;
}

START_TEST(cancel_gives_the_place_back)
{
    ck_assert_int_eq(co_run(cancelled, NULL, NULL), 0);
}
END_TEST

/* A connection that an unguarded transfer left behind is no way around the guard. */
static int guarded(void *arg MAYBE_UNUSED)
{
    const struct cl_guard guard = {NULL, 0};
    struct server server;
    struct cl_multi *multi;
    server_start(&server);
    ck_assert_int_eq(cl_multi_new(1, &multi), 0);
    struct get get = get_named(multi, &server, "open");
    do_get(&get);
    ck_assert_int_eq(get.rv, 0);
    get = get_named(multi, &server, "guarded");
    get.guard = &guard;
    do_get(&get);
    ck_assert_int_eq(get.rv, -EACCES);
    ck_assert_int_eq(server.connections, 1);
    get = get_named(multi, &server, "again");
    do_get(&get);
    ck_assert_int_eq(get.rv, 0);
    cl_multi_free(multi);
    return 0;
}

START_TEST(the_guard_checks_kept_connections)
{
    ck_assert_int_eq(co_run(guarded, NULL, NULL), 0);
}
END_TEST

/* Nobody ever used it: the driver is the last to let go. */
static int leave_early(void *arg)
{
    struct get *get = arg;
    struct server server;
    struct cl_multi *multi;
    server_start(&server);
    ck_assert_int_eq(cl_multi_new(1, &multi), 0);
    *get = get_named(multi, &server, "gone");
    cl_multi_free(multi);
    return 0;
}

START_TEST(an_unused_multi_ends_with_its_loop)
{
    struct get get;
    ck_assert_int_eq(co_run(leave_early, &get, NULL), 0);
}
END_TEST

SUITE_MAIN("multi", SUITE_TEST(many_share_few_connections),
           SUITE_TEST(a_failure_costs_only_its_own_transfer),
           SUITE_TEST(cancel_gives_the_place_back), SUITE_TEST(the_guard_checks_kept_connections),
           SUITE_TEST(an_unused_multi_ends_with_its_loop))
