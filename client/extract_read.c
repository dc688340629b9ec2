/* The input of domainc extract: pieces of files, cut behind a newline.
 *
 * One read at a time under the lock; what follows the last newline is carried
 * over to the next block.  A line that does not even fit a block is handed out
 * cut, once, and skipped up to its end.  Lines that are merely too long are the
 * reader's to refuse. */
#include "client/extract_read.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/extract.h"
#include "client/lines.h"

enum { BLOCK_BYTES = 256 << 10 };

/* Sizes of the files, for the time left; 0 as soon as one is no plain file. */
static uint64_t total_bytes(char **paths, size_t count)
{
    uint64_t total = 0;
    for (size_t i = 0; i < count; i++) {
        struct stat st;
        int rv = strcmp(paths[i], "-") == 0 ? fstat(STDIN_FILENO, &st) : stat(paths[i], &st);
        if (rv < 0 || !S_ISREG(st.st_mode))
            return 0;
        total += (uint64_t)st.st_size;
    }
    return total;
}

int extract_input_init(struct extract_input *in, char **paths, size_t count)
{
    *in = (struct extract_input){.lock = PTHREAD_MUTEX_INITIALIZER,
                                 .paths = paths,
                                 .path_count = count,
                                 .fd = -1,
                                 .total_bytes = total_bytes(paths, count)};
    in->carry = malloc(BLOCK_BYTES);
    return in->carry != NULL ? 0 : -ENOMEM;
}

void extract_input_fini(struct extract_input *in)
{
    if (in->name != NULL && in->fd > STDIN_FILENO)
        close(in->fd);
    free(in->carry);
}

int extract_block_init(struct extract_block *block)
{
    /* one byte more: a last line may lack its newline */
    *block = (struct extract_block){.at = malloc(BLOCK_BYTES + 1)};
    return block->at != NULL ? 0 : -ENOMEM;
}

void extract_block_fini(struct extract_block *block)
{
    free(block->at);
}

/* False: no file is left (0) or this one does not open (-errno). */
static bool open_next(struct extract_input *in, int *ret_error)
{
    *ret_error = 0;
    if (in->next_path == in->path_count)
        return false;
    in->name = in->paths[in->next_path++];
    in->lines = 0;
    in->is_skipping = false;
    in->is_begun = false;
    if (strcmp(in->name, "-") == 0) {
        in->name = "standard input";
        in->fd = STDIN_FILENO;
        return true;
    }
    in->fd = open(in->name, O_RDONLY | O_CLOEXEC);
    *ret_error = in->fd < 0 ? -errno : 0;
    return in->fd >= 0;
}

/* One read: what a pipe has now is worked on now.  Bytes, 0 at the end, -errno. */
static ssize_t read_some(int fd, char *at, size_t cap)
{
    for (;;) {
        ssize_t n = read(fd, at, cap);
        if (n >= 0)
            return n;
        if (errno == EAGAIN) {
            /* whom we share a pipe or terminal with may have made it non-blocking */
            struct pollfd readable = {.fd = fd, .events = POLLIN};
            poll(&readable, 1, -1);
        } else if (errno != EINTR) {
            return -errno;
        }
    }
}

/* The first bytes of a file, of which n were read last, may be a mark that belongs
 * to no line.  n, or what a further read says; -EILSEQ: not UTF-8. */
static ssize_t look_at_begin(struct extract_input *in, struct extract_block *b, ssize_t n)
{
    enum cl_mark mark = cl_mark_of(b->at, b->len);
    while (mark == CL_MARK_PART && n > 0) {
        n = read_some(in->fd, b->at + b->len, BLOCK_BYTES - b->len);
        b->len += n > 0 ? (size_t)n : 0;
        mark = cl_mark_of(b->at, b->len);
    }
    in->is_begun = true;
    if (mark == CL_MARK_UTF16)
        return -EILSEQ;
    if (mark == CL_MARK_UTF8) {
        b->len -= CL_MARK_UTF8_BYTES;
        memmove(b->at, b->at + CL_MARK_UTF8_BYTES, b->len);
    }
    return n;
}

static uint64_t count_lines(const char *at, size_t n)
{
    uint64_t lines = 0;
    for (const char *end = at + n; at < end && (at = memchr(at, '\n', (size_t)(end - at))) != NULL;
         at++)
        lines++;
    return lines;
}

/* After a line that was too long: drops its rest from the front of the block. */
static void skip_rest(struct extract_input *in, struct extract_block *b)
{
    const char *newline = memchr(b->at, '\n', b->len);
    size_t drop = newline == NULL ? b->len : (size_t)(newline - b->at) + 1;
    b->len -= drop;
    memmove(b->at, b->at + drop, b->len);
    in->is_skipping = newline == NULL;
}

/* Cuts the block behind its last newline; what follows is carried over. */
static void cut_at_line(struct extract_input *in, struct extract_block *b, bool is_end)
{
    b->is_cut = false;
    if (is_end) {
        if (b->len > 0 && b->at[b->len - 1] != '\n')
            b->at[b->len++] = '\n';
        return;
    }
    const char *newline = memrchr(b->at, '\n', b->len);
    if (newline == NULL && b->len > EXTRACT_LINE_MAX_BYTES) {
        b->is_cut = in->is_skipping = true;
        b->at[b->len - 1] = '\n';
        return;
    }
    size_t whole = newline == NULL ? 0 : (size_t)(newline + 1 - b->at);
    in->carry_len = b->len - whole;
    memcpy(in->carry, b->at + whole, in->carry_len);
    b->len = whole;
}

/* The next piece of the open file into the worker's block, which may stay empty;
 * false at the file's end. */
static bool read_piece(struct extract_input *in, struct extract_block *b, int *ret_error)
{
    memcpy(b->at, in->carry, in->carry_len);
    b->len = in->carry_len;
    in->carry_len = 0;
    ssize_t n = read_some(in->fd, b->at + b->len, BLOCK_BYTES - b->len);
    if (n > 0)
        b->len += (size_t)n;
    if (n >= 0 && !in->is_begun)
        n = look_at_begin(in, b, n);
    *ret_error = n < 0 ? (int)n : 0;
    if (in->is_skipping)
        skip_rest(in, b);
    cut_at_line(in, b, n <= 0);
    if (n > 0)
        return true;
    if (in->fd != STDIN_FILENO)
        close(in->fd);
    return false;
}

/* The next block; one that is empty and has an error when reading failed, so
 * that what was read before is written first.  False: the input has ended. */
bool extract_read(struct extract_input *in, struct extract_block *b)
{
    b->error = 0;
    b->len = 0;
    pthread_mutex_lock(&in->lock);
    while (b->len == 0 && b->error == 0) {
        if (in->name == NULL && !open_next(in, &b->error))
            break;
        b->name = in->name;
        b->first_line = in->lines + 1;
        if (!read_piece(in, b, &b->error))
            in->name = NULL;
    }
    if (b->error < 0) {
        b->name = in->name != NULL ? in->name : b->name;
        b->len = 0;
        in->name = NULL;
        in->next_path = in->path_count;
    }
    bool got = b->len > 0 || b->error < 0;
    if (got) {
        in->lines += count_lines(b->at, b->len);
        b->number = in->blocks++;
    }
    pthread_mutex_unlock(&in->lock);
    return got;
}
