/* profile_sample FORMAT TICKS [sort=KEYS] [limit=N] [filter=REGEX] [callers] [callees]
 * renders the made-up tree (tests/lib/profile_tree.h) to stdout, for tests that
 * hold the formats against other programs' readers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profile_tree.h"
#include "server/profile/format.h"

static int parse_view(struct profile_view *v, char **args, int count)
{
    char message[PROFILE_MESSAGE_BYTES] = "";
    int rv = 0;
    for (int i = 0; i < count && rv == 0; i++) {
        if (strncmp(args[i], "sort=", 5) == 0)
            rv = profile_view_sort(v, args[i] + 5, message);
        else if (strncmp(args[i], "limit=", 6) == 0)
            rv = profile_view_limit(v, args[i] + 6, message);
        else if (strncmp(args[i], "filter=", 7) == 0)
            rv = profile_view_match(v, args[i] + 7, message);
        else if (strcmp(args[i], "callers") == 0)
            v->table = PROFILE_CALLERS;
        else if (strcmp(args[i], "callees") == 0)
            v->table = PROFILE_CALLEES;
        else
            rv = -1;
    }
    if (rv != 0)
        fprintf(stderr, "profile_sample: %s\n", message);
    return rv;
}

static const struct profile_endpoint endpoints[] = {{"/domain", "domain_handle"}, {NULL, NULL}};

static int render(struct buf *out, const char *format, const struct profile_report *r,
                  const struct profile_view *v, const struct prof_snapshot *s)
{
    struct profile_about about = {
        .snapshot = s,
        .mode = "coroutine",
        .slot = -1,
        .endpoints = endpoints,
        .is_cpu = strcmp(format, "pprof-cpu") == 0,
    };
    if (strcmp(format, "text") == 0)
        return profile_text(out, r, v);
    if (strcmp(format, "pstats") == 0)
        return profile_pstats(out, r);
    if (strcmp(format, "json") == 0)
        return profile_json(out, r, v, &about);
    if (strcmp(format, "callgrind") == 0)
        return profile_callgrind(out, r);
    if (strcmp(format, "collapsed") == 0)
        return profile_collapsed(out, r);
    if (strcmp(format, "speedscope") == 0)
        return profile_speedscope(out, r, &about);
    if (strncmp(format, "pprof", 5) == 0)
        return profile_pprof(out, r, &about);
    return -1;
}

int main(int argc, char **argv)
{
    struct prof_snapshot *s;
    struct profile_report r;
    struct profile_view v;
    struct buf out;
    buf_init(&out, 1 << 24);
    profile_view_init(&v);
    if (argc < 3 || prof_segment_create(1) < 0 || prof_worker_open("made up") < 0 ||
        parse_view(&v, argv + 3, argc - 3) != 0)
        return EXIT_FAILURE;
    prof_worker_close();
    prof_slot_at(0)->run = prof_slot_at(0)->nodes[PROF_NODE_ROOT].self = 0;
    tree_fill(prof_slot_at(0), (uint64_t)strtoull(argv[2], NULL, 10));
    struct profile_filter all = {.slot = -1};
    if (prof_snapshot_take(0, &s) < 0 || profile_report_init(&r) < 0)
        return EXIT_FAILURE;
    s->tick_ns = 0.4567891; /* some machine's */
    if (profile_report_add(&r, s, 1, &all) < 0 || profile_report_finish(&r) < 0 ||
        render(&out, argv[1], &r, &v, s) != 0)
        return EXIT_FAILURE;
    if (out.len > 0) /* no row was left: nothing was ever allocated */
        fwrite(out.data, 1, out.len, stdout);
    buf_fini(&out);
    profile_report_fini(&r);
    profile_view_fini(&v);
    prof_snapshot_free(s);
    return EXIT_SUCCESS;
}
