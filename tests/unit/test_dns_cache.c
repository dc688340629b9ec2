/* Answers of DNS in memory: found until they expire, bounded, made into lists. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "coro/dns_cache.h"
#include "suite.h"

static struct dns_answer *answer_with(const char *key, size_t count)
{
    struct dns_answer *answer = dns_answer_new(key, count);
    ck_assert_ptr_nonnull(answer);
    for (size_t i = 0; i < count; i++) {
        struct sockaddr_in addr = {.sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(0xc0000200 + (uint32_t)i)};
        dns_answer_add(answer, (const struct sockaddr *)&addr);
    }
    return answer;
}

START_TEST(an_answer_lives_until_it_expires)
{
    struct dns_cache cache;
    dns_cache_init(&cache, 8);
    ck_assert_ptr_null(dns_cache_find(&cache, "*a", 0));
    dns_cache_put(&cache, answer_with("*a", 1), 100);
    ck_assert_ptr_nonnull(dns_cache_find(&cache, "*a", 99));
    ck_assert_ptr_null(dns_cache_find(&cache, "4a", 99)); /* another family, another answer */
    ck_assert_ptr_null(dns_cache_find(&cache, "*a", 100));
    ck_assert_uint_eq(cache.count, 0);
    dns_cache_put(&cache, answer_with("*a", 1), 100);
    dns_cache_put(&cache, answer_with("*a", 2), 200);
    ck_assert_uint_eq(cache.count, 1);
    ck_assert_uint_eq(dns_cache_find(&cache, "*a", 150)->count, 2);
    dns_cache_clear(&cache);
    ck_assert_ptr_null(dns_cache_find(&cache, "*a", 150));
}
END_TEST

START_TEST(the_least_used_goes_when_it_is_full)
{
    struct dns_cache cache;
    dns_cache_init(&cache, 3);
    dns_cache_put(&cache, answer_with("*a", 1), 100);
    dns_cache_put(&cache, answer_with("*b", 1), 100);
    dns_cache_put(&cache, answer_with("*c", 1), 100);
    ck_assert_ptr_nonnull(dns_cache_find(&cache, "*a", 1));
    dns_cache_put(&cache, answer_with("*d", 1), 100);
    ck_assert_uint_eq(cache.count, 3);
    ck_assert_ptr_nonnull(dns_cache_find(&cache, "*a", 1));
    ck_assert_ptr_null(dns_cache_find(&cache, "*b", 1));
    ck_assert_ptr_nonnull(dns_cache_find(&cache, "*c", 1));
    ck_assert_ptr_nonnull(dns_cache_find(&cache, "*d", 1));
    dns_cache_clear(&cache);
}
END_TEST

START_TEST(a_list_has_what_was_wanted)
{
    struct dns_answer *answer = answer_with("*name", 1);
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct dns_answer *both = dns_answer_new("*name", 2);
    dns_answer_add(both, (const struct sockaddr *)&v6);
    dns_answer_add(both, &answer->addrs[0].any);
    const struct dns_want want = {SOCK_DGRAM, IPPROTO_UDP, htons(53), true};
    struct addrinfo *list = NULL;
    ck_assert_int_eq(dns_answer_list(both, &want, &list), 0);
    ck_assert_str_eq(list->ai_canonname, "name");
    ck_assert_int_eq(list->ai_family, AF_INET6);
    ck_assert_int_eq(list->ai_socktype, SOCK_DGRAM);
    ck_assert_int_eq(list->ai_protocol, IPPROTO_UDP);
    ck_assert_uint_eq(list->ai_addrlen, sizeof(struct sockaddr_in6));
    char text[INET6_ADDRSTRLEN];
    const struct sockaddr_in *v4 = (const void *)list->ai_next->ai_addr;
    ck_assert_str_eq(inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text)), "192.0.2.0");
    ck_assert_int_eq(ntohs(v4->sin_port), 53);
    ck_assert_ptr_null(list->ai_next->ai_canonname);
    ck_assert_ptr_null(list->ai_next->ai_next);
    co_resolve_free(list);
    free(answer);
    free(both);
}
END_TEST

START_TEST(an_answer_is_bounded)
{
    struct dns_answer *answer = answer_with("*many", 1000);
    ck_assert_uint_eq(answer->count, DNS_ADDRS_MAX);
    free(answer);
}
END_TEST

SUITE_MAIN("dns_cache", SUITE_TEST(an_answer_lives_until_it_expires),
           SUITE_TEST(the_least_used_goes_when_it_is_full), SUITE_TEST(a_list_has_what_was_wanted),
           SUITE_TEST(an_answer_is_bounded))
