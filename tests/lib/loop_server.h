/* tests/lib/loop_server.h - a small HTTP server in tasks of the test's own loop.
 *
 * GET /NAME answers NAME after a moment; /to:PLACE redirects to PLACE; /close
 * closes without an answer; /silence never answers. */
#pragma once

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "coro/base/clock.h"
#include "coro/io.h"

#define HANDLING_NS (2 * NS_PER_MS)

struct server {
    int fd;
    int port;
    int now;      /* requests being handled */
    int now_most; /* the most at once */
    int connections;
};

static ssize_t read_head(int fd, char *head, size_t cap)
{
    size_t len = 0;
    do {
        ssize_t n = co_read(fd, head + len, cap - 1 - len, CO_NO_DEADLINE);
        if (n <= 0)
            return n;
        len += (size_t)n;
        head[len] = '\0';
    } while (strstr(head, "\r\n\r\n") == NULL);
    return (ssize_t)len;
}

static int answer(struct server *server, int fd, const char *name)
{
    char text[256];
    const char *location = strncmp(name, "to:", 3) == 0 ? name + 3 : NULL;
    if (strcmp(name, "silence") == 0)
        return co_sleep_until(CO_NO_DEADLINE);
    if (strcmp(name, "close") == 0)
        return -ECONNRESET;
    if (++server->now > server->now_most)
        server->now_most = server->now;
    int rv = co_sleep(HANDLING_NS);
    server->now--;
    int n;
    if (location != NULL)
        n = snprintf(text, sizeof text,
                     "HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n", location);
    else
        n = snprintf(text, sizeof text,
                     "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n%s",
                     strlen(name), name);
    ssize_t written = rv == 0 ? co_write(fd, text, (size_t)n, CO_NO_DEADLINE) : rv;
    return written < 0 ? (int)written : 0;
}

struct connection {
    struct server *server;
    int fd;
};

static int serve(void *arg)
{
    struct connection c = *(struct connection *)arg;
    char head[1024];
    char name[64];
    free(arg);
    while (read_head(c.fd, head, sizeof head) > 0) {
        ck_assert_int_eq(sscanf(head, "GET /%63s", name), 1);
        if (answer(c.server, c.fd, name) < 0)
            break;
    }
    return co_close(c.fd);
}

static int accept_all(void *arg)
{
    struct server *server = arg;
    int fd;
    while ((fd = co_accept(server->fd, NULL, NULL, CO_NO_DEADLINE)) >= 0) {
        struct connection *c = malloc(sizeof *c);
        *c = (struct connection){server, fd};
        server->connections++;
        co_detach(co_spawn(serve, c));
    }
    return co_close(server->fd);
}

static MAYBE_UNUSED void server_start(struct server *server)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof addr;
    *server = (struct server){0};
    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(server->fd, (struct sockaddr *)&addr, len), 0);
    ck_assert_int_eq(listen(server->fd, 128), 0);
    ck_assert_int_eq(getsockname(server->fd, (struct sockaddr *)&addr, &len), 0);
    server->port = ntohs(addr.sin_port);
    co_detach(co_spawn(accept_all, server));
}
