#include "runtime/cpu/ThreadPool.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <gtest/gtest.h>
#include <limits>

using formwork::runtime::ThreadPool;

namespace {
/// Counts how often each chunk was run.
struct Counter {
  explicit Counter(int64_t chunks) : runs(chunks) {}
  static void body(void *task, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      static_cast<Counter *>(task)->runs[i].fetch_add(1);
  }
  bool eachOnce() const {
    return std::all_of(runs.begin(), runs.end(), [](auto &count) { return count == 1; });
  }
  std::vector<std::atomic<int>> runs;
};
} // namespace

TEST(ThreadPool, RunsEveryChunkExactlyOnce) {
  for (int threads : {1, 2, 3, 7}) {
    ThreadPool pool(threads);
    for (int64_t chunks : {0, 1, 2, 3, 5, 64, 1000}) {
      Counter counter(chunks);
      pool.parallelFor(chunks, Counter::body, &counter);
      EXPECT_TRUE(counter.eachOnce()) << threads << " threads, " << chunks << " chunks";
    }
  }
}

TEST(ThreadPool, WakesUpAgainAfterItsWorkersSlept) {
  ThreadPool pool(3);
  for (int i = 0; i < 50; ++i) {
    Counter counter(97);
    pool.parallelFor(97, Counter::body, &counter);
    EXPECT_TRUE(counter.eachOnce());
    std::this_thread::sleep_for(std::chrono::microseconds(i * 10));
  }
}

TEST(ThreadPool, SurvivesManyShortRegions) {
  ThreadPool pool(3);
  std::atomic<int64_t> sum = 0;
  auto add = [](void *task, int64_t begin, int64_t end) {
    *static_cast<std::atomic<int64_t> *>(task) += end - begin;
  };
  for (int i = 0; i < 20000; ++i)
    pool.parallelFor(4, add, &sum);
  EXPECT_EQ(sum, 80000);
}

TEST(ThreadPool, RunsARegionWithinARegionOnTheSameThread) {
  ThreadPool pool(2);
  struct Task {
    ThreadPool &pool;
    std::atomic<int64_t> inner = 0;
    std::atomic<bool> moved = false;
  } task{pool};
  pool.parallelFor(
      8,
      [](void *argument, int64_t begin, int64_t end) {
        auto *task = static_cast<Task *>(argument);
        struct Inner {
          Task *task;
          std::thread::id thread;
        } inner{task, std::this_thread::get_id()};
        for (int64_t i = begin; i < end; ++i)
          task->pool.parallelFor(
              5,
              [](void *argument, int64_t begin, int64_t end) {
                auto *inner = static_cast<Inner *>(argument);
                inner->task->inner += end - begin;
                if (inner->thread != std::this_thread::get_id())
                  inner->task->moved = true;
              },
              &inner);
      },
      &task);
  EXPECT_EQ(task.inner, 40);
  EXPECT_FALSE(task.moved);
}

TEST(ThreadPool, ServesSeveralThreadsAtOnce) {
  ThreadPool pool(2);
  std::vector<std::thread> callers;
  std::atomic<int> wrong = 0;
  for (int i = 0; i < 3; ++i)
    callers.emplace_back([&] {
      for (int round = 0; round < 500; ++round) {
        Counter counter(33);
        pool.parallelFor(33, Counter::body, &counter);
        wrong += !counter.eachOnce();
      }
    });
  for (std::thread &caller : callers)
    caller.join();
  EXPECT_EQ(wrong, 0);
}

TEST(ThreadPool, FlushesDenormalsOnItsWorkers) {
  ThreadPool pool(2);
  struct Task {
    std::thread::id caller = std::this_thread::get_id();
    std::atomic<int> kept = 0, flushed = 0;
  } task;
  auto body = [](void *argument, int64_t, int64_t) {
    auto *task = static_cast<Task *>(argument);
    volatile float tiny = std::numeric_limits<float>::min();
    volatile float half = tiny * 0.5f;
    if (std::this_thread::get_id() != task->caller)
      ++(half == 0 ? task->flushed : task->kept);
    std::this_thread::sleep_for(std::chrono::milliseconds(1)); // so that a worker gets a share
  };
  for (int i = 0; i < 100 && task.flushed == 0; ++i)
    pool.parallelFor(16, body, &task);
  EXPECT_GT(task.flushed, 0);
  EXPECT_EQ(task.kept, 0);
}

TEST(ThreadPool, TakesItsSizeFromTheEnvironment) {
  setenv("FORMWORK_THREADS", "3", 1);
  EXPECT_EQ(ThreadPool().size(), 3);
  EXPECT_EQ(ThreadPool(2).size(), 2);
  unsetenv("FORMWORK_THREADS");
}

TEST(ThreadPool, OfOneThreadIsNoPool) { EXPECT_EQ(ThreadPool(1).context().parallel_for, nullptr); }
