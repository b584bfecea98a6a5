// How long this disk takes for a small append that is stable: the floor under every durable ACK. Arguments: a file, bytes.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 1000 };

static int ascending(const void *one, const void *other) {
    double a = *(const double *)one, b = *(const double *)other;
    return (a > b) - (a < b);
}

int main(int count, char **arguments) {
    static char bytes[1 << 16];
    static double micros[ROUNDS];
    int size = count > 2 ? atoi(arguments[2]) : 160;
    int file = count > 1 ? open(arguments[1], O_CREAT | O_TRUNC | O_WRONLY, 0600) : -1;
    if (file < 0 || size < 1 || size > (int)sizeof bytes)
        return fprintf(stderr, "fsync FILE [BYTES]\n"), 2;
    for (int i = 0; i < ROUNDS; i++) {
        struct timespec from, to;
        clock_gettime(CLOCK_MONOTONIC, &from);
        if (write(file, bytes, size) != size || fdatasync(file))
            return perror("fsync"), 1;
        clock_gettime(CLOCK_MONOTONIC, &to);
        micros[i] = (to.tv_sec - from.tv_sec) * 1e6 + (to.tv_nsec - from.tv_nsec) / 1e3;
    }
    qsort(micros, ROUNDS, sizeof *micros, ascending);
    printf("append of %d bytes and fdatasync: median %.0f us, 99 of 100 within %.0f us, longest %.0f us\n", size,
           micros[ROUNDS / 2], micros[ROUNDS * 99 / 100], micros[ROUNDS - 1]);
}
