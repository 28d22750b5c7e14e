/*
 * Calls on files and names, one after the other, with their results. With WASMFS it leaves out what that has not: fsync() ends a program there, there are no
 * hard links, and the standard input is that of the whole process. With EMSCRIPTEN_PATHS it leaves out what Emscripten takes a slash behind the name of a file for: nothing.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include "names.h"

/* In a component each buffer is a write of its own. */
static ssize_t write_parts(int fd, struct iovec *parts, int count) {
  ssize_t all = 0;
  while (count > 0) {
    ssize_t done = writev(fd, parts, count);
    if (done < 0) return done;
    all += done;
    for (; count > 0 && (size_t)done >= parts->iov_len; count--) done -= (parts++)->iov_len;
    if (count == 0) break;
    parts->iov_base = (char *)parts->iov_base + done;
    parts->iov_len -= done;
  }
  return all;
}

static void contents(void) {
  char buffer[64] = {0};
  int fd = open("f", O_RDWR | O_CREAT | O_EXCL, 0666);
  SHOW(fd < 0);
  SHOW(open("f", O_RDWR | O_CREAT | O_EXCL, 0666));
  SHOW(write(fd, "hello world", 11));
  SHOW(lseek(fd, 6, SEEK_SET));
  SHOW(read(fd, buffer, 64));
  printf("%s\n", buffer);
  SHOW(pwrite(fd, "J", 1, 0));
  SHOW(pread(fd, buffer, 5, 0));
  printf("%s\n", buffer);
  struct iovec parts[3] = {{"ab", 2}, {"", 0}, {"cde", 3}};
  SHOW(write_parts(fd, parts, 3));
  SHOW(lseek(fd, 100, SEEK_END));
  SHOW(write(fd, "x", 1));
  SHOW(lseek(fd, -200, SEEK_CUR));
  SHOW(ftruncate(fd, 110));
  SHOW(lseek(fd, 0, SEEK_END));
#ifndef WASMFS
  SHOW(fsync(fd));
#endif
  SHOW(close(fd));
  SHOW(close(fd));
  SHOW(read(fd, buffer, 1));
  int appending = open("f", O_WRONLY | O_APPEND);
  SHOW(write(appending, "!", 1));
  SHOW(lseek(appending, 0, SEEK_CUR));
  SHOW(fcntl(appending, F_SETFL, 0));
  SHOW(lseek(appending, 3, SEEK_SET));
  SHOW(write(appending, "?", 1));
  SHOW(fcntl(appending, F_SETFL, O_APPEND));
  /* A component goes on with the stream of its last write, until it seeks. */
  SHOW(lseek(appending, 0, SEEK_SET));
  SHOW(write(appending, "end", 3));
  SHOW(read(appending, buffer, 1));
  SHOW(close(appending));
}

static void attributes(const char *path) {
  struct stat at;
  if (lstat(path, &at) < 0) {
    printf("%s: %s\n", path, error_name(errno));
    return;
  }
  const char *type = S_ISDIR(at.st_mode) ? "directory" : S_ISLNK(at.st_mode) ? "link" : "file";
  printf("%s: %s", path, type);
  if (!S_ISDIR(at.st_mode)) printf(" size %ld links %ld", (long)at.st_size, (long)at.st_nlink);
  printf("\n");
}

static void names(void) {
  char body[16] = {0};
  SHOW(mkdir("d", 0777));
  SHOW(mkdir("d", 0777));
  SHOW(mkdir("d/e", 0777));
  SHOW(mkdir("none/e", 0777));
#ifdef WASMFS
  close(open("d/hard", O_WRONLY | O_CREAT, 0666));
#else
  SHOW(link("f", "d/hard"));
  SHOW(link("d", "linked"));
#endif
  SHOW(symlink("../f", "d/soft"));
  SHOW(symlink("soft", "d/loop"));
  SHOW(symlink("loop2", "d/loop2"));
  SHOW(readlink("d/soft", body, 15));
  printf("%s\n", body);
  SHOW(readlink("f", body, 15));
  SHOW(open("d/loop2", O_RDONLY));
  SHOW(open("d/loop", O_RDONLY | O_NOFOLLOW));
  SHOW(access("d/loop", R_OK));
  SHOW(access("d/loop2", F_OK));
  SHOW(rename("d/hard", "moved"));
  SHOW(rename("d", "d/e/d"));
  SHOW(rename("moved", "d/e"));
  SHOW(rename("none", "x"));
  SHOW(unlink("d"));
  SHOW(rmdir("f"));
  SHOW(rmdir("d"));
  SHOW(unlink("none"));
  SHOW(open("f/x", O_RDONLY));
  SHOW(open("d", O_WRONLY));
  SHOW(open("f", O_RDONLY | O_DIRECTORY));
  const char *paths[] = {
      "f", "moved", "d", "d/soft", "d/loop", "d/e/..", "none",
#ifndef EMSCRIPTEN_PATHS
      "f/",
#endif
  };
  for (unsigned n = 0; n < sizeof paths / sizeof *paths; n++) attributes(paths[n]);
}

static void streams(void) {
  FILE *out = fopen("lines", "w+");
  for (int n = 0; n < 2000; n++) fprintf(out, "line %d\n", n);
  fseek(out, 0, SEEK_SET);
  char line[32];
  int count = 0;
  while (fgets(line, sizeof line, out)) count++;
  printf("%d lines, at %ld, last %s", count, ftell(out), line);
  fclose(out);
  SHOW(truncate("lines", 100));
  SHOW(remove("lines") < 0);
}

static int by_name(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static void listing(void) {
  char name[32], *found[1000];
  mkdir("many", 0777);
  for (int n = 0; n < 500; n++) {
    sprintf(name, "many/%d", n);
    close(open(name, O_CREAT | O_WRONLY, 0666));
  }
  DIR *dir = opendir("many");
  int count = 0;
  for (struct dirent *entry; (entry = readdir(dir)); ) {
    found[count++] = strdup(entry->d_name);
    sprintf(name, "many/%s", entry->d_name);
    if (entry->d_name[0] == '7') unlink(name);
  }
  closedir(dir);
  qsort(found, count, sizeof *found, by_name);
  printf("%d entries, %s %s %s\n", count, found[0], found[1], found[count - 1]);
}

int main(int argc, char **argv) {
  for (int n = 1; n < argc; n++) printf("argument %s\n", argv[n]);
  printf("VAR=%s\n", getenv("VAR") ? getenv("VAR") : "none");
#ifndef WASMFS
  char input[32] = {0};
  SHOW(read(0, input, 31));
  printf("%s\n", input);
#endif
  contents();
  names();
  streams();
  listing();
  fflush(stdout);
  fprintf(stderr, "done\n");
  return 42;
}
