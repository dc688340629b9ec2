/* The generated table: its shape, and facts of the Unicode Character Database that
 * somebody can look up. */
#include "server/domain/idna_table.h"

#include <string.h>

#include "suite.h"

static const struct {
    uint32_t point;
    struct idna_row row;
} facts[] = {
    {'a', {IDNA_VALID, 0, BIDI_L, JOINING_NONE, 0}},
    {'A', {IDNA_MAPPED, 0, BIDI_L, JOINING_NONE, 0}},
    {'0', {IDNA_VALID, 0, BIDI_EN, JOINING_NONE, 0}},
    {0xad, {IDNA_IGNORED, 0, BIDI_BETWEEN, JOINING_TRANSPARENT, 0}}, /* soft hyphen */
    {0xdf, {IDNA_VALID, 0, BIDI_L, JOINING_NONE, 0}},                /* sharp s: a deviation */
    {0x300, {IDNA_VALID, 230, BIDI_NSM, JOINING_TRANSPARENT, 1}},    /* grave accent */
    {0x323, {IDNA_VALID, 220, BIDI_NSM, JOINING_TRANSPARENT, 1}},    /* dot below */
    {0x5d0, {IDNA_VALID, 0, BIDI_R, JOINING_NONE, 0}},               /* alef */
    {0x627, {IDNA_VALID, 0, BIDI_R, JOINING_RIGHT, 0}},              /* Arabic alef */
    {0x628, {IDNA_VALID, 0, BIDI_R, JOINING_DUAL, 0}},               /* beh */
    {0x660, {IDNA_VALID, 0, BIDI_AN, JOINING_NONE, 0}},              /* Arabic-Indic zero */
    {0x94d, {IDNA_VALID, 9, BIDI_NSM, JOINING_TRANSPARENT, 1}},      /* virama */
    {0xd800, {IDNA_DISALLOWED, 0, BIDI_L, JOINING_NONE, 0}},         /* a surrogate */
    {0xff0e, {IDNA_MAPPED, 0, BIDI_BETWEEN, JOINING_NONE, 0}},       /* fullwidth dot */
    {0x1f600, {IDNA_VALID, 0, BIDI_BETWEEN, JOINING_NONE, 0}},       /* grinning face */
    {0x378, {IDNA_DISALLOWED, 0, BIDI_L, JOINING_NONE, 0}},          /* not assigned */
    {0x10ffff, {IDNA_DISALLOWED, 0, BIDI_BETWEEN, JOINING_NONE, 0}}, /* the last one */
};

START_TEST(rows)
{
    const struct idna_row *row = idna_row(facts[_i].point), *want = &facts[_i].row;
    ck_assert_int_eq(row->status, want->status);
    ck_assert_int_eq(row->ccc, want->ccc);
    if (want->status == IDNA_VALID) { /* of no use otherwise, and not told apart */
        ck_assert_int_eq(row->bidi, want->bidi);
        ck_assert_int_eq(row->joining, want->joining);
        ck_assert_int_eq(row->is_mark, want->is_mark);
    }
}
END_TEST

/* Every mapped code point has its mapping, and nobody else; sorted, for bsearch. */
START_TEST(mappings)
{
    size_t mapped = 0;
    for (uint32_t point = 0; point <= 0x10ffff; point++)
        mapped += idna_row(point)->status == IDNA_MAPPED;
    ck_assert_uint_eq(mapped, idna_mapping_count);
    for (size_t i = 0; i < idna_mapping_count; i++) {
        ck_assert_int_eq(idna_row(idna_mapped[i])->status, IDNA_MAPPED);
        ck_assert_uint_lt(idna_mapping_at[i], idna_mapping_at[i + 1]);
        if (i > 0)
            ck_assert_uint_lt(idna_mapped[i - 1], idna_mapped[i]);
    }
}
END_TEST

static const struct {
    uint32_t point;
    const char *text;
} mapping_facts[] = {
    {'A', "a"},    {0xb9, "1"},     {0x130, "i\u0307"}, {0x1e9e, "\u00df"},  {0x2100, "a/c"},
    {0x3002, "."}, {0xfb03, "ffi"}, {0x2126, "\u03c9"}, {0x2f868, "\u36fc"}, {0xff21, "a"},
};

START_TEST(mapped_to)
{
    size_t i = 0;
    while (i < idna_mapping_count && idna_mapped[i] != mapping_facts[_i].point)
        i++;
    ck_assert_uint_lt(i, idna_mapping_count);
    size_t len = (size_t)(idna_mapping_at[i + 1] - idna_mapping_at[i]);
    ck_assert_uint_eq(len, strlen(mapping_facts[_i].text));
    ck_assert_mem_eq(idna_mapping_text + idna_mapping_at[i], mapping_facts[_i].text, len);
}
END_TEST

/* What composes decomposes into the same two; both are sorted. */
START_TEST(compositions)
{
    size_t found = 0;
    for (size_t i = 0; i < idna_composition_count; i++) {
        const struct idna_pair *c = &idna_compositions[i];
        if (i > 0)
            ck_assert(c[-1].first < c->first ||
                      (c[-1].first == c->first && c[-1].second < c->second));
        for (size_t j = 0; j < idna_decomposition_count; j++)
            if (idna_decompositions[j].point == c->point) {
                ck_assert_uint_eq(idna_decompositions[j].first, c->first);
                ck_assert_uint_eq(idna_decompositions[j].second, c->second);
                found++;
            }
    }
    ck_assert_uint_eq(found, idna_composition_count);
    for (size_t j = 1; j < idna_decomposition_count; j++)
        ck_assert_uint_lt(idna_decompositions[j - 1].point, idna_decompositions[j].point);
}
END_TEST

SUITE_MAIN("idna_table", SUITE_LOOP(rows, facts), SUITE_TEST(mappings),
           SUITE_LOOP(mapped_to, mapping_facts), SUITE_TEST(compositions))
