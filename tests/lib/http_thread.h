/* tests/lib/http_thread.h - a server in a thread of its own that answers every
 * connection with the same bytes: for clients that block, and for bytes that are
 * no HTTP. */
#pragma once

#include <arpa/inet.h>
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct http_thread {
    const char *bytes; /* sent after a request head has come; then the connection is closed */
    size_t len;
    int fd;
    char url[64];
    pthread_t thread;
};

static inline void http_thread_answer(const struct http_thread *server, int fd)
{
    char head[4096] = "";
    size_t have = 0;
    while (strstr(head, "\r\n\r\n") == NULL && have < sizeof head - 1) {
        ssize_t n = recv(fd, head + have, sizeof head - 1 - have, 0);
        if (n <= 0)
            return;
        have += (size_t)n;
        head[have] = '\0';
    }
    for (size_t sent = 0; sent < server->len;) {
        ssize_t n = send(fd, server->bytes + sent, server->len - sent, MSG_NOSIGNAL);
        if (n < 0)
            return;
        sent += (size_t)n;
    }
}

static inline void *http_thread_main(void *arg)
{
    const struct http_thread *server = arg;
    int fd;
    while ((fd = accept(server->fd, NULL, NULL)) >= 0) {
        http_thread_answer(server, fd);
        shutdown(fd, SHUT_WR);
        close(fd);
    }
    return NULL;
}

/* bytes are borrowed until the stop. */
static inline void http_thread_start(struct http_thread *server, const char *bytes, size_t len)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof addr;
    *server = (struct http_thread){.bytes = bytes, .len = len};
    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(server->fd, (struct sockaddr *)&addr, size), 0);
    ck_assert_int_eq(listen(server->fd, 64), 0);
    ck_assert_int_eq(getsockname(server->fd, (struct sockaddr *)&addr, &size), 0);
    snprintf(server->url, sizeof server->url, "http://127.0.0.1:%d/x", ntohs(addr.sin_port));
    ck_assert_int_eq(pthread_create(&server->thread, NULL, http_thread_main, server), 0);
}

static inline void http_thread_stop(struct http_thread *server)
{
    shutdown(server->fd, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->fd);
}
