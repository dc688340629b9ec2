/* tests/lib/mode_server.h - a mode in a process of its own, and clients for it.
 *
 *     struct served s = served_start(&mode_thread, "max-threads", "2", NULL);
 *     int fd = served_connect(&s);
 *     ck_assert_int_eq(served_ask(fd, "/pid", answer), 200);
 *     ck_assert_int_eq(served_stop(&s), 0); */
#pragma once

#include <arpa/inet.h>
#include <check.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "coro/base/log.h"
#include "server/metrics/metrics.h"
#include "server/mode/mode.h"

#define SERVED_ANSWER 4096

struct served {
    pid_t pid;
    int port;
};

/* Who answers: "PROCESS THREAD\n". */
static void served_pid(struct http_request *req, struct http_response *res)
{
    char text[64];
    (void)req;
    int len = snprintf(text, sizeof text, "%d %ld\n", (int)getpid(), syscall(SYS_gettid));
    http_answer(res, 200, HTTP_TYPE_TEXT, text, (size_t)len);
}

static const struct http_route served_routes[] = {{"/pid", "GET", served_pid, 0}};

static void served_nothing(void *arg)
{
    (void)arg;
}

static inline int served_reopen(void *arg)
{
    (void)arg;
    return 0;
}

static inline NORETURN void served_main(const struct mode_ops *ops, struct config *cfg, int tell)
{
    static struct mode_server server;
    char error[LISTEN_ERROR_BYTES];
    struct http_app *app =
        mmap(NULL, sizeof *app, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (app == MAP_FAILED || metrics_init(64) < 0)
        _exit(99);
    app->routes = served_routes;
    app->route_count = ARRAY_LEN(served_routes);
    atomic_store(&app->limits, &http_limits_default);
    server = (struct mode_server){
        .ops = ops,
        .app = app,
        .cfg = cfg,
        .hooks = {NULL, served_nothing, served_nothing, served_reopen},
    };
    log_init("test", LOG_ERROR);
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* when the test fails */
    mode_hold_signals(true);
    if (listen_set_open(&server.listeners, cfg->listen, (int)cfg->backlog, error) < 0)
        _exit(98);
    const struct sockaddr_in *addr = (const struct sockaddr_in *)&server.listeners.items[0].addr;
    int port = ntohs(addr->sin_port);
    if (write(tell, &port, sizeof port) != sizeof port)
        _exit(97);
    int rv = mode_run(&server);
    listen_set_fini(&server.listeners);
    _exit(rv < 0 ? 1 : 0);
}

/* Parameters: name, value, ..., NULL. */
static inline struct served served_start(const struct mode_ops *ops, ...)
{
    struct config cfg;
    struct cfg_error error;
    struct cfg_origin flag = {.source = CFG_FROM_FLAG};
    va_list args;
    int tell[2];
    struct served s = {0};
    ck_assert_int_eq(cfg_init(&cfg), 0);
    ck_assert_int_eq(cfg_set(&cfg, CFG_listen, "127.0.0.1:0", flag, &error), 0);
    va_start(args, ops);
    for (const char *name; (name = va_arg(args, const char *)) != NULL;) {
        int id = cfg_find(name, strlen(name));
        ck_assert_int_ge(id, 0);
        ck_assert_int_eq(cfg_set(&cfg, (enum cfg_id)id, va_arg(args, const char *), flag, &error),
                         0);
    }
    va_end(args);
    ck_assert_int_eq(pipe(tell), 0);
    s.pid = fork();
    if (s.pid == 0)
        served_main(ops, &cfg, tell[1]);
    close(tell[1]);
    ck_assert_int_eq(read(tell[0], &s.port, sizeof s.port), sizeof s.port);
    close(tell[0]);
    cfg_fini(&cfg);
    return s;
}

/* TERM; its exit status, -1: it was killed. */
static inline int served_stop(const struct served *s)
{
    int status;
    kill(s->pid, SIGTERM);
    ck_assert_int_eq(waitpid(s->pid, &status, 0), s->pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static inline int served_connect(const struct served *s)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)s->port),
                               .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct timeval patience = {.tv_sec = 90};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&addr, sizeof addr), 0);
    return fd;
}

static inline void served_send(int fd, const char *target)
{
    char text[200];
    int len = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", target);
    ck_assert_int_eq(send(fd, text, (size_t)len, MSG_NOSIGNAL), len);
}

/* The status of the answer and its whole text; 0: the connection ended. */
static inline int served_receive(int fd, char answer[SERVED_ANSWER])
{
    size_t len = 0;
    int status = 0;
    for (;;) {
        ssize_t n = recv(fd, answer + len, SERVED_ANSWER - 1 - len, 0);
        if (n <= 0)
            return status;
        len += (size_t)n;
        answer[len] = '\0';
        const char *head_end = strstr(answer, "\r\n\r\n");
        const char *length = strcasestr(answer, "content-length: ");
        if (sscanf(answer, "HTTP/1.1 %d", &status) != 1 || head_end == NULL || length == NULL)
            continue;
        if (strlen(head_end + 4) >= strtoul(length + 16, NULL, 10))
            return status;
    }
}

static inline int served_ask(int fd, char answer[SERVED_ANSWER])
{
    served_send(fd, "/pid");
    return served_receive(fd, answer);
}

/* What the answer's body says. */
static inline int served_by(const char *answer, long *ret_thread)
{
    int pid = 0;
    ck_assert_int_eq(sscanf(strstr(answer, "\r\n\r\n") + 4, "%d %ld", &pid, ret_thread), 2);
    return pid;
}

/* Is something there to read (or the end)? */
static inline bool served_is_quiet(int fd, int for_ms)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    return poll(&wait, 1, for_ms) == 0;
}
