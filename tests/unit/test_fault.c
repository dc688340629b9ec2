/* A program that uses each part of the runtime, with each call that can fail
 * failing in turn: it ends with an error code or without one, gives all memory,
 * mappings and descriptors back, and the next loop works. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>

#include "coro/inspect.h"
#include "coro/io.h"
#include "coro/offload.h"
#include "coro/resolve.h"
#include "coro/signal.h"
#include "coro/sync.h"
#include "dump.h"
#include "fault.h"

/* ---- a program that uses everything ---- */

static int give(void *arg)
{
    (void)arg;
    return 0;
}

static int receiver(void *arg)
{
    int item;
    while (co_chan_recv(arg, &item, CO_NO_DEADLINE) == 0)
        ;
    return 0;
}

static int use_channels(void)
{
    struct co_chan *chan = co_chan_new(sizeof(int), 2);
    struct co_queue *queue = co_queue_new(0);
    struct co_group group;
    int item = 1, rv = -ENOMEM;
    co_group_init(&group, 2, 0);
    if (chan == NULL || queue == NULL)
        goto out;
    rv = co_group_spawn(&group, receiver, chan, CO_NO_DEADLINE);
    for (int i = 0; i < 20 && rv == 0; i++)
        rv = co_queue_put(queue, &item, CO_NO_DEADLINE);
    if (rv == 0)
        rv = co_chan_send(chan, &item, co_after(NS_PER_S));
    co_chan_close(chan);
out:
    co_group_close(&group);
    co_chan_free(chan);
    co_queue_free(queue);
    return rv;
}

static int on_parked(void *arg, int why)
{
    char c;
    int rv = why < 0 ? why : (int)co_read((int)(intptr_t)arg, &c, 1, co_after(NS_PER_S));
    (void)rv;
    return 0;
}

static int use_sockets(void)
{
    int pair[2];
    char c;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    int rv = (int)co_read(pair[0], &c, 1, co_after(NS_PER_MS));
    if (rv == -ETIMEDOUT)
        rv = co_park_fd(pair[0], co_after(NS_PER_S), on_parked, (void *)(intptr_t)pair[0]);
    if (rv == 0)
        rv = (int)co_write(pair[1], "x", 1, co_after(NS_PER_S));
    if (rv == 1)
        rv = co_sleep(5 * NS_PER_MS);
    if (rv == 0)
        rv = co_wait_fd(pair[1], CO_WRITABLE, co_after(NS_PER_S));
    if (rv > 0)
        rv = co_wait_fd(pair[1], CO_READABLE, co_after(NS_PER_MS));
    co_close(pair[0]), co_close(pair[1]);
    return rv == -ETIMEDOUT ? 0 : rv;
}

static int use_threads(void)
{
    int result;
    return co_offload(give, NULL, NULL, co_after(5 * NS_PER_S), &result);
}

static int use_names(void)
{
    struct addrinfo *list = NULL;
    struct addrinfo hints = {.ai_flags = AI_V4MAPPED}; /* by the system's resolver */
    int rv = co_resolve("localhost", "80", NULL, co_after(5 * NS_PER_S), &list);
    co_resolve_free(list);
    list = NULL;
    if (rv == 0)
        rv = co_resolve("localhost", "80", &hints, co_after(5 * NS_PER_S), &list);
    co_resolve_free(list);
    return rv;
}

/* A server that does not answer. */
static int use_dns(void)
{
    char text[40];
    struct addrinfo *list = NULL;
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    fault_must(bind(fd, (struct sockaddr *)&addr, len) == 0);
    fault_must(getsockname(fd, (struct sockaddr *)&addr, &len) == 0);
    snprintf(text, sizeof(text), "127.0.0.1:%d", ntohs(addr.sin_port));
    int rv = co_resolve_servers(text);
    if (rv == 0)
        rv = co_resolve("name.test.", "80", NULL, co_after(NS_PER_MS), &list);
    close(fd);
    return rv == -ETIMEDOUT ? 0 : rv;
}

static int use_tcp(void)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    int listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    fault_must(bind(listen_fd, (struct sockaddr *)&addr, len) == 0);
    fault_must(listen(listen_fd, 4) == 0);
    fault_must(getsockname(listen_fd, (struct sockaddr *)&addr, &len) == 0);
    int rv = co_connect(client, (struct sockaddr *)&addr, len, co_after(NS_PER_S));
    if (rv == 0)
        rv = co_accept(listen_fd, NULL, NULL, co_after(5 * NS_PER_MS));
    if (rv >= 0) {
        char c;
        int fd = rv;
        rv = (int)co_write(client, "x", 1, co_after(NS_PER_S));
        if (rv == 1)
            rv = (int)co_read(fd, &c, 1, co_after(NS_PER_S));
        co_close(fd);
    }
    co_close(client), co_close(listen_fd);
    return rv == 1 ? 0 : rv;
}

static int use_signals(void)
{
    struct co_signals signals;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    int rv = co_signals_open(&signals, &set);
    if (rv < 0)
        return rv;
    rv = co_signals_wait(&signals, co_after(NS_PER_MS));
    co_signals_close(&signals);
    return rv == -ETIMEDOUT ? 0 : rv;
}

static int use_reports(void)
{
    static const struct co_local local = {free};
    struct buf text;
    buf_init(&text, 1 << 20);
    int rv = dump_all(&text, CO_DUMP_JSON, co_after(5 * NS_PER_S));
    buf_fini(&text);
    return rv < 0 ? rv : co_local_set(&local, NULL);
}

static int everything(void *arg)
{
    static int (*const parts[])(void) = {use_channels, use_sockets, use_tcp,     use_threads,
                                         use_names,    use_dns,     use_signals, use_reports};
    int first = 0;
    (void)arg;
    /* whatever fails, the next part works */
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        int rv = parts[i]();
        if (rv < 0 && first == 0)
            first = rv;
    }
    return first;
}

/* ---- */

static const struct co_options unwatched = {.watchdog_ns = -1};

static int run_everything(void *arg)
{
    return co_run(everything, arg, &unwatched);
}

static int run_nothing(void *arg)
{
    return co_run(give, arg, &unwatched);
}

START_TEST(scenario_30_each_failing_call_ends_in_an_error_and_leaks_nothing)
{
    struct fault_counts counts = fault_each(run_everything, NULL, run_nothing, FAULT_ONCE);
    ck_assert_int_gt(counts.calls, 120);
    ck_assert_int_gt(counts.errors, 60);
}
END_TEST

START_TEST(scenario_30_nothing_works_from_some_call_on)
{
    struct fault_counts counts = fault_each(run_everything, NULL, run_nothing, FAULT_LASTING);
    ck_assert_int_gt(counts.calls, 100);
    ck_assert_int_gt(counts.errors, 100);
}
END_TEST

static int offload_once(void *arg)
{
    (void)arg;
    int result;
    return co_offload(give, NULL, NULL, co_after(5 * NS_PER_S), &result);
}

/* First: threads of the pool live on for a while, and are not started anew. */
START_TEST(no_thread_can_be_started)
{
    fault.only = "pthread_create";
    fault.calls = 0;
    fault.at = 1;
    ck_assert_int_eq(co_run(offload_once, NULL, &unwatched), -EAGAIN);
    ck_assert_str_eq(fault.failed, "pthread_create");
    ck_assert_int_eq(co_run(offload_once, NULL, &unwatched), 0);
    /* without a watchdog tasks run all the same */
    fault.calls = 0;
    ck_assert_int_eq(co_run(give, NULL, NULL), 0);
    ck_assert_int_eq(fault.calls, 1);
    fault.at = 0;
    fault.only = NULL;
}
END_TEST

FAULTS_MAIN("fault", SUITE_TEST(no_thread_can_be_started),
            SUITE_TEST(scenario_30_each_failing_call_ends_in_an_error_and_leaks_nothing),
            SUITE_TEST(scenario_30_nothing_works_from_some_call_on))
