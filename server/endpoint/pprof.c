/* /debug/pprof/: the routes that Go programs have, so that pprof, Parca and
 * Pyroscope scrape this server without knowing what it is.
 *
 *   profile?seconds=N   CPU per call path over the next N seconds (30)
 *   calls[?seconds=N]   calls, waiting and running per path since the start, or
 *                       over the next N seconds; debug=1: as text
 *   cmdline             the command line, NUL between the words
 *   symbol              names of the addresses in the profiles
 *
 * Errors are text with X-Go-Pprof: 1, which the tools know. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "coro/base/clock.h"
#include "coro/base/units.h"
#include "coro/prof/prof.h"
#include "coro/prof/snapshot.h"
#include "server/endpoint/endpoint.h"
#include "server/endpoint/profiling.h"
#include "server/profile/window.h"

#define PREFIX          "/debug/pprof/"
#define SECONDS_DEFAULT 30
#define SECONDS_MAX     600
/* How often a waiting report looks whether the server is leaving. */
#define LOOK_NS (100 * NS_PER_MS)

static PRINTF_LIKE(3, 4) void complain(struct http_response *res, int status, const char *format,
                                       ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text - 1, format, args);
    va_end(args);
    n = n > (int)sizeof text - 2 ? (int)sizeof text - 2 : n;
    text[n++] = '\n';
    http_add_field(res, "X-Go-Pprof", "1");
    http_add_field(res, "X-Content-Type-Options", "nosniff");
    http_answer(res, status, HTTP_TYPE_TEXT, text, (size_t)n);
}

static void index_page(struct http_response *res)
{
    static const char text[] = "profiles of domaind, in pprof's format:\n"
                               "\n"
                               "  " PREFIX "profile?seconds=30   CPU per call path, from now on\n"
                               "  " PREFIX "calls                calls, waiting and running since "
                               "the start (seconds=N: from now on; debug=1: as text)\n"
                               "  " PREFIX "cmdline              the command line\n"
                               "  " PREFIX "symbol               names of addresses\n"
                               "\n"
                               "go tool pprof http://HOST" PREFIX "profile?seconds=5\n"
                               "The table for people is at /profile.\n";
    http_answer(res, HTTP_200_OK, HTTP_TYPE_TEXT, text, sizeof text - 1);
}

/* ---- profile, calls ---- */

static int take_aside(void *job)
{
    struct profile_job *j = job;
    int rv = profile_store_take(&j->query.base); /* kept: the store may forget it meanwhile */
    if (rv == 0)
        j->query.base_id = j->query.base->id;
    return rv;
}

/* 0 after the time; -ECANCELED when the server is leaving. */
static int wait_seconds(const struct endpoint_settings *settings, struct http_request *req,
                        int64_t seconds)
{
    int64_t until_ns = clock_now_ns() + seconds * NS_PER_S;
    for (;;) {
        int64_t left_ns = until_ns - clock_now_ns();
        if (left_ns <= 0)
            return 0;
        if (atomic_load_explicit(&req->app->draining, memory_order_relaxed))
            return -ECANCELED;
        int rv = settings->pause(left_ns < LOOK_NS ? left_ns : LOOK_NS);
        if (rv < 0)
            return rv;
    }
}

/* Note the moment, wait; the report then is what came after it. */
static int open_delta(const struct endpoint_settings *settings, struct http_request *req,
                      struct http_response *res, struct profile_job *job, int64_t seconds)
{
    int made = 0;
    int rv = settings->aside(take_aside, job, endpoint_profile_job_free, &made);
    if (rv < 0) { /* the job is gone */
        complain(res, HTTP_503_SERVICE_UNAVAILABLE, "no snapshot could be taken: %s", err_text(rv));
        return rv;
    }
    rv = made < 0 ? made : wait_seconds(settings, req, seconds);
    if (rv == 0)
        return 0;
    if (rv == -ENOENT)
        complain(res, HTTP_404_NOT_FOUND, "the recorder was off at start (profile=off)");
    else
        complain(res, HTTP_503_SERVICE_UNAVAILABLE, "the server is leaving");
    endpoint_profile_job_free(job);
    return rv;
}

/* seconds=N as Go reads it: what makes no sense is the default. */
static int64_t seconds_of(const struct http_request *req, int64_t otherwise)
{
    char text[16];
    int64_t seconds;
    if (http_query_text(req, "seconds", text, sizeof text) < 0 ||
        units_parse_int(text, 1, INT32_MAX, &seconds) < 0)
        return otherwise;
    return seconds;
}

static void profile(struct http_request *req, struct http_response *res, bool is_cpu)
{
    const struct endpoint_settings *settings = req->app->user;
    int64_t seconds = seconds_of(req, is_cpu ? SECONDS_DEFAULT : 0);
    char debug[8] = "0";
    (void)http_query_text(req, "debug", debug, sizeof debug);
    bool is_text = strcmp(debug, "0") != 0 && !is_cpu;
    if (is_text && seconds > 0) {
        complain(res, HTTP_400_BAD_REQUEST, "seconds and debug do not go together");
        return;
    }
    if (seconds > SECONDS_MAX) {
        complain(res, HTTP_400_BAD_REQUEST, "seconds is at most %d", SECONDS_MAX);
        return;
    }
    struct profile_job *job = endpoint_profile_job_new(settings);
    if (job == NULL) {
        complain(res, HTTP_500_INTERNAL_SERVER_ERROR, "out of memory");
        return;
    }
    job->query.format = is_text ? PROFILE_FORMAT_TEXT : PROFILE_FORMAT_PPROF;
    job->query.is_cpu = is_cpu;
    if (seconds > 0 && open_delta(settings, req, res, job, seconds) < 0)
        return;
    (void)endpoint_profile_answer(settings, res, job);
}

/* ---- cmdline, symbol ---- */

static void cmdline(struct http_response *res)
{
    char text[8192];
    int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
    if (fd >= 0)
        close(fd);
    if (n <= 0)
        complain(res, HTTP_500_INTERNAL_SERVER_ERROR, "the command line cannot be read");
    else /* the last word's NUL is not between words */
        http_answer(res, HTTP_200_OK, HTTP_TYPE_TEXT, text, (size_t)n - 1);
}

/* A location's address in our profiles is its site. */
static const char *name_at(uintptr_t address)
{
    uintptr_t first = (uintptr_t)__start_prof_sites, end = (uintptr_t)__stop_prof_sites;
    if (address < first || address >= end)
        return NULL;
    return __start_prof_sites[(address - first) / sizeof(struct prof_site)].name;
}

static void append_symbols(struct buf *out, struct http_str addresses)
{
    const char *at = addresses.data, *end = at + addresses.len;
    while (at < end) {
        const char *plus = memchr(at, '+', (size_t)(end - at));
        size_t n = (size_t)((plus != NULL ? plus : end) - at);
        char word[32];
        snprintf(word, sizeof word, "%.*s", (int)(n < sizeof word ? n : sizeof word - 1), at);
        const char *name = name_at((uintptr_t)strtoull(word, NULL, 16));
        if (name != NULL && buf_printf(out, "%s %s\n", word, name) < 0)
            return;
        at += n + 1;
    }
}

static void symbol(struct http_request *req, struct http_response *res)
{
    struct buf asked;
    struct http_str addresses = req->query;
    buf_init(&asked, SIZE_MAX / 2);
    if (req->verb == HTTP_VERB_POST) {
        if (http_body_collect(req, &asked) < 0) {
            buf_fini(&asked);
            return; /* the session has noted the answer */
        }
        addresses = (struct http_str){asked.data, asked.len};
    }
    http_set_type(res, HTTP_TYPE_TEXT);
    if (buf_append_str(http_body(res), "num_symbols: 1\n") == 0)
        append_symbols(http_body(res), addresses);
    buf_fini(&asked);
}

void endpoint_pprof(struct http_request *req, struct http_response *res)
{
    PROF_FN();
    struct http_str name = {req->path.data + sizeof PREFIX - 1,
                            req->path.len - (sizeof PREFIX - 1)};
    if (req->verb == HTTP_VERB_POST && !http_str_is(name, "symbol"))
        complain(res, HTTP_405_METHOD_NOT_ALLOWED, "only symbol takes a POST");
    else if (name.len == 0)
        index_page(res);
    else if (http_str_is(name, "profile"))
        profile(req, res, true);
    else if (http_str_is(name, "calls"))
        profile(req, res, false);
    else if (http_str_is(name, "cmdline"))
        cmdline(res);
    else if (http_str_is(name, "symbol"))
        symbol(req, res);
    else
        complain(res, HTTP_404_NOT_FOUND, "Unknown profile");
}
