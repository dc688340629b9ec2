/* Addresses to listen on: what is understood, what is in use, the quiet end. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/mode/listen.h"
#include "suite.h"

static struct listen_set set, other;
static char error[LISTEN_ERROR_BYTES];

#define TEN     "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

static const struct {
    const char *list;
    int rv;
} lists[] = {
    {"127.0.0.1:0", 0},
    {"[::1]:0", 0},
    {":0", 0},
    {"*:8080", 0},
    {"localhost:80", 0},
    {"unix:/x", 0},
    {"a:1,b:2,[::]:3", 0},
    {"", 0},
    {"127.0.0.1", -EINVAL},
    {"127.0.0.1:", -EINVAL},
    {"::1:80", -EINVAL},
    {"[::1:80", -EINVAL},
    {"h:http", -EINVAL},
    {"h:65536", -EINVAL},
    {"h:-1", -EINVAL},
    {"h: 1", -EINVAL},
    {"a:1,,b:2", -EINVAL},
    {"[]:1", -EINVAL},
    {"127.0.0.1:0,unix:", -EINVAL},
    {"unix:/" HUNDRED "/12345", 0},
    {"unix:/" HUNDRED "/123456", -EINVAL},
};

START_TEST(lists_are_checked)
{
    ck_assert_int_eq(listen_list_check(lists[_i].list, error), lists[_i].rv);
}
END_TEST

START_TEST(a_taken_port_is_found_out_though_its_owner_shares_it)
{
    char again[LISTEN_TEXT_BYTES + 2];
    ck_assert_int_eq(listen_set_open(&set, "127.0.0.1:0", 16, error), 0);
    ck_assert_uint_eq(set.count, 1);
    snprintf(again, sizeof again, "%s", set.items[0].text);
    ck_assert_int_eq(listen_set_open(&other, again, 16, error), -EADDRINUSE);
    ck_assert_msg(strstr(error, "in use") != NULL && strstr(error, again) != NULL, "%s", error);
    /* yet its owner may have one more */
    int fd = listen_clone(&set.items[0], 16);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(listen_set_open(&other, again, 16, error), -EADDRINUSE);
    close(fd);
    listen_set_fini(&other);
    listen_set_fini(&set);
}
END_TEST

static int connect_to(const struct listener *l)
{
    int fd = socket(l->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    ck_assert_int_ge(fd, 0);
    int rv = connect(fd, (const struct sockaddr *)&l->addr, l->len);
    ck_assert(rv == 0 || errno == EINPROGRESS);
    return fd;
}

START_TEST(after_quiescing_only_what_was_queued_comes)
{
    ck_assert_int_eq(listen_set_open(&set, "127.0.0.1:0", 16, error), 0);
    int before = connect_to(&set.items[0]);
    usleep(20000);
    ck_assert_int_eq(listen_queue_len(set.items[0].fd), 1);
    listen_quiesce(set.items[0].fd);
    int after = connect_to(&set.items[0]);
    usleep(50000);
    ck_assert_int_eq(listen_queue_len(set.items[0].fd), 1);
    int fd = accept(set.items[0].fd, NULL, NULL);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(accept(set.items[0].fd, NULL, NULL), -1);
    ck_assert_int_eq(errno, EAGAIN);
    close(fd);
    close(before);
    close(after);
    listen_set_fini(&set);
}
END_TEST

START_TEST(a_unix_socket_tells_that_somebody_waits)
{
    char path[] = "/tmp/test_listen.XXXXXX", list[64];
    ck_assert_ptr_nonnull(mkdtemp(path));
    snprintf(list, sizeof list, "unix:%s/socket", path);
    ck_assert_int_eq(listen_set_open(&set, list, 16, error), 0);
    int listener = set.items[0].fd;
    ck_assert_int_eq(listen_queue_len(listener), 0);
    int client = connect_to(&set.items[0]);
    ck_assert_int_eq(listen_queue_len(listener), 1);
    int fd = accept(listener, NULL, NULL);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(listen_queue_len(listener), 0);
    close(fd);
    close(client);
    listen_set_unlink(&set);
    listen_set_fini(&set);
    ck_assert_int_eq(listen_queue_len(listener), 0); /* no descriptor any more */
    ck_assert_int_eq(rmdir(path), 0);
}
END_TEST

START_TEST(a_socket_file_left_over_is_replaced_and_one_in_use_is_not)
{
    char path[] = "/tmp/test_listen.XXXXXX", list[64];
    ck_assert_ptr_nonnull(mkdtemp(path));
    snprintf(list, sizeof list, "unix:%s/socket", path);
    ck_assert_int_eq(listen_set_open(&set, list, 16, error), 0);
    ck_assert_str_eq(set.items[0].text, list);
    ck_assert_int_eq(listen_set_open(&other, list, 16, error), -EADDRINUSE);
    listen_set_fini(&set); /* the file stays, as after a crash */
    /* one whose backlog is full is in use, too, and nobody waits for it */
    ck_assert_int_eq(listen_set_open(&set, list, 0, error), 0);
    int client = connect_to(&set.items[0]);
    ck_assert_int_eq(listen_set_open(&other, list, 16, error), -EADDRINUSE);
    close(client);
    listen_set_fini(&set);
    ck_assert_int_eq(listen_set_open(&set, list, 16, error), 0);
    ck_assert_int_eq(listen_clone(&set.items[0], 16), -EOPNOTSUPP);
    listen_set_unlink(&set);
    ck_assert_int_eq(access(list + strlen("unix:"), F_OK), -1);
    /* a next server may be there before the last one is gone: its file is not ours */
    ck_assert_int_eq(listen_set_open(&other, list, 16, error), 0);
    listen_set_unlink(&set);
    listen_set_fini(&set);
    ck_assert_int_eq(access(list + strlen("unix:"), F_OK), 0);
    listen_set_unlink(&other);
    listen_set_fini(&other);
    ck_assert_int_eq(rmdir(path), 0);
}
END_TEST

/* One of those that start at once: 'y' when it listens; then it stays until it is killed. */
static void start_with_others(const char *list, int start_fd, int told_fd)
{
    char byte;
    if (read(start_fd, &byte, 1) != 0)
        _exit(1);
    char answer = listen_set_open(&set, list, 16, error) == 0 ? 'y' : 'n';
    if (write(told_fd, &answer, 1) != 1)
        _exit(1);
    for (;;)
        pause();
}

static int how_many_listen(const char *list, int count)
{
    int start[2], told[2], listening = 0;
    pid_t pids[8];
    ck_assert_int_eq(pipe2(start, O_CLOEXEC), 0);
    ck_assert_int_eq(pipe2(told, O_CLOEXEC), 0);
    for (int i = 0; i < count; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            close(start[1]);
            start_with_others(list, start[0], told[1]);
        }
    }
    close(start[0]);
    close(start[1]);
    close(told[1]);
    for (int i = 0; i < count; i++) {
        char answer;
        ck_assert_int_eq(read(told[0], &answer, 1), 1);
        listening += answer == 'y';
    }
    for (int i = 0; i < count; i++) {
        kill(pids[i], SIGKILL);
        waitpid(pids[i], NULL, 0);
    }
    close(told[0]);
    return listening;
}

START_TEST(of_those_that_start_at_once_one_has_the_socket_file)
{
    enum { ROUNDS = 50, SERVERS = 4 };
    char path[] = "/tmp/test_listen.XXXXXX", list[64];
    ck_assert_ptr_nonnull(mkdtemp(path));
    snprintf(list, sizeof list, "unix:%s/socket", path);
    for (int i = 0; i < ROUNDS; i++) /* each finds the file of the one before it */
        ck_assert_int_eq(how_many_listen(list, SERVERS), 1);
    ck_assert_int_eq(unlink(list + strlen("unix:")), 0);
    ck_assert_int_eq(rmdir(path), 0);
}
END_TEST

START_TEST(a_file_that_is_no_socket_is_left_alone)
{
    char path[] = "/tmp/test_listen.XXXXXX", list[64];
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    snprintf(list, sizeof list, "unix:%s", path);
    ck_assert_int_eq(listen_set_open(&set, list, 16, error), -EADDRINUSE);
    listen_set_unlink(&set);
    ck_assert_int_eq(unlink(path), 0);
    snprintf(list, sizeof list, "unix:/nowhere%s", path);
    ck_assert_int_eq(listen_set_open(&set, list, 16, error), -ENOENT);
    listen_set_fini(&set);
}
END_TEST

SUITE_MAIN("listen", SUITE_LOOP(lists_are_checked, lists),
           SUITE_TEST(a_taken_port_is_found_out_though_its_owner_shares_it),
           SUITE_TEST(after_quiescing_only_what_was_queued_comes),
           SUITE_TEST(a_unix_socket_tells_that_somebody_waits),
           SUITE_TEST(a_socket_file_left_over_is_replaced_and_one_in_use_is_not),
           SUITE_TEST(of_those_that_start_at_once_one_has_the_socket_file),
           SUITE_TEST(a_file_that_is_no_socket_is_left_alone))
