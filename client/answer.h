/* client/answer.h - what domaind's replies mean, and the lines that are printed for them.
 *
 *   context  pure functions; any thread
 *   returns  0, or what buf_append returns */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "client/client.h"

enum cl_answer {
    CL_ANSWER_DOMAIN,  /* 200 */
    CL_ANSWER_REFUSED, /* 422: not a URL, and why */
    CL_ANSWER_NONE,    /* everything else */
    CL_ANSWER_COUNT
};

/* The target of one question, NUL-terminated: the server's base URL (no slash at
 * its end), the route, and url's bytes whatever they are.  suffixes NULL: the
 * server's default. */
MUST_USE int cl_answer_target(struct buf *target, const char *server, bool is_text,
                              const char *suffixes, const struct buf *url);

/* Is the reply what domaind says about a URL?  If not, why gets the reason. */
enum cl_answer cl_answer_judge(const struct cl_reply *reply, bool is_text, char why[CL_WHY_BYTES]);

/* One line for one URL.  JSON: the server's answer, or
 * {"url":...,"line":...,"error":"refused" or "no_answer","detail":why}; always one
 * line, whatever the server sent.  Text: the bare domain, or nothing. */
MUST_USE int cl_answer_render(struct buf *text, enum cl_answer answer, const struct cl_reply *reply,
                              bool is_text, const struct buf *url, uint64_t line, const char *why);
