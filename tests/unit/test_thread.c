/* Thread mode: who gets a thread, who is refused, who waits. */
#include <errno.h>
#include <pthread.h>

#include "mode_server.h"
#include "suite.h"

/* Only so many threads can be had; < 0: as many as one likes. */
static int threads_left = -1;

int __real_pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
int __wrap_pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
int __wrap_pthread_create(pthread_t *id, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
    if (threads_left == 0)
        return EAGAIN;
    threads_left -= threads_left > 0;
    return __real_pthread_create(id, attr, fn, arg);
}

static char answer[SERVED_ANSWER];

START_TEST(each_connection_has_a_thread_and_keeps_it)
{
    struct served s = served_start(&mode_thread, NULL);
    int fds[10];
    long threads[10], again;
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        fds[i] = served_connect(&s);
        ck_assert_int_eq(served_ask(fds[i], answer), 200);
        ck_assert_int_eq(served_by(answer, &threads[i]), s.pid);
        for (size_t k = 0; k < i; k++)
            ck_assert_int_ne(threads[k], threads[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        ck_assert_int_eq(served_ask(fds[i], answer), 200);
        served_by(answer, &again);
        ck_assert_int_eq(again, threads[i]);
        close(fds[i]);
    }
    ck_assert_int_eq(served_stop(&s), 0);
}
END_TEST

START_TEST(above_the_most_connections_are_refused_and_served_again_later)
{
    struct served s = served_start(&mode_thread, "max-threads", "2", NULL);
    int a = served_connect(&s), b = served_connect(&s);
    ck_assert_int_eq(served_ask(a, answer), 200);
    ck_assert_int_eq(served_ask(b, answer), 200);
    int c = served_connect(&s);
    ck_assert_int_eq(served_receive(c, answer), 503);
    ck_assert_ptr_nonnull(strstr(answer, "Retry-After: 1\r\n"));
    ck_assert_ptr_nonnull(strstr(answer, "Connection: close\r\n"));
    close(c);
    ck_assert_int_eq(served_ask(a, answer), 200); /* the others never noticed */
    /* a thread becomes free while others are being refused: nobody leads beside the leader */
    int many[40];
    for (size_t i = 0; i < ARRAY_LEN(many); i++) {
        many[i] = served_connect(&s);
        if (i == ARRAY_LEN(many) / 2)
            close(b);
    }
    for (size_t i = 0; i < ARRAY_LEN(many); i++)
        close(many[i]);
    int status = 503;
    for (int tries = 0; status != 200; tries++) { /* once the thread has noticed */
        ck_assert_int_lt(tries, 500);
        usleep(10000);
        c = served_connect(&s);
        served_send(c, "/pid");
        status = served_receive(c, answer);
        close(c);
    }
    close(a);
    ck_assert_int_eq(served_stop(&s), 0);
}
END_TEST

START_TEST(or_they_wait_for_a_thread)
{
    struct served s =
        served_start(&mode_thread, "max-threads", "2", "thread-overflow", "wait", NULL);
    int a = served_connect(&s), b = served_connect(&s), c = served_connect(&s);
    ck_assert_int_eq(served_ask(a, answer), 200);
    ck_assert_int_eq(served_ask(b, answer), 200);
    served_send(c, "/pid");
    ck_assert(served_is_quiet(c, 200));
    close(a);
    ck_assert_int_eq(served_receive(c, answer), 200);
    close(b);
    close(c);
    ck_assert_int_eq(served_stop(&s), 0);
}
END_TEST

START_TEST(threads_that_the_system_refuses_cost_their_connection_alone)
{
    threads_left = 2; /* one leads, one more */
    struct served s = served_start(&mode_thread, NULL);
    threads_left = -1;
    int a = served_connect(&s);
    ck_assert_int_eq(served_ask(a, answer), 200);
    for (int i = 0; i < 5; i++) {
        int b = served_connect(&s);
        ck_assert_int_eq(served_receive(b, answer), 503);
        close(b);
    }
    ck_assert_int_eq(served_ask(a, answer), 200);
    close(a);
    ck_assert_int_eq(served_stop(&s), 0);
}
END_TEST

START_TEST(without_any_thread_it_does_not_start)
{
    threads_left = 0;
    struct served s = served_start(&mode_thread, NULL);
    threads_left = -1;
    int status;
    ck_assert_int_eq(waitpid(s.pid, &status, 0), s.pid);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 1);
}
END_TEST

START_TEST(draining_ends_idle_connections_and_answers_the_rest)
{
    struct served s = served_start(&mode_thread, NULL);
    int idle = served_connect(&s), half = served_connect(&s);
    ck_assert_int_eq(served_ask(idle, answer), 200);
    ck_assert_int_eq(send(half, "GET /pid HTT", 12, 0), 12);
    usleep(100000);
    kill(s.pid, SIGTERM);
    ck_assert_int_eq(served_receive(idle, answer), 0);
    ck_assert_int_eq(send(half, "P/1.1\r\nHost: x\r\n\r\n", 18, 0), 18);
    ck_assert_int_eq(served_receive(half, answer), 200);
    ck_assert_ptr_nonnull(strstr(answer, "Connection: close\r\n"));
    int status;
    ck_assert_int_eq(waitpid(s.pid, &status, 0), s.pid);
    ck_assert_int_eq(status, 0);
    close(idle);
    close(half);
}
END_TEST

SUITE_MAIN("thread", SUITE_TEST(each_connection_has_a_thread_and_keeps_it),
           SUITE_TEST(above_the_most_connections_are_refused_and_served_again_later),
           SUITE_TEST(or_they_wait_for_a_thread),
           SUITE_TEST(threads_that_the_system_refuses_cost_their_connection_alone),
           SUITE_TEST(without_any_thread_it_does_not_start),
           SUITE_TEST(draining_ends_idle_connections_and_answers_the_rest))
