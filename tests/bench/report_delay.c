/* Does a report delay requests?  One connection asks at a steady pace; in every second
 * block another one asks for a report now and then.  The requests sent in the window
 * that such a moment opens are set against those of the windows at the same moments of
 * the blocks without: a window as long as its report would be the longer, the more
 * some other program happened to be in the way.
 *
 *   report_delay PORT SECONDS [TARGET]
 *
 * It spins, so that its own wake-ups are in no figure: give it a CPU of its own. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "coro/base/clock.h"

#define GAP_NS    (100 * NS_PER_US)
#define REPORT_NS (50 * NS_PER_MS)
#define BLOCK_NS  (500 * NS_PER_MS)
#define LATE_NS   (100 * NS_PER_US)
#define WINDOW_NS (500 * NS_PER_US)

struct conn {
    int fd;
    int64_t sent_ns; /* 0: idle */
    char answer[1 << 20];
    size_t len;
};

static struct conn paced, reports;
static char request[2048], report_request[256];

struct latencies {
    int64_t *ns;
    size_t count;
};

static int dial(int port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)port),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof addr) < 0) {
        perror("report_delay");
        exit(1);
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static void ask(struct conn *c, const char *text)
{
    c->len = 0;
    c->sent_ns = clock_now_ns();
    if (send(c->fd, text, strlen(text), MSG_NOSIGNAL) != (ssize_t)strlen(text)) {
        fprintf(stderr, "report_delay: the server hung up\n");
        exit(1);
    }
}

/* The whole answer is here: head and Content-Length, or the last chunk. */
static int is_whole(struct conn *c)
{
    c->answer[c->len] = 0;
    const char *body = strstr(c->answer, "\r\n\r\n");
    if (body == NULL)
        return 0;
    const char *length = strcasestr(c->answer, "content-length:");
    if (length != NULL && length < body)
        return c->len >= (size_t)(body + 4 - c->answer) + strtoul(length + 15, NULL, 10);
    return c->len >= 5 && memcmp(c->answer + c->len - 5, "0\r\n\r\n", 5) == 0;
}

/* When the answer arrived; 0: not yet. */
static int64_t look(struct conn *c)
{
    if (c->sent_ns == 0)
        return 0;
    ssize_t n = recv(c->fd, c->answer + c->len, sizeof c->answer - 1 - c->len, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return 0;
    if (n <= 0) {
        fprintf(stderr, "report_delay: the server hung up\n");
        exit(1);
    }
    c->len += (size_t)n;
    return is_whole(c) ? clock_now_ns() : 0;
}

static void note(struct latencies *to, int64_t ns)
{
    to->ns = realloc(to->ns, (to->count + 1) * sizeof *to->ns);
    if (to->ns == NULL)
        exit(1);
    to->ns[to->count++] = ns;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static double quantile_us(struct latencies *l, double part)
{
    if (l->count == 0)
        return 0;
    qsort(l->ns, l->count, sizeof *l->ns, compare);
    return (double)l->ns[(size_t)(part * (double)(l->count - 1))] / 1e3;
}

/* How many of a hundred took LATE_NS longer than usual. */
static double late_percent(const struct latencies *l, double usual_us)
{
    size_t late = 0;
    for (size_t i = 0; i < l->count; i++)
        late += (double)l->ns[i] > usual_us * 1e3 + LATE_NS;
    return l->count == 0 ? 0 : 100.0 * (double)late / (double)l->count;
}

static struct latencies without, with, report_times;

static void measure(int64_t span_ns)
{
    int64_t start_ns = clock_now_ns(), now_ns, next_ns = start_ns, next_report_ns = start_ns;
    int64_t opened_ns = 0; /* the window */
    int is_paced_in_window = 0;
    while ((now_ns = clock_now_ns()) - start_ns < span_ns) {
        int is_reporting = (now_ns - start_ns) / BLOCK_NS % 2 == 1;
        if (reports.sent_ns == 0 && paced.sent_ns == 0 && now_ns >= next_report_ns) {
            if (is_reporting)
                ask(&reports, report_request);
            opened_ns = now_ns;
            next_report_ns = now_ns + REPORT_NS;
        }
        int64_t answered_ns = look(&reports);
        if (answered_ns != 0) {
            note(&report_times, answered_ns - reports.sent_ns);
            reports.sent_ns = 0;
        }
        if (paced.sent_ns == 0 && now_ns >= next_ns) {
            is_paced_in_window = now_ns < opened_ns + WINDOW_NS;
            ask(&paced, request);
            next_ns += GAP_NS;
        }
        answered_ns = look(&paced);
        if (answered_ns == 0)
            continue;
        if (is_paced_in_window)
            note(is_reporting ? &with : &without, answered_ns - paced.sent_ns);
        paced.sent_ns = 0;
        if (next_ns < answered_ns) /* what was missed is not caught up with */
            next_ns = answered_ns;
    }
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    int port = atoi(argv[1]);
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n",
             argc > 3 ? argv[3] : "/domain?url=https://www.example.co.uk/a");
    snprintf(report_request, sizeof report_request,
             "GET /profile?format=json HTTP/1.1\r\nHost: localhost\r\n\r\n");
    paced.fd = dial(port);
    reports.fd = dial(port);
    measure(NS_PER_S / 2); /* warm: caches, pool threads */
    with.count = without.count = report_times.count = 0;
    measure((int64_t)(atof(argv[2]) * 1e9));
    printf("profile.report_requests %zu beside %zu reports, %zu without\n", with.count,
           report_times.count, without.count);
    printf("profile.report_answer %.1f us\n", quantile_us(&report_times, 0.5));
    static const struct {
        const char *name;
        double part;
    } quantiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p95", 0.95}, {"p99", 0.99}};
    for (size_t i = 0; i < sizeof quantiles / sizeof quantiles[0]; i++)
        printf("profile.latency_%s %.1f us, beside a report %.1f us\n", quantiles[i].name,
               quantile_us(&without, quantiles[i].part), quantile_us(&with, quantiles[i].part));
    double usual_us = quantile_us(&without, 0.5);
    printf("profile.report_late %.2f %%, without a report %.2f %%\n", late_percent(&with, usual_us),
           late_percent(&without, usual_us));
    printf("profile.report_delay %.1f us\n",
           quantile_us(&with, 0.95) - quantile_us(&without, 0.95));
    return 0;
}
