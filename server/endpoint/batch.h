/* server/endpoint/batch.h - POST /domain, the streaming half of the route. */
#pragma once

#include "server/http/route.h"

/* As a handler. */
void batch_answer(struct http_request *req, struct http_response *res);
