// The checks of the numeric table, all in f64.
//
// Tolerances. A reference and a kernel may sum in different orders: with at most 256 terms of
// magnitude 8 the difference is at most n * eps * sum|t| = 256 * 1.1e-16 * 2048 = 5.8e-11.
// A derivative is measured by the fourth-order stencil with h = 1e-4: its truncation error is
// h^4 / 30 = 3e-18 times the fifth derivative, and its rounding error eps / h = 1.1e-12 times the
// magnitude of what varies, which is below 1e3: hence 1e-8, relative to 1 + |slope|.
#include "tests/numeric/Checks.h"
#include "tests/numeric/Text.h"

#include "mlir/Parser/Parser.h"
#include "llvm/Support/FormatVariadic.h"

#include <cmath>
#include <random>

using namespace mlir;

namespace formwork::test {

static constexpr double forwardTolerance = 1e-10, slopeTolerance = 1e-8, step = 1e-4;
/// How many elements of a case are perturbed; all of them if there are no more. Where they are many,
/// each call takes long: fewer, so that about as many elements as this are computed in all.
static constexpr size_t mostPerturbed = 60, fewestPerturbed = 6, elementsInAll = 100'000;

//===--- inputs ----------------------------------------------------------------------------------

/// Floating-point values are a shuffled even grid over the range: no two come close to each other
/// or to zero, so that no perturbation changes which operand wins in maximum or relu.
static void fill(std::vector<Array *> arrays, double low, double high, std::mt19937 &random) {
  std::vector<double *> elements;
  for (Array *array : arrays)
    for (double &element : array->values)
      elements.push_back(&element);
  std::shuffle(elements.begin(), elements.end(), random);
  for (auto [i, element] : llvm::enumerate(elements))
    *element = low + (high - low) * (i + 0.287) / elements.size();
}

static void fillIntegers(Array &array, const Operand &kind, std::mt19937 &random) {
  std::uniform_int_distribution<int64_t> uniform(std::llround(kind.low), std::llround(kind.high));
  for (double &element : array.values)
    element = uniform(random);
}

/// Operands of the same range share a grid.
static void fillOperands(const Row &row, Arrays &operands, std::mt19937 &random) {
  std::map<std::pair<double, double>, std::vector<Array *>> grids;
  for (auto [i, operand] : llvm::enumerate(operands)) {
    const Operand &kind = row.operandKinds[std::min(i, row.operandKinds.size() - 1)];
    operand.element = kind.element;
    if (kind.element[0] == 'i')
      fillIntegers(operand, kind, random);
    else
      grids[{kind.low, kind.high}].push_back(&operand);
  }
  for (auto &[range, arrays] : grids)
    fill(arrays, range.first, range.second, random);
}

/// One function of a row with its inputs, and the weights that make a scalar of what it computes.
struct CompiledRow::Case {
  std::string suffix;
  Instance instance;
  bool secondOrder; ///< Whether the gradient of the gradient is checked.
  /// Cotangent of %y; cotangents of the gradients, one for each operand with a gradient.
  Array seed;
  std::vector<Array> weights;

  std::vector<Array> differentiated() const {
    std::vector<Array> all;
    for (size_t operand : differentiatedOperands(instance))
      all.push_back(instance.operands[operand]);
    return all;
  }
  std::vector<Array> withSeed() const {
    std::vector<Array> all = instance.operands;
    all.push_back(seed);
    return all;
  }
};

bool hasGradient(const Row &row) {
  auto isFloat = [](const Operand &operand) { return operand.element == "f64"; };
  return row.differentiable && llvm::any_of(row.operandKinds, isFloat);
}

std::vector<Check> checksOf(const Row &row) {
  std::vector<Check> checks = {{"agrees_with_the_naive_reference", &CompiledRow::forward}};
  if (hasGradient(row)) {
    checks.push_back({"has_the_gradient_that_differences_measure", &CompiledRow::gradient});
    checks.push_back(
        {"has_the_second_order_gradient_that_differences_measure", &CompiledRow::secondOrder});
  }
  if (row.general != Row::NotGeneral)
    checks.push_back({"computes_the_same_with_unknown_dimensions", &CompiledRow::generalVersion});
  return checks;
}

//===--- compilation -----------------------------------------------------------------------------

CompiledRow::CompiledRow(const Row &row, Executor &executor, MLIRContext &context)
    : row(row), executor(executor) {
  std::string text;
  for (auto [i, shapes] : llvm::enumerate(row.shapes)) {
    std::mt19937 random(i);
    Case &one = cases.emplace_back();
    one.suffix = std::to_string(i);
    for (const Shape &shape : shapes)
      one.instance.operands.emplace_back(shape);
    fillOperands(row, one.instance.operands, random);
    one.instance.result = row.makeReference(one.instance.operands);
    one.seed = one.instance.result;
    one.weights = one.differentiated();
    std::vector<Array *> cotangents = {&one.seed};
    for (Array &weight : one.weights)
      cotangents.push_back(&weight);
    fill(cotangents, -1, 1, random);
    one.secondOrder = i % executor.shapesPerSecondOrder() == 0;
    text += functionsOf(row, one.instance, one.suffix, one.secondOrder);
  }
  llvm::raw_string_ostream said(refusal);
  ScopedDiagnosticHandler listen(&context, [&](Diagnostic &diagnostic) {
    said << "\n  " << diagnostic.getLocation() << ": " << diagnostic;
  });
  auto module = parseSourceString<ModuleOp>(text, &context);
  if (module && (row.general == Row::NotGeneral || succeeded(addGeneralFunctions(*module, row))))
    program = executor.compile(*module);
}

CompiledRow::~CompiledRow() = default;

//===--- checks ----------------------------------------------------------------------------------

Findings CompiledRow::forEachCase(llvm::function_ref<void(Case &, Findings &)> check) {
  if (!program)
    return {row.name + " does not compile:" + refusal};
  Findings all;
  for (Case &one : cases) {
    Findings findings;
    check(one, findings);
    std::string types;
    for (const Array &operand : one.instance.operands)
      types += (types.empty() ? "" : ", ") + operand.type();
    for (const std::string &finding : findings)
      all.push_back(row.name + "(" + types + "): " + finding);
  }
  return all;
}

std::vector<Array> CompiledRow::run(const std::string &function, std::vector<Array> arguments,
                                    std::vector<Array> results) {
  program->call(function, arguments, results);
  return results;
}

/// Equal up to the tolerance; infinities and NaN must be met exactly.
static bool agree(double got, double want, double tolerance) {
  if (std::isnan(want) || std::isinf(want))
    return std::isnan(want) ? std::isnan(got) : got == want;
  return std::abs(got - want) <= tolerance * (1 + std::abs(want));
}

Findings CompiledRow::forward() {
  return forEachCase([&](Case &one, Findings &findings) {
    const Array &want = one.instance.result;
    Array got = run("forward_" + one.suffix, one.instance.operands, {want}).front();
    for (int64_t i = 0; i < want.size(); ++i)
      if (!agree(got.values[i], want.values[i], forwardTolerance))
        findings.push_back(
            llvm::formatv("element {0} is {1}, not {2}", i, got.values[i], want.values[i]));
  });
}

/// A function, and what is said to be the gradient of sum(weights * its results) with respect to
/// the arguments at these positions.
struct CompiledRow::Derivative {
  std::string function;
  std::vector<Array> arguments, results;
  const std::vector<Array> &weights;
  std::vector<size_t> positions;
  std::vector<Array> gradients;
};

/// sum(weights * (above - below)): what did not change contributes nothing, not even rounding.
static double weightedDifference(const std::vector<Array> &weights, const std::vector<Array> &above,
                                 const std::vector<Array> &below) {
  double sum = 0;
  for (size_t i = 0; i < weights.size(); ++i)
    for (int64_t j = 0; j < weights[i].size(); ++j)
      sum += weights[i].values[j] * (above[i].values[j] - below[i].values[j]);
  return sum;
}

/// Some of the elements of the arguments at `positions`, as (which position, element).
static std::vector<std::pair<size_t, size_t>> sample(const std::vector<Array> &arguments,
                                                     const std::vector<size_t> &positions) {
  std::vector<std::pair<size_t, size_t>> all;
  for (auto [i, position] : llvm::enumerate(positions))
    for (int64_t j = 0; j < arguments[position].size(); ++j)
      all.emplace_back(i, j);
  std::mt19937 random(all.size());
  std::shuffle(all.begin(), all.end(), random);
  size_t affordable = elementsInAll / std::max<size_t>(all.size(), 1);
  size_t count = std::clamp(affordable, fewestPerturbed, mostPerturbed);
  all.resize(std::min(all.size(), count));
  return all;
}

void CompiledRow::checkDerivative(const Derivative &derivative, Findings &findings) {
  for (auto [i, element] : sample(derivative.arguments, derivative.positions)) {
    std::vector<Array> arguments = derivative.arguments;
    double &x = arguments[derivative.positions[i]].values[element];
    auto at = [&, middle = x](double offset) {
      x = middle + offset;
      return run(derivative.function, arguments, derivative.results);
    };
    double near = weightedDifference(derivative.weights, at(step), at(-step));
    double far = weightedDifference(derivative.weights, at(2 * step), at(-2 * step));
    double slope = (8 * near - far) / (12 * step);
    double claimed = derivative.gradients[i].values[element];
    if (!agree(claimed, slope, slopeTolerance))
      findings.push_back(llvm::formatv("d/d(argument {0}, element {1}) is {2}, measured {3}",
                                       derivative.positions[i], element, claimed, slope));
  }
}

/// Where a function is not a number (the mean of nothing), it has no slope either.
static bool hasSlope(const Instance &instance) {
  return llvm::none_of(instance.result.values, [](double y) { return std::isnan(y); });
}

Findings CompiledRow::gradient() {
  return forEachCase([&](Case &one, Findings &findings) {
    if (!hasSlope(one.instance))
      return;
    auto gradients = run("slope_" + one.suffix, one.withSeed(), one.differentiated());
    checkDerivative({"forward_" + one.suffix,
                     one.instance.operands,
                     {one.instance.result},
                     {one.seed},
                     differentiatedOperands(one.instance),
                     gradients},
                    findings);
  });
}

Findings CompiledRow::secondOrder() {
  return forEachCase([&](Case &one, Findings &findings) {
    if (!one.secondOrder || !hasSlope(one.instance))
      return;
    std::vector<Array> arguments = one.withSeed(), all = arguments;
    llvm::append_range(all, one.weights);
    std::vector<Array> results = one.differentiated();
    results.push_back(one.seed);
    auto gradients = run("curvature_" + one.suffix, all, results);
    std::vector<size_t> positions = differentiatedOperands(one.instance);
    positions.push_back(one.instance.operands.size());
    checkDerivative(
        {"slope_" + one.suffix, arguments, one.differentiated(), one.weights, positions, gradients},
        findings);
  });
}

void CompiledRow::compareGeneral(const std::string &function, std::vector<Array> arguments,
                                 std::vector<Array> results, Findings &findings) {
  auto want = run(function, arguments, results),
       got = run("general_" + function, arguments, results);
  double tolerance = executor.sumsAlikeWithUnknownSizes() ? 0 : forwardTolerance;
  for (size_t i = 0; i < want.size(); ++i)
    for (int64_t j = 0; j < want[i].size(); ++j)
      if (!agree(got[i].values[j], want[i].values[j], tolerance))
        findings.push_back(llvm::formatv("general {0}, result {1}, element {2} is {3}, not {4}",
                                         function, i, j, got[i].values[j], want[i].values[j]));
}

Findings CompiledRow::generalVersion() {
  return forEachCase([&](Case &one, Findings &findings) {
    compareGeneral("forward_" + one.suffix, one.instance.operands, {one.instance.result}, findings);
    if (hasGradient(row))
      compareGeneral("slope_" + one.suffix, one.withSeed(), one.differentiated(), findings);
  });
}

} // namespace formwork::test
