#include "loadgen/html.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

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

static FILE *open_out(const char *path)
{
    return strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
}

static int close_out(FILE *file, const char *path)
{
    int rv = fflush(file) != 0 || ferror(file) ? -EIO : 0;
    if (strcmp(path, "-") != 0 && fclose(file) != 0 && rv == 0)
        rv = -EIO;
    return rv;
}

int lg_file_write(const char *path, const char *text, size_t n)
{
    FILE *file = open_out(path);
    if (file == NULL)
        return -errno;
    fwrite(text, 1, n, file);
    return close_out(file, path);
}

/* JSON within a script element: a "</" in a string would end it. */
static void write_data(FILE *file, const char *json, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (json[i] == '<')
            fputs("\\u003c", file);
        else
            fputc(json[i], file);
    }
}

int lg_html_write(const char *path, const char *json, size_t n)
{
    const char *at = strstr(lg_page_begin, DATA_WORD);
    FILE *file = at == NULL ? NULL : open_out(path);
    if (file == NULL)
        return at == NULL ? -EINVAL : -errno;
    fwrite(lg_page_begin, 1, (size_t)(at - lg_page_begin), file);
    write_data(file, json, n);
    at += strlen(DATA_WORD);
    fwrite(at, 1, (size_t)(lg_page_end - at), file);
    return close_out(file, path);
}
