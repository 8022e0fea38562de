// formwork verify
#include "tools/verify/Verify.h"
#include "tools/commands/Commands.h"
#include "tools/commands/CompileArguments.h"
#include "tools/commands/Session.h"

#include "frontend/Diagnostics.h"

#include "llvm/Support/FormatVariadic.h"

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <memory>

using namespace mlir;

namespace formwork {

static const char *examples = R"(Example:
  formwork verify digits.keras
For each layer, on random data: its outputs and its variables' gradients, as the compiled program
computes them, beside those of an unoptimized one; and the gradients, in float64, beside finite
differences of the loss. All are norms of differences, relative to what is compared with.)";

static std::string cell(std::optional<double> deviation, double limit) {
  if (!deviation)
    return "-";
  return llvm::formatv("{0:e1}{1}", *deviation, *deviation > limit ? " !" : "");
}

static void print(const VerifyReport &report, raw_ostream &out) {
  constexpr const char *row = "{0,-42} {1,10} {2,10} {3,20}\n";
  out << llvm::formatv(row, "Layer (type)", "forward", "gradient", "finite differences")
      << std::string(85, '-') << "\n";
  for (const LayerReport &layer : report.layers)
    out << llvm::formatv(row,
                         formwork::quoted(layer.name) +
                             (layer.className.empty() ? "" : " (" + layer.className + ")"),
                         cell(layer.forward, report.precisionLimit),
                         cell(layer.gradient, report.precisionLimit),
                         cell(layer.differences, report.differencesLimit));
  out << std::string(85, '-') << "\n"
      << llvm::formatv(row, "At most", cell(report.precisionLimit, INFINITY),
                       cell(report.precisionLimit, INFINITY),
                       cell(report.differencesLimit, INFINITY));
}

static LogicalResult verify(Session &session, const VerifyOptions &options, raw_ostream &out) {
  auto report = verifyModel(session.context, options);
  if (failed(report))
    return failure();
  print(*report, out);
  if (report->passed()) {
    out << "\nEvery layer computes what it is defined to compute.\n";
    return success();
  }
  return emitError(UnknownLoc::get(&session.context))
         << "the compiled program deviates where the table has a '!'; unless the model's own "
            "values "
            "are infinite or at a jump there (try another --seed), this is a defect of Formwork: "
            "please report it with the model";
}

void addVerifyCommand(CLI::App &program, int &status) {
  auto options = std::make_shared<VerifyOptions>();
  CLI::App *command =
      program.add_subcommand("verify", "Check the compiled code of each layer on this machine");
  command->footer(examples);
  addModel(*command, options->compile);
  command->add_option("--batch-size", options->batch, "Samples to check with (8)")
      ->option_text("N")
      ->check(CLI::PositiveNumber);
  command
      ->add_option("--signature", options->compile.signatures, "Sizes to check with: 'x:f32[8,16]'")
      ->option_text("SIGNATURE")
      ->expected(1);
  command->add_option("--seed", options->seed, "Of the data and of fresh weights (0)")
      ->option_text("N");
  addSettings(*command, options->compile);
  command->callback([options, &status] {
    options->compile.name = modelName(options->compile);
    Session session(options->compile.model);
    status = session.status(verify(session, *options, llvm::outs()));
  });
}

} // namespace formwork
