// Rows and the shapes many of them share.
#include "tests/numeric/Table.h"

namespace formwork::test {

/// $0, $1, ... and $y replaced by the types of operands and result.
static std::string withTypes(const std::string &text, const Instance &instance) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '$')
      result += text[i];
    else if (text[++i] == 'y')
      result += instance.result.type();
    else
      result += instance.operands.at(text[i] - '0').type();
  }
  return result;
}

Row &Row::body(std::string text) {
  return body([text](const Instance &) { return text; });
}

Row &Row::body(std::function<std::string(const Instance &)> make) {
  makeBody = [make](const Instance &instance) { return withTypes(make(instance), instance); };
  return *this;
}

Row &Row::reference(std::function<Array(const Arrays &)> compute) {
  makeReference = std::move(compute);
  return *this;
}

Row &Row::range(double low, double high) {
  for (Operand &kind : operandKinds)
    kind.low = low, kind.high = high;
  return *this;
}

Row &Row::operand(size_t position, Operand kind) {
  while (operandKinds.size() <= position)
    operandKinds.push_back(operandKinds.back());
  operandKinds[position] = std::move(kind);
  return *this;
}

Row &Row::noGradient() {
  differentiable = false;
  return *this;
}

Row &Row::generalIn(std::vector<size_t> operands) {
  general = LeadingDimension;
  leadingOf = std::move(operands);
  return *this;
}

Row &Row::notGeneral() {
  general = NotGeneral;
  return *this;
}

Row &Table::row(std::string name, std::vector<Shapes> shapes) {
  all.emplace_back();
  all.back().name = std::move(name);
  all.back().shapes = std::move(shapes);
  return all.back();
}

std::string list(const std::vector<int64_t> &values) {
  std::string text = "[";
  for (size_t i = 0; i < values.size(); ++i)
    text += (i ? ", " : "") + std::to_string(values[i]);
  return text + "]";
}

std::vector<Shapes> unaryShapes() {
  return {{{3, 4}}, {{2, 3, 5}}, {{7}},       {{1, 5}},   {{}},
          {{1}},    {{0}},       {{2, 0, 3}}, {{13, 11}}, {{5, 1, 2}}};
}

std::vector<Shapes> binaryShapes() {
  return {{{3, 1}, {4}},       {{2, 3, 5}, {3, 1}}, {{7}, {2, 7}},         {{3, 4}, {3, 4}},
          {{}, {5}},           {{2, 3}, {}},        {{1}, {1, 1}},         {{0}, {1}},
          {{2, 1, 3}, {0, 1}}, {{13, 11}, {1, 11}}, {{5, 1, 2}, {1, 3, 1}}};
}

std::vector<Shapes> ternaryShapes() {
  return {{{3, 1}, {4}, {3, 4}},   {{3, 4}, {3, 1}, {}}, {{2, 3, 5}, {3, 1}, {5}},
          {{7}, {7}, {7}},         {{}, {}, {}},         {{}, {2, 3}, {1, 3}},
          {{1}, {1, 1}, {5}},      {{0}, {1}, {0}},      {{3, 0}, {1}, {2, 1, 1}},
          {{13}, {11, 1}, {1, 13}}};
}

const Table &table() {
  static const Table all = [] {
    Table table;
    addElementwiseRows(table);
    addLinearRows(table);
    addConvolutionRows(table);
    addPoolingRows(table);
    addSlicingRows(table);
    addIndexingRows(table);
    addNormalizationRows(table);
    addRandomRows(table);
    addShapeRows(table);
    addReductionRows(table);
    addLossRows(table);
    addSeamRows(table);
    addControlRows(table);
    return table;
  }();
  return all;
}

} // namespace formwork::test
