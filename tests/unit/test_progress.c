/* The line on a terminal: where, how often, how wide, and gone when cleared. */
#include "client/progress.h"

#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "coro/base/clock.h"
#include "output_of.h"
#include "suite.h"

/* Standard error is a terminal of so many columns, until terminal_end. */
struct terminal {
    int kept, master;
    char text[1024];
};

static void terminal_begin(struct terminal *t, unsigned short columns)
{
    const struct winsize size = {.ws_row = 24, .ws_col = columns};
    t->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    ck_assert_int_ge(t->master, 0);
    ck_assert_int_eq(grantpt(t->master) | unlockpt(t->master), 0);
    ck_assert_int_eq(ioctl(t->master, TIOCSWINSZ, &size), 0);
    int slave = open(ptsname(t->master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    ck_assert_int_ge(slave, 0);
    fflush(stderr);
    t->kept = dup(STDERR_FILENO);
    ck_assert_int_ge(dup2(slave, STDERR_FILENO), 0);
    close(slave);
}

/* What it was sent since the last look. */
static const char *terminal_look(struct terminal *t)
{
    size_t len = 0;
    /* a mark behind it: the kernel hands a terminal's bytes over in its own time */
    fflush(stderr);
    ck_assert_int_eq(write(STDERR_FILENO, "$", 1), 1);
    while (len == 0 || t->text[len - 1] != '$') {
        ssize_t n = read(t->master, t->text + len, sizeof t->text - len);
        ck_assert_int_gt(n, 0);
        len += (size_t)n;
    }
    t->text[len - 1] = '\0';
    return t->text;
}

static void terminal_end(struct terminal *t)
{
    fflush(stderr);
    ck_assert_int_ge(dup2(t->kept, STDERR_FILENO), 0);
    close(t->kept);
    close(t->master);
}

START_TEST(a_terminal_gets_a_line_ten_times_a_second)
{
    struct terminal t;
    struct cl_progress p;
    setenv("TERM", "xterm", 1);
    terminal_begin(&t, 80);
    cl_progress_init(&p);
    ck_assert(p.is_on);
    ck_assert(cl_progress_is_due(&p, NS_PER_S));
    cl_progress_show(&p, NS_PER_S, "%d of %d", 1, 9);
    ck_assert_str_eq(terminal_look(&t), "\r\033[K1 of 9");
    cl_progress_show(&p, NS_PER_S + NS_PER_S / 20, "too soon");
    ck_assert_str_eq(terminal_look(&t), "");
    cl_progress_show(&p, NS_PER_S + NS_PER_S / 10, "2 of 9");
    ck_assert_str_eq(terminal_look(&t), "\r\033[K2 of 9");
    cl_progress_clear(&p);
    ck_assert_str_eq(terminal_look(&t), "\r\033[K");
    cl_progress_clear(&p); /* nothing is there any more */
    ck_assert_str_eq(terminal_look(&t), "");
    terminal_end(&t);
}
END_TEST

START_TEST(a_line_does_not_wrap)
{
    struct terminal t;
    struct cl_progress p;
    setenv("TERM", "xterm", 1);
    terminal_begin(&t, 10);
    cl_progress_init(&p);
    cl_progress_show(&p, NS_PER_S, "%s", "0123456789ABCDEF");
    ck_assert_str_eq(terminal_look(&t), "\r\033[K012345678");
    terminal_end(&t);
}
END_TEST

START_TEST(a_dumb_terminal_gets_none)
{
    static const char *const terms[] = {"dumb", NULL};
    for (size_t i = 0; i < ARRAY_LEN(terms); i++) {
        struct terminal t;
        struct cl_progress p;
        if (terms[i] != NULL)
            setenv("TERM", terms[i], 1);
        else
            unsetenv("TERM");
        terminal_begin(&t, 80);
        cl_progress_init(&p);
        ck_assert(!p.is_on && !cl_progress_is_due(&p, NS_PER_S));
        cl_progress_show(&p, NS_PER_S, "no");
        cl_progress_clear(&p);
        ck_assert_str_eq(terminal_look(&t), "");
        terminal_end(&t);
    }
}
END_TEST

START_TEST(a_file_gets_none)
{
    struct output_of out;
    struct cl_progress p;
    setenv("TERM", "xterm", 1);
    output_begin(&out, STDERR_FILENO);
    cl_progress_init(&p);
    cl_progress_show(&p, NS_PER_S, "no");
    cl_progress_clear(&p);
    ck_assert_str_eq(output_end(&out), "");
    output_free(&out);
}
END_TEST

SUITE_MAIN("progress", SUITE_TEST(a_terminal_gets_a_line_ten_times_a_second),
           SUITE_TEST(a_line_does_not_wrap), SUITE_TEST(a_dumb_terminal_gets_none),
           SUITE_TEST(a_file_gets_none))
