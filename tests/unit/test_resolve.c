/* Names to addresses: numbers, services, the hosts file, what is refused. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "coro/resolve.h"
#include "suite.h"

static int64_t soon(void)
{
    return co_after(20 * NS_PER_S);
}

static const struct {
    const char *host;
    const char *service;
    struct addrinfo hints;
    int rv;
    const char *addr; /* of the first entry */
    int port;
} cases[] = {
    {"192.0.2.7", "80", {0}, 0, "192.0.2.7", 80},
    {"192.0.2.7", NULL, {0}, 0, "192.0.2.7", 0},
    {"192.0.2.7", "http", {.ai_socktype = SOCK_STREAM}, 0, "192.0.2.7", 80},
    {"192.0.2.7", "domain", {.ai_socktype = SOCK_DGRAM}, 0, "192.0.2.7", 53},
    {"2001:db8::1", "443", {0}, 0, "2001:db8::1", 443},
    {"2001:db8::1", "443", {.ai_family = AF_INET}, -ENOENT, NULL, 0},
    {"192.0.2.7", "no-such-service", {0}, -EINVAL, NULL, 0},
    {"192.0.2.7", "http", {.ai_flags = AI_NUMERICSERV}, -EINVAL, NULL, 0},
    {"192.0.2.7", "80", {.ai_family = AF_UNIX}, -EINVAL, NULL, 0},
    {"192.0.2.7", "80", {.ai_socktype = 99}, -EINVAL, NULL, 0},
    {"not-a-number", NULL, {.ai_flags = AI_NUMERICHOST}, -ENOENT, NULL, 0},
    {NULL, "80", {.ai_family = AF_INET}, 0, "127.0.0.1", 80},
    {NULL, "80", {.ai_family = AF_INET, .ai_flags = AI_PASSIVE}, 0, "0.0.0.0", 80},
    {NULL, NULL, {0}, -EINVAL, NULL, 0},
    {"", "80", {0}, -ENOENT, NULL, 0},
    {"localhost", "80", {.ai_family = AF_INET}, 0, "127.0.0.1", 80},
    /* flags that only the system's resolver knows */
    {"localhost", "80", {.ai_family = AF_INET, .ai_flags = AI_V4MAPPED}, 0, "127.0.0.1", 80},
};

static int case_main(void *arg)
{
    size_t i = (size_t)(intptr_t)arg;
    struct addrinfo *list = NULL;
    int rv = co_resolve(cases[i].host, cases[i].service, &cases[i].hints, soon(), &list);
    ck_assert_int_eq(rv, cases[i].rv);
    if (rv < 0) {
        ck_assert_ptr_null(list);
        return 0;
    }
    char text[INET6_ADDRSTRLEN];
    bool is_v4 = list->ai_family == AF_INET;
    const struct sockaddr_in *v4 = (const void *)list->ai_addr;
    const struct sockaddr_in6 *v6 = (const void *)list->ai_addr;
    const void *addr = is_v4 ? (const void *)&v4->sin_addr : (const void *)&v6->sin6_addr;
    ck_assert_str_eq(inet_ntop(list->ai_family, addr, text, sizeof(text)), cases[i].addr);
    ck_assert_int_eq(ntohs(is_v4 ? v4->sin_port : v6->sin6_port), cases[i].port);
    ck_assert_int_eq(list->ai_socktype,
                     cases[i].hints.ai_socktype != 0 ? cases[i].hints.ai_socktype : SOCK_STREAM);
    co_resolve_free(list);
    return 0;
}

START_TEST(names_and_numbers)
{
    ck_assert_int_eq(co_run(case_main, (void *)(intptr_t)_i, NULL), 0);
}
END_TEST

static int long_main(void *arg)
{
    char name[2000];
    struct addrinfo *list = NULL;
    (void)arg;
    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = 0;
    ck_assert_int_eq(co_resolve(name, "80", NULL, soon(), &list), -ENOENT);
    return 0;
}

START_TEST(a_name_too_long_is_no_name)
{
    ck_assert_int_eq(co_run(long_main, NULL, NULL), 0);
}
END_TEST

static int cancelled_main(void *arg)
{
    struct addrinfo *list = NULL;
    (void)arg;
    co_cancel(co_self());
    ck_assert_int_eq(co_resolve("name.invalid", "80", NULL, soon(), &list), -ECANCELED);
    return 0;
}

START_TEST(a_cancelled_task_asks_nobody)
{
    ck_assert_int_eq(co_run(cancelled_main, NULL, NULL), 0);
}
END_TEST

START_TEST(outside_a_loop)
{
    struct co_resolve_counts counts;
    ck_assert_int_eq(co_resolve_servers("127.0.0.1"), -EPERM);
    ck_assert_int_eq(co_resolve_counts(&counts), -EPERM);
    co_resolve_free(NULL);
}
END_TEST

SUITE_MAIN("resolve", SUITE_LOOP(names_and_numbers, cases), SUITE_TEST(a_name_too_long_is_no_name),
           SUITE_TEST(a_cancelled_task_asks_nobody), SUITE_TEST(outside_a_loop))
