/* coro/dns.c - questions to DNS servers, without a thread; the only file that
 * knows c-ares.
 *
 * Happy path: the first task that asks for a name starts a query and parks;
 * those that ask for the same meanwhile join it.  c-ares says which sockets it
 * waits for, and each gets a watch of the reactor; its earliest time-out is a
 * timer of the loop.  The answer goes into the cache, for as long as the
 * shortest-lived of its records, and to everybody who still waits.
 *
 * A task that gives up leaves its query: the answer comes or does not, and is
 * cached all the same.  Queries under way are bounded, so that servers which
 * do not answer hold only so much.  When a watch or the timer cannot be had,
 * every query is ended with that error: nothing would ever wake them.
 *
 * The system's configuration is looked at once a second, while nothing is
 * under way: a changed file makes a new client and an empty cache.
 *
 * c-ares tells no lifetime of "no such name", nor do the hosts file's lines
 * have one: neither is cached. */
#include "coro/dns.h"

#include <ares.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CACHE_MAX        256
#define LIFE_MAX_S       3600
#define CONFIG_LOOK_NS   NS_PER_S
#define SERVERS_PATH     "/etc/resolv.conf"
#define NSSWITCH_PATH    "/etc/nsswitch.conf"
#define CONFIG_FILES_MAX 3

static const char *const config_files[CONFIG_FILES_MAX] = {SERVERS_PATH, NSSWITCH_PATH,
                                                           "/etc/hosts"};

struct dns {
    struct co_loop *loop;
    ares_channel channel; /* NULL: to be made */
    struct co_list queries;
    struct co_list socks;
    size_t pending;
    int failure; /* why everything has to end; 0: nothing */
    bool is_own_servers;
    bool is_plain; /* the system asks for nothing but files and DNS */
    int64_t looked_ns;
    struct timespec changed[CONFIG_FILES_MAX];
    struct co_timer timer;
    struct dns_cache cache;
    struct co_resolve_counts counts;
};

/* A socket of c-ares. */
struct dns_sock {
    struct co_list link;
    struct dns *dns;
    int fd;
    /* the reactor's watch follows */
};

struct query {
    struct co_list link;
    struct co_list waiters;
    struct dns *dns;
    char key[DNS_KEY_BYTES];
};

/* A task that waits for a query; on its stack. */
struct waiter {
    struct co_list link;
    struct co_task *task;
    const struct dns_want *want;
    bool is_done;
    int rv;
    struct addrinfo *list;
};

static int map_status(int status)
{
    switch (status) {
    case ARES_SUCCESS:
        return 0;
    case ARES_ENOTFOUND:
    case ARES_ENODATA:
    case ARES_EBADNAME:
        return -ENOENT;
    case ARES_ESERVFAIL:
    case ARES_EREFUSED:
    case ARES_ECONNREFUSED:
    case ARES_ETIMEOUT:
        return -EAGAIN;
    case ARES_ENOMEM:
        return -ENOMEM;
    case ARES_ECANCELLED:
    case ARES_EDESTRUCTION:
        return -ECANCELED;
    default:
        return -EIO;
    }
}

/* ---- what c-ares waits for ---- */

static void settle(struct dns *dns);

static inline struct reactor_watch *watch_of(struct dns_sock *sock)
{
    return (struct reactor_watch *)(void *)(sock + 1);
}

static void on_sock(void *arg, unsigned events)
{
    const struct dns_sock *sock = arg;
    struct dns *dns = sock->dns;
    ares_socket_t fd = sock->fd;
    /* This may close the socket, and free its record. */
    ares_process_fd(dns->channel, (events & REACTOR_READ) ? fd : ARES_SOCKET_BAD,
                    (events & REACTOR_WRITE) ? fd : ARES_SOCKET_BAD);
    settle(dns);
}

static void forget_sock(struct dns_sock *sock)
{
    reactor_unwatch(watch_of(sock));
    list_del(&sock->link);
    free(sock);
}

static struct dns_sock *find_sock(struct dns *dns, int fd)
{
    LIST_FOR_EACH(link, &dns->socks)
    {
        struct dns_sock *sock = LIST_ENTRY(link, struct dns_sock, link);
        if (sock->fd == fd)
            return sock;
    }
    return NULL;
}

/* c-ares wants to know of these events from now on; before it closes, of none. */
static void on_sock_state(void *arg, ares_socket_t fd, int is_read, int is_write)
{
    struct dns *dns = arg;
    struct dns_sock *sock = find_sock(dns, fd);
    if (sock != NULL)
        forget_sock(sock);
    if (!is_read && !is_write)
        return;
    sock = calloc(1, sizeof(*sock) + reactor_watch_bytes());
    if (sock == NULL) {
        dns->failure = -ENOMEM;
        return;
    }
    *sock = (struct dns_sock){.dns = dns, .fd = fd};
    unsigned events = (is_read ? REACTOR_READ : 0U) | (is_write ? REACTOR_WRITE : 0U);
    int rv =
        reactor_watch(dns->loop->reactor, watch_of(sock), fd, events, REACTOR_LEVEL, on_sock, sock);
    if (rv < 0) {
        free(sock);
        dns->failure = rv;
        return;
    }
    list_add_tail(&dns->socks, &sock->link);
}

static void on_timer(struct co_timer *timer)
{
    struct dns *dns = CONTAINER_OF(timer, struct dns, timer);
    ares_process_fd(dns->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    settle(dns);
}

/* After c-ares has done something: see to its next time-out. */
static void settle(struct dns *dns)
{
    struct co_timers *timers = &dns->loop->timers;
    coro_timer_disarm(timers, &dns->timer);
    struct timeval tv;
    if (dns->failure == 0 && ares_timeout(dns->channel, NULL, &tv) != NULL) {
        int64_t span_ns = tv.tv_sec * NS_PER_S + tv.tv_usec * NS_PER_US;
        dns->failure = coro_timer_arm(timers, &dns->timer, clock_now_ns() + span_ns);
    }
    if (dns->failure < 0) {
        ares_cancel(dns->channel);
        dns->failure = 0;
    }
}

/* ---- answers ---- */

static struct dns_answer *answer_of(const struct query *query, const struct ares_addrinfo *result,
                                    int *ret_life_s)
{
    size_t count = 0;
    int life_s = LIFE_MAX_S;
    for (const struct ares_addrinfo_node *n = result->nodes; n != NULL; n = n->ai_next) {
        count++;
        if (n->ai_ttl < life_s)
            life_s = n->ai_ttl;
    }
    for (const struct ares_addrinfo_cname *n = result->cnames; n != NULL; n = n->next)
        if (n->ttl < life_s)
            life_s = n->ttl;
    struct dns_answer *answer = dns_answer_new(query->key, count);
    if (answer == NULL)
        return NULL;
    for (const struct ares_addrinfo_node *n = result->nodes; n != NULL; n = n->ai_next)
        dns_answer_add(answer, n->ai_addr);
    if (result->name != NULL)
        snprintf(answer->canonical, sizeof(answer->canonical), "%s", result->name);
    *ret_life_s = life_s;
    return answer;
}

static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *result)
{
    (void)timeouts;
    struct query *query = arg;
    struct dns *dns = query->dns;
    struct dns_answer *answer = NULL;
    int life_s = 0;
    int rv = dns->failure < 0 ? dns->failure : map_status(status);
    if (rv == 0 && (result == NULL || result->nodes == NULL))
        rv = -ENOENT;
    if (rv == 0 && (answer = answer_of(query, result, &life_s)) == NULL)
        rv = -ENOMEM;
    struct co_list *link;
    while ((link = list_pop_head(&query->waiters)) != NULL) {
        struct waiter *waiter = LIST_ENTRY(link, struct waiter, link);
        waiter->is_done = true;
        waiter->rv = rv < 0 ? rv : dns_answer_list(answer, waiter->want, &waiter->list);
        coro_wake(waiter->task, 0);
    }
    if (life_s > 0)
        dns_cache_put(&dns->cache, answer, clock_now_ns() + life_s * NS_PER_S);
    else
        free(answer);
    if (result != NULL)
        ares_freeaddrinfo(result);
    list_del(&query->link);
    dns->pending--;
    free(query);
}

static struct query *query_of(struct dns *dns, const char *key)
{
    LIST_FOR_EACH(link, &dns->queries)
    {
        struct query *query = LIST_ENTRY(link, struct query, link);
        if (strcmp(query->key, key) == 0)
            return query;
    }
    return NULL;
}

/* Start a query with its first waiter; it may be over at once (the hosts file). */
static int start(struct dns *dns, const char *key, struct waiter *waiter)
{
    struct query *query = dns->pending < CO_RESOLVE_QUERIES ? calloc(1, sizeof(*query)) : NULL;
    if (query == NULL)
        return dns->pending < CO_RESOLVE_QUERIES ? -ENOMEM : -EAGAIN;
    query->dns = dns;
    snprintf(query->key, sizeof(query->key), "%s", key);
    list_init(&query->waiters);
    list_add_tail(&query->waiters, &waiter->link);
    list_add_tail(&dns->queries, &query->link);
    dns->pending++;
    dns->counts.queries++;
    struct ares_addrinfo_hints hints = {.ai_family = key[0] == '4'   ? AF_INET
                                                     : key[0] == '6' ? AF_INET6
                                                                     : AF_UNSPEC,
                                        .ai_flags = ARES_AI_CANONNAME};
    ares_getaddrinfo(dns->channel, key + 1, NULL, &hints, on_answer, query);
    settle(dns);
    return 0;
}

int dns_ask(struct dns *dns, const char *key, const struct dns_want *want, int64_t deadline_ns,
            struct addrinfo **ret_list)
{
    struct co_loop *loop = dns->loop;
    const struct dns_answer *known = dns_cache_find(&dns->cache, key, loop->now_ns);
    if (known != NULL) {
        dns->counts.hits++;
        return dns_answer_list(known, want, ret_list);
    }
    if (loop->self->is_cancelled)
        return -ECANCELED;
    struct waiter self = {.task = loop->self, .want = want};
    list_init(&self.link);
    struct query *query = query_of(dns, key);
    int rv = 0;
    if (query != NULL)
        list_add_tail(&query->waiters, &self.link);
    else
        rv = start(dns, key, &self);
    if (rv == 0 && !self.is_done) {
        loop->fd_waits++;
        rv = coro_park(CO_WAIT_RESOLVE, NULL, deadline_ns);
        loop->fd_waits--;
        list_del(&self.link);
    }
    if (!self.is_done)
        return rv;
    if (self.rv == 0)
        *ret_list = self.list;
    return self.rv;
}

/* ---- configuration ---- */

bool dns_is_plain_hosts_line(const char *line)
{
    bool is_any = false;
    for (const char *at = line; *at != 0 && *at != '#' && *at != '\n';) {
        size_t len = strcspn(at, " \t\n#");
        if (len > 0 && !(len == 5 && memcmp(at, "files", 5) == 0) &&
            !(len == 3 && memcmp(at, "dns", 3) == 0))
            return false;
        is_any |= len > 0;
        at += len;
        at += strspn(at, " \t");
    }
    return is_any;
}

/* NULL: no such file, or it is nobody's business; but -errno when it could not be told. */
static int open_config(const char *path, FILE **ret_file)
{
    *ret_file = fopen(path, "re");
    bool is_starved = errno == EMFILE || errno == ENFILE || errno == ENOMEM;
    return *ret_file == NULL && is_starved ? -errno : 0;
}

/* c-ares takes a file that it cannot open for one that is not there. */
static int check_servers_file(void)
{
    FILE *file;
    int rv = open_config(SERVERS_PATH, &file);
    if (file != NULL)
        fclose(file);
    return rv;
}

/* No such file or line: the default is files and DNS. */
static int look_at_system(bool *ret_is_plain)
{
    FILE *file = NULL;
    *ret_is_plain = true;
    int rv = check_servers_file();
    if (rv == 0)
        rv = open_config(NSSWITCH_PATH, &file);
    if (rv < 0 || file == NULL)
        return rv;
    char *line = NULL;
    size_t cap = 0;
    while (getline(&line, &cap, file) > 0) {
        const char *at = line + strspn(line, " \t");
        if (strncmp(at, "hosts:", 6) == 0) {
            *ret_is_plain = dns_is_plain_hosts_line(at + 6);
            break;
        }
    }
    free(line);
    fclose(file);
    return 0;
}

/* When each file was changed; no such file: never. */
static void look_at_files(struct timespec ret_changed[CONFIG_FILES_MAX])
{
    for (int i = 0; i < CONFIG_FILES_MAX; i++) {
        struct stat st;
        ret_changed[i] =
            stat(config_files[i], &st) == 0 ? st.st_mtim : (struct timespec){.tv_sec = 0};
    }
}

static bool is_same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool has_changed(const struct dns *dns, const struct timespec changed[CONFIG_FILES_MAX])
{
    for (int i = 0; i < CONFIG_FILES_MAX; i++)
        if (!is_same_time(&dns->changed[i], &changed[i]))
            return true;
    return false;
}

/* A client as the system is configured, or with servers of its own. */
static int configure(struct dns *dns, const char *servers)
{
    bool is_plain = true;
    int rv = servers != NULL ? 0 : look_at_system(&is_plain);
    if (rv < 0)
        return rv;
    char lookups[] = "fb";
    struct ares_options options = {
        .sock_state_cb = on_sock_state, .sock_state_cb_data = dns, .lookups = lookups};
    ares_channel channel;
    int mask = ARES_OPT_SOCK_STATE_CB | (servers != NULL ? ARES_OPT_LOOKUPS : 0);
    int status = ares_init_options(&channel, &options, mask);
    if (status == ARES_SUCCESS && servers != NULL) {
        status = ares_set_servers_ports_csv(channel, servers);
        if (status != ARES_SUCCESS)
            ares_destroy(channel);
    }
    if (status != ARES_SUCCESS)
        return status == ARES_ENOMEM ? -ENOMEM : -EINVAL;
    if (dns->channel != NULL)
        ares_destroy(dns->channel);
    dns->channel = channel;
    dns->is_own_servers = servers != NULL;
    dns->is_plain = is_plain;
    dns_cache_clear(&dns->cache);
    return 0;
}

static struct dns *dns_new(struct co_loop *loop)
{
    struct dns *dns = calloc(1, sizeof(*dns));
    if (dns == NULL)
        return NULL;
    dns->loop = loop;
    dns->timer.fire = on_timer;
    list_init(&dns->queries);
    list_init(&dns->socks);
    dns_cache_init(&dns->cache, CACHE_MAX);
    loop->dns = dns;
    return dns;
}

int dns_open(struct co_loop *loop, struct dns **ret_dns)
{
    struct dns *dns = loop->dns != NULL ? loop->dns : dns_new(loop);
    if (dns == NULL)
        return -ENOMEM;
    bool is_due = dns->pending == 0 && !dns->is_own_servers &&
                  (dns->channel == NULL || loop->now_ns >= dns->looked_ns + CONFIG_LOOK_NS);
    if (is_due) {
        struct timespec changed[CONFIG_FILES_MAX];
        look_at_files(changed);
        if (has_changed(dns, changed) || dns->channel == NULL) {
            int rv = configure(dns, NULL);
            if (rv < 0 && dns->channel == NULL)
                return rv;
            if (rv == 0) /* else the client we have goes on, and the next look tries again */
                memcpy(dns->changed, changed, sizeof(changed));
        }
        dns->looked_ns = loop->now_ns;
    }
    if (!dns->is_plain)
        return -ENOTSUP;
    *ret_dns = dns;
    return 0;
}

int co_resolve_servers(const char *servers)
{
    struct co_loop *loop = coro_loop_tls;
    if (loop == NULL)
        return -EPERM;
    struct dns *dns = loop->dns != NULL ? loop->dns : dns_new(loop);
    if (dns == NULL)
        return -ENOMEM;
    if (dns->pending > 0)
        return -EBUSY;
    dns->looked_ns = 0;
    return configure(dns, servers);
}

int co_resolve_counts(struct co_resolve_counts *ret_counts)
{
    if (coro_loop_tls == NULL)
        return -EPERM;
    const struct dns *dns = coro_loop_tls->dns;
    *ret_counts = (struct co_resolve_counts){0};
    if (dns != NULL) {
        *ret_counts = dns->counts;
        ret_counts->pending = dns->pending;
        ret_counts->cached = dns->cache.count;
    }
    return 0;
}

void coro_dns_fini(struct co_loop *loop)
{
    struct dns *dns = loop->dns;
    if (dns == NULL)
        return;
    if (dns->channel != NULL)
        ares_destroy(dns->channel);
    while (!list_is_empty(&dns->socks))
        forget_sock(LIST_ENTRY(dns->socks.next, struct dns_sock, link));
    coro_timer_disarm(&loop->timers, &dns->timer);
    dns_cache_clear(&dns->cache);
    free(dns);
}
