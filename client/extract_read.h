/* client/extract_read.h - the files of domainc extract as blocks of whole lines.
 *
 *   context    extract_read may be called by any number of threads at once; each
 *              has a block of its own
 *   ownership  the paths are borrowed until extract_input_fini; a block owns its
 *              bytes, its name is borrowed from the input */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coro/base/attr.h"

struct extract_block {
    char *at; /* len bytes of whole lines of one file, each with its newline */
    size_t len;
    const char *name;    /* of the file */
    int error;           /* reading failed there: -errno, and there are no lines */
    uint64_t number;     /* of the block, from 0, in the order of the input */
    uint64_t first_line; /* its number in the file, from 1 */
    bool is_cut;         /* the block is the begin of one line that is too long */
};

struct extract_input {
    pthread_mutex_t lock;
    char **paths;
    size_t path_count, next_path;
    const char *name; /* of the open file; NULL: none is open */
    int fd;
    char *carry; /* the begin of a line whose end was not read yet */
    size_t carry_len;
    bool is_begun;        /* the first bytes of this file have been looked at */
    bool is_skipping;     /* inside a line that is too long */
    uint64_t lines;       /* of this file, read so far */
    uint64_t blocks;      /* handed out */
    uint64_t total_bytes; /* of all files; 0: not known */
};

/* 0 or -ENOMEM; "-" is standard input. */
MUST_USE int extract_input_init(struct extract_input *in, char **paths, size_t count);
void extract_input_fini(struct extract_input *in); /* also of one that is all zero */

MUST_USE int extract_block_init(struct extract_block *block);
void extract_block_fini(struct extract_block *block); /* also of one that is all zero */

/* The next block.  False: the input has ended.  After an error it ends. */
MUST_USE bool extract_read(struct extract_input *in, struct extract_block *block);
