#include "loadgen/scrape.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "coro/base/buf.h"
#include "loadgen/reply.h"

#define COUNTER        "domaind_requests_total{"
#define BODY_MAX_BYTES (4 << 20)
#define WAIT_S         2

int lg_scrape_text(const char *text, uint64_t *ret_requests)
{
    /* A server that has answered nothing yet has the counter's type line only. */
    bool is_domaind = strstr(text, "# TYPE domaind_requests_total") != NULL;
    uint64_t sum = 0;
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, COUNTER, strlen(COUNTER)) != 0)
            continue;
        size_t n = strcspn(line, "\n");
        const char *value = memrchr(line, ' ', n);
        const char *own = strstr(line, "route=\"/metrics\"");
        if (value != NULL && (own == NULL || own > line + n))
            sum += strtoull(value, NULL, 10);
    }
    if (!is_domaind)
        return -ENOENT;
    *ret_requests = sum;
    return 0;
}

static int exchange(int fd, const char *request, struct lg_reply *reply)
{
    char bytes[4096];
    if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0)
        return -errno;
    for (;;) {
        ssize_t n = recv(fd, bytes, sizeof bytes, 0);
        size_t used;
        if (n < 0)
            return -errno;
        enum lg_reply_turn turn = lg_reply_feed(reply, bytes, (size_t)n, &used);
        if (turn == LG_REPLY_DONE)
            return reply->status == 200 ? 0 : -EPROTO;
        if (turn == LG_REPLY_BAD || n == 0)
            return -EPROTO;
    }
}

int lg_scrape(const struct lg_target *t, uint64_t *ret_requests)
{
    char request[LG_HOST_BYTES + 128];
    struct timeval wait = {.tv_sec = WAIT_S};
    struct buf body;
    buf_init(&body, BODY_MAX_BYTES);
    struct lg_reply reply = {.body = &body};
    lg_reply_init(&reply, false);
    snprintf(request, sizeof request,
             "GET /metrics HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", t->authority);
    int fd = socket(t->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int rv = 0;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) < 0 ||
        connect(fd, (const struct sockaddr *)&t->addr, t->addr_len) < 0)
        rv = -errno;
    if (rv == 0)
        rv = exchange(fd, request, &reply);
    if (rv == 0)
        rv = buf_append_char(&body, '\0');
    if (rv == 0)
        rv = lg_scrape_text(body.data, ret_requests);
    close(fd);
    buf_fini(&body);
    return rv;
}
