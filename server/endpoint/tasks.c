/* GET /tasks: every task of every loop, with what it waits for and where it stands; and
 * where workers are processes, what each of them does. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "coro/inspect.h"
#include "coro/prof/prof.h"
#include "server/endpoint/endpoint.h"

#define REPORT_MAX_BYTES (64u << 20)
/* A loop that is busy for longer is listed as busy. */
#define ANSWER_NS (200 * NS_PER_MS)

/* Thread and prefork mode serve without tasks. */
static int report_loops(struct buf *out, enum co_dump_format format)
{
    if (co_self() == NULL)
        return buf_append_str(out, format == CO_DUMP_JSON ? "{\"loops\":[]}\n"
                                                          : "no tasks in this mode\n");
    char *text;
    int rv = co_dump_all(format, co_after(ANSWER_NS), &text);
    if (rv < 0)
        return rv;
    rv = buf_append_str(out, text);
    free(text);
    return rv;
}

/* The loops' JSON object with the workers as a member more, before the others. */
static int put_in_front(struct buf *out, const struct buf *workers, const struct buf *loops)
{
    int rv = buf_append_str(out, "{\"children\":[");
    if (rv == 0)
        rv = buf_append(out, workers->data, workers->len);
    if (rv == 0)
        rv = buf_append_str(out, "],\n");
    return rv < 0 ? rv : buf_append(out, loops->data + 1, loops->len - 1);
}

static int report(const struct endpoint_settings *settings, struct buf *out,
                  enum co_dump_format format)
{
    bool as_json = format == CO_DUMP_JSON;
    struct buf workers, loops;
    buf_init(&workers, REPORT_MAX_BYTES);
    buf_init(&loops, REPORT_MAX_BYTES);
    int rv = settings->list_workers != NULL ? settings->list_workers(&workers, as_json) : 0;
    bool has_processes = rv > 0; /* even when none lives just now */
    if (rv >= 0)
        rv = report_loops(&loops, format);
    if (rv == 0 && as_json && has_processes) {
        rv = put_in_front(out, &workers, &loops);
    } else if (rv == 0) {
        bool has_tasks = !has_processes || co_self() != NULL;
        rv = buf_append(out, workers.data, workers.len);
        if (rv == 0 && has_tasks)
            rv = buf_append(out, loops.data, loops.len);
    }
    buf_fini(&workers);
    buf_fini(&loops);
    return rv;
}

void endpoint_tasks(struct http_request *req, struct http_response *res)
{
    PROF_FN();
    static const char *const offers[] = {"text/plain", "application/json"};
    int offer = http_accepts(req, offers, ARRAY_LEN(offers));
    char format[8] = "";
    ssize_t len = http_query_text(req, "format", format, sizeof format);
    bool wants_json = len < 0 ? offer == 1 : strcmp(format, "json") == 0;
    if (len != -ENOENT && (len < 0 || (!wants_json && strcmp(format, "text") != 0))) {
        http_problem(res, HTTP_400_BAD_REQUEST, "format is text or json");
        return;
    }
    http_set_type(res, wants_json ? "application/json" : "text/plain; charset=utf-8");
    struct buf out;
    buf_init(&out, REPORT_MAX_BYTES);
    int rv = report(req->app->user, &out, wants_json ? CO_DUMP_JSON : CO_DUMP_TEXT);
    if (rv == 0)
        rv = buf_append(http_body(res), out.data, out.len);
    buf_fini(&out);
    if (rv < 0)
        http_problem(res, HTTP_503_SERVICE_UNAVAILABLE, "the report could not be made");
}
