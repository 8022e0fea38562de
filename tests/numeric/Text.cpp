// Writes a row's functions in textual fw, and generalizes them by inferring their types anew.
#include "tests/numeric/Text.h"
#include "ir/Retyping.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace formwork::test {

std::vector<size_t> differentiatedOperands(const Instance &instance) {
  std::vector<size_t> operands;
  for (auto [i, operand] : llvm::enumerate(instance.operands))
    if (operand.element == "f64")
      operands.push_back(i);
  return operands;
}

namespace {
/// A list of values with their types: of parameters, or of operands of an op.
struct Values {
  std::vector<std::string> names, types;

  void add(std::string name, std::string type) {
    names.push_back(std::move(name));
    types.push_back(std::move(type));
  }
  std::string parameters() const {
    std::string text;
    for (size_t i = 0; i < names.size(); ++i)
      text += llvm::formatv("{0}{1}: {2}", i ? ", " : "", names[i], types[i]);
    return text;
  }
  std::string allNames() const { return llvm::join(names, ", "); }
  std::string allTypes() const { return llvm::join(types, ", "); }
};
} // namespace

static std::string function(const std::string &name, const Values &parameters,
                            const std::string &body, const Values &results) {
  return llvm::formatv("func.func @{0}({1}) -> ({2}) {{\n  {3}\n  return {4} : {2}\n}\n", name,
                       parameters.parameters(), results.allTypes(), body, results.allNames());
}

/// `results` = the gradients of sum(target * seed) with respect to `sources`.
static std::string gradient(const Values &results, const std::string &target,
                            const std::string &seed, const std::string &type,
                            const Values &sources) {
  return llvm::formatv("\n  {0} = fw.gradient {1} seed {2} wrt {3} unconnected_zeros"
                       " : ({4}, {4}, {5}) -> ({5})",
                       results.allNames(), target, seed, sources.allNames(), type,
                       sources.allTypes());
}

/// %h0, ... = the gradients of sum over all k of sum(%gk * %wk) with respect to `sources`.
static std::string curvature(const Values &slopes, const Values &sources, Values &results) {
  std::string text;
  for (auto [k, slope] : llvm::enumerate(slopes.names)) {
    Values parts;
    for (auto [i, type] : llvm::enumerate(sources.types))
      parts.add(llvm::formatv("%h{0}_{1}", k, i), type);
    text += gradient(parts, slope, llvm::formatv("%w{0}", k), slopes.types[k], sources);
    for (size_t i = 0; k && i < parts.names.size(); ++i) {
      std::string sum = parts.names[i] + "_sum";
      text += llvm::formatv("\n  {0} = fw.add {1}, {2} : ({3}, {3}) -> {3}", sum, results.names[i],
                            parts.names[i], parts.types[i]);
      parts.names[i] = sum;
    }
    results = parts;
  }
  return text;
}

std::string functionsOf(const Row &row, const Instance &instance, const std::string &suffix,
                        bool secondOrder) {
  Values parameters, y, sources, slopes;
  for (auto [i, operand] : llvm::enumerate(instance.operands))
    parameters.add(llvm::formatv("%{0}", i), operand.type());
  y.add("%y", instance.result.type());
  std::string body = row.makeBody(instance);
  std::string text = function("forward_" + suffix, parameters, body, y);
  for (auto [k, i] : llvm::enumerate(differentiatedOperands(instance))) {
    sources.add(parameters.names[i], parameters.types[i]);
    slopes.add(llvm::formatv("%g{0}", k), parameters.types[i]);
  }
  if (!row.differentiable || sources.names.empty())
    return text;

  parameters.add("%seed", y.types[0]);
  body += gradient(slopes, "%y", "%seed", y.types[0], sources);
  text += function("slope_" + suffix, parameters, body, slopes);
  if (!secondOrder)
    return text;

  sources.add("%seed", y.types[0]);
  for (auto [k, type] : llvm::enumerate(slopes.types))
    parameters.add(llvm::formatv("%w{0}", k), type);
  Values results;
  body += curvature(slopes, sources, results);
  return text + function("curvature_" + suffix, parameters, body, results);
}

/// Which dimensions of the argument at `position` the row lets be unknown. A 1 stays: it stretches,
/// and `?` never does.
static Type generalize(const Row &row, size_t position, RankedTensorType type) {
  SmallVector<int64_t> shape(type.getShape());
  for (auto [i, size] : llvm::enumerate(shape)) {
    bool unknown = row.general == Row::AllDimensions ||
                   (i == 0 && llvm::is_contained(row.leadingOf, position));
    if (unknown && size != 1)
      size = ShapedType::kDynamic;
  }
  return type.clone(shape);
}

static LogicalResult generalize(func::FuncOp function, const Row &row) {
  SmallVector<Type> types;
  for (auto [i, type] : llvm::enumerate(function.getArgumentTypes()))
    types.push_back(generalize(row, i, cast<RankedTensorType>(type)));
  if (failed(retypeFunction(function, types)))
    return failure();
  // A seed has the type of %y, which is known by now.
  for (GradientOp gradient : function.getOps<GradientOp>())
    gradient.getCotangent().setType(gradient.getTarget().getType());
  return retypeFunction(function, function.front().getArgumentTypes());
}

namespace {
/// Numbers for the unknown sizes of a function: equal sizes of its instance have the same one.
class Symbols {
public:
  /// For a tensor of the instance, as the general function has it.
  DenseI64ArrayAttr of(RankedTensorType general, RankedTensorType instance) {
    SmallVector<int64_t> symbols(general.getRank(), -1);
    for (int64_t i = 0; i < general.getRank(); ++i)
      if (general.isDynamicDim(i))
        symbols[i] = numbers.try_emplace(instance.getDimSize(i), numbers.size()).first->second;
    return DenseI64ArrayAttr::get(general.getContext(), symbols);
  }
  int64_t count() const { return numbers.size(); }

private:
  std::map<int64_t, int64_t> numbers;
};
} // namespace

/// Says which sizes of `general` are the same, as a front end does. Returns how many there are.
static int64_t nameSizes(func::FuncOp general, func::FuncOp instance) {
  Symbols symbols;
  auto of = [&](Type type, Type known) {
    return symbols.of(cast<RankedTensorType>(type), cast<RankedTensorType>(known));
  };
  for (auto [i, type] : llvm::enumerate(instance.getArgumentTypes()))
    general.setArgAttr(i, "fw.symbols", of(general.getArgumentTypes()[i], type));
  for (auto [i, type] : llvm::enumerate(instance.getResultTypes()))
    general.setResultAttr(i, "fw.symbols", of(general.getResultTypes()[i], type));
  return symbols.count();
}

LogicalResult addGeneralFunctions(ModuleOp module, const Row &row) {
  int64_t symbols = 0;
  for (auto function : llvm::to_vector(module.getOps<func::FuncOp>())) {
    if (function.getName().starts_with("curvature"))
      continue;
    auto general = function.clone();
    general.setName(("general_" + function.getName()).str());
    module.push_back(general);
    if (failed(generalize(general, row)))
      return failure();
    symbols = std::max(symbols, nameSizes(general, function));
  }
  module->setAttr("fw.symbols", Builder(module.getContext()).getI64IntegerAttr(symbols));
  return success();
}

} // namespace formwork::test
