#include "server/profile/build_id.h"

#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* The note's parts are padded to four bytes. */
static size_t padded(size_t n)
{
    return (n + 3) & ~(size_t)3;
}

static void read_notes(const char *notes, size_t bytes, struct profile_build *build)
{
    static const char hex[] = "0123456789abcdef";
    while (bytes >= sizeof(ElfW(Nhdr))) {
        ElfW(Nhdr) note;
        memcpy(&note, notes, sizeof note);
        size_t size = sizeof note + padded(note.n_namesz) + padded(note.n_descsz);
        if (size > bytes)
            return;
        const char *name = notes + sizeof note;
        const unsigned char *id = (const unsigned char *)name + padded(note.n_namesz);
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof "GNU" &&
            memcmp(name, "GNU", sizeof "GNU") == 0 &&
            note.n_descsz <= (PROFILE_BUILD_ID_BYTES - 1) / 2) {
            for (size_t i = 0; i < note.n_descsz; i++) {
                build->id[2 * i] = hex[id[i] >> 4];
                build->id[2 * i + 1] = hex[id[i] & 15];
            }
            return;
        }
        notes += size;
        bytes -= size;
    }
}

/* The first object is the program itself. */
static int read_program(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct profile_build *build = arg;
    (void)size;
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        uint64_t start = info->dlpi_addr + part->p_vaddr, end = start + part->p_memsz;
        if (part->p_type == PT_LOAD) {
            if (build->end == 0 || start < build->start)
                build->start = start;
            if (end > build->end)
                build->end = end;
        } else if (part->p_type == PT_NOTE && build->id[0] == '\0') {
            read_notes((const char *)(uintptr_t)start, part->p_filesz, build);
        }
    }
    return 1;
}

void profile_build_get(struct profile_build *ret_build)
{
    *ret_build = (struct profile_build){.end = 0};
    dl_iterate_phdr(read_program, ret_build);
}
