/* tests/lib/child.h - run a function in a child process and read what it says. */
#pragma once

#include <check.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "coro/base/buf.h"

/* Run fn in a child with its stderr appended to text; the wait status. */
static inline int in_child(void (*fn)(void), struct buf *text)
{
    int ends[2], status;
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        fn();
        _exit(0);
    }
    close(ends[1]);
    char block[4096];
    ssize_t n;
    while ((n = read(ends[0], block, sizeof(block))) > 0)
        ck_assert_int_eq(buf_append(text, block, (size_t)n), 0);
    close(ends[0]);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return status;
}

static inline bool has(const struct buf *text, const char *what)
{
    return text->len > 0 && memmem(text->data, text->len, what, strlen(what)) != NULL;
}

/* Fails with the text when `what` is not in it. */
static inline void contains(const struct buf *text, const char *what)
{
    if (!has(text, what))
        ck_abort_msg("'%s' is not in:\n%.*s", what, (int)(text->len < 1500 ? text->len : 1500),
                     text->len > 0 ? text->data : "");
}
