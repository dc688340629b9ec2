/* server/domain/simd.h - sixteen bytes of a host, classified at once. */
#pragma once

#include <stdint.h>
#include <string.h>

/* Bit i is about byte i. */
struct host_bits {
    uint32_t plain; /* a-z 0-9 - . _ : needs no rewriting in a host */
    uint32_t dot;
};

#include "coro/base/simd.h"

#if defined(__SSE2__)
typedef __m128i host_block;

static inline host_block host_load(const char *at)
{
    return _mm_loadu_si128((const __m128i *)(const void *)at);
}

/* Fewer than 16 bytes left: the rest reads as zero, which is not plain. */
static inline host_block host_load_part(const char *at, size_t n)
{
    return simd_load_part(at, n);
}

static inline struct host_bits host_classify(host_block b)
{
    /* signed compares: bytes from 0x80 up are negative and fall out of every range */
    __m128i letter = _mm_and_si128(_mm_cmpgt_epi8(b, _mm_set1_epi8('a' - 1)),
                                   _mm_cmpgt_epi8(_mm_set1_epi8('z' + 1), b));
    /* '-' '.' '/' '0'..'9' stand side by side in ASCII; the slash is taken out */
    __m128i digit = _mm_and_si128(_mm_cmpgt_epi8(b, _mm_set1_epi8('-' - 1)),
                                  _mm_cmpgt_epi8(_mm_set1_epi8('9' + 1), b));
    digit = _mm_andnot_si128(_mm_cmpeq_epi8(b, _mm_set1_epi8('/')), digit);
    __m128i under = _mm_cmpeq_epi8(b, _mm_set1_epi8('_'));
    __m128i plain = _mm_or_si128(_mm_or_si128(letter, digit), under);
    return (struct host_bits){
        .plain = (uint32_t)_mm_movemask_epi8(plain),
        .dot = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(b, _mm_set1_epi8('.'))),
    };
}
#else
typedef struct {
    unsigned char byte[16];
} host_block;

static inline host_block host_load(const char *at)
{
    host_block b;
    memcpy(b.byte, at, 16);
    return b;
}

static inline host_block host_load_part(const char *at, size_t n)
{
    host_block b = {{0}};
    if (n > 0) /* an empty text may be at NULL */
        memcpy(b.byte, at, n);
    return b;
}

static inline struct host_bits host_classify(host_block b)
{
    struct host_bits bits = {0, 0};
    for (unsigned i = 0; i < 16; i++) {
        unsigned char c = b.byte[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= '-' && c <= '9' && c != '/') || c == '_';
        bits.plain |= (uint32_t)plain << i;
        bits.dot |= (uint32_t)(c == '.') << i;
    }
    return bits;
}
#endif
