/* Any bytes, cut anywhere: a session answers the same however they arrive,
 * every answer is well formed, and nothing follows one that closes.
 *
 * Input: two bytes choose where reads end (the top bit: a trusted proxy, which begins
 * with a PROXY header, is what talks to us), the rest is what the client sends. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coro/base/clock.h"
#include "server/http/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct memory_io {
    struct http_io io;
    const char *in;
    size_t in_len, at, step;
    struct buf out;
};

static struct memory_io *memory_of(struct http_io *io)
{
    return CONTAINER_OF(io, struct memory_io, io);
}

static ssize_t memory_read(struct http_io *io, void *buf, size_t cap, int64_t deadline_ns)
{
    (void)deadline_ns;
    struct memory_io *m = memory_of(io);
    size_t n = m->in_len - m->at;
    if (cap == 0)
        abort();
    if (m->step > 0 && n > m->step)
        n = m->step;
    if (n > cap)
        n = cap;
    memcpy(buf, m->in + m->at, n);
    m->at += n;
    return (ssize_t)n;
}

static ssize_t memory_writev(struct http_io *io, struct iovec *iov, int count, int64_t deadline_ns)
{
    (void)deadline_ns;
    struct memory_io *m = memory_of(io);
    size_t total = 0;
    for (int i = 0; i < count; i++) {
        if (buf_append(&m->out, iov[i].iov_base, iov[i].iov_len) < 0)
            abort();
        total += iov[i].iov_len;
    }
    return (ssize_t)total;
}

static int memory_shut(struct http_io *io)
{
    (void)io;
    return 0;
}

static int64_t memory_now(struct http_io *io)
{
    (void)io;
    return NS_PER_S;
}

static void answer_get(struct http_request *req, struct http_response *res)
{
    char text[64 + HTTP_ADDRESS_TEXT_BYTES], client[HTTP_ADDRESS_TEXT_BYTES];
    int n = snprintf(text, sizeof text, "%zu %zu %d %s\n", req->field_count, req->query.len,
                     req->is_proxied, http_address_text(&req->client, client));
    http_answer(res, 200, HTTP_TYPE_TEXT, text, (size_t)n);
}

/* Not the body itself: no answer may hold what looks like the next one. */
static void answer_post(struct http_request *req, struct http_response *res)
{
    struct buf body;
    unsigned sum = 0;
    char text[64];
    buf_init(&body, 1 << 20);
    if (http_body_collect(req, &body) == 0) {
        for (size_t i = 0; i < body.len; i++)
            sum = sum * 31 + (unsigned char)body.data[i];
        int n = snprintf(text, sizeof text, "%zu %u\n", body.len, sum);
        http_answer(res, 200, HTTP_TYPE_TEXT, text, (size_t)n);
    }
    buf_fini(&body);
}

static const struct http_route routes[] = {
    {"/", "GET, HEAD, OPTIONS", answer_get, 0},
    {"/p", "POST, OPTIONS", answer_post, 0},
};

/* The statuses of all answers, hashed with their bodies; aborts on malformed output. */
static uint64_t digest(const char *at, const char *end)
{
    uint64_t hash = 1469598103934665603u;
    bool is_closed = false;
    while (at < end) {
        const char *head_end = memmem(at, (size_t)(end - at), "\r\n\r\n", 4);
        if (is_closed || head_end == NULL || strncmp(at, "HTTP/1.1 ", 9) != 0)
            abort();
        head_end += 4;
        size_t head_len = (size_t)(head_end - at);
        const char *length = memmem(at, head_len, "Content-Length: ", 16);
        int status = atoi(at + 9);
        is_closed = memmem(at, head_len, "Connection: close\r\n", 19) != NULL;
        at = head_end;
        if (status == 100) /* whether it is sent depends on how the bytes come */
            continue;
        hash = (hash ^ (uint64_t)status) * 1099511628211u;
        if (length != NULL) {
            long n = atol(length + 16);
            bool is_to_head = at == end || strncmp(at, "HTTP/1.1 ", 9) == 0;
            if (!is_to_head && n > end - at)
                abort();
            for (const char *stop = at + (is_to_head ? 0 : n); at < stop; at++)
                if (status == 200) /* a problem holds a random id */
                    hash = (hash ^ (unsigned char)*at) * 1099511628211u;
        }
    }
    return hash;
}

/* Whom we hear is not known, as over a UNIX socket, and may be trusted. */
static const struct http_networks *trusted(void)
{
    static struct http_networks proxies;
    struct http_str bad;
    if (!proxies.has_unix && http_networks_parse("unix, 10.0.0.0/8", &proxies, &bad) < 0)
        abort();
    return &proxies;
}

static uint64_t converse(const char *in, size_t n, size_t step, bool is_proxy)
{
    static const struct http_io_ops ops = {memory_read, memory_writev, memory_shut, memory_now,
                                           NULL};
    static struct http_limits limits;
    static struct http_app app;
    limits = http_limits_default;
    limits.body_max_bytes = 1000;
    app = (struct http_app){.routes = routes,
                            .route_count = 2,
                            .limits = &limits,
                            .proxies = is_proxy ? trusted() : NULL,
                            .is_proxy_protocol = is_proxy};
    struct memory_io m = {.io = {.ops = &ops, .fd = -1}, .in = in, .in_len = n, .step = step};
    struct http_session s;
    buf_init(&m.out, SIZE_MAX / 2);
    enum http_turn turn = http_session_init(&s, &app, &m.io, NULL, 0);
    while (turn != HTTP_TURN_CLOSE)
        turn = http_session_turn(&s);
    http_session_fini(&s);
    uint64_t hash = m.out.len > 0 ? digest(m.out.data, m.out.data + m.out.len) : 0;
    buf_fini(&m.out);
    return hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3 || size > 60000)
        return 0;
    size_t step = 1 + ((size_t)data[0] << 8 | data[1]) % 512;
    const char *in = (const char *)data + 2;
    bool is_proxy = data[0] >= 0x80;
    if (converse(in, size - 2, 0, is_proxy) != converse(in, size - 2, step, is_proxy))
        abort();
    return 0;
}
