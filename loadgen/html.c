#include "loadgen/html.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "coro/base/std.h"

/* page.html, with this word where the data go. */
#define DATA_WORD "\"LOADGEN_DATA\""

__asm__(".section .rodata\n"
        ".global lg_page_begin\n"
        ".global lg_page_end\n"
        "lg_page_begin:\n"
        ".incbin \"" EMBED_ROOT "/loadgen/page.html\"\n"
        "lg_page_end:\n"
        ".byte 0\n"
        ".previous\n");
extern const char lg_page_begin[], lg_page_end[];

/* A file being written: the first failure stays. */
struct out {
    FILE *file;
    int rv;
};

static struct out open_out(const char *path)
{
    struct out o = {.file = strcmp(path, "-") == 0 ? stdout : fopen(path, "we")};
    o.rv = o.file == NULL ? -errno : 0;
    return o;
}

static void put(struct out *o, const char *text, size_t n)
{
    if (o->rv == 0)
        o->rv = std_write(o->file, text, n);
}

/* What went wrong with standard output is said when the program ends. */
static int close_out(struct out *o)
{
    if (o->file == NULL)
        return o->rv;
    int rv = std_flush(o->file);
    if (o->file == stdout)
        return 0;
    o->rv = o->rv == 0 ? rv : o->rv;
    if (fclose(o->file) != 0 && o->rv == 0)
        o->rv = -errno;
    return o->rv;
}

int lg_file_write(const char *path, const char *text, size_t n)
{
    struct out o = open_out(path);
    put(&o, text, n);
    return close_out(&o);
}

int lg_file_probe(const char *path)
{
    if (strcmp(path, "-") == 0)
        return 0;
    bool is_new = access(path, F_OK) < 0;
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666);
    if (fd < 0)
        return errno == ENXIO ? 0 : -errno; /* a pipe that nobody reads yet */
    close(fd);
    if (is_new)
        unlink(path);
    return 0;
}

/* JSON within a script element: a "</" in a string would end it. */
static void put_data(struct out *o, const char *json, size_t n)
{
    while (n > 0) {
        const char *less = memchr(json, '<', n);
        size_t plain = less == NULL ? n : (size_t)(less - json);
        put(o, json, plain);
        if (less == NULL)
            return;
        put(o, "\\u003c", 6);
        json += plain + 1;
        n -= plain + 1;
    }
}

int lg_html_write(const char *path, const char *json, size_t n)
{
    const char *at = strstr(lg_page_begin, DATA_WORD);
    if (at == NULL)
        return -EINVAL;
    struct out o = open_out(path);
    put(&o, lg_page_begin, (size_t)(at - lg_page_begin));
    put_data(&o, json, n);
    at += strlen(DATA_WORD);
    put(&o, at, (size_t)(lg_page_end - at));
    return close_out(&o);
}
