// From the element types of files to those of a model; see Convert.h.
#include "runtime/data/Convert.h"

#include "runtime/Descriptor.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <type_traits>
#include <utility>

namespace formwork::runtime {

namespace {
/// IEEE half precision as files hold it.
struct Half {
  uint16_t bits;
  operator float() const {
    int exponent = bits >> 10 & 31, fraction = bits & 1023;
    float magnitude = exponent == 0    ? std::ldexp(float(fraction), -24)
                      : exponent == 31 ? (fraction ? NAN : INFINITY)
                                       : std::ldexp(float(fraction + 1024), exponent - 25);
    return bits >> 15 ? -magnitude : magnitude;
  }
};
} // namespace

template <typename T> static T load(const std::byte *at) {
  T value;
  memcpy(&value, at, sizeof(T));
  return value;
}

/// Calls the function with a value of the C++ type that `type` stands for.
template <typename Function> static auto withType(ElementType type, Function function) {
  switch (type) {
  case ElementType::Bool:
    return function(bool());
  case ElementType::I8:
    return function(int8_t());
  case ElementType::I16:
    return function(int16_t());
  case ElementType::I32:
    return function(int32_t());
  case ElementType::I64:
    return function(int64_t());
  case ElementType::U8:
    return function(uint8_t());
  case ElementType::U16:
    return function(uint16_t());
  case ElementType::U32:
    return function(uint32_t());
  case ElementType::U64:
    return function(uint64_t());
  case ElementType::F16:
    return function(Half());
  case ElementType::F32:
    return function(float());
  case ElementType::F64:
    break;
  }
  return function(double());
}

/// The same for the five types that models have.
template <typename Function> static auto withModelType(ElementType type, Function function) {
  switch (type) {
  case ElementType::Bool:
    return function(bool());
  case ElementType::I32:
    return function(int32_t());
  case ElementType::I64:
    return function(int64_t());
  case ElementType::F32:
    return function(float());
  default:
    return function(double());
  }
}

template <typename From, typename To>
static void convertElements(const std::byte *from, std::byte *to, int64_t count) {
  if constexpr (std::is_same_v<From, To>) {
    memcpy(to, from, count * sizeof(To));
  } else {
    for (int64_t i = 0; i < count; ++i) {
      To value = To(load<From>(from + i * sizeof(From)));
      memcpy(to + i * sizeof(To), &value, sizeof(To));
    }
  }
}

/// As truth value a file's byte is whatever is not zero.
static void convertTruth(const std::byte *from, std::byte *to, int64_t count) {
  for (int64_t i = 0; i < count; ++i)
    to[i] = std::byte(from[i] != std::byte(0));
}

Convert *converter(ElementType from, ElementType to) {
  if (from == ElementType::Bool && to == ElementType::Bool)
    return convertTruth;
  return withType(from, [&](auto source) {
    return withModelType(to, [&](auto target) -> Convert * {
      using From =
          std::conditional_t<std::is_same_v<decltype(source), bool>, uint8_t, decltype(source)>;
      return convertElements<From, decltype(target)>;
    });
  });
}

//===--- what does not fit -----------------------------------------------------------------------

/// Whether the cast keeps the value: exactly for integers and indices, within range for floats.
template <typename To, typename From> static bool fits(From value) {
  if constexpr (std::is_same_v<To, bool> || std::is_same_v<To, double>) {
    return true;
  } else if constexpr (std::is_same_v<To, float>) {
    return !std::isfinite(double(value)) || std::isfinite(float(value));
  } else if constexpr (std::is_integral_v<From>) {
    return std::in_range<To>(value);
  } else {
    double wide = double(value), bound = std::ldexp(1.0, std::numeric_limits<To>::digits);
    return wide == std::floor(wide) && wide >= -bound && wide < bound;
  }
}

template <typename From> static bool inLimit(From value, int64_t limit) {
  if (limit == 0)
    return true;
  if constexpr (std::is_integral_v<From>)
    return value >= From(0) && uint64_t(value) < uint64_t(limit);
  else
    return double(value) >= 0 && double(value) < double(limit);
}

template <typename T> static std::string describeValue(T value) {
  if constexpr (std::is_same_v<T, uint64_t>)
    return text("%llu", (unsigned long long)value);
  else if constexpr (std::is_integral_v<T>)
    return text("%lld", (long long)value);
  else
    return text("%.9g", double(value));
}

/// `row 17` of a vector, `[17,3]` of a matrix.
static std::string describePosition(const Array &array, int64_t element) {
  if (array.shape.size() < 2)
    return text("row %lld", (long long)element);
  std::vector<int64_t> index(array.shape.size());
  for (size_t axis = index.size(); axis-- > 0;) {
    index[axis] = element % array.shape[axis];
    element /= array.shape[axis];
  }
  return text("row %lld, element %s", (long long)index[0], describeShape(index).c_str());
}

template <typename From, typename To>
static void checkElements(const Array &array, ElementType to, int64_t limit, Mistakes &mistakes) {
  int64_t bad = 0, first = 0, count = array.count();
  for (int64_t i = 0; i < count; ++i) {
    From value = load<From>(array.data + i * sizeof(From));
    if (fits<To>(value) && inLimit(value, limit)) [[likely]]
      continue;
    first = bad++ ? first : i;
  }
  if (!bad)
    return;
  From value = load<From>(array.data + first * sizeof(From));
  std::string why = inLimit(value, limit) ? text("which a model's %s cannot hold", elementName(to))
                                          : text("but must be in 0..%lld", (long long)(limit - 1));
  std::string more = bad > 1 ? text(" (and %lld more values)", (long long)(bad - 1)) : "";
  mistakes.add(text("%s: array %s, %s: the value is %s, %s%s. Correct the data, or use a model "
                    "made for such values",
                    array.file.c_str(), quoted(array.name).c_str(),
                    describePosition(array, first).c_str(), describeValue(value).c_str(),
                    why.c_str(), more.c_str()));
}

void checkValues(const Array &array, ElementType to, int64_t limit, Mistakes &mistakes) {
  if (limit == 0 && array.type == to)
    return;
  withType(array.type, [&](auto source) {
    withModelType(to, [&](auto target) {
      using From =
          std::conditional_t<std::is_same_v<decltype(source), bool>, uint8_t, decltype(source)>;
      checkElements<From, decltype(target)>(array, to, limit, mistakes);
    });
  });
}

std::string findNotFinite(const Array &array) {
  return withType(array.type, [&](auto kind) -> std::string {
    using From = std::conditional_t<std::is_same_v<decltype(kind), bool>, uint8_t, decltype(kind)>;
    if constexpr (!std::is_integral_v<From>)
      for (int64_t i = 0, count = array.count(); i < count; ++i)
        if (double value = load<From>(array.data + i * sizeof(From)); !std::isfinite(value))
          return text("%s: the value is %g", describePosition(array, i).c_str(), value);
    return "";
  });
}

} // namespace formwork::runtime
