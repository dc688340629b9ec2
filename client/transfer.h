/* client/transfer.h - one request on one libcurl handle, whoever drives it.
 *
 * Inside client/ only.  cl_transfer_begin() sets the handle up, somebody runs
 * it (curl_easy_perform, or a multi), cl_transfer_end() turns libcurl's result
 * into the reply.
 *
 *   ownership  the handle is owned by the transfer; request and reply are
 *              borrowed from begin to end */
#pragma once

#include <curl/curl.h>
#include <netinet/in.h>

#include "client/client.h"

#define CL_FIELD_BYTES 96

struct cl_transfer {
    CURL *easy;
    const struct cl_request *req;
    struct cl_reply *reply;
    bool is_enough;  /* the body was stopped on purpose */
    bool is_refused; /* by the guard, this address */
    char refused[INET6_ADDRSTRLEN];
    int body_err;            /* why the body was refused: -EMSGSIZE, -ENOMEM; 0: it was not */
    struct curl_slist field; /* the one header field that a request may add */
    char field_text[CL_FIELD_BYTES];
    char curl_text[CURL_ERROR_SIZE];
};

/* 0, -ENOMEM. */
MUST_USE int cl_transfer_init(struct cl_transfer *t);
void cl_transfer_fini(struct cl_transfer *t);

/* 0; or -errno with reply->why: nothing was started. */
MUST_USE int cl_transfer_begin(struct cl_transfer *t, const struct cl_request *req,
                               struct cl_reply *reply);
/* What cl_blocking_get returns. */
int cl_transfer_end(struct cl_transfer *t, CURLcode result);
