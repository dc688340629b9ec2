/* client/multi.h - many transfers at once on one loop: libcurl's multi
 * interface under calls that park the task.
 *
 *   context   everything here belongs to one loop and its tasks; a cl_multi is
 *             not shared between threads nor carried over fork
 *   deadline  absolute ns; covers the wait for a free place too, while the
 *             request's own timeout_ns counts from the moment it has one
 *   returns   as client.h; -ECANCELED this task was cancelled, -ETIMEDOUT the
 *             deadline passed (the transfer is given up in both cases)
 *   ownership request and reply are borrowed for the call */
#pragma once

#include "client/client.h"
#include "coro/coro.h"

struct cl_multi;

/* At most max_transfers run at once (the others wait in order of arrival), and
 * as many idle connections are kept.  CO_FN: the new task that drives libcurl
 * belongs to this loop.  0, -ENOMEM, or -errno of epoll or timerfd. */
CO_FN MUST_USE int cl_multi_new(unsigned max_transfers, struct cl_multi **ret_multi);
/* The same, but it belongs to the loop and ends with it: *here is set now and
 * becomes NULL again then.  Not to be freed. */
CO_FN MUST_USE int cl_multi_new_for_loop(unsigned max_transfers, struct cl_multi **here);
/* Nobody may be inside cl_multi_get any more.  NULL is fine. */
CO_FN void cl_multi_free(struct cl_multi *multi);

CO_FN int cl_multi_get(struct cl_multi *multi, const struct cl_request *req, struct cl_reply *reply,
                       int64_t deadline_ns);
