/* Workers: a shared listener's connections go round, a drain takes what is queued. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "coro/base/log.h"
#include "server/metrics/metrics.h"
#include "server/mode/coroutine.h"
#include "suite.h"
#include "test_app.h"

#define WORKERS 3

static struct http_app app;
static struct http_limits limits;
static struct config cfg;
static struct mode_server server;
static char folder[32], list[64], error[LISTEN_ERROR_BYTES];

static void start(bool is_inherited)
{
    log_init("test", LOG_ERROR);
    test_app_init(&app, &limits);
    app.hooks = (struct http_hooks){0}; /* which are for one thread */
    ck_assert_int_eq(cfg_init(&cfg), 0);
    ck_assert_int_eq(metrics_init(WORKERS + 1), 0);
    snprintf(folder, sizeof folder, "/tmp/test_worker.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(list, sizeof list, "unix:%s/socket", folder);
    server =
        (struct mode_server){.ops = &mode_coroutine, .app = &app, .cfg = &cfg, .workers = WORKERS};
    server.wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    ck_assert_int_eq(listen_set_open(&server.listeners, list, 64, error), 0);
    server.listeners.items[0].is_inherited = is_inherited;
    ck_assert_int_eq(mode_coroutine.start(&server), 0);
}

/* Drain to the end; the workers' own listeners are closed then. */
static void drain(void)
{
    mode_coroutine.drain(&server);
    for (int tries = 0; !mode_coroutine.is_finished(&server); tries++) {
        ck_assert_int_lt(tries, 10000);
        usleep(2000);
    }
    mode_coroutine.finish(&server);
    ck_assert(!server.has_failed);
    close(server.wake_fd);
    metrics_fini();
    cfg_fini(&cfg);
}

static void remove_folder(void)
{
    unlink(strchr(list, ':') + 1);
    ck_assert_int_eq(rmdir(folder), 0);
}

static int connect_unix(const struct listener *l)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(fd, (const struct sockaddr *)&l->addr, l->len), 0);
    return fd;
}

static uint64_t idle_at(unsigned i)
{
    const struct coroutine_mode *m = server.state;
    return metrics_read_slot(m->workers[i].slot, METRICS_IDLE);
}

START_TEST(connections_of_a_shared_listener_go_round)
{
    enum { EACH = 4 };
    int fds[WORKERS * EACH];
    start(false);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        fds[i] = connect_unix(&server.listeners.items[0]);
    for (int tries = 0; metrics_read(METRICS_IDLE) < ARRAY_LEN(fds); tries++) {
        ck_assert_int_lt(tries, 10000);
        usleep(2000);
    }
    for (unsigned i = 0; i < WORKERS; i++)
        ck_assert_uint_eq(idle_at(i), EACH);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        close(fds[i]);
    drain();
    remove_folder();
}
END_TEST

static void nothing(void *arg)
{
    (void)arg;
}

START_TEST(a_worker_that_has_ended_takes_nothing)
{
    struct worker w = {.port = NULL};
    pthread_mutex_init(&w.port_lock, NULL);
    ck_assert_int_eq(coroutine_post(&w, nothing, NULL), -ESHUTDOWN);
    pthread_mutex_destroy(&w.port_lock);
}
END_TEST

/* Taken until the drain begins; then they are the next owner's. */
START_TEST(an_inherited_listener_outlives_the_drain)
{
    start(true);
    struct listener kept = server.listeners.items[0];
    kept.fd = fcntl(kept.fd, F_DUPFD_CLOEXEC, 3); /* as systemd has it */
    ck_assert_int_ge(kept.fd, 0);
    close(connect_unix(&kept));
    drain();
    int client = connect_unix(&kept);
    ck_assert_int_eq(listen_queue_len(kept.fd), 1);
    close(client);
    close(kept.fd);
    remove_folder();
}
END_TEST

SUITE_MAIN("coroutine_worker", SUITE_TEST(connections_of_a_shared_listener_go_round),
           SUITE_TEST(a_worker_that_has_ended_takes_nothing),
           SUITE_TEST(an_inherited_listener_outlives_the_drain))
