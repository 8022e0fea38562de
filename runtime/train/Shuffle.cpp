// The order in which an epoch sees its samples; see Shuffle.h.
#include "runtime/train/Shuffle.h"

#include <cstddef>
#include <numeric>
#include <utility>

namespace formwork::runtime {

std::array<uint32_t, 4> philox(std::array<uint32_t, 4> c, uint64_t key) {
  uint32_t low = uint32_t(key), high = uint32_t(key >> 32);
  for (int round = 0; round < 10; ++round) {
    uint64_t a = uint64_t(0xD2511F53) * c[0], b = uint64_t(0xCD9E8D57) * c[2];
    c = {uint32_t(b >> 32) ^ c[1] ^ low, uint32_t(b), uint32_t(a >> 32) ^ c[3] ^ high, uint32_t(a)};
    low += 0x9E3779B9;
    high += 0xBB67AE85;
  }
  return c;
}

std::vector<int64_t> shuffledOrder(int64_t count, uint64_t seed, uint64_t pass) {
  // A stream that no op of a model has: they are numbered from 0.
  constexpr uint32_t stream = 0xFFFFFFFF;
  std::vector<int64_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  std::array<uint32_t, 4> words = {};
  for (int64_t i = count - 1; i > 0; --i) {
    uint64_t draw = uint64_t(count - 1 - i);
    if (draw % 2 == 0)
      words = philox({uint32_t(draw / 2), uint32_t(pass), stream,
                      uint32_t(pass >> 32) ^ uint32_t(draw >> 33) << 16},
                     seed);
    std::size_t half = draw % 2 * 2;
    uint64_t random = words[half] | uint64_t(words[half + 1]) << 32;
    // 0..i with a bias below 2^-32 for any number of samples that fits into memory.
    auto chosen = int64_t((unsigned __int128)(random)*uint64_t(i + 1) >> 64);
    std::swap(order[i], order[chosen]);
  }
  return order;
}

} // namespace formwork::runtime
