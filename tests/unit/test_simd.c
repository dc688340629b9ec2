/* Fewer than sixteen bytes as a block: right for every length, and nothing else is read. */
#include "coro/base/simd.h"
#include "suite.h"

#ifdef __SSE2__
#include <sys/mman.h>
#include <unistd.h>

static const char every_length[16];

/* Between two pages that may not be read. */
static char *page_alone(size_t page)
{
    char *three = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(three, MAP_FAILED);
    ck_assert_int_eq(mprotect(three, page, PROT_NONE), 0);
    ck_assert_int_eq(mprotect(three + 2 * page, page, PROT_NONE), 0);
    return three + page;
}

START_TEST(a_part_is_its_bytes_and_zeros)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), n = (size_t)_i;
    char *memory = page_alone(page);
    memset(memory, 0xee, page);
    char *ends[] = {memory, memory + page - n};
    for (size_t e = 0; e < ARRAY_LEN(ends); e++) {
        char expected[16] = {0}, got[16];
        for (size_t i = 0; i < n; i++)
            expected[i] = ends[e][i] = (char)(0x81 + 7 * i);
        _mm_storeu_si128((__m128i *)(void *)got, simd_load_part(ends[e], n));
        ck_assert_mem_eq(got, expected, 16);
    }
    munmap(memory - page, 3 * page);
}
END_TEST

START_TEST(nothing_may_be_nowhere)
{
    char got[16], expected[16] = {0};
    _mm_storeu_si128((__m128i *)(void *)got, simd_load_part(NULL, 0));
    ck_assert_mem_eq(got, expected, 16);
}
END_TEST

SUITE_MAIN("simd", SUITE_LOOP(a_part_is_its_bytes_and_zeros, every_length),
           SUITE_TEST(nothing_may_be_nowhere))
#else
START_TEST(there_is_none_here)
{
}
END_TEST

SUITE_MAIN("simd", SUITE_TEST(there_is_none_here))
#endif
