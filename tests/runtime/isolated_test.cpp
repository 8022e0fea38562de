// What a process that reads untrusted bytes can do, and what it cannot.
#include "runtime/keras_io/Isolated.h"

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <optional>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

using namespace formwork;

static constexpr uint64_t megabyte = 1 << 20;

/// Runs the work; what number it answered, or nothing if it came to no end.
template <typename Work>
static std::optional<uint64_t> answerOf(Work work, uint64_t memory = 64 * megabyte) {
  uint64_t number = 0;
  bool ended = runIsolated(
      memory, [&](IsolatedWriter &out) { out.number(work()); },
      [&](IsolatedReader &in) { return in.number(number); });
  return ended ? std::optional(number) : std::nullopt;
}

/// The error number of a call that fails.
static uint64_t errorOf(long result) { return result < 0 ? uint64_t(errno) : 0; }

TEST(Isolated, AnswersAndChangesNothingElse) {
  int changed = 0;
  EXPECT_EQ(answerOf([&] { return uint64_t(changed = 7); }), 7u);
  EXPECT_EQ(changed, 0);
}

TEST(Isolated, CarriesMoreThanAPipeHolds) {
  std::string sent(3 * megabyte + 1, 'x'), received;
  EXPECT_TRUE(runIsolated(
      64 * megabyte, [&](IsolatedWriter &out) { out.words(sent); },
      [&](IsolatedReader &in) { return in.words(received, 4 * megabyte); }));
  EXPECT_EQ(sent, received);
}

TEST(Isolated, OpensNoFileAndStartsNoProgram) {
  auto denied = [](auto call) { return answerOf([=] { return errorOf(call()); }) == EACCES; };
  EXPECT_TRUE(denied([] { return open("/etc/passwd", O_RDONLY); }));
  EXPECT_TRUE(denied([] { return open("/tmp/made", O_WRONLY | O_CREAT, 0600); }));
  EXPECT_TRUE(denied([] { return unlink("/tmp/gone"); }));
  EXPECT_TRUE(denied([] { return socket(AF_INET, SOCK_STREAM, 0); }));
  EXPECT_TRUE(denied([] { return syscall(SYS_execve, "/bin/true", nullptr, nullptr); }));
  EXPECT_TRUE(denied([] { return syscall(SYS_kill, getppid(), 0); }));
}

TEST(Isolated, HasNoFileOfTheProgramOpen) {
  int file = open("/dev/null", O_RDONLY);
  EXPECT_EQ(answerOf([=] { return errorOf(read(file, nullptr, 0)); }), uint64_t(EBADF));
  close(file);
}

TEST(Isolated, MayCrash) {
  EXPECT_FALSE(answerOf([]() -> uint64_t { return *static_cast<volatile int *>(nullptr); }));
  EXPECT_FALSE(answerOf([]() -> uint64_t { abort(); }));
  EXPECT_FALSE(answerOf([]() -> uint64_t { throw std::runtime_error("no"); }));
  EXPECT_FALSE(answerOf([]() -> uint64_t { _exit(3); }));
}

TEST(Isolated, HasNoMoreMemoryThanItIsGiven) {
  auto take = [](uint64_t size) {
    return answerOf([=] {
      auto *memory = static_cast<volatile char *>(malloc(size));
      if (memory)
        memory[size - 1] = 1; // used: it must be there
      return uint64_t(memory != nullptr);
    });
  };
  EXPECT_EQ(take(32 * megabyte), 1u);
  EXPECT_EQ(take(1024 * megabyte), 0u);
}

TEST(Isolated, IsNotBelieved) {
  std::string words;
  uint64_t number = 0;
  auto lie = [](IsolatedWriter &out) { out.number(uint64_t(1) << 60); };
  EXPECT_FALSE(runIsolated(megabyte, lie, [&](IsolatedReader &in) { return in.words(words); }));
  EXPECT_FALSE(
      runIsolated(megabyte, lie, [&](IsolatedReader &in) { return in.number(number, 100); }));
  EXPECT_FALSE(runIsolated(
      megabyte, [](IsolatedWriter &) {}, [&](IsolatedReader &in) { return in.number(number); }));
}

TEST(Isolated, EndsWhenNobodyListens) {
  EXPECT_FALSE(runIsolated(
      64 * megabyte,
      [](IsolatedWriter &out) {
        for (;;)
          out.number(1);
      },
      [](IsolatedReader &) { return false; }));
}
