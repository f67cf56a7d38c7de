// Stands in for Hadoop's libhdfs, for the calls that pyarrow makes: "hdfs://host:port/x" is $XW2V_HDFS_ROOT/x.
// A host that ends in .invalid cannot be connected to. With port 9 connecting works, as it does with Hadoop, which
// asks for nothing then, and each later call finds nobody there. Paths in answers are whole addresses, as Hadoop's are.

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct Builder { char host[256]; int port; };
struct FileSystem { char name[300]; int port; };
struct File { int descriptor; };
struct Info {  // hdfsFileInfo
    int kind;
    char *name;
    time_t modified;
    int64_t size;
    short replication;
    int64_t block;
    char *owner, *group;
    short permissions;
    time_t accessed;
};

static const char *local(struct FileSystem *fs, const char *path, char out[4096]) {
    if (!*path) { errno = EINVAL; return NULL; }
    if (fs->port == 9) { errno = ECONNREFUSED; return NULL; }
    const char *place = strstr(path, "://");
    if (place) path = strchr(place + 3, '/');
    snprintf(out, 4096, "%s%s", getenv("XW2V_HDFS_ROOT"), path ? path : "/");
    return out;
}

static int describe(struct FileSystem *fs, const char *path, struct Info *info) {
    char place[4096];
    struct stat found;
    if (!local(fs, path, place) || stat(place, &found)) return -1;
    memset(info, 0, sizeof *info);
    info->kind = S_ISDIR(found.st_mode) ? 'D' : 'F';
    info->name = malloc(strlen(fs->name) + strlen(path) + 1);
    sprintf(info->name, "%s%s", fs->name, path);
    info->modified = found.st_mtime;
    info->size = S_ISDIR(found.st_mode) ? 0 : found.st_size;
    info->owner = strdup("owner");
    info->group = strdup("group");
    return 0;
}

struct Builder *hdfsNewBuilder(void) { return calloc(1, sizeof(struct Builder)); }
void hdfsBuilderSetNameNode(struct Builder *b, const char *host) { snprintf(b->host, sizeof b->host, "%s", host); }
void hdfsBuilderSetNameNodePort(struct Builder *b, uint16_t port) { b->port = port; }
void hdfsBuilderSetUserName(struct Builder *b, const char *name) { (void)b; (void)name; }
void hdfsBuilderSetKerbTicketCachePath(struct Builder *b, const char *path) { (void)b; (void)path; }
void hdfsBuilderSetForceNewInstance(struct Builder *b) { (void)b; }
int hdfsBuilderConfSetStr(struct Builder *b, const char *key, const char *value) { (void)b; (void)key; (void)value; return 0; }

struct FileSystem *hdfsBuilderConnect(struct Builder *b) {
    struct FileSystem *fs = NULL;
    size_t length = strlen(b->host);
    if (length > 8 && strcmp(b->host + length - 8, ".invalid") && strcmp(b->host, "hdfs://")) {
        fs = calloc(1, sizeof *fs);
        fs->port = b->port;
        snprintf(fs->name, sizeof fs->name, "%s:%d", b->host, b->port);
    } else if (!strcmp(b->host, "default")) {
        fs = calloc(1, sizeof *fs);
        strcpy(fs->name, "hdfs://default:8020");
    } else {
        errno = EINVAL;
    }
    free(b);
    return fs;
}
int hdfsDisconnect(struct FileSystem *fs) { free(fs); return 0; }

char *hdfsGetWorkingDirectory(struct FileSystem *fs, char *out, size_t size) {
    snprintf(out, size, "%s/user/me", fs->name);
    return out;
}
int hdfsExists(struct FileSystem *fs, const char *path) {
    char place[4096];
    return local(fs, path, place) ? access(place, F_OK) : -1;
}
struct Info *hdfsGetPathInfo(struct FileSystem *fs, const char *path) {
    struct Info *info = malloc(sizeof *info);
    if (!describe(fs, path, info)) return info;
    free(info);
    return NULL;
}
struct Info *hdfsListDirectory(struct FileSystem *fs, const char *path, int *count) {
    char place[4096], inner[8192];
    DIR *folder = local(fs, path, place) ? opendir(place) : NULL;
    if (!folder) return NULL;
    struct Info *found = calloc(1000, sizeof *found);
    *count = 0;
    for (struct dirent *entry; (entry = readdir(folder)) && *count < 1000;) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        snprintf(inner, sizeof inner, "%s/%s", strcmp(path, "/") ? path : "", entry->d_name);
        if (!describe(fs, inner, found + *count)) ++*count;
    }
    closedir(folder);
    errno = 0;
    return found;
}
void hdfsFreeFileInfo(struct Info *info, int count) {
    for (int i = 0; i < count; ++i) { free(info[i].name); free(info[i].owner); free(info[i].group); }
    free(info);
}

struct File *hdfsOpenFile(struct FileSystem *fs, const char *path, int flags, int buffer, short copies, int32_t block) {
    char place[4096];
    int descriptor = local(fs, path, place) ? open(place, flags & O_WRONLY ? O_WRONLY | O_CREAT | O_TRUNC : O_RDONLY, 0644) : -1;
    if (descriptor < 0) return NULL;
    struct File *file = malloc(sizeof *file);
    file->descriptor = descriptor;
    (void)buffer; (void)copies; (void)block;
    return file;
}
int hdfsCloseFile(struct FileSystem *fs, struct File *file) {
    int result = close(file->descriptor);
    free(file);
    (void)fs;
    return result;
}
int32_t hdfsRead(struct FileSystem *fs, struct File *file, void *out, int32_t size) {
    (void)fs;
    return (int32_t)read(file->descriptor, out, (size_t)size);
}
int32_t hdfsPread(struct FileSystem *fs, struct File *file, int64_t place, void *out, int32_t size) {
    (void)fs;
    return (int32_t)pread(file->descriptor, out, (size_t)size, place);
}
int32_t hdfsWrite(struct FileSystem *fs, struct File *file, const void *data, int32_t size) {
    (void)fs;
    return (int32_t)write(file->descriptor, data, (size_t)size);
}
int hdfsSeek(struct FileSystem *fs, struct File *file, int64_t place) {
    (void)fs;
    return lseek(file->descriptor, place, SEEK_SET) < 0 ? -1 : 0;
}
int64_t hdfsTell(struct FileSystem *fs, struct File *file) { (void)fs; return lseek(file->descriptor, 0, SEEK_CUR); }
int hdfsFlush(struct FileSystem *fs, struct File *file) { (void)fs; (void)file; return 0; }

int hdfsCreateDirectory(struct FileSystem *fs, const char *path) {
    char place[4096];
    if (!local(fs, path, place)) return -1;
    for (char *slash = place + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
        *slash = 0;
        mkdir(place, 0755);
    }
    return mkdir(place, 0755) && errno != EEXIST ? -1 : 0;
}
// pyarrow asks for these when it loads the library and reading never calls them.
int hdfsDelete(struct FileSystem *fs, const char *path, int recursive) { (void)fs; (void)path; (void)recursive; return -1; }
int hdfsRename(struct FileSystem *fs, const char *from, const char *to) { (void)fs; (void)from; (void)to; return -1; }
int64_t hdfsGetCapacity(struct FileSystem *fs) { (void)fs; return -1; }
int64_t hdfsGetUsed(struct FileSystem *fs) { (void)fs; return -1; }
int hdfsChmod(struct FileSystem *fs, const char *path, short mode) { (void)fs; (void)path; (void)mode; return -1; }
int hdfsChown(struct FileSystem *fs, const char *path, const char *owner, const char *group) {
    (void)fs; (void)path; (void)owner; (void)group;
    return -1;
}
