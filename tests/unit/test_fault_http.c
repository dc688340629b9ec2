/* A server's conversation over the runtime, with each call that can fail failing
 * in turn: the client gets good answers, refusals, or a closed connection, but
 * nothing leaks and the next connection is served. */
#include <pthread.h>
#include <sys/socket.h>

#include "coro/io.h"
#include "fault.h"
#include "server/io/io.h"
#include "test_app.h"

static const char conversation[] =
    "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"
    "GET /tree/x?q=1 HTTP/1.1\r\nHost: a\r\nAccept: text/plain\r\n\r\n"
    "GET /missing HTTP/1.1\r\nHost: a\r\n\r\n"
    "POST /profile/reset HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
    "POST /profile/reset HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
    "POST /mirror HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    "5\r\nhello\r\n0\r\n\r\n"
    "GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
static const int answers = 7;

static struct http_app app;
static struct http_limits limits;

static int serve(void *arg)
{
    int fd = (int)(intptr_t)arg;
    struct http_io io;
    struct http_session session;
    io_coro_init(&io, fd);
    enum http_turn turn = http_session_init(&session, &app, &io, NULL, 0);
    while (turn != HTTP_TURN_CLOSE) {
        if (turn == HTTP_TURN_IDLE && co_wait_fd(fd, CO_READABLE, co_after(20 * NS_PER_MS)) < 0)
            break;
        turn = http_session_turn(&session);
    }
    http_session_fini(&session);
    return co_close(fd);
}

/* Every answer begins with a status line that is known; how many were 2xx or 404. */
static int count_answers(const char *text)
{
    int good = 0;
    for (const char *at = text; (at = strstr(at, "HTTP/1.1 ")) != NULL; at++) {
        int status = atoi(at + 9);
        fault_must(status == 200 || status == 404 || status == 400 || status == 408 ||
                   status == 500 || status == 503);
        good += status == 200 || status == 404;
    }
    return good;
}

static int converse(void *arg)
{
    int pair[2], result;
    char text[8192];
    size_t len = 0;
    (void)arg;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    struct co_task *server = co_spawn(serve, (void *)(intptr_t)pair[0]);
    if (server == NULL) {
        co_close(pair[0]), co_close(pair[1]);
        return -ENOMEM;
    }
    ssize_t n = co_write(pair[1], conversation, sizeof(conversation) - 1, co_after(NS_PER_S));
    while (n > 0 && len < sizeof(text) - 1) {
        n = co_read(pair[1], text + len, sizeof(text) - 1 - len, co_after(NS_PER_S));
        len += n > 0 ? (size_t)n : 0;
    }
    text[len] = '\0';
    co_close(pair[1]);
    int rv = co_join(server, CO_NO_DEADLINE, &result);
    if (rv < 0)
        return rv;
    return count_answers(text) == answers ? 0 : -ECONNABORTED;
}

static void *thread_main(void *arg)
{
    static const struct co_options unwatched = {.watchdog_ns = -1};
    *(int *)arg = co_run(converse, NULL, &unwatched);
    return NULL;
}

/* On a thread of its own: the buffers that a thread keeps go with it. */
static int converse_anew(void *arg)
{
    pthread_t thread;
    int result = 0;
    (void)arg;
    if (__real_pthread_create(&thread, NULL, thread_main, &result) != 0)
        return -EAGAIN;
    pthread_join(thread, NULL);
    return result;
}

static const enum fault_span spans[] = {FAULT_ONCE, FAULT_LASTING};

START_TEST(each_failing_call_costs_one_connection_at_most)
{
    test_app_init(&app, &limits);
    struct fault_counts counts = fault_each(converse_anew, NULL, converse_anew, spans[_i]);
    ck_assert_int_gt(counts.calls, 20);
    ck_assert_int_gt(counts.errors, 10);
    ck_assert_int_eq(test_seen.opened, test_seen.closed);
}
END_TEST

FAULTS_MAIN("fault_http", SUITE_LOOP(each_failing_call_costs_one_connection_at_most, spans))
