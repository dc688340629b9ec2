/* Host names of Host fields and targets. */
#include "server/http/strict.h"
#include "suite.h"

static const struct {
    const char *text;
    bool is_host;
} hosts[] = {
    {"a", true},
    {"localhost:8080", true},
    {"www.example.com", true},
    {"127.0.0.1:43567", true},
    {"a-name-of-sixteen", true},
    {"sixteen.bytes.xy", true},
    {"sixteen.bytes.xy:1", true},
    {"a.name-that_is~longer.than-sixteen-bytes.and.than.two.blocks.example:65535", true},
    {"trailing.dot.", true},
    {"h%41:80", true},
    {"sixteen.bytes.xy%C3%A4", true},
    {"h:", true},
    {"[::1]", true},
    {"[2001:db8::1]:443", true},
    {"", false},
    {".", false},
    {":80", false},
    {".a", false},
    {"a..b", false},
    {"fifteen.bytes.x..y", false},
    {"sixteen.bytes.xy.", true},
    {"fifteen.bytes.x.", true},
    {"sixteen.bytes.x..", false},
    {"h%4", false},
    {"h%4x", false},
    {"h%", false},
    {"h:65536", false},
    {"h:8x", false},
    {"h:80:80", false},
    {"a b", false},
    {"u@h", false},
    {"a,b", false},
    {"[::1", false},
    {"[::1]x", false},
    {"[1.2.3.4]", false},
};

START_TEST(hosts_are_told_from_others)
{
    ck_assert_int_eq(http_is_host(hosts[_i].text, strlen(hosts[_i].text)), hosts[_i].is_host);
}
END_TEST

/* One byte at a place, in a name of every length up to three blocks of sixteen. */
START_TEST(every_byte_at_every_place)
{
    char name[48], exact[48];
    memset(name, 'x', sizeof name);
    for (size_t n = 1; n <= sizeof name; n++)
        for (size_t at = 0; at < n; at++)
            for (int c = 0; c < 256; c++) {
                bool is_name = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                               (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == '~' ||
                               (c == '.' && at > 0);
                bool is_port = c == ':' && at > 0 && at + 1 == n; /* none: RFC 3986 allows it */
                memcpy(exact, name, n);
                exact[at] = (char)c;
                if (http_is_host(exact, n) != (is_name || is_port))
                    ck_abort_msg("byte %d at %zu of %zu", c, at, n);
            }
}
END_TEST

START_TEST(dots_side_by_side_at_every_place)
{
    char name[48];
    for (size_t at = 1; at + 1 < sizeof name; at++) {
        memset(name, 'x', sizeof name);
        name[at] = '.';
        ck_assert(http_is_host(name, sizeof name));
        name[at + 1] = '.';
        ck_assert(!http_is_host(name, sizeof name));
    }
}
END_TEST

SUITE_MAIN("host", SUITE_LOOP(hosts_are_told_from_others, hosts),
           SUITE_TEST(every_byte_at_every_place), SUITE_TEST(dots_side_by_side_at_every_place))
