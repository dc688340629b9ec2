/* GET /livez, GET /readyz: for machines, which look at the status alone. */
#include "server/endpoint/endpoint.h"

void endpoint_livez(struct http_request *req, struct http_response *res)
{
    (void)req;
    http_add_field(res, "Cache-Control", "no-store");
    http_answer(res, HTTP_200_OK, HTTP_TYPE_TEXT, "alive\n", 6);
}

/* While draining: send no new work here, what is connected is still served. */
void endpoint_readyz(struct http_request *req, struct http_response *res)
{
    http_add_field(res, "Cache-Control", "no-store");
    if (atomic_load_explicit(&req->app->draining, memory_order_relaxed) ||
        atomic_load_explicit(&req->app->is_leaving, memory_order_relaxed))
        http_answer(res, HTTP_503_SERVICE_UNAVAILABLE, HTTP_TYPE_TEXT, "draining\n", 9);
    else
        http_answer(res, HTTP_200_OK, HTTP_TYPE_TEXT, "ready\n", 6);
}
