// The threads that run a model's parallel loops.
//
// The number of threads, and which of them runs what, never changes a result: produced code splits
// work into chunks that its shapes alone decide. A region is entered in a fraction of a microsecond
// while the workers spin; after about 50 microseconds without work they sleep.
#pragma once

#include "runtime/formwork.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

namespace formwork::runtime {

class ThreadPool {
public:
  /// `threads` includes the one that calls; 0 means FORMWORK_THREADS, or else one per CPU that this
  /// process may use.
  explicit ThreadPool(int threads = 0);
  ~ThreadPool();
  ThreadPool(const ThreadPool &) = delete;
  ThreadPool &operator=(const ThreadPool &) = delete;

  int size() const { return int(workers.size()) + 1; }
  /// What to pass to a model's functions. One thread needs no pool: then `parallel_for` is null.
  formwork_context context();

  using Body = void(void *task, int64_t begin, int64_t end);
  /// Runs the body over disjoint ranges that cover [0, chunks). From within a body, or while
  /// another thread is in a region of this pool, it runs all of it on the calling thread.
  void parallelFor(int64_t chunks, Body *body, void *task) noexcept;

private:
  struct Share;
  void work(int self) noexcept;
  void runShares(int self) noexcept;
  bool join() noexcept;
  uint32_t awaitRegion(uint32_t seen) noexcept;

  std::vector<std::thread> workers;
  std::unique_ptr<Share[]> shares; // one per thread: the chunks it begins with
  std::atomic<bool> busy = false;
  std::atomic<bool> stop = false;
  // The region now open. Written by the caller before `region` announces it.
  Body *body = nullptr;
  void *task = nullptr;
  int64_t grain = 1;
  alignas(64) std::atomic<uint32_t> region = 0; // counts regions; workers wait for it to change
  alignas(64) std::atomic<int32_t> inside = closed;
  static constexpr int32_t closed = INT32_MIN; // plus the workers still inside
};

} // namespace formwork::runtime
