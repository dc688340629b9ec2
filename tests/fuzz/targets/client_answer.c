/* Whatever a server sends and whatever a line of input holds: one printed line,
 * whose quotes close; a target that is one printable word; networks that parse
 * have bits in range. */
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client/answer.h"
#include "client/guard.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool is_fine)
{
    if (!is_fine)
        abort();
}

/* Outside strings nothing but JSON's own characters is looked for; inside, every
 * quote is escaped. */
static bool quotes_close(const char *text, size_t len)
{
    bool is_inside = false;
    for (size_t i = 0; i < len; i++) {
        if (is_inside && text[i] == '\\')
            i++;
        else if (text[i] == '"')
            is_inside = !is_inside;
    }
    return !is_inside;
}

static void check_lines(const struct buf *url, struct cl_reply *reply)
{
    for (int answer = 0; answer < CL_ANSWER_COUNT; answer++) {
        for (int is_text = 0; is_text < 2; is_text++) {
            struct buf line;
            buf_init(&line, 1 << 22);
            check(cl_answer_render(&line, (enum cl_answer)answer, reply, is_text, url, 1,
                                   "reason") == 0);
            check(memchr(line.data, '\n', line.len) == line.data + line.len - 1);
            for (size_t i = 0; i + 1 < line.len; i++)
                check((unsigned char)line.data[i] >= ' ');
            if (!is_text && answer != CL_ANSWER_DOMAIN) {
                check(line.data[0] == '{' && line.data[line.len - 2] == '}');
                check(quotes_close(line.data, line.len));
            }
            buf_fini(&line);
        }
    }
}

static void check_target(const struct buf *url)
{
    struct buf target;
    buf_init(&target, 1 << 22);
    check(cl_answer_target(&target, "http://server:1", false, NULL, url) == 0);
    check(strlen(target.data) == target.len - 1);
    for (size_t i = 0; i + 1 < target.len; i++)
        check(isgraph((unsigned char)target.data[i]));
    const char *value = strstr(target.data, "url=") + 4;
    check(strpbrk(value, "&#+") == NULL);
    buf_fini(&target);
}

static void check_networks(const char *text)
{
    struct cl_network *networks;
    size_t count;
    if (cl_networks_parse(text, &networks, &count) < 0)
        return;
    for (size_t i = 0; i < count; i++)
        check(networks[i].bits <= 128);
    const struct cl_guard guard = {networks, count};
    (void)cl_guard_admits_text(&guard, text);
    free(networks);
}

/* The input: a URL, a newline, a body. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size > 0 ? memchr(data, '\n', size) : NULL;
    size_t url_len = end != NULL ? (size_t)(end - data) : size;
    struct cl_reply reply;
    struct buf url;
    if (size > 1 << 16)
        return 0;
    cl_reply_init(&reply);
    buf_init(&url, 1 << 17);
    reply.body.max_bytes = 1 << 17;
    check(buf_append(&url, data, url_len) == 0);
    if (end != NULL)
        check(buf_append(&reply.body, end + 1, size - url_len - 1) == 0);
    check_target(&url);
    check_lines(&url, &reply);
    check(buf_append_char(&url, '\0') == 0);
    check_networks(url.data);
    buf_fini(&url);
    cl_reply_fini(&reply);
    return 0;
}
