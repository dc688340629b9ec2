#include "loadgen/target.h"

#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "coro/base/clock.h"
#include "coro/base/err.h"
#include "loadgen/scenario.h"

#define PATH_MAX_BYTES (1 << 20)

/* Characters that HTTP/1 has no place for in a request target. */
static bool must_encode(unsigned char c)
{
    return c <= ' ' || c >= 0x7f || strchr("\"<>\\^`{|}", c) != NULL;
}

static int append_target(struct buf *out, const char *text, size_t n)
{
    int rv = 0;
    for (size_t i = 0; i < n && rv == 0; i++) {
        unsigned char c = (unsigned char)text[i];
        rv = must_encode(c) ? buf_printf(out, "%%%02X", c) : buf_append_char(out, (char)c);
    }
    return rv;
}

/* Everything but RFC 3986 unreserved is encoded: the value survives any query. */
static int append_param(struct buf *out, const char *text, size_t n)
{
    int rv = 0;
    for (size_t i = 0; i < n && rv == 0; i++) {
        unsigned char c = (unsigned char)text[i];
        bool plain = isalnum(c) || (c != '\0' && strchr("-._~", c) != NULL);
        rv = plain ? buf_append_char(out, (char)c) : buf_printf(out, "%%%02X", c);
    }
    return rv;
}

/* HOST, [V6], each with :PORT or without, into host and port. */
static int parse_authority(struct lg_target *t, const char *text, size_t n)
{
    const char *end = text + n, *host_end = NULL;
    if (n > 0 && text[0] == '[') {
        text++;
        host_end = memchr(text, ']', n - 1);
        if (host_end == NULL)
            return -EINVAL;
    } else {
        host_end = memchr(text, ':', n);
        host_end = host_end == NULL ? end : host_end;
    }
    const char *rest = host_end < end && *host_end == ']' ? host_end + 1 : host_end;
    size_t host_bytes = (size_t)(host_end - text);
    if (host_bytes == 0 || host_bytes >= sizeof t->host || memchr(text, '@', host_bytes) != NULL)
        return -EINVAL;
    memcpy(t->host, text, host_bytes);
    t->host[host_bytes] = '\0';
    memcpy(t->port, "80", 3);
    if (rest == end)
        return 0;
    size_t port_bytes = (size_t)(end - rest) - 1;
    if (*rest != ':' || port_bytes == 0 || port_bytes > 5)
        return -EINVAL;
    for (size_t i = 0; i < port_bytes; i++)
        if (!isdigit((unsigned char)rest[1 + i]))
            return -EINVAL;
    memcpy(t->port, rest + 1, port_bytes);
    t->port[port_bytes] = '\0';
    long port = strtol(t->port, NULL, 10);
    return port >= 1 && port <= 65535 ? 0 : -EINVAL;
}

static int set_unix(struct lg_target *t, const char *path, struct lg_why *why)
{
    struct sockaddr_un *sun = (struct sockaddr_un *)&t->addr;
    size_t n = strlen(path);
    if (n == 0 || n >= sizeof sun->sun_path) {
        lg_why_set(why, "unix socket path '%s' is empty or too long", path);
        return -EINVAL;
    }
    sun->sun_family = AF_UNIX;
    memcpy(sun->sun_path, path, n + 1);
    t->addr_len = (socklen_t)sizeof *sun;
    return 0;
}

int lg_target_init(struct lg_target *t, const char *url, const char *unix_path, struct lg_why *why)
{
    *t = (struct lg_target){0};
    if (strncasecmp(url, "https://", 8) == 0) {
        lg_why_set(why, "'%s': only plain http:// can be loaded, TLS is not spoken", url);
        return -EINVAL;
    }
    const char *authority = strncasecmp(url, "http://", 7) == 0 ? url + 7 : url;
    if (authority == url && strstr(url, "://") != NULL) {
        lg_why_set(why, "'%s' is not an http:// URL", url);
        return -EINVAL;
    }
    size_t n = strcspn(authority, "/?#");
    if (parse_authority(t, authority, n) < 0) {
        lg_why_set(why, "'%s': expected http://HOST[:PORT]/PATH", url);
        return -EINVAL;
    }
    bool default_port = strcmp(t->port, "80") == 0;
    bool v6 = strchr(t->host, ':') != NULL;
    snprintf(t->authority, sizeof t->authority, "%s%s%s%s%s", v6 ? "[" : "", t->host, v6 ? "]" : "",
             default_port ? "" : ":", default_port ? "" : t->port);

    struct buf path;
    buf_init(&path, PATH_MAX_BYTES);
    const char *rest = authority + n;
    int rv = *rest == '/' ? 0 : buf_append_char(&path, '/');
    if (rv == 0)
        rv = append_target(&path, rest, strcspn(rest, "#"));
    if (rv == 0)
        rv = buf_append_char(&path, '\0');
    if (rv == 0 && unix_path != NULL)
        rv = set_unix(t, unix_path, why);
    else if (rv < 0)
        lg_why_set(why, "the URL is too long");
    if (rv < 0)
        buf_fini(&path);
    t->path = path.data;
    return rv;
}

void lg_target_fini(struct lg_target *t)
{
    free(t->path);
    t->path = NULL;
}

/* A connection that is opened and closed; the only way to know that somebody listens. */
static int try_address(const struct sockaddr *addr, socklen_t len, int64_t timeout_ns)
{
    int fd = socket(addr->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int rv = connect(fd, addr, len) < 0 ? -errno : 0;
    if (rv == -EINPROGRESS) {
        struct pollfd wait = {.fd = fd, .events = POLLOUT};
        int ready = poll(&wait, 1, (int)(timeout_ns / NS_PER_MS));
        int err = ready == 0 ? ETIMEDOUT : errno;
        socklen_t err_len = sizeof err;
        if (ready > 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &err_len) < 0)
            err = errno;
        rv = -err;
    }
    close(fd);
    return rv;
}

int lg_target_reach(struct lg_target *t, int64_t timeout_ns, struct lg_why *why)
{
    int rv;
    if (t->addr_len > 0) {
        rv = try_address((struct sockaddr *)&t->addr, t->addr_len, timeout_ns);
        if (rv < 0)
            lg_why_set(why, "cannot connect to unix socket %s: %s",
                       ((struct sockaddr_un *)&t->addr)->sun_path, err_text(rv));
        return rv;
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    int code = getaddrinfo(t->host, t->port, &hints, &list);
    if (code != 0) {
        lg_why_set(why, "cannot find host %s: %s", t->host, gai_strerror(code));
        return -EHOSTUNREACH;
    }
    rv = -EHOSTUNREACH;
    for (struct addrinfo *a = list; a != NULL && rv < 0 && rv != -EINTR; a = a->ai_next) {
        rv = try_address(a->ai_addr, a->ai_addrlen, timeout_ns);
        if (rv < 0)
            continue;
        memcpy(&t->addr, a->ai_addr, a->ai_addrlen);
        t->addr_len = a->ai_addrlen;
    }
    freeaddrinfo(list);
    if (rv < 0)
        lg_why_set(why, "cannot connect to %s port %s: %s; is the server running?", t->host,
                   t->port, err_text(rv));
    return rv;
}

/* ---- requests ---- */

#define REQUESTS_MAX_BYTES (INT64_C(1) << 30)

static int append_request(struct lg_requests *r, const struct lg_target *t,
                          const struct lg_request_shape *shape, const struct buf *path)
{
    bool own_host = false, own_length = false;
    for (size_t i = 0; i < shape->n_headers; i++) {
        own_host |= strncasecmp(shape->headers[i], "Host:", 5) == 0;
        own_length |= strncasecmp(shape->headers[i], "Content-Length:", 15) == 0;
    }
    struct buf *b = &r->bytes;
    int rv = buf_printf(b, "%s %.*s HTTP/1.1\r\n", shape->method, (int)path->len, path->data);
    if (rv == 0 && !own_host)
        rv = buf_printf(b, "Host: %s\r\n", t->authority);
    if (rv == 0 && !shape->keepalive)
        rv = buf_append_str(b, "Connection: close\r\n");
    if (rv == 0 && shape->body != NULL && !own_length)
        rv = buf_printf(b, "Content-Length: %zu\r\n", shape->body_bytes);
    for (size_t i = 0; i < shape->n_headers && rv == 0; i++)
        rv = buf_printf(b, "%s\r\n", shape->headers[i]);
    if (rv == 0)
        rv = buf_append_str(b, "\r\n");
    if (rv == 0 && shape->body != NULL)
        rv = buf_append(b, shape->body, shape->body_bytes);
    if (rv == 0)
        r->ends[r->n++] = b->len;
    return rv;
}

static bool has_scheme(const char *line)
{
    size_t n = strcspn(line, "/?#:");
    return n > 0 && strncmp(line + n, "://", 3) == 0;
}

/* The path and query that a line of a URL file asks for. */
static int line_path(const struct lg_target *t, const struct lg_request_shape *shape,
                     const char *line, size_t n, struct buf *ret_path)
{
    int rv;
    buf_clear(ret_path);
    if (shape->url_param != NULL) {
        rv = buf_printf(ret_path, "%s%c%s=", t->path, strchr(t->path, '?') != NULL ? '&' : '?',
                        shape->url_param);
        return rv < 0 ? rv : append_param(ret_path, line, n);
    }
    if (n >= 7 && strncasecmp(line, "http://", 7) == 0) {
        size_t skip = 7;
        while (skip < n && strchr("/?#", line[skip]) == NULL)
            skip++;
        size_t host = strlen(t->authority);
        if (skip - 7 != host || strncasecmp(line + 7, t->authority, host) != 0)
            return -EXDEV;
        line += skip;
        n -= skip;
    } else if (has_scheme(line)) {
        return -EPROTONOSUPPORT;
    }
    rv = n > 0 && line[0] == '/' ? 0 : buf_append_char(ret_path, '/');
    return rv < 0 ? rv : append_target(ret_path, line, n);
}

static int grow_ends(struct lg_requests *r, size_t *cap)
{
    if (r->n < *cap)
        return 0;
    size_t more = *cap == 0 ? 64 : *cap * 2;
    size_t *ends = reallocarray(r->ends, more, sizeof *ends);
    if (ends == NULL)
        return -ENOMEM;
    r->ends = ends;
    *cap = more;
    return 0;
}

static int read_url_file(struct lg_requests *r, const struct lg_target *t,
                         const struct lg_request_shape *shape, struct lg_why *why)
{
    FILE *file = fopen(shape->url_file, "re");
    if (file == NULL) {
        int err = errno;
        lg_why_set(why, "cannot read %s: %s", shape->url_file, err_text(err));
        return -EINVAL;
    }
    char *line = NULL;
    size_t line_cap = 0, cap = 0, number = 0;
    struct buf path;
    buf_init(&path, PATH_MAX_BYTES);
    int rv = 0;
    for (ssize_t n; rv == 0 && (n = getline(&line, &line_cap, file)) >= 0;) {
        number++;
        while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
            n--;
        line[n] = '\0';
        if (n == 0 || (line[0] == '#' && shape->url_param == NULL))
            continue;
        rv = line_path(t, shape, line, (size_t)n, &path);
        if (rv == 0)
            rv = grow_ends(r, &cap);
        if (rv == 0)
            rv = append_request(r, t, shape, &path);
    }
    if (rv == -EXDEV)
        lg_why_set(why, "%s:%zu: another host than %s (use --url-param to send URLs as data)",
                   shape->url_file, number, t->authority);
    else if (rv == -EPROTONOSUPPORT)
        lg_why_set(why, "%s:%zu: only http:// is spoken (use --url-param to send URLs as data)",
                   shape->url_file, number);
    else if (rv < 0)
        lg_why_set(why, "%s:%zu: %s", shape->url_file, number, err_text(rv));
    else if (r->n == 0) {
        lg_why_set(why, "%s holds no URL", shape->url_file);
        rv = -EINVAL;
    }
    buf_fini(&path);
    free(line);
    fclose(file);
    return rv;
}

int lg_requests_init(struct lg_requests *r, const struct lg_target *t,
                     const struct lg_request_shape *shape, struct lg_why *why)
{
    *r = (struct lg_requests){.is_head = strcmp(shape->method, "HEAD") == 0};
    buf_init(&r->bytes, REQUESTS_MAX_BYTES);
    int rv;
    if (shape->url_file != NULL) {
        rv = read_url_file(r, t, shape, why);
    } else {
        size_t cap = 0;
        struct buf path = {.data = t->path, .len = strlen(t->path)};
        rv = grow_ends(r, &cap);
        if (rv == 0)
            rv = append_request(r, t, shape, &path);
        if (rv < 0)
            lg_why_set(why, "the request is too large: %s", err_text(rv));
    }
    if (rv < 0)
        lg_requests_fini(r);
    return rv;
}

int lg_requests_init_paths(struct lg_requests *r, const struct lg_target *t,
                           const struct lg_request_shape *shape, const struct lg_path *paths,
                           size_t n, struct lg_why *why)
{
    *r = (struct lg_requests){.is_head = strcmp(shape->method, "HEAD") == 0};
    buf_init(&r->bytes, REQUESTS_MAX_BYTES);
    struct buf path;
    buf_init(&path, PATH_MAX_BYTES);
    size_t cap = 0;
    int rv = 0;
    for (size_t i = 0; i < n && paths[i].path != NULL && rv == 0; i++) {
        buf_clear(&path);
        rv = append_target(&path, paths[i].path, strlen(paths[i].path));
        for (unsigned k = 0; k < paths[i].weight && rv == 0; k++) {
            rv = grow_ends(r, &cap);
            if (rv == 0)
                rv = append_request(r, t, shape, &path);
        }
    }
    buf_fini(&path);
    if (rv < 0) {
        lg_why_set(why, "the requests are too large: %s", err_text(rv));
        lg_requests_fini(r);
    }
    return rv;
}

void lg_requests_fini(struct lg_requests *r)
{
    buf_fini(&r->bytes);
    free(r->ends);
    r->ends = NULL;
    r->n = 0;
}
