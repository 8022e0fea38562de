// Reads which buffers the functions of a module take while it still says so, then compiles them.
#include "tests/numeric/TrainedModel.h"
#include "passes/Passes.h"

#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

using namespace mlir;

namespace formwork::test {

/// An array of this type; unknown sizes are 0, to be replaced by what the caller gives.
static Array blankOf(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  Shape shape;
  for (int64_t size : tensor.getShape())
    shape.push_back(ShapedType::isDynamic(size) ? 0 : size);
  std::string element;
  llvm::raw_string_ostream(element) << tensor.getElementType();
  return Array(shape, element);
}

/// "target head" for a buffer, the variable's name for a variable.
static std::string nameOf(DictionaryAttr attributes) {
  if (auto variable = attributes.getAs<FlatSymbolRefAttr>("fw.variable"))
    return variable.getValue().str();
  return (attributes.getAs<StringAttr>("fw.role").getValue() + " " +
          attributes.getAs<StringAttr>("fw.name").getValue())
      .str();
}

TrainedModel::TrainedModel(const std::string &text, const std::set<std::string> &functions)
    : context(makeContext()) {
  auto module = parseSourceString<ModuleOp>(text, context.get());
  PassManager pipeline(context.get());
  buildModelPipeline(pipeline);
  if (!module || failed(pipeline.run(*module))) {
    ADD_FAILURE() << text;
    return;
  }
  for (auto function : llvm::make_early_inc_range(module->getOps<func::FuncOp>()))
    if (!functions.count(function.getName().str()))
      function.erase();
  readVariables(*module);
  readSignatures(*module);
  program = makeReferenceExecutor()->compilePure(*module);
}

TrainedModel::~TrainedModel() {
  // The program's code lives in the context's module.
  program.reset();
}

void TrainedModel::readVariables(ModuleOp module) {
  for (auto variable : module.getOps<VariableOp>()) {
    std::string name = variable.getSymName().str();
    order.push_back(name);
    variables[name] = blankOf(variable.getType());
    if (auto path = variable->getAttrOfType<StringAttr>("path"))
      paths[name] = path.getValue().str();
  }
}

void TrainedModel::readSignatures(ModuleOp module) {
  for (auto function : module.getOps<func::FuncOp>()) {
    Signature &signature = signatures[function.getName().str()];
    for (auto [i, type] : llvm::enumerate(function.getArgumentTypes())) {
      DictionaryAttr attributes = function.getArgAttrDict(i);
      signature.arguments.push_back(
          {nameOf(attributes), attributes.contains("fw.variable"), blankOf(type)});
    }
    for (auto [i, type] : llvm::enumerate(function.getResultTypes())) {
      DictionaryAttr attributes = function.getResultAttrDict(i);
      // A variable's result is written to its argument.
      if (!attributes.contains("fw.variable"))
        signature.results.push_back({nameOf(attributes), false, blankOf(type)});
    }
  }
}

Arrays TrainedModel::call(const std::string &function, const Arrays &buffers) {
  const Signature &signature = signatures.at(function);
  std::vector<Array> arguments, results;
  for (const Parameter &parameter : signature.arguments) {
    arguments.push_back(parameter.isVariable ? variables.at(parameter.name)
                                             : buffers.at(parameter.name));
    arguments.back().element = parameter.blank.element;
  }
  for (const Parameter &parameter : signature.results)
    results.push_back(parameter.blank);
  program->call(function, arguments, results);
  Arrays filled;
  for (auto [parameter, value] : llvm::zip_equal(signature.arguments, arguments))
    if (parameter.isVariable)
      variables[parameter.name] = value;
  for (auto [parameter, value] : llvm::zip_equal(signature.results, results))
    filled[parameter.name] = value;
  return filled;
}

} // namespace formwork::test
