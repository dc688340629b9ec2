#include "client/errors.h"

#include <errno.h>
#include <stddef.h>

#include "coro/base/attr.h"

struct error_row {
    CURLcode code;
    int err; /* positive */
    const char *text;
};

static const struct error_row rows[] = {
#define CL_ERROR(code, err, text) {CURLE_##code, err, text},
#include "client/errors.def"
#undef CL_ERROR
};

static const struct error_row *row_of(CURLcode code)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].code == code)
            return &rows[i];
    }
    return NULL;
}

int cl_error_from_easy(CURLcode code)
{
    const struct error_row *row = row_of(code);
    return row != NULL ? -row->err : -EIO;
}

const char *cl_error_text(CURLcode code)
{
    const struct error_row *row = row_of(code);
    return row != NULL ? row->text : curl_easy_strerror(code);
}

int cl_error_from_multi(CURLMcode code)
{
    switch (code) {
    case CURLM_CALL_MULTI_PERFORM:
    case CURLM_OK:
        return 0;
    case CURLM_OUT_OF_MEMORY:
        return -ENOMEM;
    case CURLM_ADDED_ALREADY:
        return -EALREADY;
    case CURLM_RECURSIVE_API_CALL:
        return -EDEADLK;
    case CURLM_BAD_SOCKET:
        return -EBADF;
    case CURLM_ABORTED_BY_CALLBACK:
        return -ECANCELED;
    case CURLM_BAD_HANDLE:
    case CURLM_BAD_EASY_HANDLE:
    case CURLM_BAD_FUNCTION_ARGUMENT:
    case CURLM_UNKNOWN_OPTION:
        return -EINVAL;
    default:
        return -EIO;
    }
}
