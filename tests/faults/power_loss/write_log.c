/* Log every change to files below one folder, in the order it happened.
 *
 * Preloaded into the engine: WRITE_LOG_FILE is the log, WRITE_LOG_ROOT the
 * folder. A record is a header, a path, a second path and the data, written with one
 * raw system call to an O_APPEND descriptor: one total order over all processes.
 * Only calls that succeeded are logged. A sync is logged at its begin and, if it
 * ended well, at its end. An answer on a socket is logged before it is sent.
 *
 * One call can be made to fail (F04): the k-th sync or write below a folder, see
 * fail_call. Nothing of a refused write reaches the file; after a refused sync the
 * replayer takes what was not durable by then for gone, as a kernel may drop it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum operation {
    WRITE = 1, TRUNCATE, SYNC_BEGIN, SYNC_END, CREATE, RENAME, UNLINK, MKDIR, RMDIR,
    LINK, ANSWER, SYNC_FAILED, FAULT
};

struct header {
    uint32_t operation, path, other, size;
    int64_t offset;
    uint64_t thread;
};

static int log_descriptor = -1;
static char root[PATH_MAX];
static size_t root_length;
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

#define REAL(type, name, ...)                                                   \
    static type (*real_##name)(__VA_ARGS__);                                    \
    if (!real_##name) *(void **)&real_##name = dlsym(RTLD_NEXT, #name)

/* Log to this file what changes under this folder; for a fork that has no variables. */
void begin_log(const char *path, const char *under) {
    if (!path || !under || !realpath(under, root)) return;
    root_length = strlen(root);
    log_descriptor = (int)syscall(SYS_openat, AT_FDCWD, path,
                                  O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

__attribute__((constructor)) static void begin(void) {
    begin_log(getenv("WRITE_LOG_FILE"), getenv("WRITE_LOG_ROOT"));
}

static void record(enum operation operation, const char *path, const char *other,
                   int64_t offset, const void *data, size_t size) {
    if (log_descriptor < 0) return;
    struct header header = {
        operation, (uint32_t)strlen(path), (uint32_t)strlen(other), (uint32_t)size,
        offset, (uint64_t)syscall(SYS_gettid)
    };
    struct iovec parts[] = {
        {&header, sizeof header}, {(void *)path, header.path},
        {(void *)other, header.other}, {(void *)data, size}
    };
    int kept = errno;
    ssize_t whole = (ssize_t)(sizeof header + header.path + header.other + size);
    pthread_mutex_lock(&turn);
    if (syscall(SYS_writev, log_descriptor, parts, 4) != whole) abort();
    pthread_mutex_unlock(&turn);
    errno = kept;
}

static int below(const char *path) {
    return log_descriptor >= 0 && !strncmp(path, root, root_length)
        && (path[root_length] == '/' || !path[root_length])
        && !strstr(path, "-shm") && !strstr(path, " (deleted)");
}

/* The path of a descriptor, if it lies below the folder. */
static int named(int descriptor, char *path) {
    char link[64];
    if (log_descriptor < 0) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return below(path);
}

/* The absolute path of a name; its folder resolved, the name itself not. */
static int placed(int folder, const char *name, char *path) {
    char start[PATH_MAX] = "", whole[2 * PATH_MAX], *slash;
    if (log_descriptor < 0) return 0;
    if (name[0] != '/') {
        if (folder == AT_FDCWD) { if (!getcwd(start, sizeof start)) return 0; }
        else {
            char link[64];
            snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
            ssize_t length = readlink(link, start, PATH_MAX - 1);
            if (length < 0) return 0;
            start[length] = 0;
        }
        snprintf(whole, sizeof whole, "%s/%s", start, name);
    } else snprintf(whole, sizeof whole, "%s", name);
    slash = strrchr(whole, '/');
    *slash = 0;
    if (!realpath(*whole ? whole : "/", path)) return 0;
    strcat(strcat(path, "/"), slash + 1);
    return below(path);
}

/* ---- faults */

static struct {
    char under[PATH_MAX];
    int operation, error;
    long left;
} fault;

/* Let the k-th write or sync (WRITE, SYNC_BEGIN) below a folder fail with an error
 * number, or be short where that is 0; one call, once. */
void fail_call(const char *under, int operation, long k, int error) {
    if (!realpath(under, fault.under)) abort();
    fault.operation = operation;
    fault.error = error;
    fault.left = k;
}

static int fails(enum operation operation, int descriptor) {
    char path[PATH_MAX];
    if ((int)operation != fault.operation || !named(descriptor, path)) return 0;
    if (strncmp(path, fault.under, strlen(fault.under))) return 0;
    if (__sync_sub_and_fetch(&fault.left, 1)) return 0;
    record(FAULT, path, "", fault.error, "", 0);
    errno = fault.error;
    return 1;
}

/* The bytes that may be written: some of them, or -1 for none. */
static ssize_t allowed(int descriptor, size_t size) {
    if (!size || !fails(WRITE, descriptor)) return (ssize_t)size;
    return fault.error ? -1 : (ssize_t)(size + 1) / 2;
}

/* ---- data */

static void answered(int descriptor, const struct iovec *parts, int count) {
    static const char mark[] = "\rMSA|";
    for (int at = 0; log_descriptor >= 0 && at < count; at++)
        if (memmem(parts[at].iov_base, parts[at].iov_len, mark, sizeof mark - 1)) {
            struct stat about;
            if (!fstat(descriptor, &about) && S_ISSOCK(about.st_mode))
                record(ANSWER, "", "", 0, parts[at].iov_base, parts[at].iov_len);
        }
}

static void wrote(int descriptor, const struct iovec *parts, int count, off_t offset,
                  ssize_t done) {
    char path[PATH_MAX];
    if (done <= 0 || !named(descriptor, path)) return;
    for (int at = 0; at < count && done > 0; at++) {
        size_t size = parts[at].iov_len < (size_t)done ? parts[at].iov_len : (size_t)done;
        record(WRITE, path, "", offset, parts[at].iov_base, size);
        offset += (off_t)size;
        done -= (ssize_t)size;
    }
}

static off_t position(int descriptor, ssize_t done) {
    off_t after = lseek(descriptor, 0, SEEK_CUR);
    return after < 0 ? 0 : after - done;
}

ssize_t write(int descriptor, const void *data, size_t size) {
    REAL(ssize_t, write, int, const void *, size_t);
    struct iovec part = {(void *)data, size};
    answered(descriptor, &part, 1);
    ssize_t most = allowed(descriptor, size);
    ssize_t done = most < 0 ? -1 : real_write(descriptor, data, (size_t)most);
    if (done > 0 && log_descriptor >= 0)
        wrote(descriptor, &part, 1, position(descriptor, done), done);
    return done;
}

ssize_t writev(int descriptor, const struct iovec *parts, int count) {
    REAL(ssize_t, writev, int, const struct iovec *, int);
    answered(descriptor, parts, count);
    ssize_t done = real_writev(descriptor, parts, count);
    if (done > 0 && log_descriptor >= 0)
        wrote(descriptor, parts, count, position(descriptor, done), done);
    return done;
}

#define AT_OFFSET(name)                                                         \
    ssize_t name(int descriptor, const void *data, size_t size, off_t offset) { \
        REAL(ssize_t, name, int, const void *, size_t, off_t);                  \
        struct iovec part = {(void *)data, size};                               \
        ssize_t most = allowed(descriptor, size);                               \
        if (most < 0) return -1;                                                \
        ssize_t done = real_##name(descriptor, data, (size_t)most, offset);     \
        wrote(descriptor, &part, 1, offset, done);                              \
        return done;                                                            \
    }
AT_OFFSET(pwrite)
AT_OFFSET(pwrite64)

#define MANY_AT_OFFSET(name)                                                    \
    ssize_t name(int descriptor, const struct iovec *parts, int count,          \
                 off_t offset) {                                                \
        REAL(ssize_t, name, int, const struct iovec *, int, off_t);             \
        ssize_t done = real_##name(descriptor, parts, count, offset);           \
        wrote(descriptor, parts, count, offset, done);                          \
        return done;                                                            \
    }
MANY_AT_OFFSET(pwritev)
MANY_AT_OFFSET(pwritev64)

ssize_t pwritev2(int descriptor, const struct iovec *parts, int count, off_t offset,
                 int flags) {
    REAL(ssize_t, pwritev2, int, const struct iovec *, int, off_t, int);
    ssize_t done = real_pwritev2(descriptor, parts, count, offset, flags);
    off_t start = offset == -1 ? position(descriptor, done) : offset;
    wrote(descriptor, parts, count, start, done);
    return done;
}

ssize_t send(int descriptor, const void *data, size_t size, int flags) {
    REAL(ssize_t, send, int, const void *, size_t, int);
    struct iovec part = {(void *)data, size};
    answered(descriptor, &part, 1);
    return real_send(descriptor, data, size, flags);
}

static int cut(int result, int descriptor, off_t length) {
    char path[PATH_MAX];
    if (!result && named(descriptor, path)) record(TRUNCATE, path, "", length, "", 0);
    return result;
}

int ftruncate(int descriptor, off_t length) {
    REAL(int, ftruncate, int, off_t);
    return cut(real_ftruncate(descriptor, length), descriptor, length);
}

int ftruncate64(int descriptor, off_t length) {
    REAL(int, ftruncate64, int, off_t);
    return cut(real_ftruncate64(descriptor, length), descriptor, length);
}

/* Space reserved past the end makes the file longer; nothing else is supported. */
static int reserved(int result, int descriptor, off_t end) {
    struct stat about;
    if (!result && !fstat(descriptor, &about) && about.st_size == end)
        cut(0, descriptor, end);
    return result;
}

int fallocate(int descriptor, int mode, off_t offset, off_t length) {
    REAL(int, fallocate, int, int, off_t, off_t);
    return reserved(real_fallocate(descriptor, mode, offset, length), descriptor,
                    offset + length);
}

#define RESERVE(name)                                                           \
    int name(int descriptor, off_t offset, off_t length) {                      \
        REAL(int, name, int, off_t, off_t);                                     \
        return reserved(real_##name(descriptor, offset, length), descriptor,    \
                        offset + length);                                       \
    }

RESERVE(posix_fallocate)
RESERVE(posix_fallocate64)

/* ---- syncs */

#define SYNC(name)                                                              \
    int name(int descriptor) {                                                  \
        REAL(int, name, int);                                                   \
        char path[PATH_MAX];                                                    \
        int ours = named(descriptor, path);                                     \
        if (ours) record(SYNC_BEGIN, path, "", 0, "", 0);                       \
        int result = fails(SYNC_BEGIN, descriptor) ? -1 : real_##name(descriptor); \
        if (ours) record(result ? SYNC_FAILED : SYNC_END, path, "", 0, "", 0);  \
        return result;                                                          \
    }
SYNC(fsync)
SYNC(fdatasync)

/* ---- names */

static int opened(int descriptor, int folder, const char *name, int flags, int there) {
    char path[PATH_MAX];
    if (descriptor >= 0 && (flags & (O_CREAT | O_TRUNC)) && placed(folder, name, path)) {
        if (!there) record(CREATE, path, "", 0, "", 0);
        else if (flags & O_TRUNC) record(TRUNCATE, path, "", 0, "", 0);
    }
    return descriptor;
}

static int is_there(int folder, const char *name, int flags) {
    struct stat about;
    if (log_descriptor < 0 || !(flags & (O_CREAT | O_TRUNC))) return 1;
    return !fstatat(folder, name, &about, AT_SYMLINK_NOFOLLOW);
}

#define MODE(flags)                                                             \
    int mode = 0;                                                               \
    if ((flags) & (O_CREAT | O_TMPFILE)) {                                      \
        va_list more;                                                           \
        va_start(more, flags);                                                  \
        mode = va_arg(more, int);                                               \
        va_end(more);                                                           \
    }

#define OPEN(name)                                                              \
    int name(const char *path, int flags, ...) {                                \
        REAL(int, name, const char *, int, ...);                                \
        MODE(flags)                                                             \
        int there = is_there(AT_FDCWD, path, flags);                            \
        return opened(real_##name(path, flags, mode), AT_FDCWD, path, flags,    \
                      there);                                                   \
    }
OPEN(open)
OPEN(open64)

#define OPEN_AT(name)                                                           \
    int name(int folder, const char *path, int flags, ...) {                    \
        REAL(int, name, int, const char *, int, ...);                           \
        MODE(flags)                                                             \
        int there = is_there(folder, path, flags);                              \
        return opened(real_##name(folder, path, flags, mode), folder, path,     \
                      flags, there);                                            \
    }
OPEN_AT(openat)
OPEN_AT(openat64)

static int moved(int result, enum operation operation, const char *from, int ours,
                 int folder, const char *to) {
    char path[PATH_MAX] = "";
    int lands = !result && placed(folder, to, path);
    if (!result && (ours || lands)) record(operation, ours ? from : "", lands ? path : "", 0, "", 0);
    return result;
}

#define TWO_NAMES(kind, call, from_folder, from, to_folder, to)                 \
    char path[PATH_MAX];                                                        \
    int ours = placed(from_folder, from, path);                                 \
    return moved(call, kind, path, ours, to_folder, to)

int rename(const char *from, const char *to) {
    REAL(int, rename, const char *, const char *);
    TWO_NAMES(RENAME, real_rename(from, to), AT_FDCWD, from, AT_FDCWD, to);
}

int renameat(int there, const char *from, int here, const char *to) {
    REAL(int, renameat, int, const char *, int, const char *);
    TWO_NAMES(RENAME, real_renameat(there, from, here, to), there, from, here, to);
}

int renameat2(int there, const char *from, int here, const char *to, unsigned flags) {
    REAL(int, renameat2, int, const char *, int, const char *, unsigned);
    TWO_NAMES(RENAME, real_renameat2(there, from, here, to, flags), there, from, here, to);
}

int link(const char *from, const char *to) {
    REAL(int, link, const char *, const char *);
    TWO_NAMES(LINK, real_link(from, to), AT_FDCWD, from, AT_FDCWD, to);
}

int linkat(int there, const char *from, int here, const char *to, int flags) {
    REAL(int, linkat, int, const char *, int, const char *, int);
    TWO_NAMES(LINK, real_linkat(there, from, here, to, flags), there, from, here, to);
}

#define ONE_NAME(kind, call, folder, name)                                      \
    char path[PATH_MAX];                                                        \
    int ours = placed(folder, name, path);                                      \
    int result = call;                                                          \
    if (!result && ours) record(kind, path, "", 0, "", 0);                      \
    return result

int unlink(const char *name) {
    REAL(int, unlink, const char *);
    ONE_NAME(UNLINK, real_unlink(name), AT_FDCWD, name);
}

int unlinkat(int folder, const char *name, int flags) {
    REAL(int, unlinkat, int, const char *, int);
    ONE_NAME(flags & AT_REMOVEDIR ? RMDIR : UNLINK, real_unlinkat(folder, name, flags),
             folder, name);
}

int mkdir(const char *name, mode_t mode) {
    REAL(int, mkdir, const char *, mode_t);
    ONE_NAME(MKDIR, real_mkdir(name, mode), AT_FDCWD, name);
}

int mkdirat(int folder, const char *name, mode_t mode) {
    REAL(int, mkdirat, int, const char *, mode_t);
    ONE_NAME(MKDIR, real_mkdirat(folder, name, mode), folder, name);
}

int rmdir(const char *name) {
    REAL(int, rmdir, const char *);
    ONE_NAME(RMDIR, real_rmdir(name), AT_FDCWD, name);
}
