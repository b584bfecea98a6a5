// How long this disk takes for a small append that is stable: the floor under every durable ACK. One append after the other at a steady
// pace for some seconds: a disk that stands still for a few milliseconds each second is seen so, and in a short series it is not.
// Arguments: a file, bytes, seconds.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { PACE_MICROS = 300, LONG_MICROS = 3000, LONGEST_SECONDS = 60 };

static double micros[LONGEST_SECONDS * 1000000 / PACE_MICROS + 1];

static int ascending(const void *one, const void *other) {
    double a = *(const double *)one, b = *(const double *)other;
    return (a > b) - (a < b);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1e6 + time.tv_nsec / 1e3;
}

static void wait_until(double at) {
    struct timespec time = {.tv_sec = at / 1e6};
    time.tv_nsec = (at - time.tv_sec * 1e6) * 1e3;
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) == EINTR)
        ;
}

int main(int count, char **arguments) {
    static char bytes[1 << 16];
    int size = count > 2 ? atoi(arguments[2]) : 160, seconds = count > 3 ? atoi(arguments[3]) : 5;
    int file = count > 1 ? open(arguments[1], O_CREAT | O_TRUNC | O_WRONLY, 0600) : -1;
    if (file < 0 || size < 1 || size > (int)sizeof bytes || seconds < 1 || seconds > LONGEST_SECONDS)
        return fprintf(stderr, "fsync FILE [BYTES [SECONDS]]\n"), 2;
    int done = 0, slow = 0;
    double began = now(), from = began, to = began;
    while (to < began + seconds * 1e6) {
        if (write(file, bytes, size) != size || fdatasync(file))
            return perror("fsync"), 1;
        to = now();
        micros[done] = to - from;
        slow += micros[done++] > LONG_MICROS;
        // What was late is not made up for: one at a time, as a server syncs.
        double next = from + PACE_MICROS;
        wait_until(next);
        from = now();
    }
    qsort(micros, done, sizeof *micros, ascending);
    printf("append of %d bytes and fdatasync, %d in %d s: median %.0f us, 99 of 100 within %.0f us, longest %.0f us; "
           "more than 3 ms: %d, or %.1f a second\n",
           size, done, seconds, micros[done / 2], micros[done * 99 / 100], micros[done - 1], slow, (double)slow / seconds);
}
