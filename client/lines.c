#include "client/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/wait.h"
#include "coro/base/err.h"

enum cl_mark cl_mark_of(const char *at, size_t n)
{
    static const char utf8[CL_MARK_UTF8_BYTES] = {'\xef', '\xbb', '\xbf'};
    size_t seen = n < sizeof utf8 ? n : sizeof utf8;
    if (n >= 2 && (memcmp(at, "\xff\xfe", 2) == 0 || memcmp(at, "\xfe\xff", 2) == 0))
        return CL_MARK_UTF16;
    if (n == 0 || (n == 1 && (at[0] == '\xff' || at[0] == '\xfe')))
        return CL_MARK_PART;
    if (memcmp(at, utf8, seen) != 0)
        return CL_MARK_NONE;
    return seen == sizeof utf8 ? CL_MARK_UTF8 : CL_MARK_PART;
}

const char *cl_lines_error_text(int err)
{
    return err == -EILSEQ ? "this is UTF-16; convert it with iconv -f UTF-16 -t UTF-8"
                          : err_text(err);
}

static int attach(struct cl_lines *in)
{
    struct stat st;
    if (fstat(in->fd, &st) < 0)
        return -errno;
    if (S_ISDIR(st.st_mode))
        return -EISDIR;
    if (S_ISREG(st.st_mode))
        in->size_bytes = st.st_size;
    in->is_pollable = cl_wait_is_pollable(in->fd);
    in->data = malloc(CL_LINE_MAX_BYTES + 1);
    return in->data != NULL ? 0 : -ENOMEM;
}

int cl_lines_open(struct cl_lines *in, const char *path)
{
    *in = (struct cl_lines){.fd = STDIN_FILENO, .size_bytes = -1};
    if (strcmp(path, "-") != 0) {
        in->fd = open(path, O_RDONLY | O_CLOEXEC);
        if (in->fd < 0)
            return -errno;
        in->is_own = true;
    }
    int rv = attach(in);
    if (rv < 0)
        cl_lines_close(in);
    return rv;
}

int cl_lines_of(struct cl_lines *in, char *const *texts, int count)
{
    int rv = 0;
    int fd = memfd_create("lines", MFD_CLOEXEC);
    *in = (struct cl_lines){.fd = fd, .is_own = true, .size_bytes = -1};
    if (fd < 0)
        return -errno;
    for (int i = 0; i < count && rv == 0; i++) {
        if (dprintf(fd, "%s\n", texts[i]) < 0)
            rv = -errno;
    }
    if (rv == 0 && lseek(fd, 0, SEEK_SET) < 0)
        rv = -errno;
    if (rv == 0)
        rv = attach(in);
    if (rv < 0)
        cl_lines_close(in);
    return rv;
}

void cl_lines_close(struct cl_lines *in)
{
    if (in->is_own)
        close(in->fd);
    free(in->data);
    *in = (struct cl_lines){.fd = -1, .is_at_end = true};
}

/* Read once more behind what is there.  1, 0 at the end, -errno. */
static int fill(struct cl_lines *in)
{
    if (in->begin > 0) {
        memmove(in->data, in->data + in->begin, in->end - in->begin);
        in->end -= in->begin;
        in->begin = 0;
    }
    for (;;) {
        int rv = in->is_pollable ? cl_wait_readable(in->fd) : 0;
        if (rv < 0)
            return rv;
        ssize_t n = read(in->fd, in->data + in->end, CL_LINE_MAX_BYTES - in->end);
        if (n > 0) {
            in->end += (size_t)n;
            return 1;
        }
        if (n == 0) {
            in->is_at_end = true;
            return 0;
        }
        if (errno != EINTR && errno != EAGAIN)
            return -errno;
    }
}

/* Hand out data[begin..begin+len), whose line end (if any) takes `ending` bytes more. */
static int hand_out(struct cl_lines *in, size_t len, size_t ending, struct cl_line *ret_line)
{
    char *text = in->data + in->begin;
    in->begin += len + ending;
    in->read_bytes += (int64_t)(len + ending);
    in->line++;
    if (ending > 0 && len > 0 && text[len - 1] == '\r')
        len--;
    text[len] = '\0';
    *ret_line = (struct cl_line){.text = text, .len = len, .is_cut = ending == 0 && !in->is_at_end};
    return 1;
}

/* Drop the rest of a line that was handed out cut. */
static int skip_rest(struct cl_lines *in)
{
    while (in->is_skipping) {
        char *nl = memchr(in->data + in->begin, '\n', in->end - in->begin);
        size_t upto = nl != NULL ? (size_t)(nl - in->data) + 1 : in->end;
        in->read_bytes += (int64_t)(upto - in->begin);
        in->begin = upto;
        in->is_skipping = nl == NULL && !in->is_at_end;
        int rv = in->is_skipping ? fill(in) : 0;
        if (rv < 0)
            return rv;
    }
    return 0;
}

/* Step over what stands before the first line.  0 or -errno. */
static int begin(struct cl_lines *in)
{
    enum cl_mark mark;
    int rv = 1;
    while ((mark = cl_mark_of(in->data, in->end)) == CL_MARK_PART && rv > 0)
        rv = fill(in);
    if (rv < 0)
        return rv;
    if (mark == CL_MARK_UTF16)
        return -EILSEQ;
    if (mark == CL_MARK_UTF8)
        in->begin = CL_MARK_UTF8_BYTES;
    in->is_begun = true;
    return 0;
}

int cl_lines_next(struct cl_lines *in, struct cl_line *ret_line)
{
    int rv = in->is_begun ? skip_rest(in) : begin(in);
    while (rv >= 0) {
        size_t have = in->end - in->begin;
        char *nl = have > 0 ? memchr(in->data + in->begin, '\n', have) : NULL;
        if (nl != NULL)
            return hand_out(in, (size_t)(nl - in->data) - in->begin, 1, ret_line);
        if (in->is_at_end)
            return have > 0 ? hand_out(in, have, 0, ret_line) : 0;
        if (have == CL_LINE_MAX_BYTES) {
            in->is_skipping = true;
            return hand_out(in, have, 0, ret_line);
        }
        rv = fill(in);
    }
    return rv;
}
