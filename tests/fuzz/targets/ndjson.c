/* Any bytes as a line of NDJSON: no crash, and a URL no longer than the line. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/endpoint/ndjson.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* exactly as large as promised, so that a byte beyond is seen */
    char *line = malloc(size > 0 ? size : 1), *scratch = malloc(size > 0 ? size : 1);
    const char *url;
    size_t len;
    if (line == NULL || scratch == NULL)
        abort();
    memcpy(line, data, size);
    if (ndjson_url(line, size, scratch, &url, &len) == 0 && len > size)
        abort();
    free(line);
    free(scratch);
    return 0;
}
