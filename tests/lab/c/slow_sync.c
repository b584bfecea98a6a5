/* Loaded before the C library: holds every fsync and fdatasync for SLOW_SYNC_MS, and writes to the file SLOW_SYNC_LOG when
 * it began and when it came back, in nanoseconds of CLOCK_REALTIME, one line each. With SLOW_SYNC_LIE it comes back at
 * once, and holds the real one back in a thread of its own: what a disk does that lies. With SLOW_SYNC_NEVER there is none. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static long long now(void) {
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    return at.tv_sec * 1000000000LL + at.tv_nsec;
}

struct job {
    int file;
    long long begun;
    const char *name;
};

static int really(struct job *job) {
    static int log = -1;
    const char *held = getenv("SLOW_SYNC_MS");
    long milliseconds = held ? atol(held) : 0;
    struct timespec wait = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    int (*sync)(int) = (int (*)(int))dlsym(RTLD_NEXT, job->name);
    int result = sync(job->file);
    while (nanosleep(&wait, &wait)) {
    }
    if (log < 0) log = open(getenv("SLOW_SYNC_LOG"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    dprintf(log, "%lld %lld %s %d\n", job->begun, now(), job->name, result);
    return result;
}

static void *later(void *job) {
    really(job);
    close(((struct job *)job)->file);
    free(job);
    return NULL;
}

static int held(int file, const char *name) {
    struct job job = {file, now(), name};
    if (getenv("SLOW_SYNC_NEVER")) return 0;
    if (!getenv("SLOW_SYNC_LOG")) return -1;
    if (!getenv("SLOW_SYNC_LIE")) return really(&job);
    struct job *own = malloc(sizeof *own);
    pthread_t thread;
    *own = job;
    own->file = dup(file);
    pthread_create(&thread, NULL, later, own);
    pthread_detach(thread);
    return 0;
}

int fsync(int file) { return held(file, "fsync"); }
int fdatasync(int file) { return held(file, "fdatasync"); }
