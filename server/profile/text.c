/* server/profile/text.c - cProfile's table as pstats prints it.
 *
 * Every width and blank is pstats' own (Lib/pstats.py): tests hold the output
 * against Python's. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/profile/format.h"

static bool is_shown(const struct profile_report *r, uint32_t function)
{
    return r->functions[function].is_shown;
}

/* "12345", or "12345/678" when some calls were recursive. */
static void format_calls(char text[48], int64_t calls, int64_t primitive)
{
    if (calls == primitive)
        snprintf(text, 48, "%lld", (long long)calls);
    else
        snprintf(text, 48, "%lld/%lld", (long long)calls, (long long)primitive);
}

static int append_summary(struct buf *out, const struct profile_report *r)
{
    int64_t calls = 0, primitive = 0;
    double seconds = 0; /* in this order: the sum is pstats' sum to the last bit */
    for (uint32_t i = 0; i < r->function_count; i++) {
        if (!is_shown(r, i))
            continue;
        calls += r->functions[i].calls;
        primitive += r->functions[i].primitive;
        seconds += r->functions[i].tottime;
    }
    int rv = buf_printf(out, "         %lld function calls ", (long long)calls);
    if (rv == 0 && calls != primitive)
        rv = buf_printf(out, "(%lld primitive calls) ", (long long)primitive);
    return rv < 0 ? rv : buf_printf(out, "in %.3f seconds\n\n", seconds);
}

static int append_per_call(struct buf *out, double seconds, int64_t calls)
{
    return calls == 0 ? buf_append_str(out, "         ")
                      : buf_printf(out, "%8.3f ", seconds / (double)calls);
}

static int append_row(struct buf *out, const struct profile_function *f)
{
    char calls[48];
    format_calls(calls, f->calls, f->primitive);
    int rv = buf_printf(out, "%9s %8.3f ", calls, f->tottime);
    if (rv == 0)
        rv = append_per_call(out, f->tottime, f->calls);
    if (rv == 0)
        rv = buf_printf(out, "%8.3f ", f->cumtime);
    if (rv == 0)
        rv = append_per_call(out, f->cumtime, f->primitive);
    return rv < 0 ? rv : buf_printf(out, "%s\n", f->label);
}

static int append_table(struct buf *out, const struct profile_report *r, const uint32_t *rows,
                        uint32_t count)
{
    int rv = buf_append_str(
        out, "   ncalls  tottime  percall  cumtime  percall filename:lineno(function)\n");
    for (uint32_t i = 0; i < count && rv == 0; i++)
        rv = append_row(out, &r->functions[rows[i]]);
    return rv;
}

/* ---- callers and callees ---- */

struct relatives {
    const struct profile_report *report;
    bool are_callers;
};

static uint32_t relative_of(const struct relatives *x, uint32_t edge)
{
    const struct profile_edge *e = &x->report->edges[edge];
    return x->are_callers ? e->caller : e->callee;
}

/* As Python sorts (file, line, name). */
static int compare_relatives(const void *left, const void *right, void *arg)
{
    const struct relatives *x = arg;
    const struct profile_function *f = x->report->functions;
    const struct profile_function *l = &f[relative_of(x, *(const uint32_t *)left)];
    const struct profile_function *r = &f[relative_of(x, *(const uint32_t *)right)];
    int order = strcmp(l->file, r->file);
    if (order == 0)
        order = (l->line > r->line) - (l->line < r->line);
    return order != 0 ? order : strcmp(l->name, r->name);
}

static uint32_t collect_edges(const struct relatives *x, uint32_t function, uint32_t *edges)
{
    const struct profile_report *r = x->report;
    const struct profile_function *f = &r->functions[function];
    uint32_t count = 0;
    uint32_t e = x->are_callers ? f->first_caller : f->first_callee;
    while (e != PROFILE_NONE) {
        if (profile_edge_is_shown(r, e))
            edges[count++] = e;
        e = x->are_callers ? r->edges[e].next_caller : r->edges[e].next_callee;
    }
    qsort_r(edges, count, sizeof edges[0], compare_relatives, (void *)x);
    return count;
}

static int append_relatives(struct buf *out, const struct relatives *x, uint32_t function,
                            int width, uint32_t *edges)
{
    const struct profile_report *r = x->report;
    uint32_t count = collect_edges(x, function, edges);
    int rv = buf_printf(out, "%-*s%s ", width, r->functions[function].label,
                        x->are_callers ? "<-" : "->");
    if (rv == 0 && count == 0)
        rv = buf_append_char(out, '\n');
    for (uint32_t i = 0; i < count && rv == 0; i++) {
        const struct profile_edge *e = &r->edges[edges[i]];
        char calls[48];
        format_calls(calls, e->calls, e->primitive);
        if (i > 0) /* continuation lines: blank on the left */
            rv = buf_printf(out, "%*s", width + 1, "");
        if (rv == 0)
            rv = buf_printf(out, "%*s %8.3f %8.3f  %s\n", i == 0 ? 7 : 9, calls, e->tottime,
                            e->cumtime, r->functions[relative_of(x, edges[i])].label);
    }
    return rv;
}

/* The longest name printed, of all functions when nothing was cut. */
static int label_width(const struct profile_report *r, const uint32_t *rows, uint32_t count)
{
    size_t width = 0;
    for (uint32_t i = 0; i < count; i++) {
        size_t n = strlen(r->functions[rows[i]].label);
        width = n > width ? n : width;
    }
    return (int)width + 2;
}

static int append_relations(struct buf *out, const struct profile_report *r, bool are_callers,
                            const uint32_t *rows, uint32_t count)
{
    struct relatives x = {r, are_callers};
    uint32_t *edges = calloc(r->edge_count + 1, sizeof *edges);
    if (edges == NULL)
        return -ENOMEM;
    int width = label_width(r, rows, count);
    int rv = buf_printf(out, "%-*s%s\n", width, "Function ",
                        are_callers ? "was called by..." : "called...");
    bool has_edges = false;
    for (uint32_t e = 0; e < r->edge_count; e++)
        has_edges = has_edges || profile_edge_is_shown(r, e);
    if (rv == 0 && has_edges)
        rv = buf_printf(out, "%*s    ncalls  tottime  cumtime\n", width, "");
    for (uint32_t i = 0; i < count && rv == 0; i++)
        rv = append_relatives(out, &x, rows[i], width, edges);
    free(edges);
    return rv;
}

int profile_text(struct buf *out, const struct profile_report *r, const struct profile_view *v)
{
    struct buf message;
    buf_init(&message, 4096 + PROFILE_RESTRICTIONS_MAX * 4096);
    uint32_t *rows = NULL, count = 0;
    int rv = profile_view_apply(v, r, &rows, &count, &message);
    if (rv == 0 && v->table == PROFILE_STATS)
        rv = append_summary(out, r);
    if (rv < 0 || count == 0)
        goto out;
    rv = buf_append(out, message.data, message.len);
    if (rv == 0)
        rv = buf_append_char(out, '\n');
    if (rv == 0 && v->table == PROFILE_STATS)
        rv = append_table(out, r, rows, count);
    else if (rv == 0)
        rv = append_relations(out, r, v->table == PROFILE_CALLERS, rows, count);
    if (rv == 0)
        rv = buf_append_str(out, "\n\n");
out:
    free(rows);
    buf_fini(&message);
    return rv;
}
