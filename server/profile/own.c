#include "server/profile/own.h"

#include "coro/prof/snapshot.h"
#include "coro/prof/worker.h"
#include "server/profile/format.h"

bool profile_own_knows(const char *sort)
{
    struct profile_view view;
    char message[PROFILE_MESSAGE_BYTES];
    profile_view_init(&view);
    bool known = profile_view_sort(&view, sort, message) == 0;
    profile_view_fini(&view);
    return known;
}

int profile_own_start(unsigned workers)
{
    return prof_segment_create(workers);
}

static int render(const struct prof_snapshot *snapshot, const char *sort, struct buf *out)
{
    struct profile_view view;
    struct profile_report report;
    char message[PROFILE_MESSAGE_BYTES];
    const struct profile_filter everything = {.slot = -1};
    int rv = profile_report_init(&report);
    if (rv < 0)
        return rv;
    profile_view_init(&view);
    rv = profile_view_sort(&view, sort, message);
    if (rv == 0)
        rv = profile_report_add(&report, snapshot, 1, &everything);
    if (rv == 0)
        rv = profile_report_finish(&report);
    if (rv == 0)
        rv = profile_text(out, &report, &view);
    profile_view_fini(&view);
    profile_report_fini(&report);
    return rv;
}

int profile_own_finish(const char *sort, struct buf *out)
{
    struct prof_snapshot *snapshot = NULL;
    int rv = prof_snapshot_take(0, &snapshot);
    if (rv == 0)
        rv = render(snapshot, sort, out);
    prof_snapshot_free(snapshot);
    prof_segment_destroy();
    return rv;
}
