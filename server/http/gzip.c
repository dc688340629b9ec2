/* Reports are text and large; a client that asks for gzip gets a tenth. */
#include <errno.h>
#include <string.h>
#include <zlib.h>

#include "server/http/work.h"

#define GZIP_MIN_BYTES   1024
#define GZIP_WINDOW_BITS (15 + 16) /* + 16: a gzip header, not zlib's */

/* The body of `plain`, compressed, appended to `packed`.  0 or -errno. */
static int pack(const struct buf *plain, struct buf *packed)
{
    z_stream z = {.next_in = (unsigned char *)plain->data, .avail_in = (unsigned)plain->len};
    if (deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW_BITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return -ENOMEM;
    int rv = buf_reserve(packed, deflateBound(&z, plain->len));
    if (rv == 0) {
        z.next_out = (unsigned char *)packed->data;
        z.avail_out = (unsigned)packed->cap;
        rv = deflate(&z, Z_FINISH) == Z_STREAM_END ? 0 : -EIO;
        packed->len = z.total_out;
    }
    deflateEnd(&z);
    return rv;
}

void http_respond_gzip(struct http_work *w)
{
    struct http_response *res = &w->res;
    if (w->route == NULL || (w->route->flags & HTTP_ROUTE_GZIP) == 0 || res->is_stream)
        return;
    if (res->fields.len > 0 &&
        memmem(res->fields.data, res->fields.len, "Content-Encoding:", 17) != NULL)
        return; /* the handler has done it */
    http_add_field(res, "Vary", "Accept-Encoding");
    if (res->body.len < GZIP_MIN_BYTES || res->body.len > UINT32_MAX / 2 ||
        !http_accepts_gzip(&w->req))
        return;
    struct buf packed;
    buf_init(&packed, res->body.max_bytes);
    if (pack(&res->body, &packed) < 0 || http_add_field(res, "Content-Encoding", "gzip") < 0) {
        buf_fini(&packed); /* then plain: it is an offer, not a promise */
        return;
    }
    buf_fini(&res->body);
    res->body = packed;
}
