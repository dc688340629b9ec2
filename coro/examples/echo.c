/* An echo server: one task per connection, ended by SIGINT or SIGTERM.
 *
 *   cc echo.c $(pkg-config --cflags --libs coro) && ./a.out 7000
 *
 * Without a port the system picks one. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coro/io.h"
#include "coro/signal.h"

static int serve(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char buf[4096];
    ssize_t n;
    /* A silent client is let go after a minute. */
    while ((n = co_read(fd, buf, sizeof buf, co_after(60 * CO_NS_PER_S))) > 0)
        if ((n = co_write(fd, buf, (size_t)n, co_after(60 * CO_NS_PER_S))) < 0)
            break;
    co_close(fd);
    return (int)n;
}

static int accept_all(void *arg)
{
    int listener = *(int *)arg;
    for (;;) {
        int fd = co_accept(listener, NULL, NULL, CO_NO_DEADLINE);
        if (fd < 0)
            return fd; /* -EBADF: closed, we are asked to end */
        struct co_task *task = co_spawn(serve, (void *)(intptr_t)fd);
        if (task == NULL)
            co_close(fd); /* no memory for this one; the others go on */
        else
            co_detach(task);
    }
}

static int run(void *arg)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)(uintptr_t)arg),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof addr;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&addr, len) < 0 ||
        listen(listener, 128) < 0 || getsockname(listener, (struct sockaddr *)&addr, &len) < 0) {
        perror("echo");
        return 1;
    }
    struct co_signals signals;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    if (co_signals_open(&signals, &set) < 0)
        return 1;
    struct co_task *acceptor = co_spawn(accept_all, &listener);
    printf("listening on 127.0.0.1:%d\n", ntohs(addr.sin_port));
    fflush(stdout);
    int signo = co_signals_wait(&signals, CO_NO_DEADLINE);
    printf("%s: ending\n", strsignal(signo));
    co_close(listener); /* wakes the acceptor, which ends */
    if (acceptor != NULL)
        co_detach(acceptor); /* nobody asks how it ended */
    co_signals_close(&signals);
    /* The end of the loop cancels the connections that are left, and waits for them. */
    return 0;
}

int main(int argc, char **argv)
{
    return co_run(run, (void *)(uintptr_t)(argc > 1 ? atoi(argv[1]) : 0), NULL);
}
