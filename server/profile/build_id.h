/* server/profile/build_id.h - which build of the program this is, as debuggers know it.
 *
 *   context  any thread */
#pragma once

#include <stdint.h>

/* Room for the longest build id in use, as hexadecimal text. */
#define PROFILE_BUILD_ID_BYTES 129

struct profile_build {
    char id[PROFILE_BUILD_ID_BYTES]; /* ""; the linker gave none */
    uint64_t start;                  /* where the program lies in memory */
    uint64_t end;
};

void profile_build_get(struct profile_build *ret_build);
