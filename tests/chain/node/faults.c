/* A disk that fails on purpose, by LD_PRELOAD: see tests/chain/node/crashes.py.
 *
 * Once armed, operations on files under one folder are counted: write, pwrite, fsync, fdatasync, rename, truncate,
 * ftruncate, unlink. The k-th dies, dies half done, or fails; what a power cut would leave is kept in a second
 * folder: `file-<inode>` the bytes at the last successful sync of a file, `names-<inode>` the entries at the last
 * sync of a folder.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum mode { COUNT = 0, DIE = 1, DIE_HALF_DONE = 2, DISK_FULL = 3, SYNC_FAILS = 4 };

static char folder[1024], kept[1024];
static long count, fatal;
static int armed, mode, full;

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

void fault_arm(const char *watched, const char *durable, int how, long at) {
    snprintf(folder, sizeof folder, "%s", watched);
    snprintf(kept, sizeof kept, "%s", durable);
    count = 0, full = 0, mode = how, fatal = at, armed = 1;
}

long fault_count(void) { return count; }

static int watched_path(const char *path) {
    size_t length = strlen(folder);
    return armed && strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == 0);
}

static int watched(int fd) {
    char link[64], path[1024];
    if (!armed) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return watched_path(path);
}

static int is_fatal(int counts) {
    if (!counts) return 0;
    return ++count == fatal;
}

static void die(void) { _exit(9); }

/* Before an operation that is done or not: dies before it, or sets `after` to die once it is done. */
static int before(int *after) {
    int now = is_fatal(mode != DISK_FULL && mode != SYNC_FAILS);
    if (now && mode == DIE) die();
    *after = now && mode == DIE_HALF_DONE;
    return now;
}

/* Bytes that may be written: all, some of them and then no more, or -1 for none. */
static ssize_t allowed(size_t size, int *after) {
    int now = is_fatal(mode != SYNC_FAILS);
    *after = 0;
    if (now && mode == DIE) die();
    if (now && mode == DIE_HALF_DONE) *after = 1;
    if (full) return -1;
    if (now && mode == DISK_FULL) full = 1;
    return now && mode != COUNT ? (ssize_t)(size / 2) : (ssize_t)size;
}

ssize_t write(int fd, const void *data, size_t size) {
    REAL(ssize_t, "write", int, const void *, size_t);
    if (!watched(fd)) return real(fd, data, size);
    int after;
    ssize_t most = allowed(size, &after);
    if (most <= 0 && full) return errno = ENOSPC, -1;
    ssize_t done = real(fd, data, most);
    if (after) die();
    return done;
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
    if (!watched(fd)) return real(fd, data, size, at);
    int after;
    ssize_t most = allowed(size, &after);
    if (most <= 0 && full) return errno = ENOSPC, -1;
    ssize_t done = real(fd, data, most, at);
    if (after) die();
    return done;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { return pwrite64(fd, data, size, at); }

static void keep_file(int fd, ino_t inode) {
    char from[64], to[1100], block[1 << 16];
    snprintf(from, sizeof from, "/proc/self/fd/%d", fd);
    snprintf(to, sizeof to, "%s/file-%lu", kept, (unsigned long)inode);
    int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    for (ssize_t size; (size = read(in, block, sizeof block)) > 0;)
        if (write(out, block, size) != size) die();
    close(in), close(out);
}

static void keep_names(int fd, ino_t inode) {
    char path[64], to[1100];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    snprintf(to, sizeof to, "%s/names-%lu", kept, (unsigned long)inode);
    DIR *entries = opendir(path);
    FILE *out = fopen(to, "w");
    for (struct dirent *each; (each = readdir(entries));)
        if (each->d_name[0] != '.')
            fprintf(out, "%lu %d %s\n", (unsigned long)each->d_ino, each->d_type == DT_DIR, each->d_name);
    fclose(out), closedir(entries);
}

static int synced(int fd, int (*real)(int)) {
    struct stat it;
    int after = 0;
    if (mode == SYNC_FAILS && is_fatal(1)) return errno = EIO, -1;
    before(&after);
    int result = real(fd);
    if (result == 0 && fstat(fd, &it) == 0) S_ISDIR(it.st_mode) ? keep_names(fd, it.st_ino) : keep_file(fd, it.st_ino);
    if (after) die();
    return result;
}

int fsync(int fd) {
    REAL(int, "fsync", int);
    return watched(fd) ? synced(fd, real) : real(fd);
}

int fdatasync(int fd) {
    REAL(int, "fdatasync", int);
    return watched(fd) ? synced(fd, real) : real(fd);
}

/* An inode stays in use, so that its number means one file as long as the process lives. */
static void hold(const char *path) { (void)!open(path, O_RDONLY); }

int rename(const char *old, const char *new) {
    REAL(int, "rename", const char *, const char *);
    if (!watched_path(new)) return real(old, new);
    int after;
    before(&after);
    hold(new);
    int result = real(old, new);
    if (after) die();
    return result;
}

int unlink(const char *path) {
    REAL(int, "unlink", const char *);
    if (!watched_path(path)) return real(path);
    int after;
    before(&after);
    hold(path);
    int result = real(path);
    if (after) die();
    return result;
}

int ftruncate64(int fd, off64_t size) {
    REAL(int, "ftruncate64", int, off64_t);
    int after = 0;
    if (watched(fd)) before(&after);
    int result = real(fd, size);
    if (after) die();
    return result;
}

int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }
