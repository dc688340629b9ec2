/* Coroutine mode: loops share the connections, and end together. */
#include "mode_server.h"
#include "suite.h"

static char answer[SERVED_ANSWER];

START_TEST(every_loop_gets_connections)
{
    struct served s = served_start(&mode_coroutine, "workers", "3", NULL);
    int fds[60];
    long threads[3] = {0};
    size_t loops = 0;
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        long thread;
        fds[i] = served_connect(&s);
        ck_assert_int_eq(served_ask(fds[i], answer), 200);
        ck_assert_int_eq(served_by(answer, &thread), s.pid);
        size_t k = 0;
        while (k < loops && threads[k] != thread)
            k++;
        if (k == loops) {
            ck_assert_uint_lt(loops, ARRAY_LEN(threads));
            threads[loops++] = thread;
        }
    }
    ck_assert_uint_eq(loops, ARRAY_LEN(threads));
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        close(fds[i]);
    ck_assert_int_eq(served_stop(&s), 0);
}
END_TEST

START_TEST(draining_takes_what_is_queued_and_ends_what_is_idle)
{
    struct served s = served_start(&mode_coroutine, "workers", "2", NULL);
    int idle = served_connect(&s), queued[8];
    ck_assert_int_eq(served_ask(idle, answer), 200);
    kill(s.pid, SIGSTOP);
    for (size_t i = 0; i < ARRAY_LEN(queued); i++) {
        queued[i] = served_connect(&s);
        served_send(queued[i], "/pid");
    }
    kill(s.pid, SIGTERM);
    kill(s.pid, SIGCONT);
    for (size_t i = 0; i < ARRAY_LEN(queued); i++) {
        ck_assert_int_eq(served_receive(queued[i], answer), 200);
        close(queued[i]);
    }
    ck_assert_int_eq(served_receive(idle, answer), 0);
    int status;
    ck_assert_int_eq(waitpid(s.pid, &status, 0), s.pid);
    ck_assert_int_eq(status, 0);
    close(idle);
}
END_TEST

START_TEST(the_second_term_cuts_what_hangs)
{
    struct served s = served_start(&mode_coroutine, "workers", "1", NULL);
    int stuck = served_connect(&s);
    ck_assert_int_eq(send(stuck, "GET /pid HTT", 12, 0), 12);
    usleep(100000);
    kill(s.pid, SIGTERM);
    ck_assert(served_is_quiet(stuck, 200));
    ck_assert_int_eq(served_stop(&s), 0);
    ck_assert_int_eq(served_receive(stuck, answer), 0);
    close(stuck);
}
END_TEST

SUITE_MAIN("coroutine", SUITE_TEST(every_loop_gets_connections),
           SUITE_TEST(draining_takes_what_is_queued_and_ends_what_is_idle),
           SUITE_TEST(the_second_term_cuts_what_hangs))
