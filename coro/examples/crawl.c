/* Ask many HTTP servers for "/", three at a time; an answer that takes more
 * than five seconds counts as none.
 *
 *   ./crawl localhost:8080 example.org:80 ... */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "coro/io.h"
#include "coro/resolve.h"

static int dial(const char *host, const char *port, int64_t deadline_ns)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
    int rv = co_resolve(host, port, &hints, deadline_ns, &list);
    if (rv < 0)
        return rv;
    rv = -ENOENT;
    for (struct addrinfo *a = list; a != NULL && rv < 0 && rv != -ECANCELED; a = a->ai_next) {
        int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0) {
            rv = -errno;
            continue;
        }
        rv = co_connect(fd, a->ai_addr, a->ai_addrlen, deadline_ns);
        if (rv < 0)
            co_close(fd);
        else
            rv = fd;
    }
    co_resolve_free(list);
    return rv;
}

static int ask(const char *host, const char *port, char *ret_line, size_t cap)
{
    int64_t deadline_ns = co_after(5 * CO_NS_PER_S); /* for all of it */
    int fd = dial(host, port, deadline_ns);
    if (fd < 0)
        return fd;
    char request[512];
    int len = snprintf(request, sizeof request, "GET / HTTP/1.0\r\nHost: %s\r\n\r\n", host);
    ssize_t n = co_write(fd, request, (size_t)len, deadline_ns);
    if (n > 0)
        n = co_read(fd, ret_line, cap - 1, deadline_ns);
    co_close(fd);
    if (n <= 0)
        return n < 0 ? (int)n : -ECONNRESET;
    ret_line[n] = 0;
    ret_line[strcspn(ret_line, "\r\n")] = 0;
    return 0;
}

static int visit(void *arg)
{
    char host[256], line[1024];
    snprintf(host, sizeof host, "%s", (const char *)arg);
    char *port = strrchr(host, ':');
    if (port != NULL)
        *port++ = 0;
    int rv = ask(host, port != NULL ? port : "80", line, sizeof line);
    printf("%s: %s\n", (const char *)arg, rv < 0 ? strerror(-rv) : line);
    return 0; /* one that fails does not end the others */
}

struct sites {
    int count;
    char **names;
};

static int run(void *arg)
{
    const struct sites *sites = arg;
    struct co_group group;
    int rv = 0;
    co_group_init(&group, 3, 0);
    for (int i = 0; i < sites->count && rv == 0; i++)
        rv = co_group_spawn(&group, visit, sites->names[i], CO_NO_DEADLINE);
    if (rv == 0)
        rv = co_group_wait(&group, CO_NO_DEADLINE);
    co_group_close(&group);
    return rv;
}

int main(int argc, char **argv)
{
    struct sites sites = {argc - 1, argv + 1};
    if (argc < 2) {
        fprintf(stderr, "usage: %s HOST[:PORT]...\n", argv[0]);
        return 2;
    }
    return co_run(run, &sites, NULL) == 0 ? 0 : 1;
}
