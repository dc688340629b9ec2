/* A blocking call on another thread, while other tasks go on.
 *
 *   ./blocking FILE */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coro/offload.h"

/* The job owns what the call needs: its task may give up waiting. */
struct job {
    char path[256];
    long lines;
};

static int count_lines(void *arg)
{
    struct job *job = arg;
    FILE *file = fopen(job->path, "r"); /* files block; that is why we are here */
    if (file == NULL)
        return -errno;
    for (int c; (c = getc(file)) != EOF;)
        job->lines += c == '\n';
    fclose(file);
    return 0;
}

static int ticker(void *arg)
{
    int *ticks = arg;
    while (co_sleep(CO_NS_PER_MS) == 0)
        ++*ticks;
    return 0;
}

static int run(void *arg)
{
    const char *path = arg;
    int ticks = 0, result = 0;
    struct co_task *task = co_spawn(ticker, &ticks);
    struct job *job = calloc(1, sizeof *job);
    if (job == NULL || task == NULL) {
        free(job);
        return 1; /* the end of the loop cancels whoever is left */
    }
    snprintf(job->path, sizeof job->path, "%s", path);
    int rv = co_offload(count_lines, job, free, co_after(60 * CO_NS_PER_S), &result);
    if (rv == 0) { /* the job is ours again; else the pool drops it when the call has ended */
        if (result == 0)
            printf("%s: %ld lines\n", path, job->lines);
        rv = result;
        free(job);
    }
    if (rv < 0)
        fprintf(stderr, "%s: %s\n", path, strerror(-rv));
    co_cancel(task);
    if (co_join(task, CO_NO_DEADLINE, NULL) == 0)
        fprintf(stderr, "the ticker ran %d times meanwhile\n", ticks);
    return rv < 0 ? 1 : 0;
}

int main(int argc, char **argv)
{
    return co_run(run, argc > 1 ? argv[1] : "/etc/passwd", NULL);
}
