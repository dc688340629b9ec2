/* client/lines.h - the lines of a file, a pipe or a terminal, one at a time, in bounded memory.
 *
 *   context    blocks the thread; inside a task it parks the task instead
 *   returns    1 a line, 0 the end, -errno (-EILSEQ: UTF-16)
 *   ownership  fd is borrowed unless cl_lines_open opened it */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coro/base/attr.h"

#define CL_LINE_MAX_BYTES 65536

/* What the first bytes of a text say about its encoding. */
enum cl_mark {
    CL_MARK_NONE,  /* nothing: UTF-8 */
    CL_MARK_PART,  /* they may be the begin of a mark: more bytes will tell */
    CL_MARK_UTF8,  /* a byte order mark, which belongs to no line */
    CL_MARK_UTF16, /* the text is not UTF-8: -EILSEQ */
};
enum { CL_MARK_UTF8_BYTES = 3 };
enum cl_mark cl_mark_of(const char *at, size_t n);
/* err_text, but for the -EILSEQ of a text in UTF-16 says what to do. */
const char *cl_lines_error_text(int err);

struct cl_lines {
    int fd;
    bool is_own;      /* fini closes it */
    bool is_pollable; /* a pipe, socket or terminal: may make us wait */
    bool is_at_end;
    bool is_begun;    /* the first bytes have been looked at */
    bool is_skipping; /* the rest of a cut line is still to come */
    char *data;       /* CL_LINE_MAX_BYTES and one byte more, for the NUL */
    size_t begin;
    size_t end;
    int64_t size_bytes; /* of a regular file; -1: unknown */
    int64_t read_bytes; /* of the lines handed out */
    uint64_t line;      /* number of the line handed out last, from 1 */
};

struct cl_line {
    char *text;  /* NUL-terminated (it may hold other NULs), valid until the next call */
    size_t len;  /* without the line end, "\n" or "\r\n" */
    bool is_cut; /* longer than CL_LINE_MAX_BYTES: these are its first bytes */
};

/* path "-" is standard input.  0 or -errno. */
MUST_USE int cl_lines_open(struct cl_lines *in, const char *path);
/* The given strings, as if each were a line of a file. */
MUST_USE int cl_lines_of(struct cl_lines *in, char *const *texts, int count);
void cl_lines_close(struct cl_lines *in);
MUST_USE int cl_lines_next(struct cl_lines *in, struct cl_line *ret_line);
