#include "server/endpoint/embed.h"
#include "server/endpoint/endpoint.h"

EMBED(page, "server/endpoint/index.html");
EMBED(text, "server/endpoint/index.txt");
EMBED(openapi, "server/endpoint/openapi.json");

#define AN_HOUR "max-age=3600"

void endpoint_index(struct http_request *req, struct http_response *res)
{
    /* text first: it is what curl gets, which accepts anything; browsers ask for HTML */
    static const char *const offers[] = {"text/plain", "text/html"};
    bool is_html = http_accepts(req, offers, ARRAY_LEN(offers)) == 1;
    struct http_str body = is_html ? embed_page() : embed_text();
    http_add_field(res, "Vary", "Accept");
    http_add_field(res, "Cache-Control", AN_HOUR);
    http_answer(res, HTTP_200_OK, is_html ? HTTP_TYPE_HTML : HTTP_TYPE_TEXT, body.data, body.len);
}

void endpoint_openapi(struct http_request *req, struct http_response *res)
{
    (void)req;
    struct http_str body = embed_openapi();
    http_add_field(res, "Cache-Control", AN_HOUR);
    http_answer(res, HTTP_200_OK, HTTP_TYPE_JSON, body.data, body.len);
}
