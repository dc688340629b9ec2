#include "coro/base/err.h"

#include <string.h>

const char *err_text(int err)
{
    const char *text = strerrordesc_np(err < 0 ? -err : err);
    return text != NULL ? text : "unknown error";
}
