/* Any text: the number parsers never crash, and what they accept stays in range. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "coro/base/units.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[256];
    int64_t value;
    if (size >= sizeof text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    if (units_parse_ns(text, &value) == 0 && value < 0)
        abort();
    if (units_parse_bytes(text, &value) == 0 && value < 0)
        abort();
    if (units_parse_int(text, -5, 5, &value) == 0 && (value < -5 || value > 5))
        abort();
    return 0;
}
