/* The standard descriptors: those closed are taken, so that nothing else gets them. */
#include <fcntl.h>
#include <stdbool.h>
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

SUITE_MAIN("std", SUITE_LOOP(closed_ones_are_held, holes))
