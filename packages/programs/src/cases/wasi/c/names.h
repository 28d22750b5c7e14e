/* What the C programs share: errors by their names, which no two C libraries number or word alike. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *error_name(int number) {
  switch (number) {
    case 0: return "ok";
    case EACCES: return "EACCES";
    case EBADF: return "EBADF";
    case EEXIST: return "EEXIST";
    case EINVAL: return "EINVAL";
    case EISDIR: return "EISDIR";
    case ELOOP: return "ELOOP";
    case ENAMETOOLONG: return "ENAMETOOLONG";
    case ENOENT: return "ENOENT";
    case ENOTDIR: return "ENOTDIR";
    case ENOTEMPTY: return "ENOTEMPTY";
    case EPERM: return "EPERM";
    case ESPIPE: return "ESPIPE";
    default: return strerror(number);
  }
}

/* Prints what a call returned: its result, or the name of its error. */
#define SHOW(call) \
  do { \
    errno = 0; \
    long shown = (long)(call); \
    if (shown < 0) printf("%s: %s\n", #call, error_name(errno)); \
    else printf("%s: %ld\n", #call, shown); \
  } while (0)
