/* Measures the runtime: prints "name value unit" lines (./dev bench coro).
 *
 *   coro_bench [FIGURE...]     switch, yield, ...; without: all
 *
 * Each figure is the median of several rounds.  coro.echo is a ratio of CPU
 * time per message: the runtime's echo server against a bare epoll one, each
 * in a child process of its own, driven by the same client, rounds
 * interleaved. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "coro/base/attr.h"
#include "coro/base/clock.h"
#include "coro/inspect.h"
#include "coro/io.h"
#include "coro/switch.h"
#include "coro/sync.h"

#define ROUNDS 9

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof(*values), by_value);
    return values[n / 2];
}

static void report(const char *name, double value, const char *unit)
{
    printf("%s %.2f %s\n", name, value, unit);
    fflush(stdout);
}

/* ---- raw switch ---- */

#define SWITCHES 2000000

static struct co_context here, there;

static void bounce(void)
{
    coro_context_entered(&there);
    for (;;)
        coro_context_switch(&there, &here);
}

static double switch_ns(void)
{
    static char stack[65536] __attribute__((aligned(4096)));
    coro_context_adopt(&here);
    coro_context_init(&there, stack, sizeof(stack), bounce);
    int64_t start_ns = clock_now_ns();
    for (int i = 0; i < SWITCHES / 2; i++)
        coro_context_switch(&here, &there);
    double ns = (double)(clock_now_ns() - start_ns) / SWITCHES;
    coro_context_fini(&there);
    return ns;
}

/* ---- scheduler ---- */

#define YIELDERS 4
#define YIELDS   500000

static double measured;

static int yielder(void *arg)
{
    (void)arg;
    for (int i = 0; i < YIELDS; i++)
        if (co_yield () < 0)
            return -1;
    return 0;
}

static int yield_main(void *arg)
{
    (void)arg;
    struct co_task *tasks[YIELDERS];
    int64_t start_ns = clock_now_ns();
    for (int i = 0; i < YIELDERS; i++)
        tasks[i] = co_spawn(yielder, NULL);
    for (int i = 0; i < YIELDERS; i++)
        if (co_join(tasks[i], CO_NO_DEADLINE, NULL) < 0)
            return -1;
    measured = (double)(clock_now_ns() - start_ns) / (YIELDERS * YIELDS);
    return 0;
}

#define SPAWNS 500000

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int spawn_main(void *arg)
{
    (void)arg;
    int64_t start_ns = clock_now_ns();
    for (int i = 0; i < SPAWNS; i++)
        if (co_join(co_spawn(nothing, NULL), CO_NO_DEADLINE, NULL) < 0)
            return -1;
    measured = (double)(clock_now_ns() - start_ns) / SPAWNS;
    return 0;
}

/* ---- channel ---- */

#define MESSAGES 500000

static int chan_source(void *arg)
{
    for (uintptr_t i = 0; i < MESSAGES; i++)
        if (co_chan_send(arg, &i, CO_NO_DEADLINE) < 0)
            return -1;
    return 0;
}

/* A channel without capacity: every message is a meeting of two tasks. */
static int chan_main(void *arg)
{
    (void)arg;
    struct co_chan *chan = co_chan_new(sizeof(uintptr_t), 0);
    uintptr_t item;
    int64_t start_ns = clock_now_ns();
    struct co_task *source = co_spawn(chan_source, chan);
    for (uintptr_t i = 0; i < MESSAGES; i++)
        if (co_chan_recv(chan, &item, CO_NO_DEADLINE) < 0 || item != i)
            return -1;
    measured = (double)(clock_now_ns() - start_ns) / MESSAGES;
    int rv = co_join(source, CO_NO_DEADLINE, NULL);
    co_chan_free(chan);
    return rv;
}

/* ---- a million tasks ---- */

#define MILLION 1000000

static int64_t resident_bytes(void)
{
    char text[128] = "";
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    long long pages = 0;
    if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0 || sscanf(text, "%*d %lld", &pages) != 1)
        die("statm");
    close(fd);
    return pages * 4096;
}

static int long_sleeper(void *arg)
{
    return co_event_wait(arg, co_now() + 3600 * NS_PER_S);
}

static int million_main(void *arg)
{
    (void)arg;
    struct co_task **tasks = malloc(MILLION * sizeof(struct co_task *));
    struct co_counts counts;
    struct co_event over;
    if (tasks == NULL)
        return -ENOMEM;
    memset(tasks, 1, MILLION * sizeof(struct co_task *));
    co_event_init(&over);
    int64_t before = resident_bytes();
    for (int i = 0; i < MILLION; i++)
        if ((tasks[i] = co_spawn(long_sleeper, &over)) == NULL)
            return -ENOMEM;
    if (co_yield () < 0)
        return -1;
    while (co_counts(&counts) == 0 && counts.ready > 0)
        if (co_yield () < 0)
            return -1;
    measured = (double)(resident_bytes() - before) / MILLION;
    if (co_counts(&counts) < 0 || counts.ready != 0 || counts.alive != MILLION + 1 ||
        counts.unguarded != 0)
        return -EIO;
    co_event_set(&over);
    for (int i = 0; i < MILLION; i++) {
        int result;
        if (co_join(tasks[i], CO_NO_DEADLINE, &result) < 0 || result < 0)
            return -1;
    }
    free(tasks);
    return 0;
}

/* The yield, spawn and channel figures are those of a loop that keeps no accounts. */
static const struct co_options unaccounted = {.is_unaccounted = true};
/* To spawn a million at once is to block the loop. */
static const struct co_options unwatched = {.watchdog_ns = -1};

static double in_loop(co_fn *fn, const struct co_options *options)
{
    if (co_run(fn, NULL, options) != 0)
        die("co_run");
    return measured;
}

/* ---- echo ---- */

#define ECHO_CONNS    50
#define ECHO_MESSAGES 60000
#define ECHO_BYTES    64

static int listen_on(struct sockaddr_in *ret_addr)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    socklen_t len = sizeof(*ret_addr);
    *ret_addr =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (fd < 0 || bind(fd, (struct sockaddr *)ret_addr, len) < 0 || listen(fd, 512) < 0 ||
        getsockname(fd, (struct sockaddr *)ret_addr, &len) < 0)
        die("listen");
    return fd;
}

static int echo_conn(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char buf[4096];
    ssize_t n;
    while ((n = co_read(fd, buf, sizeof(buf), CO_NO_DEADLINE)) > 0)
        if (co_write(fd, buf, (size_t)n, CO_NO_DEADLINE) < 0)
            break;
    return co_close(fd);
}

static int echo_listen(void *arg)
{
    for (;;) {
        int fd = co_accept((int)(intptr_t)arg, NULL, NULL, CO_NO_DEADLINE);
        if (fd < 0)
            return fd;
        co_detach(co_spawn(echo_conn, (void *)(intptr_t)fd));
    }
}

static void serve_coro(int listen_fd)
{
    co_run(echo_listen, (void *)(intptr_t)listen_fd, NULL);
}

static void serve_epoll(int listen_fd)
{
    int ep = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listen_fd}, events[64];
    if (ep < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, listen_fd, &event) < 0)
        die("epoll");
    for (;;) {
        int n = epoll_wait(ep, events, 64, -1);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == listen_fd) {
                fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
                event = (struct epoll_event){.events = EPOLLIN | EPOLLET, .data.fd = fd};
                if (fd >= 0 && epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event) < 0)
                    die("epoll_ctl");
                continue;
            }
            char buf[4096];
            ssize_t got = read(fd, buf, sizeof(buf));
            if (got <= 0 || send(fd, buf, (size_t)got, MSG_NOSIGNAL) != got)
                close(fd);
        }
    }
}

/* One message outstanding per connection, plain epoll: the same for both servers. */
static void drive(const struct sockaddr_in *addr, int messages)
{
    int ep = epoll_create1(EPOLL_CLOEXEC);
    char buf[4096] = {0};
    for (int i = 0; i < ECHO_CONNS; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0)
            die("connect");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event) < 0 || write(fd, buf, ECHO_BYTES) < 0)
            die("drive");
    }
    struct epoll_event events[64];
    for (int done = 0; done < messages;) {
        int n = epoll_wait(ep, events, 64, -1);
        for (int i = 0; i < n; i++, done++)
            if (read(events[i].data.fd, buf, sizeof(buf)) <= 0 ||
                write(events[i].data.fd, buf, ECHO_BYTES) < 0)
                die("message");
    }
    close(ep);
}

/* CPU microseconds of the server per message. */
static double echo_us(void (*serve)(int))
{
    struct sockaddr_in addr;
    int listen_fd = listen_on(&addr);
    pid_t server = fork();
    if (server < 0)
        die("fork");
    if (server == 0) {
        serve(listen_fd);
        _exit(0);
    }
    close(listen_fd);
    pid_t client = fork();
    if (client == 0) {
        drive(&addr, ECHO_MESSAGES);
        _exit(0);
    }
    int status;
    if (client < 0 || waitpid(client, &status, 0) < 0 || status != 0)
        die("client");
    struct rusage usage;
    kill(server, SIGKILL);
    if (wait4(server, &status, 0, &usage) < 0)
        die("wait4");
    return ((double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
            (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec)) /
           ECHO_MESSAGES;
}

static void report_echo(void)
{
    double values[ROUNDS], base[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        base[i] = echo_us(serve_epoll);
        values[i] = echo_us(serve_coro) / base[i];
    }
    report("coro.echo_base", median(base, ROUNDS), "us");
    report("coro.echo", median(values, ROUNDS), "x");
}

static void report_switch(void)
{
    double values[ROUNDS];
    for (int i = 0; i < ROUNDS; i++)
        values[i] = switch_ns();
    report("coro.switch", median(values, ROUNDS), "ns");
}

static void report_loops(const char *name, co_fn *fn, const struct co_options *options)
{
    double values[ROUNDS];
    for (int i = 0; i < ROUNDS; i++)
        values[i] = in_loop(fn, options);
    report(name, median(values, ROUNDS), "ns");
}

/* Is the figure among those asked for?  None asked for: all are. */
static bool is_asked(char *const *names, const char *name)
{
    bool is_any = *names != NULL;
    while (*names != NULL)
        if (strcmp(*names++, name) == 0)
            return true;
    return !is_any;
}

int main(int argc, char **argv)
{
    char **names = argv + (argc > 0);
    if (is_asked(names, "switch"))
        report_switch();
    if (is_asked(names, "yield"))
        report_loops("coro.yield", yield_main, &unaccounted);
    if (is_asked(names, "yield_accounted"))
        report_loops("coro.yield_accounted", yield_main, NULL);
    if (is_asked(names, "spawn_join"))
        report_loops("coro.spawn_join", spawn_main, &unaccounted);
    if (is_asked(names, "channel"))
        report_loops("coro.channel", chan_main, &unaccounted);
    if (is_asked(names, "echo"))
        report_echo();
    if (is_asked(names, "million"))
        report("coro.million", in_loop(million_main, &unwatched), "bytes");
    return 0;
}
