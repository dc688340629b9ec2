/* Sockets that park the task: accepting, and descriptors that become others. */
#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <unistd.h>

#include "suite.h"
#include "task_sockets.h"

#define BIG ((size_t)4 << 20)

/* ---- servers ---- */

static int served;

static int serve_one(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char c;
    served++;
    ssize_t n = co_read(fd, &c, 1, soon()); /* until the client lets go */
    co_close(fd);
    return (int)n;
}

static int server(void *arg)
{
    struct co_group pool;
    co_group_init(&pool, 2, CO_GROUP_KEEP_GOING);
    for (;;) {
        int fd = co_accept((int)(intptr_t)arg, NULL, NULL, CO_NO_DEADLINE);
        if (fd < 0)
            break;
        if (co_group_spawn(&pool, serve_one, (void *)(intptr_t)fd, CO_NO_DEADLINE) < 0) {
            co_close(fd);
            break;
        }
    }
    co_group_close(&pool);
    return 0;
}

static void wait_served(int wanted)
{
    for (int i = 0; i < 20000 && served < wanted; i++)
        ck_assert_int_eq(co_sleep(NS_PER_MS), 0);
    ck_assert_int_eq(served, wanted);
}

static int pool_main(void *arg)
{
    (void)arg;
    struct sockaddr_in addr;
    int listen_fd = listen_anywhere(&addr), clients[3], result;
    served = 0;
    struct co_task *task = co_spawn(server, (void *)(intptr_t)listen_fd);
    for (int i = 0; i < 3; i++)
        clients[i] = dial(&addr);
    wait_served(2);
    ck_assert_int_eq(co_sleep(20 * NS_PER_MS), 0);
    ck_assert_int_eq(served, 2); /* the third waits ... */
    co_close(clients[0]);
    wait_served(3); /* ... until one ends */
    co_close(clients[1]), co_close(clients[2]);
    co_cancel(task);
    ck_assert_int_eq(co_join(task, soon(), &result), 0);
    return co_close(listen_fd);
}

static int exhausted_main(void *arg)
{
    (void)arg;
    struct sockaddr_in addr;
    struct rlimit limit, none;
    int listen_fd = listen_anywhere(&addr);
    int client = dial(&addr);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = limit.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    int rv = co_accept(listen_fd, NULL, NULL, co_after(15 * NS_PER_MS)); /* pauses, then gives up */
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_int_eq(rv, -EMFILE);
    /* no new edge comes for the connection that waits; it is accepted all the same */
    rv = co_accept(listen_fd, NULL, NULL, soon());
    ck_assert_int_ge(rv, 0);
    co_close(rv), co_close(client);
    return co_close(listen_fd);
}

START_TEST(scenario_28_bounded_servers_and_accept_without_descriptors)
{
    run(pool_main);
    run(exhausted_main);
}
END_TEST

/* ---- descriptors that become others in the middle of a call ---- */

/* fd is closed, and its number is that of `next` now. */
struct swap {
    int fd, next;
};

static int swap_main(void *arg)
{
    const struct swap *swap = arg;
    ck_assert_int_eq(co_close(swap->fd), 0);
    ck_assert_int_eq(dup2(swap->next, swap->fd), swap->fd);
    return 0;
}

static ssize_t write_much(int fd)
{
    static char block[BIG];
    return co_write(fd, block, sizeof(block), soon());
}

static ssize_t send_much(int fd)
{
    static FILE *file;
    if (file == NULL) {
        file = tmpfile();
        ck_assert_int_eq(ftruncate(fileno(file), BIG), 0);
    }
    return co_sendfile(fd, fileno(file), 0, BIG, soon());
}

static ssize_t (*const halves[])(int fd) = {write_much, send_much};

/* Of all the calls that a task makes before it gives way, one is the first half of this. */
static int swapped_main(void *arg)
{
    const int *which = arg;
    for (int calls = 0; calls < 80; calls++) {
        int pair[2], next[2];
        char byte;
        make_pair(pair);
        make_pair(next);
        for (int i = 0; i < calls; i++)
            ck_assert_int_eq(co_wait_fd(pair[0], CO_WRITABLE, soon()), CO_WRITABLE);
        struct swap swap = {pair[0], next[0]};
        struct co_task *swapper = co_spawn(swap_main, &swap);
        ck_assert_int_eq(halves[*which](pair[0]), -EBADF);
        ck_assert_int_eq(co_join(swapper, soon(), NULL), 0);
        ck_assert_int_eq(co_read(next[1], &byte, 1, 0), -ETIMEDOUT); /* nothing of it went there */
        co_close(pair[0]), co_close(pair[1]), co_close(next[0]), co_close(next[1]);
    }
    return 0;
}

START_TEST(the_rest_does_not_go_to_the_next_owner_of_the_number)
{
    int which = _i;
    ck_assert_int_eq(co_run(swapped_main, &which, NULL), 0);
}
END_TEST

static int accept_for_ever(void *arg)
{
    return co_accept((int)(intptr_t)arg, NULL, NULL, CO_NO_DEADLINE);
}

/* One that waits for descriptors to accept with learns of the close at once. */
static int closed_in_a_pause_main(void *arg)
{
    (void)arg;
    struct sockaddr_in addr;
    struct rlimit limit, none;
    int listen_fd = listen_anywhere(&addr), result;
    int client = dial(&addr);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = limit.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    struct co_task *task = co_spawn(accept_for_ever, (void *)(intptr_t)listen_fd);
    int rv = co_yield ();
    int closed = co_close(listen_fd);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_int_eq(rv, 0);
    ck_assert_int_eq(closed, 0);
    int other_fd = listen_anywhere(&addr); /* on its number */
    int other_client = dial(&addr);
    ck_assert_int_eq(other_fd, listen_fd);
    ck_assert_int_eq(co_join(task, soon(), &result), 0);
    ck_assert_int_eq(result, -EBADF);
    co_close(client), co_close(other_client);
    return co_close(other_fd);
}

START_TEST(a_pause_in_accepting_ends_with_the_listener)
{
    run(closed_in_a_pause_main);
}
END_TEST

/* Of a packet socket a short read says nothing about the next packet. */
static int packets_main(void *arg)
{
    (void)arg;
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    socklen_t len = sizeof(sa_family_t); /* the kernel finds a name */
    int listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(listen_fd, (struct sockaddr *)&addr, len), 0);
    ck_assert_int_eq(listen(listen_fd, 4), 0);
    len = sizeof(addr);
    ck_assert_int_eq(getsockname(listen_fd, (struct sockaddr *)&addr, &len), 0);
    for (int i = 0; i < 2; i++) { /* before anybody has waited for the listener, and after */
        char got[16];
        int client = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        ck_assert_int_eq(co_connect(client, (struct sockaddr *)&addr, len, soon()), 0);
        int fd = co_accept(listen_fd, NULL, NULL, soon());
        ck_assert_int_eq(co_read(fd, got, sizeof(got), co_after(NS_PER_MS)), -ETIMEDOUT);
        ck_assert_int_eq(co_write(client, "one", 3, soon()), 3);
        ck_assert_int_eq(co_write(client, "two", 3, soon()), 3);
        ck_assert_int_eq(co_read(fd, got, sizeof(got), soon()), 3);
        ck_assert_int_eq(co_write(fd, "yes", 3, soon()), 3); /* no error was pending, either */
        ck_assert_int_eq(co_read(fd, got, sizeof(got), soon()), 3);
        co_close(fd), co_close(client);
        ck_assert_int_eq(co_accept(listen_fd, NULL, NULL, 0), -ETIMEDOUT);
    }
    return co_close(listen_fd);
}

START_TEST(packets_are_read_one_by_one)
{
    run(packets_main);
}
END_TEST

/* ---- no listener ---- */

/* What is no listener says so; it is not a connection that was lost. */
static int datagram_main(void *arg)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(co_accept(fd, NULL, NULL, soon()), -EOPNOTSUPP);
    ck_assert_int_eq(co_close(fd), 0);
    return arg != NULL;
}

START_TEST(nothing_is_accepted_from_a_datagram_socket)
{
    run(datagram_main);
}
END_TEST

SUITE_MAIN("io_accept", SUITE_LOOP(the_rest_does_not_go_to_the_next_owner_of_the_number, halves),
           SUITE_TEST(a_pause_in_accepting_ends_with_the_listener),
           SUITE_TEST(packets_are_read_one_by_one),
           SUITE_TEST(nothing_is_accepted_from_a_datagram_socket),
           SUITE_TEST(scenario_28_bounded_servers_and_accept_without_descriptors))
