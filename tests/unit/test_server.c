/* A server of our own: started, waited for, ended, whatever it does; shell scripts play it. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coro/base/clock.h"
#include "loadgen/server.h"
#include "suite.h"

#define READY "echo 'd: listening on 127.0.0.1:4321' >&2; echo 'd: ready (mode x, pid 1)' >&2; "

static struct lg_server server;
static struct lg_why why;

static int start(const char *script, const bool *stop)
{
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};
    why.text[0] = '\0';
    return lg_server_start(&server, argv, -1, stop, &why);
}

START_TEST(ready_and_ended)
{
    ck_assert_int_eq(start(READY "exec sleep 100", NULL), 0);
    ck_assert_str_eq(server.address, "127.0.0.1:4321");
    pid_t pid = server.pid;
    ck_assert_int_eq(kill(pid, 0), 0);
    lg_server_stop(&server);
    ck_assert_int_eq(kill(pid, 0), -1);
    ck_assert_int_eq(server.pid, 0);
    lg_server_stop(&server); /* harmless */
}
END_TEST

/* Half a line is not ready yet, and the address may come late. */
START_TEST(waits_for_the_whole_line)
{
    ck_assert_int_eq(
        start("echo 'd: listening on 127.0.0.1:99' >&2; printf 'd: rea' >&2; sleep 0.2; "
              "printf 'dy (x)' >&2; sleep 0.1; echo >&2; exec sleep 100",
              NULL),
        0);
    ck_assert_str_eq(server.address, "127.0.0.1:99");
    lg_server_stop(&server);
}
END_TEST

START_TEST(what_it_leaves_behind_is_ended)
{
    char pid_text[32] = "";
    int fds[2];
    ck_assert_int_eq(pipe(fds), 0);
    char script[256];
    snprintf(script, sizeof script, "sleep 100 & echo $! >&%d; " READY "wait", fds[1]);
    ck_assert_int_eq(start(script, NULL), 0);
    ck_assert_int_gt(read(fds[0], pid_text, sizeof pid_text - 1), 0);
    pid_t child = (pid_t)strtol(pid_text, NULL, 10);
    ck_assert_int_eq(kill(child, 0), 0);
    lg_server_stop(&server);
    /* whoever inherited it reaps it in a moment */
    for (int i = 0; i < 500 && kill(child, 0) == 0; i++)
        usleep(10000);
    char state[64] = "";
    snprintf(script, sizeof script, "/proc/%d/stat", (int)child);
    FILE *file = fopen(script, "re");
    if (file != NULL) {
        ck_assert_int_eq(fscanf(file, "%*d %*s %1s", state), 1);
        fclose(file);
        ck_assert_str_eq(state, "Z");
    }
    close(fds[0]);
    close(fds[1]);
}
END_TEST

START_TEST(one_that_ignores_term_is_killed)
{
    int64_t begin_ns = clock_now_ns();
    ck_assert_int_eq(start("trap '' TERM; " READY "while :; do sleep 0.1; done", NULL), 0);
    pid_t pid = server.pid;
    lg_server_stop(&server);
    ck_assert_int_eq(kill(pid, 0), -1);
    ck_assert_int_ge(clock_now_ns() - begin_ns, 3 * NS_PER_S);
}
END_TEST

START_TEST(its_own_last_words_are_quoted)
{
    ck_assert_int_eq(start("echo one >&2; echo 'd: error: no such thing' >&2; exit 2", NULL),
                     -ECHILD);
    ck_assert_str_eq(why.text, "/bin/sh: did not start: d: error: no such thing");
    ck_assert_int_eq(server.pid, 0);
    ck_assert_int_eq(server.log_fd, -1);
}
END_TEST

START_TEST(one_that_is_not_there)
{
    const char *const argv[] = {"/nowhere/domaind", NULL};
    ck_assert_int_eq(lg_server_start(&server, argv, -1, NULL, &why), -ENOENT);
    ck_assert_str_eq(why.text, "cannot run /nowhere/domaind: No such file or directory");
}
END_TEST

START_TEST(an_interrupt_ends_the_wait)
{
    const bool stop = true;
    ck_assert_int_eq(start("exec sleep 100", &stop), -EINTR);
    ck_assert_int_eq(server.pid, 0);
}
END_TEST

START_TEST(programs_beside_this_one)
{
    char path[512], tiny[4];
    ck_assert_int_eq(lg_server_beside("test_server", path, sizeof path), 0);
    ck_assert_int_eq(access(path, X_OK), 0);
    ck_assert_int_lt(lg_server_beside("test_server", tiny, sizeof tiny), 0);
}
END_TEST

SUITE_MAIN("server", SUITE_TEST(ready_and_ended), SUITE_TEST(waits_for_the_whole_line),
           SUITE_TEST(what_it_leaves_behind_is_ended), SUITE_TEST(one_that_ignores_term_is_killed),
           SUITE_TEST(its_own_last_words_are_quoted), SUITE_TEST(one_that_is_not_there),
           SUITE_TEST(an_interrupt_ends_the_wait), SUITE_TEST(programs_beside_this_one))
