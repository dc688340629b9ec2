/* tests/lib/scripted_server.h - a server that does to each connection what a test
 * wants, bytes and faults alike: a thread, blocking calls, one connection at a time
 * or (is_parallel) a thread for each. */
#pragma once

#include <arpa/inet.h>
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Serve connection `number` (from 1); fd is closed afterwards. */
typedef void scripted_serve(int fd, unsigned number);

struct scripted_server {
    scripted_serve *serve;
    bool is_parallel;
    int fd;
    int port;
    pthread_t thread;
    atomic_uint connections;
};

struct scripted_connection {
    scripted_serve *serve;
    int fd;
    unsigned number;
};

static inline void *scripted_connection_main(void *arg)
{
    struct scripted_connection *c = arg;
    c->serve(c->fd, c->number);
    close(c->fd);
    free(c);
    return NULL;
}

static inline void *scripted_main(void *arg)
{
    struct scripted_server *s = arg;
    int fd;
    while ((fd = accept(s->fd, NULL, NULL)) >= 0) {
        struct scripted_connection *c = malloc(sizeof *c);
        ck_assert_ptr_nonnull(c);
        *c = (struct scripted_connection){s->serve, fd, atomic_fetch_add(&s->connections, 1) + 1};
        pthread_t thread;
        if (!s->is_parallel)
            scripted_connection_main(c);
        else if (pthread_create(&thread, NULL, scripted_connection_main, c) == 0)
            pthread_detach(thread);
    }
    return NULL;
}

static inline void scripted_start(struct scripted_server *s, scripted_serve *serve,
                                  bool is_parallel)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof addr;
    *s = (struct scripted_server){.serve = serve, .is_parallel = is_parallel};
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(s->fd, 0);
    ck_assert_int_eq(bind(s->fd, (struct sockaddr *)&addr, len), 0);
    ck_assert_int_eq(listen(s->fd, 128), 0);
    ck_assert_int_eq(getsockname(s->fd, (struct sockaddr *)&addr, &len), 0);
    s->port = ntohs(addr.sin_port);
    ck_assert_int_eq(pthread_create(&s->thread, NULL, scripted_main, s), 0);
}

/* Nobody is accepted any more; connections that stand are left to their scripts. */
static inline void scripted_stop(struct scripted_server *s)
{
    shutdown(s->fd, SHUT_RDWR); /* wakes accept */
    pthread_join(s->thread, NULL);
    close(s->fd);
}

/* ---- pieces of scripts ---- */

/* Read one head, with a NUL behind it; false: the peer has gone. */
static inline bool scripted_read_head(int fd, char *head, size_t cap)
{
    size_t n = 0;
    while (n + 1 < cap) {
        ssize_t rv = recv(fd, head + n, cap - 1 - n, 0);
        if (rv <= 0)
            return false;
        n += (size_t)rv;
        head[n] = '\0';
        if (n >= 4 && strcmp(head + n - 4, "\r\n\r\n") == 0)
            return true;
    }
    return false;
}

static inline bool scripted_read(int fd)
{
    char head[4096];
    return scripted_read_head(fd, head, sizeof head);
}

/* False: the peer has gone. */
static inline bool scripted_send_bytes(int fd, const char *at, size_t n)
{
    for (size_t sent = 0; sent < n;) {
        ssize_t rv = send(fd, at + sent, n - sent, MSG_NOSIGNAL);
        if (rv < 0)
            return false;
        sent += (size_t)rv;
    }
    return true;
}

static inline void scripted_send(int fd, const char *text)
{
    (void)scripted_send_bytes(fd, text, strlen(text));
}

/* Everything that comes, until the peer has gone. */
static inline void scripted_swallow(int fd)
{
    char bytes[4096];
    while (recv(fd, bytes, sizeof bytes, 0) > 0)
        continue;
}

/* The peer sees a reset instead of an end. */
static inline void scripted_reset(int fd)
{
    const struct linger at_once = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}
