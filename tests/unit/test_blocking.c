/* One connection on the calling thread: what it tells, and how it is ended from outside. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/metrics/metrics.h"
#include "server/mode/blocking.h"
#include "suite.h"
#include "test_app.h"

static struct blocking connection;
static struct http_app app;
static struct http_limits limits;
static atomic_bool cut;
static int pair[2];
static pthread_t server;
static atomic_int idles, begins;
static char first[40]; /* of the newest request, before begins counts it */

static atomic_int yields_at; /* the idle time in which a signal handler gives up; 0: none */

static void on_idle(struct blocking *b, const char *bytes, size_t len)
{
    ck_assert_ptr_eq(b, &connection);
    if (bytes == NULL) {
        if (atomic_load(&idles) + 1 == atomic_load(&yields_at))
            blocking_yield(&connection, 0, HTTP_CLOSE_YIELDED);
        atomic_fetch_add(&idles, 1);
        return;
    }
    snprintf(first, sizeof first, "%.*s", (int)(len < 30 ? len : 30), bytes);
    atomic_fetch_add(&begins, 1);
}

static void *serve(void *arg)
{
    blocking_serve(&connection, &app, pair[0], &cut, NULL);
    return arg;
}

static void set_up(void)
{
    ck_assert_int_eq(metrics_init(1), 0);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    test_app_init(&app, &limits);
    atomic_store(&cut, false);
    atomic_store(&idles, 0);
    atomic_store(&begins, 0);
    atomic_store(&yields_at, 0);
    blocking_init(&connection, on_idle);
    ck_assert_int_eq(pthread_create(&server, NULL, serve, NULL), 0);
}

static void tear_down(void)
{
    pthread_join(server, NULL);
    ck_assert_int_eq((int64_t)metrics_read(METRICS_IDLE), 0);
    close(pair[1]);
    metrics_fini();
}

static void ask(void)
{
    static const char text[] = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";
    char answer[400];
    ck_assert_int_eq(send(pair[1], text, sizeof text - 1, 0), sizeof text - 1);
    ck_assert_int_gt(recv(pair[1], answer, sizeof answer, 0), 0);
    ck_assert_int_eq(memcmp(answer, "HTTP/1.1 200", 12), 0);
}

static void wait_idle(int times)
{
    while (atomic_load(&idles) < times)
        usleep(1000);
}

/* 0: the end; else bytes came. */
static ssize_t at_end(void)
{
    char byte;
    return recv(pair[1], &byte, 1, 0);
}

START_TEST(it_tells_when_it_is_idle_and_what_comes)
{
    set_up();
    wait_idle(1);
    ask();
    ck_assert_int_eq(atomic_load(&begins), 1);
    ck_assert_str_eq(first, "GET /livez HTTP/1.1\r\nHost: x\r\n");
    wait_idle(2);
    ask();
    shutdown(pair[1], SHUT_WR);
    ck_assert_int_eq(at_end(), 0);
    tear_down();
    ck_assert_int_eq(atomic_load(&begins), 3); /* the end counts as one, of no bytes */
    ck_assert_str_eq(first, "");
    ck_assert_int_eq(test_seen.why, HTTP_CLOSE_PEER);
    ck_assert_int_eq(test_seen.requests, 2);
}
END_TEST

START_TEST(given_up_while_idle_it_ends_for_that_reason)
{
    set_up();
    ask();
    wait_idle(2);
    blocking_give_up(&connection, 3600 * NS_PER_S, HTTP_CLOSE_DRAIN); /* not that long yet */
    ask();
    wait_idle(3);
    blocking_give_up(&connection, 0, HTTP_CLOSE_YIELDED);
    ck_assert_int_eq(at_end(), 0);
    tear_down();
    ck_assert_int_eq(test_seen.why, HTTP_CLOSE_YIELDED);
    blocking_give_up(&connection, 0, HTTP_CLOSE_DRAIN); /* there is none any more */
    blocking_cut(&connection);
}
END_TEST

/* A signal that comes as the first part of a request is on its way into the buffer must
 * not cost the rest. */
START_TEST(what_has_begun_to_come_is_read_to_its_end)
{
    static const char *const halves[] = {
        "POST /domain HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345", "67890"};
    char answer[400];
    set_up();
    ask();
    wait_idle(2);
    atomic_store(&yields_at, 3);
    ask(); /* idle for the third time it is given up, and waits for its next signal */
    wait_idle(3);
    for (size_t i = 0; i < ARRAY_LEN(halves); i++) {
        ck_assert_int_gt(send(pair[1], halves[i], strlen(halves[i]), 0), 0);
        usleep(20000);
    }
    ssize_t n = recv(pair[1], answer, sizeof answer - 1, 0);
    ck_assert_int_gt(n, 0);
    answer[n] = '\0';
    ck_assert_ptr_nonnull(strstr(answer, "\r\n\r\n10\n"));
    shutdown(pair[1], SHUT_WR);
    tear_down();
    ck_assert_int_eq(test_seen.why, HTTP_CLOSE_PEER); /* the word left is void */
}
END_TEST

static void on_signal(int signo)
{
    (void)signo;
    blocking_yield(&connection, 0, HTTP_CLOSE_YIELDED);
}

START_TEST(a_signal_handler_gives_up_an_idle_connection)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    ck_assert_int_eq(sigaction(SIGUSR2, &action, NULL), 0);
    set_up();
    ask();
    wait_idle(2);
    char byte;
    while (recv(pair[1], &byte, 1, MSG_DONTWAIT) < 0) {
        pthread_kill(server, SIGUSR2); /* again and again, as the master does */
        usleep(1000);
    }
    tear_down();
    ck_assert_int_eq(test_seen.why, HTTP_CLOSE_YIELDED);
}
END_TEST

START_TEST(who_has_just_come_is_not_given_up_at_once)
{
    set_up();
    wait_idle(1);
    blocking_give_up(&connection, 0, HTTP_CLOSE_DRAIN);
    ask();
    wait_idle(2);
    blocking_give_up(&connection, 0, HTTP_CLOSE_DRAIN);
    ck_assert_int_eq(at_end(), 0);
    tear_down();
}
END_TEST

START_TEST(a_request_in_work_is_not_given_up)
{
    set_up();
    wait_idle(1);
    ck_assert_int_eq(send(pair[1], "GET /livez HT", 13, 0), 13);
    while (atomic_load(&begins) < 1)
        usleep(1000);
    blocking_give_up(&connection, 0, HTTP_CLOSE_DRAIN);
    ck_assert_int_eq(send(pair[1], "TP/1.1\r\nHost: x\r\n\r\n", 19, 0), 19);
    ck_assert_int_gt(at_end(), 0);
    close(pair[1]);
    pair[1] = -1;
    tear_down();
}
END_TEST

START_TEST(cut_it_ends_whatever_it_does)
{
    set_up();
    wait_idle(1);
    ck_assert_int_eq(send(pair[1], "GET /livez HT", 13, 0), 13);
    while (atomic_load(&begins) < 1)
        usleep(1000);
    atomic_store(&cut, true);
    blocking_cut(&connection);
    ck_assert_int_eq(at_end(), 0);
    tear_down();
    ck_assert_int_eq(test_seen.requests, 0);
}
END_TEST

SUITE_MAIN("blocking", SUITE_TEST(it_tells_when_it_is_idle_and_what_comes),
           SUITE_TEST(given_up_while_idle_it_ends_for_that_reason),
           SUITE_TEST(what_has_begun_to_come_is_read_to_its_end),
           SUITE_TEST(a_signal_handler_gives_up_an_idle_connection),
           SUITE_TEST(who_has_just_come_is_not_given_up_at_once),
           SUITE_TEST(a_request_in_work_is_not_given_up), SUITE_TEST(cut_it_ends_whatever_it_does))
