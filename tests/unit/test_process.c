/* What domaind is to the system: pid file, user, descriptors. */
#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "coro/base/log.h"
#include "server/process.h"
#include "suite.h"

static char folder[64], path[80];

static void set_up(void)
{
    snprintf(folder, sizeof folder, "/tmp/test_process.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/pid", folder);
}

static int number_in_file(void)
{
    int number = 0;
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return -1;
    ck_assert_int_eq(fscanf(file, "%d", &number), 1);
    fclose(file);
    return number;
}

static void put_number(int number)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fprintf(file, "%d\n", number);
    fclose(file);
}

START_TEST(the_pid_file_is_replaced_and_removed_by_its_owner_alone)
{
    set_up();
    put_number(999999);
    process_remove_pid(path); /* another's */
    ck_assert_int_eq(number_in_file(), 999999);
    ck_assert_int_eq(process_write_pid(path), 0);
    ck_assert_int_eq(number_in_file(), (int)getpid());
    process_remove_pid(path);
    ck_assert_int_eq(number_in_file(), -1);
    process_remove_pid(path); /* gone already */
    FILE *file = fopen(path, "w");
    fputs("no number\n", file);
    fclose(file);
    process_remove_pid(path);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

START_TEST(a_pid_file_that_cannot_be_written_leaves_no_draft)
{
    set_up();
    log_init("test", LOG_ERROR);
    ck_assert_int_eq(process_write_pid("/nowhere/domaind.pid"), -ENOENT);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_eq(process_write_pid(path), -EISDIR);
    ck_assert_int_eq(rmdir(path), 0);
    ck_assert_int_eq(rmdir(folder), 0); /* nothing else was in it */
}
END_TEST

/* Run fn in a process of its own: its result, 0..99. */
static int aside(int (*fn)(void))
{
    int status;
    pid_t pid = fork();
    if (pid == 0)
        _exit(fn());
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int become_nobody(void)
{
    if (process_become_user("nobody") < 0)
        return 1;
    if (geteuid() == 0 || getegid() == 0 || setuid(0) == 0 || setgid(0) == 0)
        return 2;
    if (process_become_user("nobody") < 0) /* it is */
        return 3;
    return process_become_user("root") == -EPERM ? 0 : 4;
}

START_TEST(root_is_given_up_for_good)
{
    ck_assert_int_eq(process_check_user("root"), 0);
    ck_assert_int_eq(process_check_user("nobody-of-that-name"), -ENOENT);
    ck_assert_int_eq(process_become_user("nobody-of-that-name"), -ENOENT);
    if (geteuid() == 0)
        ck_assert_int_eq(aside(become_nobody), 0);
}
END_TEST

static int with_limit(rlim_t soft, rlim_t hard, unsigned needed, rlim_t after)
{
    struct rlimit limit = {soft, hard};
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 99;
    int rv = process_allow_descriptors(needed);
    getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur != after ? 98 : -rv;
}

static int soft_below(void)
{
    return with_limit(32, 64, 40, 64);
}

static int hard_below(void)
{
    return with_limit(16, 32, 40, 32);
}

static int enough(void)
{
    return with_limit(64, 64, 40, 64);
}

START_TEST(the_soft_limit_rises_to_the_hard_one)
{
    ck_assert_int_eq(aside(soft_below), 0);
    ck_assert_int_eq(aside(enough), 0);
    ck_assert_int_eq(aside(hard_below), EMFILE);
}
END_TEST

SUITE_MAIN("process", SUITE_TEST(the_pid_file_is_replaced_and_removed_by_its_owner_alone),
           SUITE_TEST(a_pid_file_that_cannot_be_written_leaves_no_draft),
           SUITE_TEST(root_is_given_up_for_good), SUITE_TEST(the_soft_limit_rises_to_the_hard_one))
