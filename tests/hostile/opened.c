/* Preloaded into a program under test: writes the path of every file that it opens, or tries to, to
 * the file that $OPENED names. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int really_open(const char *path, int flags, mode_t mode) {
  static int (*next)(const char *, int, ...);
  if (!next)
    next = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
  return next(path, flags, mode);
}

static void note(const char *path) {
  const char *log = getenv("OPENED");
  int file = log ? really_open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
  if (file < 0)
    return;
  if (write(file, path, strlen(path)) < 0 || write(file, "\n", 1) < 0)
    ; /* on a full disk, which is what some tests are about */
  close(file);
}

static mode_t mode_of(int flags, va_list more) { return flags & O_CREAT ? va_arg(more, mode_t) : 0; }

#define OPEN(name)                                                                                 \
  int name(const char *path, int flags, ...) {                                                     \
    va_list more;                                                                                  \
    va_start(more, flags);                                                                         \
    mode_t mode = mode_of(flags, more);                                                            \
    va_end(more);                                                                                  \
    note(path);                                                                                    \
    return really_open(path, flags, mode);                                                         \
  }
OPEN(open)
OPEN(open64)

#define FOPEN(name)                                                                                \
  FILE *name(const char *path, const char *mode) {                                                 \
    FILE *(*next)(const char *, const char *) =                                                    \
        (FILE * (*)(const char *, const char *)) dlsym(RTLD_NEXT, #name);                          \
    note(path);                                                                                    \
    return next(path, mode);                                                                       \
  }
FOPEN(fopen)
FOPEN(fopen64)
