/* GET /tasks outside of any loop: formats, workers, and a list that cannot be made. */
#include <errno.h>

#include "exchange.h"
#include "server/endpoint/endpoint.h"
#include "suite.h"

static const struct http_route routes[] = {{"/tasks", "GET, HEAD", endpoint_tasks, 0}};

static int no_workers(struct buf *out, bool as_json)
{
    (void)out, (void)as_json;
    return 0;
}

static int a_worker(struct buf *out, bool as_json)
{
    int rv = buf_append_str(out, as_json ? "{\"pid\":7}" : "worker 7\n");
    return rv < 0 ? rv : 1;
}

/* Workers are processes, and all have just died. */
static int none_alive(struct buf *out, bool as_json)
{
    int rv = as_json ? 0 : buf_append_str(out, "worker\n");
    return rv < 0 ? rv : 1;
}

static int no_memory(struct buf *out, bool as_json)
{
    (void)out, (void)as_json;
    return -ENOMEM;
}

static const struct {
    const char *target, *accept;
    int (*list_workers)(struct buf *out, bool as_json);
    int status;
    const char *has[2]; /* in the answer */
    const char *lacks;  /* NULL: nothing in particular */
} cases[] = {
    {"/tasks",
     "*/*",
     no_workers,
     200,
     {"Content-Type: text/plain", "no tasks in this mode\n"},
     "{"},
    {"/tasks", "*/*", NULL, 200, {"Content-Type: text/plain", "no tasks in this mode\n"}, "{"},
    {"/tasks?format=json", "*/*", no_workers, 200, {"application/json", "{\"loops\":[]}\n"}, NULL},
    {"/tasks", "application/json", no_workers, 200, {"application/json", "\"loops\":[]"}, NULL},
    {"/tasks?format=text", "application/json", a_worker, 200, {"text/plain", "worker 7\n"}, "{"},
    {"/tasks?format=json", "*/*", a_worker, 200, {"[{\"pid\":7}]", "\"loops\":[]"}, NULL},
    {"/tasks?format=json",
     "*/*",
     none_alive,
     200,
     {"{\"children\":[],\n\"loops\":[]}\n", ""},
     NULL},
    {"/tasks", "*/*", none_alive, 200, {"worker\n", ""}, "no tasks"},
    {"/tasks?format=xml", "*/*", a_worker, 400, {"format is text or json", ""}, "worker 7"},
    {"/tasks?format=muchtoolong", "*/*", a_worker, 400, {"format is text or json", ""}, NULL},
    {"/tasks", "*/*", no_memory, 503, {"could not be made", ""}, NULL},
};

START_TEST(tasks)
{
    struct endpoint_settings settings = {.list_workers = cases[_i].list_workers};
    struct http_app app = {.routes = routes, .route_count = ARRAY_LEN(routes), .user = &settings};
    struct pair_io p;
    exchange_get(&p, &app, cases[_i].target, cases[_i].accept);
    ck_assert_int_eq(exchange_status(&p), cases[_i].status);
    for (int i = 0; i < 2; i++)
        ck_assert_msg(strstr(p.out.data, cases[_i].has[i]) != NULL, "%s", p.out.data);
    if (cases[_i].lacks != NULL)
        ck_assert_msg(strstr(p.out.data, cases[_i].lacks) == NULL, "%s", p.out.data);
    pair_fini(&p);
}
END_TEST

SUITE_MAIN("tasks", SUITE_LOOP(tasks, cases))
