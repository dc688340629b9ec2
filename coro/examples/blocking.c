/* A blocking call on another thread, while other tasks go on. */
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
    while (co_sleep(NS_PER_MS) == 0)
        ++*ticks;
    return 0;
}

static int run(void *arg)
{
    int ticks = 0, result = 0;
    struct job *job = calloc(1, sizeof *job);
    struct co_task *task = co_spawn(ticker, &ticks);
    if (job == NULL || task == NULL)
        return 1;
    snprintf(job->path, sizeof job->path, "%s", (const char *)arg);
    int rv = co_offload(count_lines, job, free, co_after(60 * NS_PER_S), &result);
    if (rv == 0) { /* the job is ours again */
        if (result < 0)
            printf("%s: %s\n", job->path, strerror(-result));
        else
            printf("%s: %ld lines\n", job->path, job->lines);
        free(job);
    }
    co_cancel(task);
    return co_join(task, CO_NO_DEADLINE, NULL) < 0 || rv < 0 ? 1 : 0;
}

int main(int argc, char **argv)
{
    return co_run(run, argc > 1 ? argv[1] : "/etc/passwd", NULL);
}
