/* How far bytes of one kind go: every byte at every place of every length, against the
 * definitions, with nothing readable behind them. */
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "server/http/span.h"
#include "suite.h"

enum { LONGEST = 50 };

static bool is_alnum(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_clean(unsigned char c)
{
    return c == '\t' || (c >= 0x20 && c != 0x7f);
}

static bool is_target(unsigned char c)
{
    return is_alnum(c) || (c != 0 && strchr("!$%&'()*+,-./:;=?@[]_~", c) != NULL);
}

static bool is_token(unsigned char c)
{
    return is_alnum(c) || (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static const struct {
    size_t (*span)(const char *p, size_t n);
    bool (*holds)(unsigned char c);
} kinds[] = {
    {http_span_clean, is_clean}, {http_span_target, is_target}, {http_span_token, is_token}};

/* LONGEST bytes that end where memory ends. */
static char *at_the_edge(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *two = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(two, MAP_FAILED);
    ck_assert_int_eq(mprotect(two + page, page, PROT_NONE), 0);
    return two + page - LONGEST;
}

START_TEST(every_byte_at_every_place)
{
    char *end = at_the_edge() + LONGEST;
    for (size_t n = 0; n <= LONGEST; n++) {
        char *p = end - n;
        memset(p, 'a', n);
        ck_assert_uint_eq(kinds[_i].span(p, n), n);
        for (size_t at = 0; at < n; at++) {
            for (unsigned c = 0; c < 256; c++) {
                p[at] = (char)c;
                size_t expected = kinds[_i].holds((unsigned char)c) ? n : at;
                ck_assert_msg(kinds[_i].span(p, n) == expected, "%zu bytes, %#x at %zu", n, c, at);
            }
            p[at] = 'a';
        }
    }
}
END_TEST

START_TEST(the_first_of_several_counts)
{
    char *p = at_the_edge();
    for (size_t first = 0; first < LONGEST; first++) {
        memset(p, 'a', LONGEST);
        for (size_t at = first; at < LONGEST; at += 3)
            p[at] = '\r';
        ck_assert_uint_eq(kinds[_i].span(p, LONGEST), first);
    }
}
END_TEST

SUITE_MAIN("span", SUITE_LOOP(every_byte_at_every_place, kinds),
           SUITE_LOOP(the_first_of_several_counts, kinds))
