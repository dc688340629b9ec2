/* server/endpoint/embed.h - a file of the source tree, in the program.
 *
 *   EMBED(page, "server/endpoint/index.html")   ->   embed_page: struct http_str
 *
 * The path is relative to the source root (EMBED_ROOT, set by the build, which
 * also knows that the object depends on the file). */
#pragma once

#include "server/http/text.h"

#define EMBED(name, path) EMBED_FILE(name, EMBED_ROOT "/" path)

/* The same by an absolute path. */
#define EMBED_FILE(name, path)                                                                     \
    __asm__(".pushsection .rodata\n"                                                               \
            ".type embed_" #name "_start, @object\n"                                               \
            "embed_" #name "_start:\n"                                                             \
            ".incbin \"" path "\"\n"                                                               \
            "embed_" #name "_end:\n"                                                               \
            ".byte 0\n"                                                                            \
            ".popsection\n");                                                                      \
    extern const char embed_##name##_start[] __asm__("embed_" #name "_start");                     \
    extern const char embed_##name##_end[] __asm__("embed_" #name "_end");                         \
    static inline struct http_str embed_##name(void)                                               \
    {                                                                                              \
        return (struct http_str){embed_##name##_start,                                             \
                                 (size_t)(embed_##name##_end - embed_##name##_start)};             \
    }                                                                                              \
    struct embed_##name##_ends_here
