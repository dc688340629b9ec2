#include "loadgen/usage.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "coro/base/clock.h"

#define TREE_MAX 8192

/* One process of /proc. */
struct process {
    pid_t pid;
    pid_t parent;
    int threads;
    int64_t ended_children_ns; /* CPU of its children that ended and were waited for */
};

struct tree {
    struct process list[TREE_MAX];
    size_t n;
};

static int64_t tick_ns(void)
{
    return NS_PER_S / sysconf(_SC_CLK_TCK);
}

static int read_process(pid_t pid, struct process *ret_process)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return -ESRCH;
    size_t n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[n] = '\0';
    /* "pid (name) state ppid ..."; the name may hold anything, also parentheses. */
    const char *after = strrchr(text, ')');
    long parent, threads;
    long long user, system;
    if (after == NULL ||
        sscanf(after + 1,
               " %*c %ld %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %lld %lld %*d %*d %ld",
               &parent, &user, &system, &threads) != 4)
        return -ESRCH;
    *ret_process = (struct process){.pid = pid,
                                    .parent = (pid_t)parent,
                                    .threads = (int)threads,
                                    .ended_children_ns = (user + system) * tick_ns()};
    return 0;
}

static void read_all(struct tree *all)
{
    DIR *dir = opendir("/proc");
    if (dir == NULL)
        return;
    struct dirent *entry;
    while ((entry = readdir(dir)) != NULL && all->n < TREE_MAX)
        if (isdigit((unsigned char)entry->d_name[0]) &&
            read_process((pid_t)strtol(entry->d_name, NULL, 10), &all->list[all->n]) == 0)
            all->n++;
    closedir(dir);
}

/* Keep pid and its descendants only. */
static int keep_family(struct tree *all, pid_t pid)
{
    static const struct process nobody;
    size_t kept = 0;
    for (size_t i = 0; i < all->n; i++)
        if (all->list[i].pid == pid) {
            struct process root = all->list[i];
            all->list[i] = all->list[0];
            all->list[0] = root;
            kept = 1;
        }
    if (kept == 0)
        return -ESRCH;
    for (size_t at = 0; at < kept; at++)
        for (size_t i = kept; i < all->n; i++)
            if (all->list[i].parent == all->list[at].pid) {
                struct process child = all->list[i];
                all->list[i] = all->list[kept];
                all->list[kept++] = child;
            }
    for (size_t i = kept; i < all->n; i++)
        all->list[i] = nobody;
    all->n = kept;
    return 0;
}

static int read_family(pid_t pid, struct tree **ret_tree)
{
    struct tree *tree = calloc(1, sizeof *tree);
    if (tree == NULL)
        return -ENOMEM;
    read_all(tree);
    int rv = keep_family(tree, pid);
    if (rv < 0)
        free(tree);
    else
        *ret_tree = tree;
    return rv;
}

int lg_usage_cpu_ns(pid_t pid, int64_t *ret_cpu_ns)
{
    struct tree *tree;
    int64_t sum_ns = 0;
    int rv = read_family(pid, &tree);
    if (rv < 0)
        return rv;
    for (size_t i = 0; i < tree->n; i++) {
        clockid_t id;
        struct timespec ts;
        if (clock_getcpuclockid(tree->list[i].pid, &id) == 0 && clock_gettime(id, &ts) == 0)
            sum_ns += (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
        sum_ns += tree->list[i].ended_children_ns;
    }
    free(tree);
    *ret_cpu_ns = sum_ns;
    return 0;
}

static int64_t read_pss(pid_t pid)
{
    char path[64], line[256];
    long long kib = 0;
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    while (fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "Pss: %lld kB", &kib) == 1)
            break;
    fclose(file);
    return kib * 1024;
}

int lg_usage_memory(pid_t pid, struct lg_memory *ret_memory)
{
    struct tree *tree;
    struct lg_memory sum = {0};
    int rv = read_family(pid, &tree);
    if (rv < 0)
        return rv;
    for (size_t i = 0; i < tree->n; i++) {
        sum.pss_bytes += read_pss(tree->list[i].pid);
        sum.processes++;
        sum.threads += tree->list[i].threads;
    }
    free(tree);
    *ret_memory = sum;
    return 0;
}

int lg_usage_machine(int cpu, struct lg_machine *ret_machine)
{
    char line[512], want[16];
    int rv = -ESRCH;
    if (cpu < 0)
        memcpy(want, "cpu ", 5);
    else
        snprintf(want, sizeof want, "cpu%d ", cpu);
    FILE *file = fopen("/proc/stat", "re");
    if (file == NULL)
        return rv;
    while (rv < 0 && fgets(line, sizeof line, file) != NULL) {
        long long user, nice, system, irq, softirq, steal;
        if (strncmp(line, want, strlen(want)) != 0)
            continue;
        if (sscanf(line, "%*s %lld %lld %lld %*d %*d %lld %lld %lld", &user, &nice, &system, &irq,
                   &softirq, &steal) != 6)
            break;
        ret_machine->busy_ns = (user + nice + system + irq + softirq) * tick_ns();
        ret_machine->stolen_ns = steal * tick_ns();
        rv = 0;
    }
    fclose(file);
    return rv;
}
