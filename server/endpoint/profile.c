/* GET /profile: the live call-table; POST /profile/start, stop, reset.
 *
 * Taking snapshots may wait for a busy worker and deriving a report takes a
 * millisecond, so both happen aside (endpoint_settings.aside): a task parks
 * meanwhile and its loop goes on serving. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "coro/base/clock.h"
#include "coro/prof/prof.h"
#include "coro/prof/worker.h"
#include "server/endpoint/endpoint.h"
#include "server/endpoint/profiling.h"
#include "server/profile/window.h"

#define REPORT_MAX_BYTES (256u << 20)
#define VALUE_MAX_BYTES  1024

struct profile_job *endpoint_profile_job_new(const struct endpoint_settings *settings)
{
    struct profile_job *job = calloc(1, sizeof *job);
    if (job == NULL)
        return NULL;
    profile_query_init(&job->query);
    job->query.endpoints = settings->endpoints;
    job->query.mode = settings->mode;
    buf_init(&job->out, REPORT_MAX_BYTES);
    return job;
}

void endpoint_profile_job_free(void *job)
{
    struct profile_job *j = job;
    if (j == NULL)
        return;
    profile_query_fini(&j->query);
    buf_fini(&j->out);
    free(j);
}

static int answer_aside(void *job)
{
    struct profile_job *j = job;
    return profile_query_answer(&j->query, &j->out, &j->answer, j->message);
}

static void refuse(struct http_response *res, int rv, const char *message)
{
    switch (rv) {
    case -EINVAL:
        http_problem(res, HTTP_400_BAD_REQUEST, "%s", message);
        break;
    case -ENOENT:
        http_problem(res, HTTP_404_NOT_FOUND, "%s", message);
        break;
    default:
        http_problem(res, HTTP_503_SERVICE_UNAVAILABLE, "the report could not be made: %s",
                     err_text(rv));
        break;
    }
}

static void describe(struct http_response *res, const struct profile_job *job)
{
    char text[32];
    snprintf(text, sizeof text, "%llu", (unsigned long long)job->answer.snapshot_id);
    http_add_field(res, "X-Profile-Snapshot", text);
    if (job->answer.span_ns != 0) {
        snprintf(text, sizeof text, "%.3f", (double)job->answer.span_ns / (double)NS_PER_S);
        http_add_field(res, "X-Profile-Seconds", text);
    }
    if (job->answer.is_stale)
        http_add_field(res, "X-Profile-Stale", "1");
    http_add_field(res, "Cache-Control", "no-store");
    const char *file = profile_format_file[job->query.format];
    if (file != NULL) {
        char disposition[96];
        snprintf(disposition, sizeof disposition, "attachment; filename=\"%s\"", file);
        http_add_field(res, "Content-Disposition", disposition);
        http_add_field(res, "X-Content-Type-Options", "nosniff");
    }
}

int endpoint_profile_answer(const struct endpoint_settings *settings, struct http_response *res,
                            struct profile_job *job)
{
    int made = 0;
    int rv = settings->aside(answer_aside, job, endpoint_profile_job_free, &made);
    if (rv < 0) { /* the job is gone */
        refuse(res, rv, "");
        return rv;
    }
    if (made < 0)
        refuse(res, made, job->message);
    else
        describe(res, job);
    if (made == 0)
        http_answer(res, HTTP_200_OK, profile_format_type[job->query.format], job->out.data,
                    job->out.len);
    endpoint_profile_job_free(job);
    return made;
}

/* Every parameter of the query string; on failure the answer is in res. */
static int read_query(struct http_request *req, struct http_response *res, struct profile_job *job)
{
    struct http_str rest = req->query, name, raw;
    while (http_query_next(&rest, &name, &raw)) {
        char key[32], value[VALUE_MAX_BYTES];
        snprintf(key, sizeof key, "%.*s", (int)name.len, name.data);
        ssize_t n = http_percent_decode(raw, value, sizeof value - 1);
        value[n < 0 ? 0 : n] = '\0';
        int rv = n < 0 ? -EINVAL : profile_query_set(&job->query, key, value, job->message);
        if (rv == 0)
            continue;
        struct buf names;
        buf_init(&names, 4096);
        if (n < 0)
            snprintf(job->message, sizeof job->message,
                     "the value of %s is too long or not "
                     "percent-encoded right",
                     key);
        if (rv == -EINVAL && profile_query_names(&names) == 0)
            http_problem(res, HTTP_400_BAD_REQUEST, "%s; parameters: %.*s", job->message,
                         (int)names.len, names.data);
        else
            http_problem(res, HTTP_500_INTERNAL_SERVER_ERROR, "out of memory");
        buf_fini(&names);
        return rv;
    }
    return 0;
}

void endpoint_profile(struct http_request *req, struct http_response *res)
{
    PROF_FN();
    /* text first: it is what curl gets, which accepts anything */
    static const char *const offers[] = {"text/plain", "application/json", "text/html"};
    char format[8] = "";
    const struct endpoint_settings *settings = req->app->user;
    int offer = http_accepts(req, offers, ARRAY_LEN(offers));
    bool is_asked = http_query_text(req, "format", format, sizeof format) != -ENOENT;
    http_add_field(res, "Vary", "Accept");
    if (strcmp(format, "html") == 0 || (!is_asked && offer == 2)) {
        endpoint_live_page(res);
        return;
    }
    struct profile_job *job = endpoint_profile_job_new(settings);
    if (job == NULL) {
        http_problem(res, HTTP_500_INTERNAL_SERVER_ERROR, "out of memory");
        return;
    }
    if (read_query(req, res, job) < 0) {
        endpoint_profile_job_free(job);
        return;
    }
    if (!is_asked && offer == 1)
        job->query.format = PROFILE_FORMAT_JSON;
    (void)endpoint_profile_answer(settings, res, job);
}

/* ---- control ---- */

static void tell_state(struct http_response *res)
{
    const char *body =
        prof_recording_since() != 0 ? "{\"recording\":true}\n" : "{\"recording\":false}\n";
    http_add_field(res, "Cache-Control", "no-store");
    http_answer(res, HTTP_200_OK, HTTP_TYPE_JSON, body, strlen(body));
}

static bool has_recorder(struct http_response *res)
{
    if (!prof_segment_exists())
        http_problem(res, HTTP_409_CONFLICT, "the recorder was off at start (profile=off)");
    return prof_segment_exists();
}

static void record(struct http_response *res, bool on)
{
    if (!has_recorder(res))
        return;
    prof_record(on);
    tell_state(res);
}

void endpoint_profile_start(struct http_request *req, struct http_response *res)
{
    PROF_FN();
    (void)req;
    record(res, true);
}

void endpoint_profile_stop(struct http_request *req, struct http_response *res)
{
    PROF_FN();
    (void)req;
    record(res, false);
}

static int reset_aside(void *job)
{
    (void)job;
    return profile_store_reset();
}

void endpoint_profile_reset(struct http_request *req, struct http_response *res)
{
    PROF_FN();
    const struct endpoint_settings *settings = req->app->user;
    int made = 0;
    if (!has_recorder(res))
        return;
    int rv = settings->aside(reset_aside, NULL, NULL, &made);
    if (rv < 0 || made < 0)
        refuse(res, rv < 0 ? rv : made, "there is nothing to reset");
    else
        tell_state(res);
}
