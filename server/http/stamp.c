/* What is stamped on every answer: the date, and a request id. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "coro/prof/prof.h"
#include "server/http/work.h"

#define DATE_LINE_BYTES       37 /* "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n" */
#define SERVER_NAME_MAX_BYTES 64

/* ---- date ---- */

static __thread struct {
    int64_t until_ns; /* monotonic; the text is right before this */
    const char *server_name;
    size_t len;
    double tick_ns;
    char text[DATE_LINE_BYTES + sizeof "Server: \r\n" + SERVER_NAME_MAX_BYTES];
} date;

static void put2(char *at, int value)
{
    at[0] = (char)('0' + value / 10 % 10);
    at[1] = (char)('0' + value % 10);
}

/* Not strftime: %a and %b would follow the locale. */
static NOINLINE void date_refresh(int64_t now_ns, const char *server_name)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int64_t wall_ns = clock_wall_ns();
    time_t wall_s = (time_t)(wall_ns / NS_PER_S);
    struct tm tm;
    gmtime_r(&wall_s, &tm);
    memcpy(date.text, "Date: Sun, 00 Jan 0000 00:00:00 GMT\r\n", DATE_LINE_BYTES);
    memcpy(date.text + 6, days + 3 * tm.tm_wday, 3);
    put2(date.text + 11, tm.tm_mday);
    memcpy(date.text + 14, months + 3 * tm.tm_mon, 3);
    put2(date.text + 18, (tm.tm_year + 1900) / 100);
    put2(date.text + 20, tm.tm_year + 1900);
    put2(date.text + 23, tm.tm_hour);
    put2(date.text + 26, tm.tm_min);
    put2(date.text + 29, tm.tm_sec);
    date.len = DATE_LINE_BYTES;
    if (server_name != NULL)
        date.len += (size_t)sprintf(date.text + date.len, "Server: %.*s\r\n", SERVER_NAME_MAX_BYTES,
                                    server_name);
    date.server_name = server_name;
    date.tick_ns = prof_tick_ns();
    date.until_ns = now_ns + NS_PER_S - wall_ns % NS_PER_S;
}

struct http_str http_stamp(int64_t now_ns, const char *server_name)
{
    if (UNLIKELY(now_ns >= date.until_ns || server_name != date.server_name))
        date_refresh(now_ns, server_name);
    return (struct http_str){date.text, date.len};
}

double http_tick_ns(void)
{
    return date.tick_ns;
}

/* ---- request ids ---- */

/* A forked child must not repeat its parent's ids: each fork makes old seeds stale. */
static unsigned generation = 1;
static pthread_once_t generation_once = PTHREAD_ONCE_INIT;
static __thread struct {
    unsigned generation;
    uint64_t next;
} ids;

static void on_fork(void)
{
    generation++;
}

static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, on_fork);
}

static void ids_seed(void)
{
    pthread_once(&generation_once, watch_forks);
    if (getrandom(&ids.next, sizeof ids.next, GRND_NONBLOCK) != sizeof ids.next)
        ids.next = (uint64_t)clock_wall_ns() ^ (uint64_t)(uintptr_t)&ids;
    ids.generation = generation;
}

void http_make_id(char text[HTTP_ID_BYTES])
{
    if (UNLIKELY(ids.generation != generation))
        ids_seed();
    /* splitmix64: a counter made to look random; unique, not secret */
    uint64_t z = (ids.next += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    /* sixteen digits at once: spread the nibbles over bytes, then 0..9 and a..f */
    uint64_t half[2] = {z & 0x0F0F0F0F0F0F0F0Fu, z >> 4 & 0x0F0F0F0F0F0F0F0Fu};
    for (int i = 0; i < 2; i++) {
        uint64_t is_letter = (half[i] + 0x0606060606060606u) >> 4 & 0x0101010101010101u;
        half[i] += 0x3030303030303030u + is_letter * ('a' - '0' - 10);
        memcpy(text + 8 * i, &half[i], 8);
    }
}
