/* coro/trace.c - the only user of libdw. */
#include "coro/trace.h"

#include <elfutils/libdwfl.h>
#include <execinfo.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "coro/base/attr.h"

/* ---- walking ---- */

/* Frames may lie in memory that a sanitizer has marked: plain loads only. */
__attribute__((no_sanitize("address", "thread"))) static int walk(uintptr_t frame, uintptr_t low,
                                                                  uintptr_t high,
                                                                  uintptr_t *ret_pcs, int max)
{
    int n = 0;
    while (n < max && frame >= low && frame + 2 * sizeof(uintptr_t) <= high &&
           frame % sizeof(uintptr_t) == 0) {
        const uintptr_t *words = (const uintptr_t *)frame; /* the caller's frame, return address */
        if (words[1] == 0)
            break;
        ret_pcs[n++] = words[1];
        if (words[0] <= frame)
            break;
        frame = words[0];
    }
    return n;
}

int coro_trace_parked(const struct co_context *ctx, const char *low, const char *high,
                      uintptr_t *ret_pcs, int max)
{
    return walk(coro_context_frame(ctx), (uintptr_t)low, (uintptr_t)high, ret_pcs, max);
}

int coro_trace_self(uintptr_t *ret_pcs, int max, int skip)
{
    void *pcs[CO_TRACE_MAX + 4];
    if (coro_context_is_swapping())
        return 0;
    int n = backtrace(pcs, (int)ARRAY_LEN(pcs)) - skip - 1;
    int count = n < 0 ? 0 : n < max ? n : max;
    for (int i = 0; i < count; i++)
        ret_pcs[i] = (uintptr_t)pcs[i + skip + 1];
    return count;
}

/* ---- naming ---- */

static pthread_mutex_t dwfl_lock = PTHREAD_MUTEX_INITIALIZER;
static Dwfl *dwfl;
static pid_t opened_by; /* a child maps the same files, but asks anew */

/* A fork happens while nobody names anything: the child ends what was open here.
 * Registered before any other lock of the library's, because it is taken last. */
static void before_fork(void)
{
    pthread_mutex_lock(&dwfl_lock);
}

static void after_fork(void)
{
    pthread_mutex_unlock(&dwfl_lock);
}

__attribute__((constructor)) static void guard_forks(void)
{
    pthread_atfork(before_fork, after_fork, after_fork);
}

/* Called with the lock held.  What was loaded since is found on the next call. */
static Dwfl *open_dwfl(void)
{
    static char *no_path = NULL;
    static const Dwfl_Callbacks callbacks = {.find_elf = dwfl_linux_proc_find_elf,
                                             .find_debuginfo = dwfl_standard_find_debuginfo,
                                             .debuginfo_path = &no_path};
    if (dwfl != NULL && opened_by == getpid())
        return dwfl;
    if (dwfl != NULL)
        dwfl_end(dwfl);
    dwfl = dwfl_begin(&callbacks);
    if (dwfl == NULL)
        return NULL;
    opened_by = getpid();
    dwfl_report_begin(dwfl);
    if (dwfl_linux_proc_report(dwfl, opened_by) != 0 || dwfl_report_end(dwfl, NULL, NULL) != 0) {
        dwfl_end(dwfl);
        dwfl = NULL;
    }
    return dwfl;
}

static void name_locked(Dwfl_Module *module, uintptr_t pc, struct co_frame *ret_frame)
{
    const char *name = dwfl_module_addrname(module, pc);
    if (name != NULL)
        snprintf(ret_frame->function, sizeof(ret_frame->function), "%s", name);
    Dwfl_Line *line = dwfl_module_getsrc(module, pc);
    const char *file =
        line == NULL ? NULL : dwfl_lineinfo(line, NULL, &ret_frame->line, NULL, NULL, NULL);
    if (file == NULL)
        return;
    while (strncmp(file, "../", 3) == 0) /* as seen from the build's folder */
        file += 3;
    /* The end of a path says most. */
    size_t n = strlen(file), cap = sizeof(ret_frame->file) - 1;
    snprintf(ret_frame->file, sizeof(ret_frame->file), "%s", n > cap ? file + n - cap : file);
}

void coro_trace_name(uintptr_t pc, int is_return, struct co_frame *ret_frame)
{
    *ret_frame = (struct co_frame){.function = "??"};
    pc -= is_return ? 1 : 0;
    pthread_mutex_lock(&dwfl_lock);
    Dwfl *d = open_dwfl();
    Dwfl_Module *module = d != NULL ? dwfl_addrmodule(d, pc) : NULL;
    if (module != NULL)
        name_locked(module, pc, ret_frame);
    pthread_mutex_unlock(&dwfl_lock);
}

int coro_trace_text(struct buf *out, const uintptr_t *pcs, int count)
{
    for (int i = 0; i < count; i++) {
        struct co_frame frame;
        coro_trace_name(pcs[i], 1, &frame);
        int rv = frame.file[0] != 0 ? buf_printf(out, "  #%d %s at %s:%d\n", i, frame.function,
                                                 frame.file, frame.line)
                                    : buf_printf(out, "  #%d %s\n", i, frame.function);
        if (rv < 0)
            return rv;
    }
    return 0;
}
