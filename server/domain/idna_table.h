/* server/domain/idna_table.h - the generated Unicode table (conf/build/idna_table.mjs). */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { IDNA_PAGE = 128 };

enum idna_status { IDNA_VALID, IDNA_MAPPED, IDNA_IGNORED, IDNA_DISALLOWED };
/* Bidi classes as far as RFC 5893 tells them apart; BETWEEN: ES CS ET ON BN. */
enum idna_bidi { BIDI_OTHER, BIDI_L, BIDI_R, BIDI_AN, BIDI_EN, BIDI_NSM, BIDI_BETWEEN };
enum idna_joining { JOINING_NONE, JOINING_LEFT, JOINING_RIGHT, JOINING_DUAL, JOINING_TRANSPARENT };

/* One kind of code point. */
struct idna_row {
    uint8_t status;  /* enum idna_status */
    uint8_t ccc;     /* canonical combining class */
    uint8_t bidi;    /* enum idna_bidi */
    uint8_t joining; /* enum idna_joining */
    uint8_t is_mark; /* General_Category M* */
};

/* Sorted by point in the decompositions (second 0: one code point), by first
 * and second in the compositions. */
struct idna_pair {
    uint32_t point, first, second;
};

extern const char idna_unicode_version[];
extern const struct idna_row idna_rows[];
extern const uint16_t idna_index[]; /* page of each IDNA_PAGE code points */
extern const uint8_t idna_pages[][IDNA_PAGE];

/* idna_mapped[i] becomes idna_mapping_text[idna_mapping_at[i] .. idna_mapping_at[i + 1]], UTF-8. */
extern const size_t idna_mapping_count;
extern const uint32_t idna_mapped[];
extern const uint16_t idna_mapping_at[];
extern const uint8_t idna_mapping_text[];

extern const size_t idna_decomposition_count;
extern const struct idna_pair idna_decompositions[];
extern const size_t idna_composition_count;
extern const struct idna_pair idna_compositions[];

/* point <= 0x10ffff */
static inline const struct idna_row *idna_row(uint32_t point)
{
    return &idna_rows[idna_pages[idna_index[point / IDNA_PAGE]][point % IDNA_PAGE]];
}
