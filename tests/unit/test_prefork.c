/* Prefork mode: children come, go, die and are replaced. */
#include "mode_server.h"
#include "suite.h"

static char answer[SERVED_ANSWER];

static int ask_once(const struct served *s)
{
    long thread;
    int fd = served_connect(s);
    ck_assert_int_eq(served_ask(fd, answer), 200);
    close(fd);
    return served_by(answer, &thread);
}

START_TEST(a_child_answers_not_the_master)
{
    struct served s = served_start(&mode_prefork, "min-spare", "2", NULL);
    int a = served_connect(&s), b = served_connect(&s);
    long thread;
    ck_assert_int_eq(served_ask(a, answer), 200);
    int first = served_by(answer, &thread);
    ck_assert_int_eq(served_ask(b, answer), 200);
    int second = served_by(answer, &thread);
    ck_assert_int_ne(first, s.pid);
    ck_assert_int_ne(second, s.pid);
    ck_assert_int_ne(first, second);
    ck_assert_int_eq(served_ask(a, answer), 200); /* a connection stays with its child */
    ck_assert_int_eq(served_by(answer, &thread), first);
    close(a);
    close(b);
    ck_assert_int_eq(served_stop(&s), 0);
}
END_TEST

START_TEST(a_killed_child_costs_its_own_connection_alone)
{
    struct served s = served_start(&mode_prefork, "min-spare", "2", NULL);
    int a = served_connect(&s), b = served_connect(&s);
    long thread;
    ck_assert_int_eq(served_ask(a, answer), 200);
    int victim = served_by(answer, &thread);
    ck_assert_int_eq(served_ask(b, answer), 200);
    kill(victim, SIGKILL);
    ck_assert_int_eq(served_receive(a, answer), 0);
    ck_assert_int_eq(served_ask(b, answer), 200);
    for (int i = 0; i < 10; i++)
        ck_assert_int_ne(ask_once(&s), victim);
    close(a);
    close(b);
    ck_assert_int_eq(served_stop(&s), 0);
}
END_TEST

START_TEST(a_child_is_replaced_after_its_connections)
{
    struct served s = served_start(&mode_prefork, "child-connections", "1", NULL);
    int before = 0;
    for (int i = 0; i < 12; i++) {
        int now = ask_once(&s);
        ck_assert_int_ne(now, before);
        before = now;
    }
    ck_assert_int_eq(served_stop(&s), 0);
}
END_TEST

START_TEST(more_connections_than_children_take_turns)
{
    struct served s =
        served_start(&mode_prefork, "children", "2", "min-spare", "1", "max-spare", "2", NULL);
    int fds[6];
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        fds[i] = served_connect(&s);
        served_send(fds[i], "/pid");
    }
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        ck_assert_int_eq(served_receive(fds[i], answer), 200);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        close(fds[i]);
    ck_assert_int_eq(served_stop(&s), 0);
}
END_TEST

START_TEST(a_child_that_dies_while_it_drains_does_not_hold_up_the_queue)
{
    struct served s =
        served_start(&mode_prefork, "children", "2", "min-spare", "1", "max-spare", "2", NULL);
    int victims = served_connect(&s), others = served_connect(&s), status;
    long thread;
    ck_assert_int_eq(served_ask(victims, answer), 200);
    int victim = served_by(answer, &thread);
    ck_assert_int_eq(served_ask(others, answer), 200);
    /* both children are held by slow clients, and one connection is queued */
    ck_assert_int_eq(send(victims, "GET", 3, 0), 3);
    ck_assert_int_eq(send(others, "GET", 3, 0), 3);
    int queued = served_connect(&s);
    served_send(queued, "/pid");
    ck_assert(served_is_quiet(queued, 100));
    kill(s.pid, SIGTERM);
    kill(victim, SIGKILL);
    ck_assert_int_eq(served_receive(queued, answer), 200);
    ck_assert(served_is_quiet(others, 0));
    close(others);
    ck_assert_int_eq(waitpid(s.pid, &status, 0), s.pid);
    ck_assert_int_eq(status, 0);
    close(queued);
    close(victims);
}
END_TEST

static bool is_there(int pid)
{
    return kill(pid, 0) == 0;
}

START_TEST(children_do_not_outlive_their_master)
{
    struct served s = served_start(&mode_prefork, NULL);
    int status, child = ask_once(&s);
    kill(s.pid, SIGKILL);
    ck_assert_int_eq(waitpid(s.pid, &status, 0), s.pid);
    for (int tries = 0; is_there(child); tries++) {
        char state[64] = "";
        snprintf(state, sizeof state, "/proc/%d/stat", child);
        FILE *file = fopen(state, "r"); /* where nobody reaps orphans it stays as a zombie */
        bool is_zombie = file == NULL || (fscanf(file, "%*d %*s %1s", state) == 1 && *state == 'Z');
        if (file != NULL)
            fclose(file);
        if (is_zombie)
            break;
        ck_assert_int_lt(tries, 1000);
        usleep(10000);
    }
}
END_TEST

SUITE_MAIN("prefork", SUITE_TEST(a_child_answers_not_the_master),
           SUITE_TEST(a_killed_child_costs_its_own_connection_alone),
           SUITE_TEST(a_child_is_replaced_after_its_connections),
           SUITE_TEST(more_connections_than_children_take_turns),
           SUITE_TEST(a_child_that_dies_while_it_drains_does_not_hold_up_the_queue),
           SUITE_TEST(children_do_not_outlive_their_master))
