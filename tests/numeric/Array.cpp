// Naive array computations, written to be evidently right.
#include "tests/numeric/Array.h"

#include <algorithm>

namespace formwork::test {

int64_t countElements(const Shape &shape) {
  int64_t count = 1;
  for (int64_t size : shape)
    count *= size;
  return count;
}

static int64_t offsetOf(const Shape &shape, const Index &index) {
  int64_t offset = 0;
  size_t leading = index.size() - shape.size();
  for (size_t i = 0; i < shape.size(); ++i)
    offset = offset * shape[i] + (shape[i] == 1 ? 0 : index[leading + i]);
  return offset;
}

double Array::at(const Index &index) const { return values.at(offsetOf(shape, index)); }
double &Array::at(const Index &index) { return values.at(offsetOf(shape, index)); }

std::string Array::type() const {
  std::string text = "tensor<";
  for (int64_t size : shape)
    text += std::to_string(size) + "x";
  return text + element + ">";
}

void forEachIndex(const Shape &shape, const std::function<void(const Index &)> &visit) {
  Index index(shape.size(), 0);
  for (int64_t count = countElements(shape); count > 0; --count) {
    visit(index);
    for (size_t i = shape.size(); i-- > 0 && ++index[i] == shape[i];)
      index[i] = 0;
  }
}

Shape broadcastShapes(const std::vector<Array> &operands) {
  Shape shape;
  for (const Array &operand : operands) {
    if (operand.shape.size() > shape.size())
      shape.insert(shape.begin(), operand.shape.size() - shape.size(), 1);
    size_t leading = shape.size() - operand.shape.size();
    for (size_t i = 0; i < operand.shape.size(); ++i)
      if (operand.shape[i] != 1)
        shape[leading + i] = operand.shape[i];
  }
  return shape;
}

Array elementwise(const std::vector<Array> &operands,
                  const std::function<double(const std::vector<double> &)> &body,
                  std::string element) {
  Array result(broadcastShapes(operands), std::move(element));
  forEachIndex(result.shape, [&](const Index &index) {
    std::vector<double> elements;
    for (const Array &operand : operands)
      elements.push_back(operand.at(index));
    result.at(index) = body(elements);
  });
  return result;
}

Array reduce(const Array &x, const std::vector<int64_t> &axes, bool keepdims, double initial,
             const std::function<double(double, double)> &combine) {
  Array kept(x.shape, x.element);
  for (int64_t axis : axes)
    kept.shape[axis] = 1;
  kept.values.assign(countElements(kept.shape), initial);
  forEachIndex(x.shape,
               [&](const Index &index) { kept.at(index) = combine(kept.at(index), x.at(index)); });
  if (!keepdims) {
    Shape shape;
    for (int64_t i = 0; i < x.rank(); ++i)
      if (std::find(axes.begin(), axes.end(), i) == axes.end())
        shape.push_back(x.shape[i]);
    kept.shape = shape;
  }
  return kept;
}

Array matrixProduct(const Array &a, const Array &b) {
  Array product({a.shape[0], b.shape[1]});
  for (int64_t i = 0; i < a.shape[0]; ++i)
    for (int64_t j = 0; j < b.shape[1]; ++j)
      for (int64_t k = 0; k < a.shape[1]; ++k)
        product.at({i, j}) += a.at({i, k}) * b.at({k, j});
  return product;
}

Array stepOf(const Array &x, int64_t step) {
  Array part(Shape(x.shape.begin() + 1, x.shape.end()), x.element);
  std::copy_n(x.values.begin() + step * part.size(), part.size(), part.values.begin());
  return part;
}

void setStep(Array &x, int64_t step, const Array &part) {
  std::copy(part.values.begin(), part.values.end(), x.values.begin() + step * part.size());
}

} // namespace formwork::test
