/* One connection against a server that follows a script: what becomes of each request. */
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>

#include "load_rig.h"
#include "loadgen/worker.h"
#include "suite.h"

#define OK          "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define BODY_BYTES  (8 << 20)
#define TIMEOUT_NS  (150 * NS_PER_MS)
#define SHORT_PAUSE 2000 /* us */

/* ---- scripts ---- */

static void good(int fd, unsigned number MAYBE_UNUSED)
{
    while (scripted_read(fd))
        scripted_send(fd, OK);
}
static void byte_by_byte(int fd, unsigned number MAYBE_UNUSED)
{
    while (scripted_read(fd))
        for (const char *at = OK; *at != '\0'; at++)
            (void)!send(fd, at, 1, MSG_NOSIGNAL);
}
static void once(int fd, unsigned number MAYBE_UNUSED)
{
    if (scripted_read(fd))
        scripted_send(fd, OK);
}
static void once_and_says_so(int fd, unsigned number MAYBE_UNUSED)
{
    if (scripted_read(fd))
        scripted_send(fd, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
    scripted_swallow(fd);
}
static void until_the_end(int fd, unsigned number MAYBE_UNUSED)
{
    if (scripted_read(fd))
        scripted_send(fd, "HTTP/1.1 200 OK\r\n\r\nas long as it takes");
}
static void interim_first(int fd, unsigned number MAYBE_UNUSED)
{
    while (scripted_read(fd)) {
        scripted_send(fd, "HTTP/1.1 100 Continue\r\n\r\n");
        usleep(SHORT_PAUSE);
        scripted_send(fd, OK);
    }
}
static void more_than_asked(int fd, unsigned number MAYBE_UNUSED)
{
    if (scripted_read(fd))
        scripted_send(fd, OK OK);
    scripted_swallow(fd);
}
static void closes(int fd, unsigned number MAYBE_UNUSED)
{
    (void)scripted_read(fd);
}
static void resets(int fd, unsigned number MAYBE_UNUSED)
{
    (void)scripted_read(fd);
    scripted_reset(fd);
}
static void half_a_head(int fd, unsigned number MAYBE_UNUSED)
{
    if (scripted_read(fd))
        scripted_send(fd, "HTTP/1.1 200 OK\r\nConte");
}
static void half_a_body(int fd, unsigned number MAYBE_UNUSED)
{
    if (scripted_read(fd))
        scripted_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc");
}
static void half_a_chunk(int fd, unsigned number MAYBE_UNUSED)
{
    if (scripted_read(fd))
        scripted_send(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab");
}
static void garbage(int fd, unsigned number MAYBE_UNUSED)
{
    if (scripted_read(fd))
        scripted_send(fd, "SSH-2.0-OpenSSH_9.2\r\n");
}
static void tls_alert(int fd, unsigned number MAYBE_UNUSED)
{
    if (scripted_read(fd))
        (void)!send(fd, "\x15\x03\x01\x00\x02\x02\x46", 7, MSG_NOSIGNAL);
}
static void endless_head(int fd, unsigned number MAYBE_UNUSED)
{
    if (!scripted_read(fd))
        return;
    scripted_send(fd, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 20000; i++)
        scripted_send(fd, "X-Y: 0123456789\r\n");
}
static void refuses(int fd, unsigned number MAYBE_UNUSED)
{
    while (scripted_read(fd))
        scripted_send(fd, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
}
static void is_silent(int fd, unsigned number MAYBE_UNUSED)
{
    scripted_swallow(fd);
}

static void half_and_waits(int fd, unsigned number MAYBE_UNUSED)
{
    if (scripted_read(fd))
        scripted_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc");
    scripted_swallow(fd);
}

static const struct {
    scripted_serve *serve;
    enum lg_outcome outcome; /* of all requests */
    unsigned connects;
    const char *why; /* the beginning of the reason; NULL: none */
} scripts[] = {
    {good, LG_OK, 1, NULL},
    {byte_by_byte, LG_OK, 1, NULL},
    {once_and_says_so, LG_OK, 4, NULL},
    {until_the_end, LG_OK, 4, NULL},
    {interim_first, LG_OK, 1, NULL},
    {more_than_asked, LG_OK, 4, NULL},
    {closes, LG_CLOSED, 4, NULL},
    {resets, LG_RESET, 4, "Connection reset"},
    {half_a_head, LG_HALF, 4, NULL},
    {half_a_body, LG_HALF, 4, NULL},
    {half_a_chunk, LG_HALF, 4, NULL},
    {garbage, LG_MALFORMED, 4, "invalid"},
    {tls_alert, LG_MALFORMED, 4, "it speaks TLS"},
    {endless_head, LG_MALFORMED, 4, "too many header bytes"},
    {refuses, LG_STATUS, 1, NULL},
    {is_silent, LG_TIMEOUT, 4, "nothing came"},
    {half_and_waits, LG_TIMEOUT, 4, "it had begun"},
};

static void run_worker(struct load_rig *rig, struct lg_worker *ret_worker)
{
    static bool stop;
    int done_fd = eventfd(0, EFD_CLOEXEC);
    ck_assert_int_eq(lg_worker_init(ret_worker, &rig->load, 0, clock_now_ns(), &stop), 0);
    ret_worker->done_fd = done_fd;
    lg_worker_main(ret_worker);
    close(done_fd);
    ck_assert_int_eq(ret_worker->result, 0);
    ck_assert(lg_record_is_true(&ret_worker->record));
}

START_TEST(every_request_ends_as_the_script_says)
{
    struct load_rig rig;
    struct lg_worker w;
    rig_begin(&rig, scripts[_i].serve, NULL);
    rig.load.requests_max = 4;
    if (scripts[_i].outcome == LG_TIMEOUT)
        rig.load.timeout_ns = TIMEOUT_NS;
    run_worker(&rig, &w);
    const char *why = w.record.first_why[scripts[_i].outcome];
    ck_assert_uint_eq(w.record.sent, 4);
    ck_assert_uint_eq(w.record.outcomes[scripts[_i].outcome], 4);
    ck_assert_uint_eq(w.record.connects, scripts[_i].connects);
    if (scripts[_i].why == NULL)
        ck_assert_ptr_null(why);
    else
        ck_assert_int_eq(strncmp(why, scripts[_i].why, strlen(scripts[_i].why)), 0);
    lg_worker_fini(&w);
    rig_end(&rig);
}
END_TEST

/* The connection that a server has closed without a word is found out by the next request. */
START_TEST(a_kept_connection_that_was_closed)
{
    struct load_rig rig;
    struct lg_worker w;
    rig_begin(&rig, once, NULL);
    rig.load.requests_max = 10;
    run_worker(&rig, &w);
    const uint64_t *n = w.record.outcomes;
    ck_assert_uint_ge(n[LG_OK], 5);
    ck_assert_uint_eq(n[LG_OK] + n[LG_CLOSED] + n[LG_RESET] + n[LG_WRITE], 10);
    lg_worker_fini(&w);
    rig_end(&rig);
}
END_TEST

/* ---- an answer that does not wait for the whole request ---- */

static void refuses_and_closes(int fd, unsigned number MAYBE_UNUSED)
{
    char bytes[100];
    if (recv(fd, bytes, sizeof bytes, 0) > 0)
        scripted_send(fd,
                      "HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
}
/* Until the client has gone, and without reading more. */
static void refuses_and_stays(int fd, unsigned number)
{
    struct pollfd gone = {.fd = fd, .events = POLLRDHUP};
    refuses_and_closes(fd, number);
    poll(&gone, 1, -1);
}
static void invites_and_reads(int fd, unsigned number MAYBE_UNUSED)
{
    char bytes[65536];
    size_t left = BODY_BYTES;
    scripted_send(fd, "HTTP/1.1 100 Continue\r\n\r\n");
    usleep(30 * SHORT_PAUSE);
    for (ssize_t n; left > 0 && (n = recv(fd, bytes, sizeof bytes, 0)) > 0;)
        left -= (size_t)n < left ? (size_t)n : left;
    scripted_send(fd, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    scripted_swallow(fd);
}
static void breaks_off(int fd, unsigned number MAYBE_UNUSED)
{
    char bytes[100];
    (void)!recv(fd, bytes, sizeof bytes, 0);
}

static const struct {
    scripted_serve *serve;
    enum lg_outcome outcome;
    int status;
} early[] = {
    {refuses_and_closes, LG_STATUS, 413}, {refuses_and_stays, LG_STATUS, 413},
    {invites_and_reads, LG_OK, 200},      {breaks_off, LG_WRITE, 0},
    {is_silent, LG_TIMEOUT, 0},
};

START_TEST(a_large_request_is_answered_while_it_is_sent)
{
    struct load_rig rig;
    struct lg_worker w;
    char *body = malloc(BODY_BYTES);
    ck_assert_ptr_nonnull(body);
    memset(body, 'x', BODY_BYTES);
    const struct lg_request_shape shape = {
        .method = "POST", .body = body, .body_bytes = BODY_BYTES, .keepalive = true};
    rig_begin(&rig, early[_i].serve, &shape);
    rig.load.requests_max = 2;
    if (early[_i].outcome == LG_TIMEOUT)
        rig.load.timeout_ns = TIMEOUT_NS;
    run_worker(&rig, &w);
    ck_assert_uint_eq(w.record.outcomes[early[_i].outcome], 2);
    if (early[_i].status != 0)
        ck_assert_uint_eq(w.record.statuses[early[_i].status], 2);
    lg_worker_fini(&w);
    rig_end(&rig);
    free(body);
}
END_TEST

/* ---- pipelining ---- */

/* Answers what has come, all at once. */
static void in_batches(int fd, unsigned number MAYBE_UNUSED)
{
    char bytes[65536];
    unsigned seen = 0;
    for (ssize_t n; (n = recv(fd, bytes, sizeof bytes, 0)) > 0;)
        for (ssize_t i = 0; i < n; i++) {
            seen = bytes[i] == (seen % 2 ? '\n' : '\r') ? seen + 1 : 0;
            if (seen == 4)
                scripted_send(fd, OK);
            seen %= 4;
        }
}
static void first_only(int fd, unsigned number MAYBE_UNUSED)
{
    char bytes[65536];
    if (recv(fd, bytes, sizeof bytes, 0) > 0)
        scripted_send(fd, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
}

START_TEST(pipelined_requests_are_all_answered)
{
    struct load_rig rig;
    struct lg_worker w;
    rig_begin(&rig, in_batches, NULL);
    rig.load.pipeline = 16;
    rig.load.requests_max = 100; /* the last batch is smaller */
    run_worker(&rig, &w);
    ck_assert_uint_eq(w.record.outcomes[LG_OK], 100);
    ck_assert_uint_eq(w.record.connects, 1);
    lg_worker_fini(&w);
    rig_end(&rig);
}
END_TEST

START_TEST(those_behind_a_last_answer_are_closed)
{
    struct load_rig rig;
    struct lg_worker w;
    rig_begin(&rig, first_only, NULL);
    rig.load.pipeline = 4;
    rig.load.requests_max = 8;
    run_worker(&rig, &w);
    ck_assert_uint_eq(w.record.outcomes[LG_OK], 2);
    ck_assert_uint_eq(w.record.outcomes[LG_CLOSED] + w.record.outcomes[LG_RESET], 6);
    lg_worker_fini(&w);
    rig_end(&rig);
}
END_TEST

/* ---- connecting ---- */

START_TEST(nobody_listens_any_more)
{
    struct load_rig rig;
    struct lg_worker w;
    rig_begin(&rig, good, NULL);
    scripted_stop(&rig.server);
    rig.load.requests_max = 3;
    run_worker(&rig, &w);
    ck_assert_uint_eq(w.record.outcomes[LG_CONNECT], 3);
    ck_assert_str_eq(w.record.first_why[LG_CONNECT], "Connection refused");
    lg_worker_fini(&w);
    lg_requests_fini(&rig.requests);
    lg_target_fini(&rig.target);
}
END_TEST

/* Its queue is full: the kernel drops what asks for a connection, and the wait for
 * it is a wait like any other. */
START_TEST(a_server_that_does_not_accept)
{
    struct load_rig rig;
    struct lg_worker w;
    int fillers[8], listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof address;
    rig_begin(&rig, good, NULL);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, n), 0);
    ck_assert_int_eq(listen(listener, 0), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &n), 0);
    for (size_t i = 0; i < ARRAY_LEN(fillers); i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)!connect(fillers[i], (struct sockaddr *)&address, n);
    }
    memcpy(&rig.target.addr, &address, sizeof address);
    rig.load.requests_max = 2;
    rig.load.timeout_ns = TIMEOUT_NS;
    run_worker(&rig, &w);
    ck_assert_uint_eq(w.record.outcomes[LG_CONNECT_TIMEOUT], 2);
    ck_assert_uint_eq(w.record.latency.total, 2);
    ck_assert_int_ge(w.record.latency.max_ns, TIMEOUT_NS);
    for (size_t i = 0; i < ARRAY_LEN(fillers); i++)
        close(fillers[i]);
    close(listener);
    lg_worker_fini(&w);
    rig_end(&rig);
}
END_TEST

START_TEST(without_keepalive_each_request_has_its_connection)
{
    struct load_rig rig;
    struct lg_worker w;
    rig_begin(&rig, good, NULL);
    rig.load.keepalive = false;
    rig.load.requests_max = 5;
    run_worker(&rig, &w);
    ck_assert_uint_eq(w.record.outcomes[LG_OK], 5);
    ck_assert_uint_eq(w.record.connects, 5);
    lg_worker_fini(&w);
    rig_end(&rig);
}
END_TEST

START_TEST(a_request_that_trickles_in)
{
    struct load_rig rig;
    struct lg_worker w;
    rig_begin(&rig, good, NULL);
    rig.load.trickle_ns = NS_PER_MS;
    rig.load.requests_max = 3;
    run_worker(&rig, &w);
    size_t bytes;
    (void)lg_request_at(&rig.requests, 0, &bytes);
    ck_assert_uint_eq(w.record.outcomes[LG_OK], 3);
    /* 16 bytes at a time, with a pause after each */
    ck_assert_int_ge(w.record.latency.min_ns, (int64_t)(bytes / 16) * NS_PER_MS);
    lg_worker_fini(&w);
    rig_end(&rig);
}
END_TEST

SUITE_MAIN("conn", SUITE_LOOP(every_request_ends_as_the_script_says, scripts),
           SUITE_TEST(a_kept_connection_that_was_closed),
           SUITE_LOOP(a_large_request_is_answered_while_it_is_sent, early),
           SUITE_TEST(pipelined_requests_are_all_answered),
           SUITE_TEST(those_behind_a_last_answer_are_closed), SUITE_TEST(nobody_listens_any_more),
           SUITE_TEST(a_server_that_does_not_accept),
           SUITE_TEST(without_keepalive_each_request_has_its_connection),
           SUITE_TEST(a_request_that_trickles_in))
