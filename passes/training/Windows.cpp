// The formulas of scipy/signal/windows/_windows.py, each of value n of a symmetric window of
// `size`, which is at least two.
//
// Leaves out what is estimated numerically (DPSS, Chebyshev, Taylor).
#include "passes/training/Windows.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"

#include <cmath>
#include <initializer_list>
#include <numbers>

namespace formwork {

using std::numbers::pi;

/// From -1 at the first value to 1 at the last.
static double across(double n, double size) { return 2 * n / (size - 1) - 1; }

static double cosines(std::initializer_list<double> factors, double n, double size) {
  double value = 0, k = 0;
  for (double factor : factors)
    value += factor * std::cos(k++ * pi * across(n, size));
  return value;
}

static double boxcar(double, double) { return 1; }
static double hann(double n, double size) { return cosines({0.5, 0.5}, n, size); }
static double hamming(double n, double size) { return cosines({0.54, 0.46}, n, size); }
static double blackman(double n, double size) { return cosines({0.42, 0.5, 0.08}, n, size); }
static double nuttall(double n, double size) {
  return cosines({0.3635819, 0.4891775, 0.1365995, 0.0106411}, n, size);
}
static double blackmanHarris(double n, double size) {
  return cosines({0.35875, 0.48829, 0.14128, 0.01168}, n, size);
}
static double flattop(double n, double size) {
  return cosines({0.21557895, 0.41663158, 0.277263158, 0.083578947, 0.006947368}, n, size);
}

static double bartlett(double n, double size) { return 1 - std::abs(across(n, size)); }
static double triangular(double n, double size) {
  double width = std::fmod(size, 2) == 0 ? size : size + 1;
  return 1 - std::abs(2 * n - (size - 1)) / width;
}
static double bartlettHann(double n, double size) {
  double distance = std::abs(across(n, size)) / 2;
  return 0.62 - 0.48 * distance + 0.38 * std::cos(2 * pi * distance);
}
static double bohman(double n, double size) {
  if (n == 0 || n == size - 1)
    return 0;
  double distance = std::abs(across(n, size));
  return (1 - distance) * std::cos(pi * distance) + std::sin(pi * distance) / pi;
}
static double cosine(double n, double size) { return std::sin(pi / size * (n + 0.5)); }
static double parzen(double n, double size) {
  double distance = std::abs(n - (size - 1) / 2), rest = 1 - distance / (size / 2);
  if (distance > (size - 1) / 4)
    return 2 * rest * rest * rest;
  double part = distance / (size / 2);
  return 1 - 6 * part * part + 6 * part * part * part;
}
static double lanczos(double n, double size) {
  double x = pi * across(n, size);
  return x == 0 ? 1 : std::sin(x) / x;
}
static double tukey(double n, double size) {
  constexpr double tapered = 0.5;
  double fromEdge = std::min(n, size - 1 - n);
  return fromEdge > std::floor(tapered * (size - 1) / 2)
             ? 1
             : 0.5 * (1 - std::cos(pi * 2 * fromEdge / tapered / (size - 1)));
}
static double exponential(double n, double size) { return std::exp(-std::abs(n - (size - 1) / 2)); }

namespace {
struct SignalWindow {
  llvm::SmallVector<llvm::StringRef> names;
  double (*value)(double n, double size);
};
} // namespace

static llvm::ArrayRef<SignalWindow> windows() {
  static const SignalWindow table[] = {
      {{"hann", "hanning", "han"}, hann},
      {{"hamming", "hamm", "ham"}, hamming},
      {{"blackman", "black", "blk"}, blackman},
      {{"blackmanharris", "blackharr", "bkh"}, blackmanHarris},
      {{"nuttall", "nutl", "nut"}, nuttall},
      {{"flattop", "flat", "flt"}, flattop},
      {{"boxcar", "box", "ones", "rect", "rectangular"}, boxcar},
      {{"bartlett", "bart", "brt"}, bartlett},
      {{"triangle", "triang", "tri"}, triangular},
      {{"barthann", "brthan", "bth"}, bartlettHann},
      {{"bohman", "bman", "bmn"}, bohman},
      {{"cosine", "halfcosine"}, cosine},
      {{"parzen", "parz", "par"}, parzen},
      {{"lanczos", "sinc"}, lanczos},
      {{"tukey", "tuk"}, tukey},
      {{"exponential", "poisson"}, exponential},
  };
  return table;
}

std::optional<std::vector<double>> signalWindow(llvm::StringRef name, int64_t length,
                                                bool periodic) {
  const auto *window = llvm::find_if(windows(), [&](const SignalWindow &window) {
    return llvm::is_contained(window.names, name);
  });
  if (window == windows().end())
    return {};
  std::vector<double> values(length, 1);
  if (length > 1)
    for (int64_t n = 0; n < length; ++n)
      values[n] = window->value(double(n), double(length + (periodic ? 1 : 0)));
  return values;
}

std::string signalWindowNames() {
  return llvm::join(
      llvm::map_range(windows(), [](const SignalWindow &window) { return window.names.front(); }),
      ", ");
}

} // namespace formwork
