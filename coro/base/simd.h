/* coro/base/simd.h - sixteen bytes at once, where the machine can (SSE2). */
#pragma once

#ifdef __SSE2__
#include <emmintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The n < 16 bytes at p, then zeros; nothing else is read, and with n 0 p may be NULL.
 * Two loads that overlap: memcpy of an unknown length would be a call, or where the
 * compiler saves room "rep movs", which takes longer to begin than all of this. */
static inline __m128i simd_load_part(const char *p, size_t n)
{
    uint64_t low = 0, high = 0;
    if (n >= 8) {
        memcpy(&low, p, 8);
        memcpy(&high, p + n - 8, 8);
        high = high >> (8 * (15 - n)) >> 8; /* twice: by 64 at once is not defined */
    } else if (n >= 4) {
        uint32_t first, last;
        memcpy(&first, p, 4);
        memcpy(&last, p + n - 4, 4);
        low = first | (uint64_t)last << (8 * (n - 4));
    } else if (n > 0) {
        const unsigned char *byte = (const unsigned char *)p;
        low = byte[0] | (uint64_t)byte[n / 2] << (8 * (n / 2)) |
              (uint64_t)byte[n - 1] << (8 * (n - 1));
    }
    return _mm_set_epi64x((long long)high, (long long)low);
}
#endif
