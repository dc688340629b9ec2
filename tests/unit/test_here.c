/* A GET in whatever way the caller waits: the same reply in a task and in a thread. */
#include <errno.h>

#include "client/client.h"
#include "coro/coro.h"
#include "http_thread.h"
#include "suite.h"

static const char bytes[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

static int get_twice(void *arg)
{
    struct http_thread *server = arg;
    struct cl_reply reply;
    cl_reply_init(&reply);
    for (int i = 0; i < 2; i++) {
        const struct cl_request req = {
            .url = server->url, .body_max_bytes = 99, .flags = CL_NO_PROXY};
        ck_assert_int_eq(cl_get(&req, &reply), 0);
        ck_assert_int_eq(reply.status, 200);
        ck_assert_uint_eq(reply.body.len, 5);
        ck_assert_mem_eq(reply.body.data, "hello", 5);
        const struct cl_request bad = {.url = "ftp://127.0.0.1/", .flags = CL_NO_PROXY};
        ck_assert_int_eq(cl_get(&bad, &reply), -EPROTONOSUPPORT);
        ck_assert_str_ne(reply.why, "");
    }
    cl_reply_fini(&reply);
    return 0;
}

static void *in_a_loop(void *arg)
{
    ck_assert_int_eq(co_run(get_twice, arg, NULL), 0);
    return NULL;
}

static void *in_a_thread(void *arg)
{
    get_twice(arg);
    return NULL;
}

/* Loops and threads come and go: each has its own handles, which end with it
 * (the leak checker is the judge), and a later loop of a thread has new ones. */
START_TEST(each_way_of_waiting)
{
    static void *(*const ways[])(void *) = {in_a_loop, in_a_thread, in_a_loop, in_a_thread};
    struct http_thread server;
    pthread_t threads[ARRAY_LEN(ways)];
    ck_assert_int_eq(cl_init(), 0);
    http_thread_start(&server, bytes, sizeof bytes - 1);
    for (size_t i = 0; i < ARRAY_LEN(ways); i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, ways[i], &server), 0);
    for (size_t i = 0; i < ARRAY_LEN(ways); i++)
        pthread_join(threads[i], NULL);
    in_a_loop(&server);
    in_a_thread(&server);
    in_a_loop(&server);
    http_thread_stop(&server);
}
END_TEST

SUITE_MAIN("here", SUITE_TEST(each_way_of_waiting))
