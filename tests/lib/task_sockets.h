/* tests/lib/task_sockets.h - sockets for tests whose tasks wait for them. */
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "coro/io.h"
#include "suite.h"

static inline int64_t soon(void)
{
    return co_after(5 * NS_PER_S);
}

static inline void make_pair(int pair[2])
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
}

static inline int listen_anywhere(struct sockaddr_in *ret_addr)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    *ret_addr =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(*ret_addr);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)ret_addr, len), 0);
    ck_assert_int_eq(listen(fd, 16), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)ret_addr, &len), 0);
    return fd;
}

static inline int dial(const struct sockaddr_in *addr)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(co_connect(fd, (const struct sockaddr *)addr, sizeof(*addr), soon()), 0);
    return fd;
}

static inline void run(co_fn *fn)
{
    ck_assert_int_eq(co_run(fn, NULL, NULL), 0);
}
