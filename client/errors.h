/* client/errors.h - the border where libcurl's codes become negative errnos.
 *
 *   context  any thread; nothing here allocates or fails */
#pragma once

#include <curl/curl.h>

/* 0 for CURLE_OK, else a negative errno; -EIO for codes without a row in errors.def. */
int cl_error_from_easy(CURLcode code);
int cl_error_from_multi(CURLMcode code);

/* What to tell a person; never NULL, static. */
const char *cl_error_text(CURLcode code);
