/* tests/lib/output_of.h - what a piece of code writes to a standard descriptor.
 *
 *   struct output_of o;
 *   output_begin(&o, STDOUT_FILENO);
 *   ...
 *   const char *text = output_end(&o);   owned by o until output_free
 *
 * The descriptor leads to a temporary file meanwhile and back afterwards. */
#pragma once

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct output_of {
    int fd;   /* the descriptor that is watched */
    int kept; /* where it led */
    FILE *file;
    char *text;
    size_t len;
};

static inline FILE *output_stream(int fd)
{
    return fd == STDERR_FILENO ? stderr : stdout;
}

static inline void output_begin(struct output_of *o, int fd)
{
    fflush(output_stream(fd));
    *o = (struct output_of){.fd = fd, .kept = dup(fd), .file = tmpfile()};
    ck_assert_int_ge(o->kept, 0);
    ck_assert_ptr_nonnull(o->file);
    ck_assert_int_ge(dup2(fileno(o->file), fd), 0);
}

static inline const char *output_end(struct output_of *o)
{
    struct stat st;
    fflush(output_stream(o->fd));
    ck_assert_int_ge(dup2(o->kept, o->fd), 0);
    close(o->kept);
    ck_assert_int_eq(fstat(fileno(o->file), &st), 0);
    o->len = (size_t)st.st_size;
    o->text = malloc(o->len + 1);
    ck_assert_ptr_nonnull(o->text);
    ck_assert_int_eq(pread(fileno(o->file), o->text, o->len, 0), (ssize_t)o->len);
    o->text[o->len] = '\0';
    fclose(o->file);
    return o->text;
}

static inline void output_free(struct output_of *o)
{
    free(o->text);
}
