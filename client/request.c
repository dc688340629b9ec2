#include "client/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/errors.h"
#include "client/transfer.h"
#include "coro/prof/prof.h"

struct cl_blocking {
    struct cl_transfer transfer;
};

int cl_init(void)
{
    return cl_error_from_easy(curl_global_init(CURL_GLOBAL_DEFAULT));
}

void cl_fini(void)
{
    curl_global_cleanup();
}

const char *cl_version(void)
{
    return curl_version();
}

bool cl_resolves_async(void)
{
    return (curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_ASYNCHDNS) != 0;
}

void cl_reply_init(struct cl_reply *reply)
{
    *reply = (struct cl_reply){0};
    buf_init(&reply->body, 0);
}

void cl_reply_fini(struct cl_reply *reply)
{
    buf_fini(&reply->body);
}

/* What may stand for itself in a query value (RFC 3986, 3.4), without the
 * characters that some decoder gives a meaning: '&' and ';' separate, '+' is a
 * space to forms, '\'' ends quoted attributes. */
static bool is_plain(unsigned char c)
{
    static const char marks[] = "-._~!$()*,:@/?=";
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
        return true;
    return c != '\0' && strchr(marks, c) != NULL;
}

int cl_encode_query(struct buf *b, const char *value, size_t len)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)value[i];
        const char escaped[3] = {'%', hex[c >> 4], hex[c & 15]};
        int rv = is_plain(c) ? buf_append_char(b, (char)c) : buf_append(b, escaped, sizeof escaped);
        if (rv < 0)
            return rv;
    }
    return 0;
}

int cl_blocking_new(struct cl_blocking **ret_client)
{
    struct cl_blocking *client = calloc(1, sizeof *client);
    if (client == NULL)
        return -ENOMEM;
    int rv = cl_transfer_init(&client->transfer);
    if (rv < 0) {
        free(client);
        return rv;
    }
    *ret_client = client;
    return 0;
}

void cl_blocking_free(struct cl_blocking *client)
{
    if (client == NULL)
        return;
    cl_transfer_fini(&client->transfer);
    free(client);
}

int cl_blocking_get(struct cl_blocking *client, const struct cl_request *req,
                    struct cl_reply *reply)
{
    int rv = cl_transfer_begin(&client->transfer, req, reply);
    if (rv < 0)
        return rv;
    PROF_WAIT_BEGIN("{curl_easy_perform}");
    CURLcode result = curl_easy_perform(client->transfer.easy);
    prof_wait_end();
    return cl_transfer_end(&client->transfer, result);
}
