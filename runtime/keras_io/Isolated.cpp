// A child process, limited by the kernel; see Isolated.h.
#include "runtime/keras_io/Isolated.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <iterator>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <new>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace formwork {

// Sanitizers reserve more than any limit.
#if defined(__SANITIZE_ADDRESS__)
static constexpr bool sanitized = true;
#elif defined(__has_feature)
static constexpr bool sanitized = __has_feature(address_sanitizer);
#else
static constexpr bool sanitized = false;
#endif

#if defined(__x86_64__)
static constexpr uint32_t architecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
static constexpr uint32_t architecture = AUDIT_ARCH_AARCH64;
#else
static constexpr uint32_t architecture = 0; // nothing is allowed, reading fails: add it here
#endif

//===--- the pipe --------------------------------------------------------------------------------

void IsolatedWriter::bytes(const void *data, size_t size) {
  auto *at = static_cast<const char *>(data);
  while (size) {
    ssize_t written = write(descriptor, at, size);
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0)
      _exit(1);
    at += written;
    size -= size_t(written);
  }
}

void IsolatedWriter::words(const std::string &value) {
  number(value.size());
  bytes(value.data(), value.size());
}

bool IsolatedReader::bytes(void *data, size_t size) {
  auto *at = static_cast<char *>(data);
  while (size) {
    ssize_t got = read(descriptor, at, size);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      return false;
    at += got;
    size -= size_t(got);
  }
  return true;
}

bool IsolatedReader::number(uint64_t &value, uint64_t most) {
  return bytes(&value, sizeof(value)) && value <= most;
}

bool IsolatedReader::words(std::string &value, uint64_t most) {
  uint64_t size = 0;
  if (!number(size, most))
    return false;
  value.resize(size);
  return bytes(value.data(), size);
}

//===--- the child -------------------------------------------------------------------------------

static void limit(__rlimit_resource_t resource, uint64_t most) {
  rlimit current;
  if (getrlimit(resource, &current))
    return;
  if (current.rlim_max == RLIM_INFINITY || current.rlim_max > most)
    current.rlim_max = most;
  current.rlim_cur = current.rlim_max;
  setrlimit(resource, &current);
}

static uint64_t addressSpace() {
  unsigned long pages = 0;
  if (FILE *file = fopen("/proc/self/statm", "re")) {
    if (fscanf(file, "%lu", &pages) != 1)
      pages = 0;
    fclose(file);
  }
  return uint64_t(pages) * uint64_t(sysconf(_SC_PAGESIZE));
}

/// Allows memory, the pipe and the end; all else fails as if it were not permitted. Where the
/// kernel has no such filters, nothing is said: the other limits hold.
static void allowOnlyComputing() {
  static constexpr unsigned allowed[] = {
      __NR_read,  __NR_write,  __NR_close,        __NR_exit,           __NR_exit_group, __NR_brk,
      __NR_mmap,  __NR_munmap, __NR_mremap,       __NR_mprotect,       __NR_madvise,    __NR_futex,
      __NR_fstat, __NR_getpid, __NR_rt_sigreturn, __NR_rt_sigprocmask, __NR_sigaltstack};
  constexpr unsigned count = std::size(allowed);
  sock_filter filter[count + 5] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, architecture, 0, count + 1), // else numbers mean others
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
  for (unsigned i = 0; i < count; ++i)
    filter[i + 3] = BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed[i], uint8_t(count - i), 0);
  filter[count + 3] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES);
  filter[count + 4] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  sock_fprog program = {count + 5, filter};
  if (!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

/// Closes all files but the standard ones and the pipe, which becomes number 3.
static int closeOthers(int descriptor) {
  constexpr int kept = 3;
  if (descriptor != kept && dup2(descriptor, kept) != kept)
    _exit(1);
  syscall(__NR_close_range, unsigned(kept + 1), ~0u, 0u);
  return kept;
}

[[noreturn]] static void runChild(int descriptor, uint64_t memory,
                                  const std::function<void(IsolatedWriter &)> &work) {
  for (int number : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGPIPE, SIGXCPU})
    if (!sanitized)
      signal(number, SIG_DFL); // nobody prints this process's stack
  descriptor = closeOthers(descriptor);
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_CPU, 1 + (memory >> 26)); // seconds: far more than reading takes
  if (!sanitized)
    if (uint64_t now = addressSpace())
      limit(RLIMIT_AS, now + memory);
  allowOnlyComputing();
  try {
    IsolatedWriter writer(descriptor);
    work(writer);
    _exit(0);
  } catch (...) {
    _exit(1);
  }
}

//===--- the parent ------------------------------------------------------------------------------

bool runIsolated(uint64_t memory, const std::function<void(IsolatedWriter &)> &work,
                 const std::function<bool(IsolatedReader &)> &answer) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC)) // no other child keeps it open
    throw std::bad_alloc();
  pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    runChild(ends[1], memory, work);
  }
  close(ends[1]);
  if (child < 0) {
    close(ends[0]);
    throw std::bad_alloc();
  }
  bool understood = false;
  int status = 0;
  auto finish = [&] {
    close(ends[0]); // a child that still writes ends
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
      ;
  };
  try {
    IsolatedReader reader(ends[0]);
    understood = answer(reader);
  } catch (...) {
    finish();
    throw;
  }
  finish();
  return understood && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

} // namespace formwork
