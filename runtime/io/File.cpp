// Whole files; see File.h.
#include "runtime/io/File.h"

#include "runtime/Error.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace formwork::runtime {

namespace {
struct Descriptor {
  int number;
  ~Descriptor() {
    if (number >= 0)
      close(number);
  }
};
} // namespace

static FileBytes readAll(const std::string &path, int descriptor) {
  auto content = std::make_shared<std::vector<std::byte>>();
  while (true) {
    size_t size = content->size();
    content->resize(size + (1 << 20));
    ssize_t got = read(descriptor, content->data() + size, 1 << 20);
    content->resize(size + (got > 0 ? got : 0));
    if (got < 0 && errno != EINTR)
      throw Error(text("%s: cannot be read: %s", path.c_str(), strerror(errno)));
    if (got == 0)
      return {*content, content};
  }
}

void checkReadable(const std::string &path) {
  struct stat status;
  if (stat(path.c_str(), &status) || access(path.c_str(), R_OK))
    throw Error(text("%s: cannot be opened: %s", path.c_str(), strerror(errno)));
  if (S_ISDIR(status.st_mode))
    throw Error(text("%s: is a folder, a file is expected", path.c_str()));
}

FileBytes readFile(const std::string &path) {
  Descriptor descriptor{open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  struct stat status;
  if (descriptor.number < 0 || fstat(descriptor.number, &status))
    throw Error(text("%s: cannot be opened: %s", path.c_str(), strerror(errno)));
  if (S_ISDIR(status.st_mode))
    throw Error(text("%s: is a folder, a file is expected", path.c_str()));
  if (!S_ISREG(status.st_mode) || status.st_size == 0)
    return readAll(path, descriptor.number);
  size_t size = status.st_size;
  void *memory = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor.number, 0);
  if (memory == MAP_FAILED)
    return readAll(path, descriptor.number);
  std::shared_ptr<const void> owner(
      memory, [size](const void *at) { munmap(const_cast<void *>(at), size); });
  return {{static_cast<const std::byte *>(memory), size}, owner};
}

bool endsWith(std::string_view path, std::string_view ending) {
  return path.size() >= ending.size() && path.substr(path.size() - ending.size()) == ending;
}

ReplacingFile::ReplacingFile(std::string target)
    : path(std::move(target)), temporary(text("%s.%ld.part", path.c_str(), long(getpid()))) {
  file = fopen(temporary.c_str(), "wbxe");
  if (!file)
    fail(errno);
}

ReplacingFile::~ReplacingFile() {
  if (!file)
    return;
  fclose(file);
  unlink(temporary.c_str());
}

void ReplacingFile::write(const void *data, size_t size) {
  if (size && fwrite(data, 1, size, file) != size && !firstError)
    firstError = errno;
}

void ReplacingFile::commit() {
  if (!firstError && (fflush(file) || fsync(fileno(file))))
    firstError = errno;
  if (firstError)
    fail(firstError);
  fclose(file);
  file = nullptr;
  if (rename(temporary.c_str(), path.c_str())) {
    int error = errno;
    unlink(temporary.c_str());
    fail(error);
  }
}

void ReplacingFile::fail(int error) {
  throw Error(text("%s: cannot be written: %s", path.c_str(), strerror(error)));
}

void checkWritable(const std::string &path) {
  struct stat status;
  if (!stat(path.c_str(), &status) && S_ISDIR(status.st_mode))
    throw Error(text("%s: is a folder, the name of a file is expected", path.c_str()));
  ReplacingFile attempt(path);
}

} // namespace formwork::runtime
