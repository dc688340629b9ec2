/* Runs a fuzz target over the files of the folders named on the command line,
 * so that every build and every sanitizer checks the corpus and the inputs of
 * bugs that were found.  Also feeds each file's every prefix: half a message
 * is what a network gives. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Prefixes of longer files would take quadratic time. */
#define PREFIX_MAX_BYTES 4096

static long replayed;

static void replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    uint8_t *data = NULL;
    size_t size = 0, room = 0;
    do {
        room += 65536;
        data = realloc(data, room);
        if (data == NULL)
            abort();
        size += fread(data + size, 1, room - size, file);
    } while (size == room);
    fclose(file);
    for (size_t n = size <= PREFIX_MAX_BYTES ? 0 : size; n <= size; n++) {
        /* an exact allocation each time, so that ASan sees a read past the end */
        uint8_t *exact = malloc(n > 0 ? n : 1);
        if (exact == NULL)
            abort();
        memcpy(exact, data, n);
        LLVMFuzzerTestOneInput(exact, n);
        free(exact);
    }
    free(data);
    replayed++;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        DIR *dir = opendir(argv[i]);
        if (dir == NULL) /* a target may have no regression yet */
            continue;
        for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
            char path[4096];
            if (entry->d_name[0] == '.')
                continue;
            snprintf(path, sizeof path, "%s/%s", argv[i], entry->d_name);
            replay_file(path);
        }
        closedir(dir);
    }
    if (replayed == 0) {
        fprintf(stderr, "no input found: a fuzz target needs a corpus\n");
        return EXIT_FAILURE;
    }
    printf("%ld inputs replayed\n", replayed);
    return EXIT_SUCCESS;
}
