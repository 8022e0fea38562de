// Arrays for naive references: shape, element type, values. Knows no MLIR.
//
// Values are held as double whatever the element type is: exact for integers below 2^53, for f32
// and for booleans, which is all that tests use.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace formwork::test {

using Shape = std::vector<int64_t>;
using Index = std::vector<int64_t>;

/// How many elements a tensor of this shape has; 1 for a scalar.
int64_t countElements(const Shape &shape);

struct Array {
  Shape shape;
  /// As MLIR writes it: f64, f32, i64, i32, i1.
  std::string element = "f64";
  /// In row-major order.
  std::vector<double> values;

  Array() = default;
  explicit Array(Shape shape, std::string element = "f64", double value = 0)
      : shape(std::move(shape)), element(std::move(element)),
        values(countElements(this->shape), value) {}

  int64_t rank() const { return shape.size(); }
  int64_t size() const { return values.size(); }

  /// The element at `index`, which may have more dimensions (leading ones are dropped) and be out
  /// of range where this array has size 1: NumPy's broadcasting.
  double at(const Index &index) const;
  double &at(const Index &index);

  /// tensor<3x4xf64>
  std::string type() const;
};

/// Calls `visit` for each index of a tensor of this shape, in row-major order.
void forEachIndex(const Shape &shape, const std::function<void(const Index &)> &visit);

/// NumPy's shape for operands that broadcast together.
Shape broadcastShapes(const std::vector<Array> &operands);

/// Applies `body` to the elements of operands that broadcast together.
Array elementwise(const std::vector<Array> &operands,
                  const std::function<double(const std::vector<double> &)> &body,
                  std::string element = "f64");

/// Folds `x` over `axes`, each result starting from `initial`.
Array reduce(const Array &x, const std::vector<int64_t> &axes, bool keepdims, double initial,
             const std::function<double(double, double)> &combine);

/// [m, k] times [k, n].
Array matrixProduct(const Array &a, const Array &b);

/// `x` without its leading dimension, at `step` of it; and `part` put there.
Array stepOf(const Array &x, int64_t step);
void setStep(Array &x, int64_t step, const Array &part);

} // namespace formwork::test
