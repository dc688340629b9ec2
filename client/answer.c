#include "client/answer.h"

#include <stdio.h>
#include <string.h>

#include "coro/base/json.h"

int cl_answer_target(struct buf *target, const char *server, bool is_text, const char *suffixes,
                     const struct buf *url)
{
    buf_clear(target);
    int rv = buf_printf(target, "%s/domain?%s", server, is_text ? "format=text&" : "");
    if (rv == 0 && suffixes != NULL)
        rv = buf_printf(target, "suffixes=%s&", suffixes);
    if (rv == 0)
        rv = buf_append_str(target, "url=");
    if (rv == 0)
        rv = cl_encode_query(target, url->data, url->len);
    return rv == 0 ? buf_append_char(target, '\0') : rv;
}

enum cl_answer cl_answer_judge(const struct cl_reply *reply, bool is_text, char why[CL_WHY_BYTES])
{
    const char *type = is_text ? "text/plain" : "application/json";
    if (reply->status == 422)
        return CL_ANSWER_REFUSED;
    if (reply->status == 200 && strncmp(reply->content_type, type, strlen(type)) == 0)
        return CL_ANSWER_DOMAIN;
    if (reply->status == 200)
        snprintf(why, CL_WHY_BYTES, "status 200, but %s: is that a domaind?",
                 reply->content_type[0] != '\0' ? reply->content_type : "no content type");
    else
        snprintf(why, CL_WHY_BYTES, "status %d", reply->status);
    return CL_ANSWER_NONE;
}

/* Append on one line: in JSON a raw control byte can stand only between tokens,
 * where a space does as well, and text has none. */
static int append_one_line(struct buf *text, const char *bytes, size_t n)
{
    size_t at = text->len;
    int rv = buf_append(text, bytes, n);
    for (; rv == 0 && at < text->len; at++) {
        if ((unsigned char)text->data[at] < ' ')
            text->data[at] = ' ';
    }
    return rv;
}

static int append_body(struct buf *text, const struct buf *body)
{
    size_t n = body->len;
    while (n > 0 && (body->data[n - 1] == '\n' || body->data[n - 1] == '\r'))
        n--;
    return append_one_line(text, body->data, n);
}

/* The value of "detail" in a problem, with its quotes and as it is escaped there;
 * the length, 0 when there is none. */
static size_t find_detail(const struct buf *body, const char **ret_value)
{
    static const char key[] = "\"detail\":\"";
    size_t key_len = sizeof key - 1;
    const char *at = body->len > 0 ? memmem(body->data, body->len, key, key_len) : NULL;
    if (at == NULL)
        return 0;
    const char *begin = at + key_len - 1;
    const char *end = body->data + body->len;
    for (at = begin + 1; at < end && *at != '"'; at++) {
        if (*at == '\\')
            at++;
    }
    if (at >= end)
        return 0;
    *ret_value = begin;
    return (size_t)(at + 1 - begin);
}

static int append_refusal(struct buf *text, const struct buf *body)
{
    const char *value = NULL;
    size_t len = find_detail(body, &value);
    if (len > 0)
        return append_one_line(text, value, len);
    return json_append_string(text, body->data, body->len);
}

int cl_answer_render(struct buf *text, enum cl_answer answer, const struct cl_reply *reply,
                     bool is_text, const struct buf *url, uint64_t line, const char *why)
{
    int rv = 0;
    if (answer == CL_ANSWER_DOMAIN) {
        rv = append_body(text, &reply->body);
    } else if (!is_text) {
        rv = buf_append_str(text, "{\"url\":");
        if (rv == 0)
            rv = json_append_string(text, url->data, url->len);
        if (rv == 0)
            rv = buf_printf(text,
                            ",\"line\":%llu,\"error\":\"%s\",\"detail\":", (unsigned long long)line,
                            answer == CL_ANSWER_REFUSED ? "refused" : "no_answer");
        if (rv == 0 && answer == CL_ANSWER_REFUSED)
            rv = append_refusal(text, &reply->body);
        else if (rv == 0)
            rv = json_append_string(text, why, strlen(why));
        if (rv == 0)
            rv = buf_append_char(text, '}');
    }
    return rv == 0 ? buf_append_char(text, '\n') : rv;
}
