/* The standard descriptors: those closed are taken, so that nothing else gets them. */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "coro/base/std.h"
#include "suite.h"

static const struct {
    bool is_closed[3];
} holes[] = {
    {{true, false, false}}, {{false, true, false}}, {{false, false, true}},
    {{true, true, true}},   {{true, false, true}},  {{false, false, false}},
};

/* Before any assertion, which may want to say something. */
START_TEST(closed_ones_are_held)
{
    int saved[3], first = -1, ret, writes = 0;
    for (int fd = 0; fd < 3; fd++) {
        saved[fd] = fcntl(fd, F_DUPFD, 10);
        if (holes[_i].is_closed[fd])
            close(fd);
    }
    ret = std_hold();
    first = dup(saved[0]);
    for (int fd = 1; fd < 3; fd++)
        writes += holes[_i].is_closed[fd] && write(fd, "x", 1) >= 0;
    for (int fd = 0; fd < 3; fd++) {
        dup2(saved[fd], fd);
        close(saved[fd]);
    }
    close(first);
    ck_assert_int_eq(ret, 0);
    ck_assert_int_gt(first, 2);
    ck_assert_int_eq(writes, 0);
}
END_TEST

/* Each in a child, as only an exit shows it. */
static const struct {
    const char *path;
    int status, want;
} exits[] = {
    {"/dev/full", 0, 1},
    {"/dev/full", 3, 3},
    {"/dev/null", 0, 0},
    {"/dev/null", 3, 3},
};

START_TEST(unwritten_output_is_a_failure)
{
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        if (freopen(exits[_i].path, "w", stdout) == NULL ||
            freopen("/dev/null", "w", stderr) == NULL)
            _exit(99);
        std_check_at_exit("test");
        puts("text");
        exit(exits[_i].status);
    }
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), exits[_i].want);
}
END_TEST

SUITE_MAIN("std", SUITE_LOOP(closed_ones_are_held, holes),
           SUITE_LOOP(unwritten_output_is_a_failure, exits))
