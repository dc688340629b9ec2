/* --profile: the call-table of this process, printed when the work is done. */
#include <errno.h>
#include <unistd.h>

#include "client/extract.h"
#include "coro/prof/snapshot.h"
#include "coro/prof/worker.h"
#include "server/profile/format.h"

enum { TEXT_MAX_BYTES = 16 << 20 };

bool extract_profile_knows(const char *sort)
{
    struct profile_view view;
    char message[PROFILE_MESSAGE_BYTES];
    profile_view_init(&view);
    bool known = profile_view_sort(&view, sort, message) == 0;
    profile_view_fini(&view);
    return known;
}

int extract_profile_start(unsigned jobs)
{
    int rv = prof_segment_create(jobs);
    return rv < 0 ? rv : prof_worker_open("extract");
}

static int render(const struct prof_snapshot *snapshot, const char *sort, struct buf *text)
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
        rv = profile_text(text, &report, &view);
    profile_view_fini(&view);
    profile_report_fini(&report);
    return rv;
}

int extract_profile_print(const char *sort)
{
    struct prof_snapshot *snapshot = NULL;
    struct buf text;
    buf_init(&text, TEXT_MAX_BYTES);
    prof_worker_close();
    int rv = prof_snapshot_take(0, &snapshot);
    if (rv == 0)
        rv = render(snapshot, sort, &text);
    if (rv == 0)
        rv = extract_write(STDOUT_FILENO, text.data, text.len);
    prof_snapshot_free(snapshot);
    buf_fini(&text);
    prof_segment_destroy();
    return rv;
}
