/* server/mode/listen.c - see listen.h. */
#include "server/mode/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "coro/base/clock.h"
#include "coro/base/err.h"
#include "coro/base/units.h"

#define LISTEN_WORD_BYTES 256
#define UNSENT_MAX_BYTES  (128 * 1024)
#define LOCK_LOOKS        100 /* for another that holds a folder: a second in all */
#define LOCK_LOOK_NS      (10 * NS_PER_MS)

static int fail(int err, char error[LISTEN_ERROR_BYTES], const char *format, ...) PRINTF_LIKE(3, 4);
static int fail(int err, char error[LISTEN_ERROR_BYTES], const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error, LISTEN_ERROR_BYTES, format, args);
    va_end(args);
    return err;
}

static void describe(struct listener *l)
{
    if (l->is_unix) {
        snprintf(l->text, sizeof l->text, "unix:%s", ((struct sockaddr_un *)&l->addr)->sun_path);
        return;
    }
    char host[INET6_ADDRSTRLEN + 1], port[8];
    if (getnameinfo((struct sockaddr *)&l->addr, l->len, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        snprintf(l->text, sizeof l->text, "?");
    else if (l->addr.ss_family == AF_INET6)
        snprintf(l->text, sizeof l->text, "[%s]:%s", host, port);
    else
        snprintf(l->text, sizeof l->text, "%s:%s", host, port);
}

static void set_flag(int fd, int level, int name, int value)
{
    /* each is an optimisation or checked by the bind that follows */
    (void)setsockopt(fd, level, name, &value, sizeof value);
}

/* Inherited by every accepted socket.  Answers are written whole; and of one that its
 * client does not take, the kernel holds little beyond what is on the wire: else a few
 * hundred such clients had megabytes each. */
static void tune(int fd)
{
    set_flag(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_flag(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_MAX_BYTES);
}

static int open_socket(const struct listener *l, bool shares)
{
    int fd = socket(l->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (!l->is_unix) {
        set_flag(fd, SOL_SOCKET, SO_REUSEADDR, 1);
        tune(fd);
    }
    if (shares)
        set_flag(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (l->addr.ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&l->addr;
        set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY, !IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr));
    }
    if (bind(fd, (const struct sockaddr *)&l->addr, l->len) == 0)
        return fd;
    int err = -errno;
    close(fd);
    return err;
}

static int start_listening(struct listener *l, int backlog, const char *word,
                           char error[LISTEN_ERROR_BYTES])
{
    int fd = open_socket(l, false);
    if (fd == -EADDRINUSE)
        return fail(fd, error, "cannot listen on %s: the address is in use (by another server?)",
                    word);
    if (fd == -EACCES && l->is_unix)
        return fail(fd, error, "cannot listen on %s: no permission to make the socket there", word);
    if (fd == -EACCES)
        return fail(fd, error,
                    "cannot listen on %s: no permission (a port below 1024 needs root or "
                    "CAP_NET_BIND_SERVICE)",
                    word);
    if (fd < 0)
        return fail(fd, error, "cannot listen on %s: %s", word, err_text(fd));
    if (!l->is_unix)
        set_flag(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    l->fd = fd;
    l->len = sizeof l->addr;
    if (listen(fd, backlog) < 0 || getsockname(fd, (struct sockaddr *)&l->addr, &l->len) < 0) {
        int err = -errno;
        close(fd);
        if (err == -EADDRINUSE) /* two probes passed bind together; listen decides */
            return fail(err, error, "cannot listen on %s: the address is in use", word);
        return fail(err, error, "cannot listen on %s: %s", word, err_text(err));
    }
    describe(l);
    return 0;
}

static struct listener *new_item(struct listen_set *set)
{
    if (set->count == LISTEN_MAX)
        return NULL;
    struct listener *l = &set->items[set->count];
    *l = (struct listener){.fd = -1};
    return l;
}

/* A socket file that nobody listens on any more is left over: remove it. */
static void remove_stale(const struct listener *l)
{
    const char *path = ((const struct sockaddr_un *)&l->addr)->sun_path;
    struct stat st;
    if (stat(path, &st) < 0 || !S_ISSOCK(st.st_mode))
        return;
    /* a server whose backlog is full (EAGAIN) is alive, and not to be waited for */
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    if (connect(fd, (const struct sockaddr *)&l->addr, l->len) < 0 && errno == ECONNREFUSED)
        unlink(path);
    close(fd);
}

/* Between a bind and its listen a socket file looks left over, and one found left over may
 * be fresh a moment later: those that start at once take turns, folder by folder.  The
 * descriptor of the lock; -1: without (no folder that we may read, or somebody else holds
 * it: whoever may read it can, so it is not waited for longer than a second). */
static int lock_folder(const char *path)
{
    char folder[sizeof((struct sockaddr_un *)NULL)->sun_path] = ".";
    const char *slash = strrchr(path, '/');
    if (slash != NULL)
        snprintf(folder, sizeof folder, "%.*s", slash == path ? 1 : (int)(slash - path), path);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0; i++) {
        if (i == LOCK_LOOKS || (errno != EWOULDBLOCK && errno != EINTR)) {
            close(fd);
            return -1;
        }
        nanosleep(&(struct timespec){.tv_nsec = LOCK_LOOK_NS}, NULL);
    }
    return fd;
}

static int check_path(const char *path, char error[LISTEN_ERROR_BYTES])
{
    const size_t most = sizeof((struct sockaddr_un *)NULL)->sun_path - 1;
    if (*path != '\0' && strlen(path) <= most)
        return 0;
    return fail(-EINVAL, error, "'unix:%s' is no address: the path must have 1 to %zu bytes", path,
                most);
}

static int open_unix(struct listen_set *set, const char *path, int backlog,
                     char error[LISTEN_ERROR_BYTES])
{
    struct listener *l = new_item(set);
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    if (l == NULL)
        return fail(-E2BIG, error, "more than %d addresses to listen on", LISTEN_MAX);
    int rv = check_path(path, error);
    if (rv < 0)
        return rv;
    memcpy(un.sun_path, path, strlen(path) + 1);
    memcpy(&l->addr, &un, sizeof un);
    l->len = sizeof un;
    l->is_unix = true;
    int lock = lock_folder(path);
    remove_stale(l);
    rv = start_listening(l, backlog, path, error);
    if (lock >= 0)
        close(lock);
    if (rv < 0)
        return rv;
    struct stat st;
    if (stat(path, &st) == 0) {
        l->file_dev = st.st_dev;
        l->file_ino = st.st_ino;
    }
    set->count++;
    return 0;
}

/* "HOST:PORT", "[V6]:PORT", ":PORT", "*:PORT" into its halves, in place. */
static int split(char *word, char **ret_host, char **ret_port)
{
    char *colon = strrchr(word, ':');
    if (colon == NULL || colon[1] == '\0')
        return -EINVAL;
    *colon = '\0';
    *ret_port = colon + 1;
    *ret_host = word;
    size_t len = strlen(word);
    if (word[0] == '[') {
        if (len < 3 || word[len - 1] != ']')
            return -EINVAL;
        word[len - 1] = '\0';
        *ret_host = word + 1;
    } else if (strchr(word, ':') != NULL) {
        return -EINVAL; /* IPv6 without brackets: which colon is the port's? */
    } else if (strcmp(word, "*") == 0) {
        *word = '\0';
    }
    return 0;
}

static int open_found(struct listen_set *set, const struct sockaddr *addr, socklen_t len,
                      int backlog, const char *word, char error[LISTEN_ERROR_BYTES])
{
    struct listener *l = new_item(set);
    if (l == NULL)
        return fail(-E2BIG, error, "more than %d addresses to listen on", LISTEN_MAX);
    memcpy(&l->addr, addr, len);
    l->len = len;
    int rv = start_listening(l, backlog, word, error);
    if (rv == 0)
        set->count++;
    return rv;
}

/* A checked "HOST:PORT". */
static int parse_tcp(const char *word, char copy[LISTEN_WORD_BYTES], char **ret_host,
                     char **ret_port, char error[LISTEN_ERROR_BYTES])
{
    int64_t number;
    *ret_host = *ret_port = copy;
    snprintf(copy, LISTEN_WORD_BYTES, "%s", word);
    if (split(copy, ret_host, ret_port) == 0 && units_parse_int(*ret_port, 0, 65535, &number) == 0)
        return 0;
    return fail(-EINVAL, error,
                "'%s' is no address: expected ADDR:PORT, [V6]:PORT, :PORT or unix:PATH", word);
}

static int open_tcp(struct listen_set *set, const char *word, int backlog,
                    char error[LISTEN_ERROR_BYTES])
{
    char copy[LISTEN_WORD_BYTES], *host, *port;
    int rv = parse_tcp(word, copy, &host, &port, error);
    if (rv < 0)
        return rv;
    struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    bool is_any = *host == '\0';
    int code = getaddrinfo(is_any ? "::" : host, port, &hints, &found);
    if (code != 0)
        return fail(-EADDRNOTAVAIL, error, "cannot listen on '%s': %s", word, gai_strerror(code));
    for (const struct addrinfo *at = found; at != NULL && rv == 0; at = at->ai_next)
        rv = open_found(set, at->ai_addr, at->ai_addrlen, backlog, word, error);
    freeaddrinfo(found);
    if (!is_any || (rv != -EAFNOSUPPORT && rv != -EADDRNOTAVAIL))
        return rv;
    /* a machine without IPv6 */
    struct sockaddr_in v4 = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
    return open_found(set, (const struct sockaddr *)&v4, sizeof v4, backlog, word, error);
}

/* The next word of a list; 0 at its end, 1, or -errno. */
static int next_word(const char **at, char ret_word[LISTEN_WORD_BYTES],
                     char error[LISTEN_ERROR_BYTES])
{
    if (**at == '\0')
        return 0;
    size_t len = strcspn(*at, ",");
    if (len >= LISTEN_WORD_BYTES)
        return fail(-EINVAL, error, "'%.60s...' is no address: it is too long", *at);
    memcpy(ret_word, *at, len);
    ret_word[len] = '\0';
    *at += len + ((*at)[len] == ',');
    return 1;
}

/* The path in "unix:PATH"; NULL: it is not one. */
static const char *path_of(const char *word)
{
    return strncmp(word, "unix:", 5) == 0 ? word + 5 : NULL;
}

int listen_list_check(const char *list, char error[LISTEN_ERROR_BYTES])
{
    char word[LISTEN_WORD_BYTES] = "", copy[LISTEN_WORD_BYTES], *host, *port;
    int rv;
    while ((rv = next_word(&list, word, error)) > 0) {
        const char *path = path_of(word);
        rv = path != NULL ? check_path(path, error) : parse_tcp(word, copy, &host, &port, error);
        if (rv < 0)
            return rv;
    }
    return rv;
}

int listen_set_open(struct listen_set *set, const char *list, int backlog,
                    char error[LISTEN_ERROR_BYTES])
{
    char word[LISTEN_WORD_BYTES] = "";
    int rv;
    while ((rv = next_word(&list, word, error)) > 0) {
        const char *path = path_of(word);
        rv = path != NULL ? open_unix(set, path, backlog, error)
                          : open_tcp(set, word, backlog, error);
        if (rv < 0)
            return rv;
    }
    return rv;
}

int listen_set_inherit(struct listen_set *set, char error[LISTEN_ERROR_BYTES])
{
    int count = sd_listen_fds(1);
    if (count < 0)
        return fail(count, error, "cannot take over sockets: %s", err_text(count));
    for (int i = 0; i < count; i++) {
        struct listener *l = new_item(set);
        if (l == NULL)
            return fail(-E2BIG, error, "more than %d sockets were handed over", LISTEN_MAX);
        l->fd = SD_LISTEN_FDS_START + i;
        l->is_inherited = true;
        if (sd_is_socket(l->fd, AF_UNSPEC, SOCK_STREAM, 1) <= 0)
            return fail(-EINVAL, error, "descriptor %d, handed over, is no listening socket",
                        l->fd);
        l->len = sizeof l->addr;
        if (getsockname(l->fd, (struct sockaddr *)&l->addr, &l->len) < 0)
            return fail(-errno, error, "descriptor %d: %s", l->fd, err_text(errno));
        l->is_unix = l->addr.ss_family == AF_UNIX;
        (void)fcntl(l->fd, F_SETFL, fcntl(l->fd, F_GETFL) | O_NONBLOCK);
        tune(l->fd);
        describe(l);
        set->count++;
    }
    return count;
}

void listen_set_unlink(struct listen_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        struct listener *l = &set->items[i];
        const char *path = ((const struct sockaddr_un *)&l->addr)->sun_path;
        struct stat st;
        if (l->file_ino != 0 && stat(path, &st) == 0 && st.st_dev == l->file_dev &&
            st.st_ino == l->file_ino)
            unlink(path); /* what stays is found stale by the next start */
        l->file_ino = 0;
    }
}

void listen_set_fini(struct listen_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        struct listener *l = &set->items[i];
        for (size_t k = 0; k < l->clone_count; k++)
            if (l->clones[k] >= 0)
                close(l->clones[k]);
        free(l->clones);
        if (l->fd >= 0)
            close(l->fd);
    }
    set->count = 0;
}

int listen_clone(const struct listener *listener, int backlog)
{
    if (listener->is_unix || listener->is_inherited)
        return -EOPNOTSUPP;
    int fd = open_socket(listener, true);
    if (fd < 0)
        return fd;
    if (listen(fd, backlog) == 0)
        return fd;
    int err = -errno;
    close(fd);
    return err;
}

static int clone_one(struct listener *l, size_t count, int backlog)
{
    l->clones = calloc(count, sizeof *l->clones);
    if (l->clones == NULL)
        return -ENOMEM;
    for (; l->clone_count < count; l->clone_count++) {
        int fd = listen_clone(l, backlog);
        if (fd < 0)
            return fd;
        l->clones[l->clone_count] = fd;
    }
    return 0;
}

int listen_set_clone(struct listen_set *set, size_t count, int backlog,
                     char error[LISTEN_ERROR_BYTES])
{
    for (size_t i = 0; i < set->count && count > 0; i++) {
        struct listener *l = &set->items[i];
        if (l->is_unix || l->is_inherited)
            continue;
        int rv = clone_one(l, count, backlog);
        if (rv < 0)
            return fail(rv, error, "cannot listen on %s once for each worker: %s", l->text,
                        err_text(rv));
    }
    return 0;
}

int listen_take_clone(struct listener *listener, size_t i, int backlog)
{
    if (i >= listener->clone_count || listener->clones[i] < 0)
        return listen_clone(listener, backlog);
    int fd = listener->clones[i];
    listener->clones[i] = -1;
    return fd;
}

void listen_quiesce(int fd)
{
    /* The filter sees the TCP header: drop what has SYN (2) and not ACK (16). */
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13),          BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x12),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x02, 0, 1), BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
    };
    struct sock_fprog program = {.len = ARRAY_LEN(code), .filter = code};
    int domain = 0;
    socklen_t len = sizeof domain;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0 || domain == AF_UNIX)
        return;
    /* refused (a sandbox): the close that follows is then as good as any server's */
    (void)setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

int listen_queue_len(int fd)
{
    struct tcp_info info;
    socklen_t len = sizeof info;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0)
        return (int)info.tcpi_unacked;
    struct pollfd of_unix = {.fd = fd, .events = POLLIN}; /* which tells no number */
    return poll(&of_unix, 1, 0) > 0 && (of_unix.revents & POLLIN) != 0;
}
