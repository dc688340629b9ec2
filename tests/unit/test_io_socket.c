/* What the kernel knows of a connection: how long bytes have waited, what is unsent. */
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "coro/base/clock.h"
#include "server/io/io.h"
#include "suite.h"

static int server, client;

static void connect_tcp(void)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof addr;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    client = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&addr, len), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&addr, &len), 0);
    ck_assert_int_eq(connect(client, (struct sockaddr *)&addr, len), 0);
    server = accept(listener, NULL, NULL);
    ck_assert_int_ge(server, 0);
    close(listener);
}

static void close_both(void)
{
    close(server);
    close(client);
}

START_TEST(bytes_grow_old_until_newer_ones_come)
{
    enum { WAIT_MS = 300, SLACK_MS = 20 };
    struct http_io io = {.fd = -1};
    char byte;
    connect_tcp();
    io.fd = server;
    ck_assert_int_eq(write(client, "a", 1), 1);
    ck_assert_int_eq(recv(server, &byte, 1, MSG_PEEK), 1);
    usleep(WAIT_MS * 1000);
    int64_t waited_ns = io_queued_ns(&io);
    ck_assert_int_ge(waited_ns, (WAIT_MS - SLACK_MS) * NS_PER_MS);
    int64_t before_ns = clock_now_ns();
    ck_assert_int_eq(write(client, "b", 1), 1);
    ck_assert_int_le(io_queued_ns(&io), clock_now_ns() - before_ns + SLACK_MS * NS_PER_MS);
    close_both();
}
END_TEST

START_TEST(a_unix_socket_does_not_tell)
{
    int pair[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    ck_assert_int_eq(write(pair[1], "a", 1), 1);
    struct http_io io = {.fd = pair[0]};
    ck_assert_int_eq(io_queued_ns(&io), 0);
    io_drop_unsent(pair[0]); /* and has nothing that could stay */
    close(pair[0]);
    close(pair[1]);
}
END_TEST

START_TEST(what_a_client_does_not_take_can_be_dropped)
{
    char byte;
    connect_tcp();
    io_drop_unsent(server);
    close(server);
    ck_assert_int_eq(read(client, &byte, 1), -1);
    ck_assert_int_eq(errno, ECONNRESET);
    close(client);
}
END_TEST

SUITE_MAIN("io_socket", SUITE_TEST(bytes_grow_old_until_newer_ones_come),
           SUITE_TEST(a_unix_socket_does_not_tell),
           SUITE_TEST(what_a_client_does_not_take_can_be_dropped))
