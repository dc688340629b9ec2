/* server/endpoint/query.h - the parameters of the /domain routes. */
#pragma once

#include "server/http/route.h"

enum endpoint_param {
    ENDPOINT_URL,
    ENDPOINT_FORMAT,
    ENDPOINT_SUFFIXES,
    ENDPOINT_ENGINE,
    ENDPOINT_FOLLOW,
    ENDPOINT_PARAM_COUNT
};

/* What a query says: raw values, borrowed; data NULL: absent. */
struct endpoint_query {
    struct http_str value[ENDPOINT_PARAM_COUNT];
    bool is_repeated;
};

/* The url value runs to the end of the query, or to the first & that is followed
 * by another parameter of ours; parameters that are not ours are passed over. */
struct endpoint_query endpoint_query_read(struct http_str raw);
/* Values that cannot be, but for the URL's: 0, or the status of the problem in res. */
MUST_USE int endpoint_query_check(struct http_response *res, const struct endpoint_query *query);
/* suffixes=icann */
bool endpoint_query_is_icann(const struct endpoint_query *query);
/* Percent-decode the URL's value once into ret_text (room for raw.len); + stays +.
 * A percent sign without two hex digits stands for itself: people paste such
 * URLs, and the URL standard reads them so. */
size_t endpoint_query_decode(struct http_str raw, char *ret_text);
