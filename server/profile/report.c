/* server/profile/report.c - merge the workers' trees, derive cProfile's table.
 *
 * Adding maps each node of a worker's tree to the merged node with the same
 * path of functions; as parents stand before children in both, one pass does.
 * Two sites are one function when file, line and name agree, which folds
 * "{write}" from many places into one built-in.
 *
 * Finishing walks the merged tree depth-first with a counter per function and
 * per edge of how often it is open above: 0 means outermost, so the call is
 * primitive and its total counts. */
#include "server/profile/report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/profile/map.h"

struct profile_map {
    struct profile_table by_site; /* site address -> function */
    struct profile_table by_path; /* merged parent, function -> merged node */
    struct profile_table by_pair; /* caller, callee -> edge */
    uint32_t node_cap;
    uint32_t function_cap;
    uint32_t edge_cap;
};

/* What runs outside every scope: the loop, the scheduler, the code between. */
static const struct prof_site unscoped = {.name = "{unscoped}"};

/* Room for one more in a vector that doubles. */
static int grow(void **items, uint32_t count, uint32_t *cap, size_t item_bytes)
{
    if (count < *cap)
        return 0;
    uint32_t more = *cap == 0 ? 64 : *cap * 2;
    void *grown = realloc(*items, more * item_bytes);
    if (grown == NULL)
        return -ENOMEM;
    *items = grown;
    *cap = more;
    return 0;
}

/* ---- functions ---- */

static bool is_builtin(const struct prof_site *site)
{
    return site->name[0] == '{';
}

static char *make_label(const struct prof_site *site)
{
    char *label;
    int n = is_builtin(site)
                ? asprintf(&label, "%s", site->name)
                : asprintf(&label, "%s:%u(%s)", site->file, (unsigned)site->line, site->name);
    return n < 0 ? NULL : label;
}

/* "{write}" is '<write>' to pstats, which prints it with braces again. */
static char *make_name(const struct prof_site *site)
{
    char *name = strdup(site->name);
    size_t n = name == NULL ? 0 : strlen(name);
    if (n >= 2 && name[0] == '{' && name[n - 1] == '}') {
        name[0] = '<';
        name[n - 1] = '>';
    }
    return name;
}

static int new_function(struct profile_report *r, const struct prof_site *site)
{
    int rv = grow((void **)&r->functions, r->function_count, &r->map->function_cap,
                  sizeof r->functions[0]);
    if (rv < 0)
        return rv;
    struct profile_function *f = &r->functions[r->function_count];
    *f = (struct profile_function){
        .file = is_builtin(site) ? "~" : site->file,
        .line = is_builtin(site) ? 0 : site->line,
        .name = make_name(site),
        .label = make_label(site),
        .first_caller = PROFILE_NONE,
        .first_callee = PROFILE_NONE,
        .site = site,
    };
    r->function_count++; /* fini frees what there is of it */
    return f->name == NULL || f->label == NULL ? -ENOMEM : 0;
}

/* The function of a site, which other sites may share. */
static int find_function(struct profile_report *r, const struct prof_site *site,
                         uint32_t *ret_function)
{
    uint32_t *place = profile_table_at(&r->map->by_site, (uintptr_t)site, 0);
    if (place == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; *place == PROFILE_NONE && i < r->function_count; i++) {
        const struct prof_site *other = r->functions[i].site;
        if (strcmp(other->name, site->name) == 0 &&
            (is_builtin(site) ||
             (other->line == site->line && strcmp(other->file, site->file) == 0)))
            *place = i;
    }
    if (*place == PROFILE_NONE) {
        int rv = new_function(r, site);
        if (rv < 0)
            return rv;
        *place = r->function_count - 1;
    }
    *ret_function = *place;
    return 0;
}

/* ---- the merged tree ---- */

static int find_node(struct profile_report *r, uint32_t parent, uint32_t function,
                     uint32_t *ret_node)
{
    uint32_t *place = profile_table_at(&r->map->by_path, parent, function);
    if (place == NULL)
        return -ENOMEM;
    if (*place == PROFILE_NONE) {
        int rv = grow((void **)&r->nodes, r->node_count, &r->map->node_cap, sizeof r->nodes[0]);
        if (rv < 0)
            return rv;
        *place = r->node_count++;
        r->nodes[*place] = (struct profile_node){
            .function = function,
            .parent = parent,
            .slot = parent == PROFILE_NONE ? PROFILE_NONE : r->nodes[parent].slot,
            .first_child = PROFILE_NONE,
            .next_sibling = PROFILE_NONE,
        };
    }
    *ret_node = *place;
    return 0;
}

static void add_values(struct profile_node *to, const struct prof_node *from, int sign)
{
    to->calls += sign * (int64_t)from->calls;
    to->self += sign * (int64_t)from->self;
    to->wait += sign * (int64_t)from->wait;
    to->ready += sign * (int64_t)from->ready;
    /* The past is not in flight.  A longest slice that has grown lies between the two
     * moments; one that has not may be older, and is all that is known. */
    int64_t *slice = sign > 0 ? &to->slice : &to->slice_before;
    if (sign > 0)
        to->in_flight += from->in_flight;
    if ((int64_t)from->slice > *slice)
        *slice = (int64_t)from->slice;
}

int profile_report_init(struct profile_report *r)
{
    *r = (struct profile_report){.map = calloc(1, sizeof *r->map)};
    uint32_t root;
    if (r->map == NULL || find_node(r, PROFILE_NONE, PROFILE_NONE, &root) < 0) {
        profile_report_fini(r);
        return -ENOMEM;
    }
    return 0;
}

void profile_report_fini(struct profile_report *r)
{
    for (uint32_t i = 0; i < r->function_count; i++) {
        free((char *)r->functions[i].name);
        free((char *)r->functions[i].label);
    }
    free(r->functions);
    free(r->edges);
    free(r->nodes);
    if (r->map != NULL) {
        profile_table_fini(&r->map->by_site);
        profile_table_fini(&r->map->by_path);
        profile_table_fini(&r->map->by_pair);
        free(r->map);
    }
    *r = (struct profile_report){.nodes = NULL};
}

static bool is_endpoint(const struct profile_filter *filter, const struct prof_site *site)
{
    for (size_t i = 0; i < filter->endpoint_count; i++)
        if (strcmp(filter->endpoints[i], site->name) == 0)
            return true;
    return false;
}

/* Where the worker's tree hangs: the root, or a node of its own below it. */
static int find_root(struct profile_report *r, uint32_t slot, const struct profile_filter *filter,
                     uint32_t *ret_node)
{
    *ret_node = 0;
    if (!filter->is_by_worker)
        return 0;
    /* no function has such a number */
    int rv = find_node(r, 0, PROFILE_NONE - 1 - slot, ret_node);
    if (rv < 0)
        return rv;
    r->nodes[*ret_node].function = PROFILE_NONE;
    r->nodes[*ret_node].slot = slot;
    return 0;
}

/* to[i] is the merged node of the worker's node i; PROFILE_NONE: filtered out. */
static int add_worker(struct profile_report *r, const struct prof_node *nodes, uint32_t count,
                      int sign, const struct profile_filter *filter, uint32_t root, uint32_t *to)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct prof_node *n = &nodes[i];
        r->self += sign * (int64_t)n->self;
        to[i] = PROFILE_NONE;
        if (i == PROF_NODE_OVERFLOW && n->calls == 0)
            continue;
        if (i == PROF_NODE_ROOT) {
            to[i] = filter->endpoint_count == 0 ? root : PROFILE_NONE;
        } else {
            uint32_t parent = to[n->parent];
            if (parent == PROFILE_NONE && is_endpoint(filter, n->site))
                parent = root; /* becomes its child */
            uint32_t function;
            int rv = 0;
            if (parent != PROFILE_NONE)
                rv = find_function(r, n->site, &function);
            if (rv == 0 && parent != PROFILE_NONE)
                rv = find_node(r, parent, function, &to[i]);
            if (rv < 0)
                return rv;
        }
        if (to[i] != PROFILE_NONE)
            add_values(&r->nodes[to[i]], n, sign);
    }
    return 0;
}

int profile_report_add(struct profile_report *r, const struct prof_snapshot *snapshot, int sign,
                       const struct profile_filter *filter)
{
    if (r->tick_ns == 0)
        r->tick_ns = snapshot->tick_ns;
    uint32_t *to = calloc(PROF_NODES_MAX, sizeof *to);
    if (to == NULL)
        return -ENOMEM;
    int rv = 0;
    for (uint32_t i = 0; i < snapshot->worker_count && rv == 0; i++) {
        const struct prof_snapshot_worker *w = &prof_snapshot_workers(snapshot)[i];
        if (filter->slot >= 0 && filter->slot != (int64_t)w->slot)
            continue;
        r->run += sign * (int64_t)w->run;
        uint32_t root;
        rv = find_root(r, w->slot, filter, &root);
        if (rv == 0)
            rv = add_worker(r, prof_snapshot_nodes(snapshot) + w->first_node, w->node_count, sign,
                            filter, root, to);
    }
    free(to);
    return rv;
}

/* ---- derived ---- */

static void link_children(struct profile_report *r)
{
    /* from the back, so that siblings end up in order of appearance */
    for (uint32_t i = r->node_count - 1; i > 0; i--) {
        struct profile_node *parent = &r->nodes[r->nodes[i].parent];
        r->nodes[i].next_sibling = parent->first_child;
        parent->first_child = i;
        r->nodes[i].total += r->nodes[i].self;
        parent->total += r->nodes[i].total;
        if (r->nodes[i].slice > parent->slice)
            parent->slice = r->nodes[i].slice;
        if (r->nodes[i].slice_before > parent->slice_before)
            parent->slice_before = r->nodes[i].slice_before;
    }
    r->nodes[0].total += r->nodes[0].self;
}

static int find_edge(struct profile_report *r, uint32_t caller, uint32_t callee, uint32_t *ret_edge)
{
    uint32_t *place = profile_table_at(&r->map->by_pair, caller, callee);
    if (place == NULL)
        return -ENOMEM;
    if (*place == PROFILE_NONE) {
        int rv = grow((void **)&r->edges, r->edge_count, &r->map->edge_cap, sizeof r->edges[0]);
        if (rv < 0)
            return rv;
        *place = r->edge_count++;
        r->edges[*place] = (struct profile_edge){
            .caller = caller,
            .callee = callee,
            .next_caller = r->functions[callee].first_caller,
            .next_callee = r->functions[caller].first_callee,
        };
        r->functions[callee].first_caller = *place;
        r->functions[caller].first_callee = *place;
    }
    *ret_edge = *place;
    return 0;
}

/* How often functions and edges are open on the path that is walked. */
struct open_counts {
    uint32_t *functions;
    uint32_t *edges;
    uint32_t *edge_of; /* of each node; PROFILE_NONE: called from the root */
};

static void note_slice(struct profile_function *f, const struct profile_node *n)
{
    bool is_recent = n->slice > n->slice_before;
    if (n->slice > f->slice)
        f->is_slice_recent = is_recent;
    else if (n->slice == f->slice)
        f->is_slice_recent = f->is_slice_recent || is_recent;
    if (n->slice > f->slice)
        f->slice = n->slice;
}

static void enter_node(struct profile_report *r, uint32_t i, struct open_counts *open)
{
    const struct profile_node *n = &r->nodes[i];
    struct profile_function *f = &r->functions[n->function];
    f->calls += n->calls;
    f->self += n->self;
    f->wait += n->wait;
    f->ready += n->ready;
    f->in_flight += n->in_flight;
    note_slice(f, n);
    if (open->functions[n->function]++ == 0) {
        f->primitive += n->calls;
        f->total += n->total;
    }
    if (open->edge_of[i] == PROFILE_NONE)
        return;
    struct profile_edge *e = &r->edges[open->edge_of[i]];
    e->calls += n->calls;
    e->self += n->self;
    if (open->edges[open->edge_of[i]]++ == 0) {
        e->primitive += n->calls;
        e->total += n->total;
    }
}

static void leave_node(struct profile_report *r, uint32_t i, struct open_counts *open)
{
    open->functions[r->nodes[i].function]--;
    if (open->edge_of[i] != PROFILE_NONE)
        open->edges[open->edge_of[i]]--;
}

/* Depth-first without recursion: a profiled recursion may be deep. */
static void walk(struct profile_report *r, struct open_counts *open)
{
    uint32_t i = r->nodes[0].first_child;
    while (i != PROFILE_NONE && i != 0) {
        enter_node(r, i, open);
        if (r->nodes[i].first_child != PROFILE_NONE) {
            i = r->nodes[i].first_child;
            continue;
        }
        leave_node(r, i, open);
        while (i != 0 && r->nodes[i].next_sibling == PROFILE_NONE) {
            i = r->nodes[i].parent;
            if (i != 0)
                leave_node(r, i, open);
        }
        if (i != 0)
            i = r->nodes[i].next_sibling;
    }
}

static int find_edges(struct profile_report *r, uint32_t *edge_of)
{
    edge_of[0] = PROFILE_NONE;
    for (uint32_t i = 1; i < r->node_count; i++) {
        edge_of[i] = PROFILE_NONE;
        uint32_t caller = r->nodes[r->nodes[i].parent].function;
        int rv = 0;
        if (caller != PROFILE_NONE)
            rv = find_edge(r, caller, r->nodes[i].function, &edge_of[i]);
        if (rv < 0)
            return rv;
    }
    return 0;
}

/* The root's own time is a row like any other, but nobody's caller. */
static int add_unscoped(struct profile_report *r)
{
    const struct profile_node *root = &r->nodes[0];
    if (root->self == 0 && root->wait == 0 && root->ready == 0)
        return 0;
    uint32_t function;
    int rv = find_function(r, &unscoped, &function);
    if (rv < 0)
        return rv;
    struct profile_function *f = &r->functions[function];
    f->self = f->total = root->self;
    f->wait = root->wait;
    f->ready = root->ready;
    note_slice(f, root);
    return 0;
}

static void convert(struct profile_report *r)
{
    for (uint32_t i = 0; i < r->function_count; i++) {
        struct profile_function *f = &r->functions[i];
        f->tottime = profile_seconds(r, f->self);
        f->cumtime = profile_seconds(r, f->total);
        f->is_shown = f->calls != 0 || f->self != 0 || f->total != 0 || f->wait != 0 ||
                      f->ready != 0 || f->in_flight != 0;
    }
    for (uint32_t i = 0; i < r->edge_count; i++) {
        r->edges[i].tottime = profile_seconds(r, r->edges[i].self);
        r->edges[i].cumtime = profile_seconds(r, r->edges[i].total);
    }
}

int profile_report_finish(struct profile_report *r)
{
    struct open_counts open = {.edge_of = calloc(r->node_count, sizeof(uint32_t))};
    int rv = -ENOMEM;
    if (open.edge_of == NULL)
        goto out;
    link_children(r);
    rv = find_edges(r, open.edge_of);
    if (rv < 0)
        goto out;
    open.functions = calloc(r->function_count + 1, sizeof(uint32_t));
    open.edges = calloc(r->edge_count + 1, sizeof(uint32_t));
    rv = open.functions == NULL || open.edges == NULL ? -ENOMEM : 0;
    if (rv < 0)
        goto out;
    walk(r, &open);
    rv = add_unscoped(r);
    if (rv == 0)
        convert(r);
out:
    free(open.functions);
    free(open.edges);
    free(open.edge_of);
    return rv;
}

bool profile_edge_is_shown(const struct profile_report *r, uint32_t edge)
{
    const struct profile_edge *e = &r->edges[edge];
    return r->functions[e->caller].is_shown && r->functions[e->callee].is_shown &&
           (e->calls != 0 || e->self != 0 || e->total != 0);
}
