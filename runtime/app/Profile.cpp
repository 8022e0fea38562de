// The program's profile is a table by kernel; see Profile.h. Each launch's time is kept: of a sum,
// what the machine did meanwhile for others would be a part.
#include "runtime/app/Profile.h"
#include "runtime/profile.h"

#include <algorithm>
#include <chrono>
#include <unordered_map>
#include <utility>

using namespace formwork::runtime;

namespace {
struct Profile {
  std::vector<KernelProfile> kernels;
  std::vector<std::vector<float>> nanoseconds;     // of each launch of each kernel
  std::unordered_map<const char *, size_t> places; // in `kernels`, by the name's address
};
} // namespace

static Profile &profile() {
  static Profile only;
  return only;
}

int64_t formwork_profile_start() {
  auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

void formwork_profile_stop(int64_t start, const char *kernel, const char *layers, int64_t flops,
                           int64_t bytes) {
  int64_t stop = formwork_profile_start();
  auto [place, isNew] = profile().places.try_emplace(kernel, profile().kernels.size());
  if (isNew) {
    profile().kernels.push_back({kernel, layers});
    profile().nanoseconds.emplace_back();
  }
  KernelProfile &own = profile().kernels[place->second];
  own.calls += 1;
  profile().nanoseconds[place->second].push_back(float(stop - start));
  own.flops += flops;
  own.bytes += bytes;
}

static double median(std::vector<float> &values) {
  auto middle = values.begin() + ptrdiff_t(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

std::vector<KernelProfile> formwork::runtime::takeProfile() {
  Profile taken = std::exchange(profile(), {});
  for (size_t i = 0; i < taken.kernels.size(); ++i)
    taken.kernels[i].seconds = double(taken.kernels[i].calls) * median(taken.nanoseconds[i]) * 1e-9;
  return taken.kernels;
}
