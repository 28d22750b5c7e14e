/* A small find(1): every file below its arguments, by directories that are opened relative to each other. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "names.h"

static int by_name(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static void visit(int parent, const char *name, const char *path) {
  struct stat at;
  if (fstatat(parent, name, &at, AT_SYMLINK_NOFOLLOW) < 0) {
    printf("%s: %s\n", path, error_name(errno));
    return;
  }
  if (S_ISLNK(at.st_mode)) {
    char body[256] = {0};
    if (readlinkat(parent, name, body, 255) < 0) printf("%s: %s\n", path, error_name(errno));
    printf("l %s -> %s\n", path, body);
    return;
  }
  if (!S_ISDIR(at.st_mode)) {
    printf("f %s %ld\n", path, (long)at.st_size);
    return;
  }
  printf("d %s\n", path);
  DIR *dir = fdopendir(openat(parent, name, O_RDONLY | O_DIRECTORY));
  if (!dir) {
    printf("%s: %s\n", path, error_name(errno));
    return;
  }
  char *found[1000];
  int count = 0;
  for (struct dirent *entry; (entry = readdir(dir)) && count < 1000; ) {
    if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..")) found[count++] = strdup(entry->d_name);
  }
  qsort(found, count, sizeof *found, by_name);
  for (int n = 0; n < count; n++) {
    char below[1024];
    snprintf(below, sizeof below, "%s/%s", path, found[n]);
    visit(dirfd(dir), found[n], below);
    free(found[n]);
  }
  closedir(dir);
}

int main(int argc, char **argv) {
  int here = open(".", O_RDONLY | O_DIRECTORY);
  for (int n = 1; n < argc; n++) visit(here, argv[n], argv[n]);
  return 0;
}
