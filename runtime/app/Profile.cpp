// The program's profile is a table by kernel; see Profile.h.
#include "runtime/app/Profile.h"
#include "runtime/profile.h"

#include <chrono>
#include <unordered_map>
#include <utility>

using namespace formwork::runtime;

namespace {
struct Profile {
  std::vector<KernelProfile> kernels;
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
  if (isNew)
    profile().kernels.push_back({kernel, layers});
  KernelProfile &own = profile().kernels[place->second];
  own.calls += 1;
  own.seconds += double(stop - start) * 1e-9;
  own.flops += flops;
  own.bytes += bytes;
}

std::vector<KernelProfile> formwork::runtime::takeProfile() {
  profile().places.clear();
  return std::exchange(profile().kernels, {});
}
