// The threads that run a model's parallel loops; see ThreadPool.h.
//
// A region's chunks are dealt to the threads in contiguous shares, so that a thread meets the same
// data from step to step; one that has finished its own share takes from the others'. Workers that
// wake up too late find the region closed and are not waited for.
#include "runtime/cpu/ThreadPool.h"

#include "runtime/cpu/Denormals.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>

namespace formwork::runtime {

/// The chunks of one thread. On a cache line of its own: every thread takes from its own first.
struct alignas(64) ThreadPool::Share {
  std::atomic<int64_t> next;
  int64_t end;
};

static void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

static int threadsWanted() {
  if (const char *setting = getenv("FORMWORK_THREADS"))
    if (long threads = strtol(setting, nullptr, 10); threads > 0)
      return int(std::min(threads, 1024l));
  return int(std::max(1u, std::thread::hardware_concurrency()));
}

ThreadPool::ThreadPool(int threads) {
  int count = threads > 0 ? threads : threadsWanted();
  shares = std::make_unique<Share[]>(count);
  for (int i = 1; i < count; ++i)
    workers.emplace_back([this, i] { work(i); });
}

ThreadPool::~ThreadPool() {
  stop.store(true);
  region.fetch_add(1);
  region.notify_all();
  for (std::thread &worker : workers)
    worker.join();
}

formwork_context ThreadPool::context() {
  if (workers.empty())
    return {};
  return {[](void *pool, int64_t chunks, Body *body, void *task) {
            static_cast<ThreadPool *>(pool)->parallelFor(chunks, body, task);
          },
          this};
}

//===--- the caller ------------------------------------------------------------------------------

void ThreadPool::parallelFor(int64_t chunks, Body *function, void *argument) noexcept {
  if (chunks <= 0)
    return;
  if (chunks == 1 || workers.empty() || busy.exchange(true, std::memory_order_acquire))
    return function(argument, 0, chunks);
  int64_t threads = size();
  for (int64_t i = 0; i < threads; ++i) {
    shares[i].next.store(chunks / threads * i + std::min(i, chunks % threads),
                         std::memory_order_relaxed);
    shares[i].end = chunks / threads * (i + 1) + std::min(i + 1, chunks % threads);
  }
  body = function;
  task = argument;
  grain = std::max<int64_t>(1, chunks / threads / 4);
  inside.store(0, std::memory_order_release);
  region.fetch_add(1, std::memory_order_release);
  region.notify_all();
  runShares(/*self=*/0);
  // All chunks are taken. Close the region and wait for those who are still at theirs.
  inside.fetch_add(closed, std::memory_order_acq_rel);
  while (inside.load(std::memory_order_acquire) != closed)
    pause();
  busy.store(false, std::memory_order_release);
}

void ThreadPool::runShares(int self) noexcept {
  int threads = size();
  for (int i = 0; i < threads; ++i) {
    Share &share = shares[(self + i) % threads];
    while (share.next.load(std::memory_order_relaxed) < share.end) {
      int64_t begin = share.next.fetch_add(grain, std::memory_order_relaxed);
      if (begin < share.end)
        body(task, begin, std::min(begin + grain, share.end));
    }
  }
}

//===--- the workers -----------------------------------------------------------------------------

/// Enters the open region, if it still is open.
bool ThreadPool::join() noexcept {
  int32_t count = inside.load(std::memory_order_relaxed);
  while (count >= 0)
    if (inside.compare_exchange_weak(count, count + 1, std::memory_order_acquire))
      return true;
  return false;
}

/// Returns when there has been a region since `seen`: spins for a while, then sleeps.
uint32_t ThreadPool::awaitRegion(uint32_t seen) noexcept {
  using Clock = std::chrono::steady_clock;
  auto patience = Clock::now() + std::chrono::microseconds(50);
  do {
    for (int i = 0; i < 32; ++i) {
      if (region.load(std::memory_order_acquire) != seen)
        return region.load(std::memory_order_acquire);
      pause();
    }
  } while (Clock::now() < patience);
  region.wait(seen, std::memory_order_acquire);
  return region.load(std::memory_order_acquire);
}

void ThreadPool::work(int self) noexcept {
  flushDenormals();
  uint32_t seen = 0;
  while (true) {
    seen = awaitRegion(seen);
    if (stop.load(std::memory_order_acquire))
      return;
    if (!join())
      continue;
    runShares(self);
    inside.fetch_sub(1, std::memory_order_release);
  }
}

} // namespace formwork::runtime
