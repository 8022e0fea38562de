// Runs CUDA C++ kernels as ordinary C++, for tests on machines without a GPU.
//
// A block's threads are fibers of one thread, resumed in an order that a seed permutes; blocks
// follow one another, permuted too. Shared memory and the stack begin as NaNs in every block.
// Refused, with a message and an abort: barriers and shuffles that not all threads of the block or
// of the warp reach at the same place. What a kernel reads or writes out of bounds is found if the
// file is compiled with AddressSanitizer.
//
// What this cannot show: races between threads that the order of fibers does not reveal, and how
// fast anything is.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>

#if !defined __x86_64__
#include <ucontext.h>
#endif

#define __global__
#define __device__ static
#define __forceinline__ inline
#define __restrict__ __restrict
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
// In a section of its own, so that all of it can be found.
#define __shared__ static __attribute__((section("cuda_shared")))

extern "C" char __start_cuda_shared[] __attribute__((weak, visibility("hidden")));
extern "C" char __stop_cuda_shared[] __attribute__((weak, visibility("hidden")));

namespace cuda_on_cpu {

struct Index {
  unsigned x, y, z;
};

constexpr int warp_size = 32;
constexpr size_t stack_bytes = 96 << 10;
constexpr int poison = 0xff;

//===--- fibers ----------------------------------------------------------------------------------

#if defined __x86_64__
struct Context {
  void *stack_pointer;
};
extern "C" void cuda_on_cpu_switch(void **save, void *to) __attribute__((visibility("hidden")));
asm(R"(.text
.hidden cuda_on_cpu_switch
.globl cuda_on_cpu_switch
cuda_on_cpu_switch:
  push %rbp; push %rbx; push %r12; push %r13; push %r14; push %r15
  mov %rsp, (%rdi)
  mov %rsi, %rsp
  pop %r15; pop %r14; pop %r13; pop %r12; pop %rbx; pop %rbp
  ret
)");
inline void switch_context(Context &from, Context &to) {
  cuda_on_cpu_switch(&from.stack_pointer, to.stack_pointer);
}
inline void make_context(Context &context, char *stack, void (*entry)()) {
  void **top = reinterpret_cast<void **>(uintptr_t(stack + stack_bytes) & ~uintptr_t(63));
  *--top = nullptr;
  *--top = reinterpret_cast<void *>(entry);
  for (int saved = 0; saved < 6; ++saved)
    *--top = nullptr;
  context.stack_pointer = top;
}
#else
struct Context {
  ucontext_t context;
};
inline void switch_context(Context &from, Context &to) { swapcontext(&from.context, &to.context); }
inline void make_context(Context &context, char *stack, void (*entry)()) {
  getcontext(&context.context);
  context.context.uc_stack.ss_sp = stack;
  context.context.uc_stack.ss_size = stack_bytes;
  makecontext(&context.context, entry, 0);
}
#endif

enum State { Ready, AtBarrier, AtWarpBarrier, Done };

/// Copies that a thread has begun: none is done before it is waited for.
struct Copy {
  float *to;
  const float *from;
  int group;
};

struct Fiber {
  Context context;
  State state;
  int line; // of the source, where it waits
  std::unique_ptr<char[]> stack;
  std::vector<Copy> copies;
  int groups; // committed so far
};

//===--- the machine -----------------------------------------------------------------------------

struct Machine {
  Index block_index, block_size, grid_size;
  std::vector<Fiber> fibers;
  Context scheduler;
  int current;
  const std::function<void()> *body;
  const char *kernel;
  uint64_t random = 1;
  /// What each lane of each warp gives in a shuffle.
  uint64_t given[32][warp_size];
  /// What each lane gives to a product: four elements of the left operand, two of the right.
  float operands[32][warp_size][6];
};
inline Machine machine;

[[noreturn]] inline void refuse(const char *what, int line, int count, int of) {
  fprintf(stderr, "%s, block %u: %s in line %d is reached by %d of %d threads\n", machine.kernel,
          machine.block_index.x, what, line, count, of);
  abort();
}

/// xorshift64.
inline unsigned draw(unsigned below) {
  uint64_t &x = machine.random;
  x ^= x << 13, x ^= x >> 7, x ^= x << 17;
  return unsigned((x >> 16) % below);
}

/// 0 to count - 1, in an order of its own each time.
inline std::vector<int> permuted(int count) {
  std::vector<int> order(count);
  for (int i = 0; i < count; ++i)
    order[i] = i;
  for (int i = count; i > 1; --i)
    std::swap(order[i - 1], order[draw(i)]);
  return order;
}

inline void wait(State state, int line) {
  Fiber &fiber = machine.fibers[machine.current];
  fiber.state = state;
  fiber.line = line;
  switch_context(fiber.context, machine.scheduler);
}

inline void run_fiber() {
  (*machine.body)();
  wait(Done, 0);
  abort();
}

/// All that waits in [begin, end) goes on, if all wait at the same place.
inline bool release(State state, const char *what, int begin, int end) {
  int waiting = 0, line = 0;
  for (int i = begin; i < end; ++i)
    if (machine.fibers[i].state == state) {
      line = waiting++ ? line : machine.fibers[i].line;
      if (machine.fibers[i].line != line)
        refuse(what, line, waiting - 1, end - begin);
    }
  if (waiting == 0)
    return false;
  if (waiting != end - begin)
    refuse(what, line, waiting, end - begin);
  for (int i = begin; i < end; ++i)
    machine.fibers[i].state = Ready;
  return true;
}

inline void run_warp(int begin, int end) {
  do {
    for (int lane : permuted(end - begin)) {
      Fiber &fiber = machine.fibers[begin + lane];
      if (fiber.state != Ready)
        continue;
      machine.current = begin + lane;
      switch_context(machine.scheduler, fiber.context);
    }
  } while (release(AtWarpBarrier, "a shuffle", begin, end));
}

/// By no function of the library, for between variables there may be what AddressSanitizer guards;
/// and eight bytes at a time, for this is done for each block.
__attribute__((no_sanitize("address"))) inline void poison_shared() {
  using Word = uint64_t __attribute__((may_alias, aligned(1)));
  constexpr uint64_t poisoned = uint64_t(0x0101010101010101) * poison;
  volatile char *byte = __start_cuda_shared;
  for (; __stop_cuda_shared - byte >= int(sizeof(Word)); byte += sizeof(Word))
    *reinterpret_cast<volatile Word *>(byte) = poisoned;
  for (; byte != __stop_cuda_shared; ++byte)
    *byte = char(poison);
}

inline void run_block(int threads) {
  poison_shared();
  for (int i = 0; i < threads; ++i) {
    Fiber &fiber = machine.fibers[i];
    if (!fiber.stack)
      fiber.stack.reset(new char[stack_bytes]);
    make_context(fiber.context, fiber.stack.get(), run_fiber);
    fiber.state = Ready;
    fiber.copies.clear();
    fiber.groups = 0;
  }
  int warps = (threads + warp_size - 1) / warp_size;
  do {
    for (int warp : permuted(warps))
      run_warp(warp * warp_size, std::min(threads, (warp + 1) * warp_size));
  } while (release(AtBarrier, "__syncthreads", 0, threads));
}

inline void launch(const char *kernel, unsigned blocks, unsigned threads,
                   const std::function<void()> &body) {
  machine.kernel = kernel;
  machine.body = &body;
  machine.block_size = {threads, 1, 1};
  machine.grid_size = {blocks, 1, 1};
  if (machine.fibers.size() < threads)
    machine.fibers.resize(threads);
  for (int block : permuted(int(blocks))) {
    machine.block_index = {unsigned(block), 0, 0};
    run_block(int(threads));
  }
}

/// Calls a function with arguments as cuLaunchKernel takes them: the address of each.
template <typename Result, typename... Parameters, size_t... I>
Result call(Result (*function)(Parameters...), void **arguments, std::index_sequence<I...>) {
  return function(*static_cast<std::remove_reference_t<Parameters> *>(arguments[I])...);
}
template <typename Result, typename... Parameters>
Result call(Result (*function)(Parameters...), void **arguments) {
  return call(function, arguments, std::index_sequence_for<Parameters...>());
}

template <typename Kernel, typename Blocks>
void launch(const char *name, Kernel *kernel, Blocks *blocks, unsigned threads, void **arguments) {
  launch(name, unsigned(call(blocks, arguments)), threads, [&] { call(kernel, arguments); });
}

//===--- what kernels call -----------------------------------------------------------------------

inline Index thread_index() { return {unsigned(machine.current), 0, 0}; }

/// The value that lane `source` gives.
template <typename T> T shuffle(T value, int source, int line) {
  static_assert(sizeof(T) <= sizeof(uint64_t), "too wide for a shuffle");
  auto &given = machine.given[machine.current / warp_size];
  std::memcpy(&given[machine.current % warp_size], &value, sizeof value);
  wait(AtWarpBarrier, line);
  T result;
  std::memcpy(&result, &given[source % warp_size], sizeof result);
  wait(AtWarpBarrier, line);
  return result;
}
inline int lane() { return machine.current % warp_size; }

/// Does what was committed before the last `left` groups.
inline void wait_copies(int left) {
  Fiber &fiber = machine.fibers[machine.current];
  auto isDone = [&](const Copy &copy) { return copy.group < fiber.groups - left; };
  for (const Copy &copy : fiber.copies)
    if (isDone(copy))
      *copy.to = copy.from ? *copy.from : 0.0f;
  fiber.copies.erase(std::remove_if(fiber.copies.begin(), fiber.copies.end(), isDone),
                     fiber.copies.end());
}

/// The operands and sums of mma.m16n8k8, as its lanes hold them.
inline void multiply(float *sums, const float *left, const float *right, int line) {
  auto &operands = machine.operands[machine.current / warp_size];
  std::copy(left, left + 4, operands[lane()]);
  std::copy(right, right + 2, operands[lane()] + 4);
  wait(AtWarpBarrier, line);
  for (int element = 0; element < 4; ++element) {
    int row = lane() / 4 + element / 2 * 8, column = lane() % 4 * 2 + element % 2;
    for (int step = 0; step < 8; ++step)
      sums[element] += operands[row % 8 * 4 + step % 4][row / 8 + step / 4 * 2] *
                       operands[column * 4 + step % 4][4 + step / 4];
  }
  wait(AtWarpBarrier, line);
}

} // namespace cuda_on_cpu

#define threadIdx (cuda_on_cpu::thread_index())
#define blockIdx (cuda_on_cpu::machine.block_index)
#define blockDim (cuda_on_cpu::machine.block_size)
#define gridDim (cuda_on_cpu::machine.grid_size)
#define __syncthreads() cuda_on_cpu::wait(cuda_on_cpu::AtBarrier, __LINE__)
#define __shfl_xor_sync(mask, value, lanes, width)                                                 \
  cuda_on_cpu::shuffle(value, cuda_on_cpu::lane() ^ (lanes), __LINE__)

//===--- in the place of formwork_cuda.cuh's PTX -------------------------------------------------

#define FW_WITHOUT_PTX
inline void fw_copy_async(float *to, const float *from, int read) {
  auto &fiber = cuda_on_cpu::machine.fibers[cuda_on_cpu::machine.current];
  // Nothing is known of what is on its way.
  std::memset(to, cuda_on_cpu::poison, sizeof *to);
  fiber.copies.push_back({to, read ? from : nullptr, fiber.groups});
}
inline void fw_commit_copies() {
  ++cuda_on_cpu::machine.fibers[cuda_on_cpu::machine.current].groups;
}
template <int Left> void fw_wait_copies() { cuda_on_cpu::wait_copies(Left); }
inline float fw_to_tf32(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  if (x - x == 0) // finite
    bits = (bits + 0x1000) & ~0x1fffu;
  std::memcpy(&x, &bits, sizeof bits);
  return x;
}
#define fw_mma_tf32(sums, left, right) cuda_on_cpu::multiply(sums, left, right, __LINE__)

//===--- CUDA's own ------------------------------------------------------------------------------

inline unsigned __umulhi(unsigned a, unsigned b) { return unsigned(uint64_t(a) * b >> 32); }
inline uint64_t __umul64hi(uint64_t a, uint64_t b) {
  return uint64_t(static_cast<unsigned __int128>(a) * b >> 64);
}
