/* GET /tasks: every task of every loop, with what it waits for and where it stands. */
#include <errno.h>
#include <string.h>

#include "coro/inspect.h"
#include "coro/prof/prof.h"
#include "server/endpoint/endpoint.h"

#define REPORT_MAX_BYTES (64u << 20)
/* A loop that is busy for longer is listed as busy. */
#define ANSWER_NS (200 * NS_PER_MS)

static int report(struct buf *out, enum co_dump_format format)
{
    /* Thread and prefork mode serve without tasks. */
    if (co_self() != NULL)
        return co_dump_all(out, format, co_after(ANSWER_NS));
    return buf_append_str(out,
                          format == CO_DUMP_JSON ? "{\"loops\":[]}\n" : "no tasks in this mode\n");
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
    int rv = report(&out, wants_json ? CO_DUMP_JSON : CO_DUMP_TEXT);
    if (rv == 0)
        rv = buf_append(http_body(res), out.data, out.len);
    buf_fini(&out);
    if (rv < 0)
        http_problem(res, HTTP_503_SERVICE_UNAVAILABLE, "the report could not be made");
}
