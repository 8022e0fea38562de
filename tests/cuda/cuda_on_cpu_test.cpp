// Whether the machine that runs kernels on the CPU notices what a GPU would not forgive.
#include "tests/cuda/cuda_on_cpu.h"

#include <gtest/gtest.h>

#include <array>
#include <set>

namespace {

constexpr unsigned threads = 64;

template <typename Body> void run(unsigned blocks, Body body) {
  cuda_on_cpu::launch("kernel", blocks, threads, body);
}

TEST(CudaOnCpu, runs_every_thread_of_every_block) {
  std::multiset<unsigned> seen;
  run(3, [&] { seen.insert(blockIdx.x * threads + threadIdx.x); });
  ASSERT_EQ(seen.size(), 3 * threads);
  for (unsigned i = 0; i < 3 * threads; ++i)
    EXPECT_EQ(seen.count(i), 1u);
}

TEST(CudaOnCpu, shows_each_thread_what_others_wrote_before_a_barrier) {
  std::array<int, threads> read;
  run(1, [&] {
    __shared__ int shared[threads];
    shared[threadIdx.x] = int(threadIdx.x);
    __syncthreads();
    read[threadIdx.x] = shared[threads - 1 - threadIdx.x];
  });
  for (unsigned i = 0; i < threads; ++i)
    EXPECT_EQ(read[i], int(threads - 1 - i));
}

TEST(CudaOnCpu, shows_that_a_barrier_is_missing) {
  int wrong = 0;
  run(1, [&] {
    __shared__ int others[threads];
    others[threadIdx.x] = int(threadIdx.x);
    wrong += others[threads - 1 - threadIdx.x] != int(threads - 1 - threadIdx.x);
  });
  EXPECT_GT(wrong, 0);
}

TEST(CudaOnCpu, begins_each_block_with_shared_memory_that_holds_nothing) {
  int left = 0;
  run(4, [&] {
    __shared__ float kept[threads];
    left += kept[threadIdx.x] == 1;
    kept[threadIdx.x] = 1;
  });
  EXPECT_EQ(left, 0);
}

TEST(CudaOnCpu, exchanges_values_within_a_warp) {
  std::array<double, threads> sums;
  run(1, [&] {
    double sum = threadIdx.x;
    for (int distance = 16; distance > 0; distance /= 2)
      sum += __shfl_xor_sync(0xffffffffu, sum, distance, 32);
    sums[threadIdx.x] = sum;
  });
  EXPECT_EQ(sums[5], 31 * 32 / 2);
  EXPECT_EQ(sums[40], 31 * 32 / 2 + 32 * 32);
}

TEST(CudaOnCpuDeathTest, refuses_a_barrier_that_some_threads_do_not_reach) {
  EXPECT_DEATH(run(1,
                   [] {
                     if (threadIdx.x < 40)
                       __syncthreads();
                   }),
               "__syncthreads in line .* is reached by 40 of 64 threads");
}

TEST(CudaOnCpuDeathTest, refuses_two_barriers_at_once) {
  EXPECT_DEATH(run(1,
                   [] {
                     if (threadIdx.x < 32)
                       __syncthreads();
                     else
                       __syncthreads();
                   }),
               "__syncthreads in line");
}

TEST(CudaOnCpuDeathTest, refuses_a_shuffle_without_all_lanes) {
  EXPECT_DEATH(run(1,
                   [] {
                     if (threadIdx.x % 2)
                       __shfl_xor_sync(0xffffffffu, 1, 2, 32);
                   }),
               "a shuffle in line .* is reached by 16 of 32 threads");
}

} // namespace
