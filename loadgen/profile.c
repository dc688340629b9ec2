#include "loadgen/profile.h"

#include "coro/base/buf.h"
#include "coro/prof/snapshot.h"
#include "coro/prof/worker.h"
#include "server/profile/format.h"

#define TEXT_MAX_BYTES (4 << 20)

int lg_profile_start(unsigned threads)
{
    return prof_segment_create(threads);
}

static int render(const struct prof_snapshot *snapshot, struct buf *text)
{
    struct profile_view view;
    struct profile_report report;
    char message[PROFILE_MESSAGE_BYTES];
    const struct profile_filter everything = {.slot = -1};
    int rv = profile_report_init(&report);
    if (rv < 0)
        return rv;
    profile_view_init(&view);
    rv = profile_view_sort(&view, "cumulative", message);
    if (rv == 0)
        rv = profile_report_add(&report, snapshot, 1, &everything);
    if (rv == 0)
        rv = profile_report_finish(&report);
    if (rv == 0)
        rv = profile_text(text, &report, &view);
    profile_view_fini(&view);
    profile_report_fini(&report);
    return rv;
}

int lg_profile_print(FILE *out)
{
    struct prof_snapshot *snapshot = NULL;
    struct buf text;
    buf_init(&text, TEXT_MAX_BYTES);
    int rv = prof_snapshot_take(0, &snapshot);
    if (rv == 0)
        rv = render(snapshot, &text);
    if (rv == 0)
        fwrite(text.data, 1, text.len, out);
    prof_snapshot_free(snapshot);
    buf_fini(&text);
    prof_segment_destroy();
    return rv;
}
