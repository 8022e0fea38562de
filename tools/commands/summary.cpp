// formwork summary
#include "tools/Cost.h"
#include "tools/commands/Commands.h"
#include "tools/commands/CompileArguments.h"
#include "tools/commands/Session.h"

#include "frontend/Diagnostics.h"
#include "frontend/Model.h"

#include "llvm/Support/FormatVariadic.h"

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <memory>

using namespace mlir;

namespace formwork {

static const char *examples = R"(Example:
  formwork summary digits.keras
Layers as model.summary() shows them; then what the compiled model costs on this machine: the
arithmetic of one sample, the machine code, and the arena, which is all the scratch memory a call
needs.)";

//===--- layers ----------------------------------------------------------------------------------

/// 1234567 as 1,234,567.
static std::string grouped(int64_t number) {
  std::string digits = std::to_string(number);
  for (int64_t at = int64_t(digits.size()) - 3; at > (number < 0); at -= 3)
    digits.insert(at, ",");
  return digits;
}

/// (None, 32), as Python prints it; of several outputs, all.
static std::string shapesOf(const LayerSummary &layer) {
  auto size = [](int64_t size) { return size < 0 ? std::string("None") : std::to_string(size); };
  auto shape = [&](ArrayRef<int64_t> sizes) {
    return "(" + llvm::join(llvm::map_range(sizes, size), ", ") + (sizes.size() == 1 ? ",)" : ")");
  };
  return llvm::join(llvm::map_range(layer.outputShapes, shape), ", ");
}

static void printLayers(const ImportedModel &model, raw_ostream &out) {
  constexpr const char *row = "{0,-36} {1,-28} {2,12}\n";
  const std::string line = std::string(78, '-') + "\n";
  out << llvm::formatv(row, "Layer (type)", "Output shape", "Parameters") << line;
  int64_t all = 0, trainable = 0;
  for (const LayerSummary &layer : model.layers) {
    out << llvm::formatv(row, formwork::quoted(layer.name) + " (" + layer.className + ")",
                         shapesOf(layer), grouped(layer.parameters));
    all += layer.parameters;
    trainable += layer.trainable;
  }
  out << line << "Parameters           " << grouped(all) << "\n  trainable          "
      << grouped(trainable) << "\n  not trainable      " << grouped(all - trainable) << "\n";
}

//===--- costs -----------------------------------------------------------------------------------

static void printArenas(const package::Description &description, raw_ostream &out) {
  for (const package::Entry &entry : description.entries)
    for (const package::Concrete &concrete : entry.concretes)
      if (concrete.arenaBytes && concrete.dims)
        out << llvm::formatv("  {0,-18} {1} bytes for a batch of {2}\n", entry.name,
                             grouped(*concrete.arenaBytes), concrete.dims->front());
}

/// Compiles for one sample, and counts.
static LogicalResult printCosts(Session &session, CompileOptions options, raw_ostream &out) {
  options.batch = 1;
  auto flops = predictFlops(session.context, options);
  auto compiled = compileModel(session.context, options);
  if (failed(flops) || failed(compiled))
    return failure();
  if (*flops)
    out << "FLOPs of one sample  " << grouped(**flops) << "\n";
  const auto &object = compiled->artifact.object;
  out << "Machine code         " << grouped(codeSize({object.data(), object.size()}))
      << " bytes for " << compiled->description.target << "\n";
  if (options.train)
    out << "State                " << grouped(compiled->description.stateSize) << " bytes\n";
  out << "Arena\n";
  printArenas(compiled->description, out);
  return success();
}

static LogicalResult summarize(Session &session, const CompileOptions &options, raw_ostream &out) {
  auto model = importModel(session.context, {.path = options.model, .name = options.name});
  if (failed(model))
    return failure();
  out << "Model " << formwork::quoted(options.name) << "\n\n";
  printLayers(*model, out);
  out << "\n";
  return printCosts(session, options, out);
}

void addSummaryCommand(CLI::App &program, int &status) {
  auto options = std::make_shared<CompileOptions>();
  CLI::App *command =
      program.add_subcommand("summary", "Layers, parameters, arithmetic, code and memory");
  command->footer(examples);
  addModel(*command, *options);
  command->add_flag("--train", options->train, "Of the training functions as well");
  addTarget(*command, *options);
  addSettings(*command, *options);
  command->callback([options, &status] {
    options->name = modelName(*options);
    Session session(options->model);
    status = session.status(summarize(session, *options, llvm::outs()));
  });
}

} // namespace formwork
