/* /test/...: work of a known size, for measuring how the modes bear it.  Every
 * route answers 404 unless --test-endpoints is on: each lets a client make the
 * server busy.
 *
 *   /test/cpu?ms=N      computes for N ms of CPU time
 *   /test/wait?ms=N     waits N ms the way the mode waits: a task parks
 *   /test/block?ms=N    waits N ms in a call that blocks, in every mode
 *   /test/body?bytes=N  answers N bytes, streamed */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "coro/base/clock.h"
#include "coro/prof/prof.h"
#include "server/endpoint/endpoint.h"
#include "server/http/request.h"
#include "server/http/response.h"

#define MS_MAX      60000
#define BYTES_MAX   (INT64_C(1) << 30)
#define PIECE_BYTES 16384
#define SPIN_STEPS  4096 /* some microseconds between two looks at the CPU clock */

static const struct endpoint_settings *settings_of(const struct http_request *req)
{
    return req->app->user;
}

/* The number that the route asks for; false: the refusal is in res. */
static bool read_number(struct http_request *req, struct http_response *res, const char *name,
                        int64_t max, int64_t *ret_value)
{
    char text[24], *end = text;
    if (!settings_of(req)->test_endpoints) {
        http_problem(res, HTTP_404_NOT_FOUND, "there is nothing here");
        return false;
    }
    ssize_t len = http_query_text(req, name, text, sizeof text);
    long long value = len > 0 ? strtoll(text, &end, 10) : -1;
    if (len <= 0 || *end != '\0' || value < 0 || value > max) {
        http_problem(res, HTTP_400_BAD_REQUEST, "%s must be a number from 0 to %lld", name,
                     (long long)max);
        return false;
    }
    *ret_value = value;
    return true;
}

static void answer_done(struct http_response *res)
{
    http_answer(res, HTTP_200_OK, HTTP_TYPE_TEXT, "done\n", 5);
}

void endpoint_test_cpu(struct http_request *req, struct http_response *res)
{
    PROF_FN();
    int64_t ms;
    if (!read_number(req, res, "ms", MS_MAX, &ms))
        return;
    int64_t until_ns = clock_read_ns(CLOCK_THREAD_CPUTIME_ID) + ms * NS_PER_MS;
    volatile uint64_t state = 1;
    while (clock_read_ns(CLOCK_THREAD_CPUTIME_ID) < until_ns)
        for (int i = 0; i < SPIN_STEPS; i++)
            state = state * 6364136223846793005U + 1;
    answer_done(res);
}

void endpoint_test_wait(struct http_request *req, struct http_response *res)
{
    PROF_FN();
    int64_t ms;
    if (!read_number(req, res, "ms", MS_MAX, &ms))
        return;
    http_begin_wait(req);
    if (settings_of(req)->pause(ms * NS_PER_MS) < 0)
        http_problem(res, HTTP_503_SERVICE_UNAVAILABLE, "the server is stopping");
    else
        answer_done(res);
}

void endpoint_test_block(struct http_request *req, struct http_response *res)
{
    PROF_FN();
    int64_t ms;
    if (!read_number(req, res, "ms", MS_MAX, &ms))
        return;
    http_begin_wait(req);
    struct timespec span = {ms / 1000, ms % 1000 * NS_PER_MS};
    while (nanosleep(&span, &span) < 0 && errno == EINTR)
        ;
    answer_done(res);
}

void endpoint_test_body(struct http_request *req, struct http_response *res)
{
    PROF_FN();
    static const char piece[PIECE_BYTES];
    int64_t bytes;
    if (!read_number(req, res, "bytes", BYTES_MAX, &bytes))
        return;
    http_set_type(res, "application/octet-stream");
    int rv = http_stream_begin(res);
    for (; bytes > 0 && rv >= 0; bytes -= PIECE_BYTES)
        rv = http_stream_write(res, piece, bytes < PIECE_BYTES ? (size_t)bytes : PIECE_BYTES);
    if (rv < 0)
        http_stream_fail(res);
}
