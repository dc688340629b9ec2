/* server/endpoint/profiling.h - what the two families of profile routes share.
 *
 *   context  the mode's blocking style */
#pragma once

#include "coro/base/attr.h"
#include "coro/base/buf.h"
#include "coro/base/err.h"
#include "server/endpoint/endpoint.h"
#include "server/profile/query.h"

/* A report to be made on another thread: everything it needs, in one piece. */
struct profile_job {
    struct profile_query query;
    struct buf out;
    struct profile_answer answer;
    char message[PROFILE_MESSAGE_BYTES];
};

/* NULL: no memory. */
struct profile_job *endpoint_profile_job_new(const struct endpoint_settings *settings);
/* The shape that endpoint_settings.aside wants. */
void endpoint_profile_job_free(void *job);

/* The page that browsers get. */
void endpoint_live_page(struct http_response *res);

/* Make the report and answer with it, or with what is wrong; the job is
 * transferred.  0 or -errno. */
int endpoint_profile_answer(const struct endpoint_settings *settings, struct http_response *res,
                            struct profile_job *job);
