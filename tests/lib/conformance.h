/* tests/lib/conformance.h - reads tests/lib/conformance.txt (its head explains it). */
#pragma once

#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONFORMANCE_MAX_ROWS 400
#define CONFORMANCE_STATUSES 8

struct conformance_row {
    int line;
    int row;
    int statuses[CONFORMANCE_STATUSES];
    int count;
    bool is_closed;
    char *bytes; /* freed by nobody: the test process ends */
    size_t len;
};

static inline int conformance_hex(const char *p)
{
    char text[3] = {p[0], p[1], 0};
    return (int)strtol(text, NULL, 16);
}

/* Undo the escapes of one line. */
static inline void conformance_decode(struct conformance_row *r, const char *p)
{
    size_t cap = strlen(p) + 70000;
    char *out = r->bytes = malloc(cap);
    ck_assert_ptr_nonnull(out);
    for (; *p != 0; p++) {
        if (*p != '\\') {
            *out++ = *p;
            continue;
        }
        p++;
        if (*p == 'r')
            *out++ = '\r';
        else if (*p == 'n')
            *out++ = '\n';
        else if (*p == 't')
            *out++ = '\t';
        else if (*p == '0')
            *out++ = 0;
        else if (*p == '\\')
            *out++ = '\\';
        else if (*p == 'x') {
            *out++ = (char)conformance_hex(p + 1);
            p += 2;
        } else if (*p == '{') {
            long times = strtol(p + 1, (char **)&p, 10);
            memset(out, p[1], (size_t)times);
            out += times;
            p += 2;
        } else {
            ck_abort_msg("conformance.txt:%d: bad escape \\%c", r->line, *p);
        }
    }
    r->len = (size_t)(out - r->bytes);
}

/* The rows of the file; their count. */
static inline int conformance_load(const char *path, struct conformance_row *rows)
{
    static char line[16384];
    FILE *f = fopen(path, "r");
    ck_assert_msg(f != NULL, "cannot read %s", path);
    int n = 0;
    for (int at = 1; fgets(line, sizeof line, f) != NULL; at++) {
        line[strcspn(line, "\n")] = 0;
        if (line[0] == '#' || line[0] == 0)
            continue;
        char *p = strstr(line, " | ");
        char *bytes = p != NULL ? strstr(p + 3, " | ") : NULL;
        ck_assert_msg(bytes != NULL && n < CONFORMANCE_MAX_ROWS, "%s:%d: bad row", path, at);
        struct conformance_row *r = &rows[n++];
        *r = (struct conformance_row){.line = at, .row = atoi(line)};
        for (p += 2; *p == ' ' || *p == ',';)
            if (p[1] >= '0' && p[1] <= '9')
                r->statuses[r->count++] = (int)strtol(p + 1, &p, 10);
            else
                break;
        r->is_closed = strncmp(p, " close", 6) == 0;
        ck_assert(r->is_closed || strncmp(p, " keep", 5) == 0);
        conformance_decode(r, bytes + 3);
    }
    fclose(f);
    return n;
}
