/* The DNS client against a small server in the same loop, which answers each
 * name in its own way: lifetimes, ends of names, silence, cut and hostile
 * answers. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "coro/dns.h"
#include "coro/io.h"
#include "coro/resolve.h"
#include "suite.h"

#define HEAD_BYTES   12
#define ANSWER_BYTES 8192
enum { TYPE_A = 1, TYPE_CNAME = 5, TYPE_AAAA = 28 };

/* ---- the server ---- */

static int asked; /* queries that have come, UDP and TCP */
static int asked_tcp;

struct message {
    uint8_t *data; /* ANSWER_BYTES of room */
    size_t len;
};

static void put16(struct message *m, unsigned value)
{
    m->data[m->len++] = (uint8_t)(value >> 8);
    m->data[m->len++] = (uint8_t)value;
}

static void put_record(struct message *m, unsigned type, uint32_t ttl, const void *data, size_t n)
{
    put16(m, 0xc00c); /* the name asked for */
    put16(m, type);
    put16(m, 1);
    put16(m, ttl >> 16);
    put16(m, ttl & 0xffff);
    put16(m, (unsigned)n);
    memcpy(m->data + m->len, data, n);
    m->len += n;
}

static void put_address(struct message *m, uint32_t ttl, unsigned last)
{
    put_record(m, TYPE_A, ttl, (const uint8_t[]){192, 0, 2, (uint8_t)last}, 4);
}

/* The first label of the question. */
static void label_of(const struct message *m, char label[64])
{
    size_t len = m->data[HEAD_BYTES] & 63;
    memcpy(label, m->data + HEAD_BYTES + 1, len);
    label[len] = 0;
}

static unsigned type_of(const struct message *m)
{
    return (unsigned)m->data[m->len - 4] << 8U | m->data[m->len - 3];
}

static void set_answers(struct message *m, unsigned flags, unsigned count)
{
    m->data[2] = (uint8_t)(flags >> 8);
    m->data[3] = (uint8_t)flags;
    m->data[6] = (uint8_t)(count >> 8);
    m->data[7] = (uint8_t)count;
}

#define REPLY  0x8180
#define CUT    0x0200
#define NXNAME 3
#define FAILED 2

/* Make the question an answer.  false: say nothing. */
static bool answer(struct message *m, bool is_tcp)
{
    char label[64];
    label_of(m, label);
    asked++;
    asked_tcp += is_tcp;
    unsigned type = type_of(m);
    set_answers(m, REPLY, 0);
    if (strncmp(label, "silent", 6) == 0)
        return false;
    if (strcmp(label, "missing") == 0) {
        set_answers(m, REPLY | NXNAME, 0);
    } else if (strcmp(label, "failing") == 0) {
        set_answers(m, REPLY | FAILED, 0);
    } else if (strcmp(label, "empty") == 0 || type != TYPE_A) {
        ; /* such a name, no such record */
    } else if (strcmp(label, "brief") == 0) {
        set_answers(m, REPLY, 1);
        put_address(m, 1, (unsigned)asked);
    } else if (strcmp(label, "zero") == 0) {
        set_answers(m, REPLY, 1);
        put_address(m, 0, 1);
    } else if (strcmp(label, "ages") == 0) { /* a lifetime with its top bit set */
        set_answers(m, REPLY, 1);
        put_address(m, 0x80000001U, 1);
    } else if (strcmp(label, "alias") == 0) { /* the name's other name lives shorter */
        set_answers(m, REPLY, 2);
        put_record(m, TYPE_CNAME, 0, "\4real\4test", 11);
        size_t real = m->len - 11;
        put16(m, 0xc000U | (unsigned)real);
        put16(m, TYPE_A);
        put16(m, 1);
        put16(m, 0);
        put16(m, 600);
        put16(m, 4);
        memcpy(m->data + m->len, (const uint8_t[]){192, 0, 2, 9}, 4);
        m->len += 4;
    } else if (strcmp(label, "many") == 0 || strcmp(label, "cut") == 0) {
        if (!is_tcp) {
            set_answers(m, REPLY | CUT, 0);
            return true;
        }
        unsigned count = label[0] == 'm' ? 200 : 1;
        set_answers(m, REPLY, count);
        for (unsigned i = 0; i < count; i++)
            put_address(m, 600, i);
    } else if (strcmp(label, "loop") == 0) { /* a name that points at itself */
        set_answers(m, REPLY, 1);
        unsigned here = 0xc000U | (unsigned)m->len;
        put16(m, here);
        put16(m, TYPE_A);
        put16(m, 1);
    } else if (strcmp(label, "short") == 0) { /* promises more than it has */
        set_answers(m, REPLY, 60000);
        put_address(m, 600, 1);
        m->len -= 3;
    } else if (strcmp(label, "noise") == 0) {
        ck_assert_int_eq(getrandom(m->data + 4, 200, 0), 200);
        m->len = 204;
    } else {
        set_answers(m, REPLY, 1);
        put_address(m, 600, 1);
    }
    return true;
}

/* Drop the question's additional record (EDNS), should it have one. */
static void trim_question(struct message *m)
{
    size_t at = HEAD_BYTES;
    while (m->data[at] != 0)
        at += m->data[at] + 1U;
    m->len = at + 5;
    memset(m->data + 8, 0, 4);
}

static int udp_server(void *arg)
{
    int fd = (int)(intptr_t)arg;
    uint8_t data[ANSWER_BYTES];
    for (;;) {
        struct sockaddr_in from;
        struct iovec iov = {data, 512};
        struct msghdr msg = {
            .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1};
        ssize_t n = co_recvmsg(fd, &msg, 0, CO_NO_DEADLINE);
        if (n < HEAD_BYTES)
            return 0;
        struct message m = {data, (size_t)n};
        trim_question(&m);
        if (!answer(&m, false))
            continue;
        char label[64];
        label_of(&m, label);
        iov.iov_len = m.len;
        if (strcmp(label, "spoofed") == 0) { /* somebody guesses, before the truth comes */
            uint8_t last = data[m.len - 1];
            data[0] ^= 0x55, data[m.len - 1] = 66;
            ck_assert_int_gt(co_sendmsg(fd, &msg, 0, CO_NO_DEADLINE), 0);
            data[0] ^= 0x55, data[HEAD_BYTES + 1] ^= 1;
            ck_assert_int_gt(co_sendmsg(fd, &msg, 0, CO_NO_DEADLINE), 0);
            data[HEAD_BYTES + 1] ^= 1, data[m.len - 1] = last;
        }
        ck_assert_int_gt(co_sendmsg(fd, &msg, 0, CO_NO_DEADLINE), 0);
    }
}

static int tcp_server(void *arg)
{
    int fd;
    while ((fd = co_accept((int)(intptr_t)arg, NULL, NULL, CO_NO_DEADLINE)) >= 0) {
        uint8_t data[2 + ANSWER_BYTES];
        ssize_t n = co_read(fd, data, sizeof(data), CO_NO_DEADLINE);
        struct message m = {data + 2, n > 2 ? (size_t)n - 2 : 0};
        if (m.len > HEAD_BYTES) {
            trim_question(&m);
            (void)answer(&m, true);
            data[0] = (uint8_t)(m.len >> 8);
            data[1] = (uint8_t)m.len;
            ck_assert_int_gt(co_write(fd, data, m.len + 2, CO_NO_DEADLINE), 0);
        }
        co_close(fd);
    }
    return 0;
}

static int bound(int type, struct sockaddr_in *addr)
{
    int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    socklen_t len = sizeof(*addr);
    if (bind(fd, (struct sockaddr *)addr, len) < 0) {
        co_close(fd);
        return -1;
    }
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)addr, &len), 0);
    return fd;
}

struct server {
    int udp;
    int tcp;
};

/* One number for both: ask for another one when it is taken. */
static struct server start_server(void)
{
    struct server server = {-1, -1};
    struct sockaddr_in addr = {0};
    while (server.tcp < 0) {
        addr =
            (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        if (server.udp >= 0)
            co_close(server.udp);
        server.udp = bound(SOCK_DGRAM, &addr);
        ck_assert_int_ge(server.udp, 0);
        server.tcp = bound(SOCK_STREAM, &addr);
    }
    ck_assert_int_eq(listen(server.tcp, 16), 0);
    co_detach(co_spawn(udp_server, (void *)(intptr_t)server.udp));
    co_detach(co_spawn(tcp_server, (void *)(intptr_t)server.tcp));
    char text[40];
    snprintf(text, sizeof(text), "127.0.0.1:%d", ntohs(addr.sin_port));
    ck_assert_int_eq(co_resolve_servers(text), 0);
    asked = asked_tcp = 0;
    return server;
}

static void stop_server(struct server server)
{
    co_close(server.udp);
    co_close(server.tcp);
}

/* ---- asking ---- */

static int64_t soon(void)
{
    return co_after(30 * NS_PER_S);
}

static const struct addrinfo v4 = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};

/* The last byte of the first address, or -errno. */
static int ask_until(const char *name, int64_t deadline_ns, int *ret_count)
{
    struct addrinfo *list = NULL;
    int rv = co_resolve(name, "80", &v4, deadline_ns, &list);
    if (rv < 0)
        return rv;
    *ret_count = 0;
    ck_assert_ptr_nonnull(list);
    for (const struct addrinfo *a = list; a != NULL; a = a->ai_next)
        (*ret_count)++;
    const struct sockaddr_in *addr = (const void *)list->ai_addr;
    ck_assert_int_eq(ntohs(addr->sin_port), 80);
    int last = (int)(ntohl(addr->sin_addr.s_addr) & 0xff);
    co_resolve_free(list);
    return last;
}

static int ask(const char *name)
{
    int count;
    return ask_until(name, soon(), &count);
}

static struct co_resolve_counts counts(void)
{
    struct co_resolve_counts c;
    ck_assert_int_eq(co_resolve_counts(&c), 0);
    return c;
}

static void run(co_fn *fn)
{
    ck_assert_int_eq(co_run(fn, NULL, NULL), 0);
}

/* ---- lifetimes ---- */

static int cache_main(void *arg)
{
    struct server server = start_server();
    (void)arg;
    ck_assert_int_eq(ask("plain.test."), 1);
    ck_assert_int_eq(ask("PLAIN.test."), 1);
    ck_assert_int_eq(asked, 1);
    ck_assert_uint_eq(counts().hits, 1);
    ck_assert_uint_eq(counts().cached, 1);
    /* expired: asked anew */
    int first = ask("brief.test.");
    ck_assert_int_eq(co_sleep(NS_PER_S + 100 * NS_PER_MS), 0);
    ck_assert_int_ne(ask("brief.test."), first);
    ck_assert_int_eq(asked, 3);
    /* no lifetime */
    static const char *const uncached[] = {"zero.test.", "ages.test.", "alias.test."};
    for (size_t i = 0; i < ARRAY_LEN(uncached); i++) {
        int before = asked;
        ck_assert_int_gt(ask(uncached[i]), 0);
        ck_assert_int_gt(ask(uncached[i]), 0);
        if (asked != before + 2)
            ck_abort_msg("%s: %d queries", uncached[i], asked - before);
    }
    /* other servers, other answers */
    ck_assert_uint_gt(counts().cached, 0);
    stop_server(server);
    server = start_server();
    ck_assert_uint_eq(counts().cached, 0);
    ck_assert_int_eq(ask("plain.test."), 1);
    ck_assert_int_eq(asked, 1);
    stop_server(server);
    return 0;
}

START_TEST(answers_live_as_long_as_they_say)
{
    run(cache_main);
}
END_TEST

static int bound_main(void *arg)
{
    struct server server = start_server();
    (void)arg;
    for (int i = 0; i < 300; i++) {
        char name[32];
        snprintf(name, sizeof(name), "name%d.test.", i);
        ck_assert_int_eq(ask(name), 1);
    }
    ck_assert_uint_eq(counts().cached, 256);
    stop_server(server);
    return 0;
}

START_TEST(the_cache_is_bounded)
{
    run(bound_main);
}
END_TEST

/* ---- answers ---- */

static const struct {
    const char *name;
    int result;
    int count;
} answers[] = {
    {"missing.test.", -ENOENT, 0}, {"empty.test.", -ENOENT, 0},      {"failing.test.", -EAGAIN, 0},
    {"cut.test.", 0, 1},           {"many.test.", 0, DNS_ADDRS_MAX}, {"spoofed.test.", 1, 1},
    {"localhost", 1, 1},
};

static int answers_main(void *arg)
{
    size_t i = (size_t)(intptr_t)arg;
    struct server server = start_server();
    int count = 0;
    ck_assert_int_eq(ask_until(answers[i].name, soon(), &count), answers[i].result);
    ck_assert_int_eq(count, answers[i].count);
    ck_assert_uint_eq(counts().pending, 0);
    if (strcmp(answers[i].name, "cut.test.") == 0)
        ck_assert_int_eq(asked_tcp, 1);
    if (strcmp(answers[i].name, "localhost") == 0)
        ck_assert_int_eq(asked, 0);
    /* the client is as good as before */
    ck_assert_int_eq(ask("plain.test."), 1);
    stop_server(server);
    return 0;
}

START_TEST(answers_of_every_kind)
{
    ck_assert_int_eq(co_run(answers_main, (void *)(intptr_t)_i, NULL), 0);
}
END_TEST

/* An error at once or none until the deadline, but no address and no crash. */
static int hostile_main(void *arg)
{
    static const char *const names[] = {"loop.test.", "short.test.", "noise.test."};
    struct server server = start_server();
    (void)arg;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        int count;
        ck_assert_int_lt(ask_until(names[i], co_after(50 * NS_PER_MS), &count), 0);
    }
    ck_assert_int_eq(ask("plain.test."), 1);
    stop_server(server);
    return 0;
}

START_TEST(hostile_answers)
{
    run(hostile_main);
}
END_TEST

/* ---- giving up, sharing, the bound ---- */

static int asker(void *arg)
{
    return ask(arg);
}

static int give_up_main(void *arg)
{
    struct server server = start_server();
    int result, count;
    (void)arg;
    ck_assert_int_eq(ask_until("silent.test.", co_after(10 * NS_PER_MS), &count), -ETIMEDOUT);
    ck_assert_int_eq(ask_until("silent.test.", 0, &count), -ETIMEDOUT);
    struct co_task *task = co_spawn(asker, "silent.test.");
    ck_assert_int_eq(co_sleep(NS_PER_MS), 0);
    co_cancel(task);
    ck_assert_int_eq(co_join(task, soon(), &result), 0);
    ck_assert_int_eq(result, -ECANCELED);
    ck_assert_uint_eq(counts().pending, 1); /* one query for all three, still unanswered */
    ck_assert_int_eq(asked, 1);
    ck_assert_int_eq(co_resolve_servers("127.0.0.1"), -EBUSY);
    stop_server(server);
    return 0;
}

START_TEST(a_lookup_can_be_given_up)
{
    run(give_up_main);
}
END_TEST

static int shared_main(void *arg)
{
    struct co_task *tasks[20];
    struct server server = start_server();
    (void)arg;
    for (size_t i = 0; i < ARRAY_LEN(tasks); i++)
        tasks[i] = co_spawn(asker, "plain.test.");
    for (size_t i = 0; i < ARRAY_LEN(tasks); i++) {
        int result;
        ck_assert_int_eq(co_join(tasks[i], soon(), &result), 0);
        ck_assert_int_eq(result, 1);
    }
    ck_assert_int_eq(asked, 1);
    stop_server(server);
    return 0;
}

START_TEST(tasks_that_ask_the_same_share_a_query)
{
    run(shared_main);
}
END_TEST

static int full;

static int silent_asker(void *arg)
{
    char name[32];
    int count;
    snprintf(name, sizeof(name), "silent%d.test.", (int)(intptr_t)arg);
    full += ask_until(name, CO_NO_DEADLINE, &count) == -EAGAIN;
    return 0;
}

static int queries_main(void *arg)
{
    struct server server = start_server();
    struct co_group group;
    (void)arg;
    full = 0;
    co_group_init(&group, 0, 0);
    for (int i = 0; i < CO_RESOLVE_QUERIES + 6; i++)
        ck_assert_int_eq(co_group_spawn(&group, silent_asker, (void *)(intptr_t)i, soon()), 0);
    for (int i = 0; i < 5000 && full < 6; i++)
        ck_assert_int_eq(co_yield (), 0);
    ck_assert_int_eq(full, 6);
    ck_assert_uint_eq(counts().pending, CO_RESOLVE_QUERIES);
    co_group_close(&group);
    ck_assert_int_eq(full, 6);
    stop_server(server);
    return 0;
}

START_TEST(queries_under_way_are_bounded)
{
    run(queries_main);
}
END_TEST

/* ---- configuration ---- */

static int servers_main(void *arg)
{
    (void)arg;
    ck_assert_int_eq(co_resolve_servers("no server"), -EINVAL);
    ck_assert_int_eq(co_resolve_servers("[::1]:5353,127.0.0.1"), 0);
    ck_assert_int_eq(co_resolve_servers(NULL), 0);
    return 0;
}

START_TEST(servers_are_checked)
{
    run(servers_main);
}
END_TEST

static const struct {
    const char *line;
    bool is_plain;
} lines[] = {{" files dns\n", true},
             {"\tfiles  dns   # comment mdns\n", true},
             {" dns", true},
             {" files\n", true},
             {" files mdns4_minimal [NOTFOUND=return] dns\n", false},
             {" files resolve [!UNAVAIL=return] dns\n", false},
             {" files dns myhostname\n", false},
             {" files [SUCCESS=return] dns\n", false},
             {" dnsx files\n", false},
             {"\n", false},
             {" # nothing\n", false}};

START_TEST(hosts_lines)
{
    ck_assert_int_eq(dns_is_plain_hosts_line(lines[_i].line), lines[_i].is_plain);
}
END_TEST

SUITE_MAIN("dns", SUITE_TEST(answers_live_as_long_as_they_say), SUITE_TEST(the_cache_is_bounded),
           SUITE_LOOP(answers_of_every_kind, answers), SUITE_TEST(hostile_answers),
           SUITE_TEST(a_lookup_can_be_given_up), SUITE_TEST(tasks_that_ask_the_same_share_a_query),
           SUITE_TEST(queries_under_way_are_bounded), SUITE_TEST(servers_are_checked),
           SUITE_LOOP(hosts_lines, lines))
