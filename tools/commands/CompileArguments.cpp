// Options that several subcommands share.
#include "tools/commands/CompileArguments.h"

#include "codegen/source/Names.h"

#include "llvm/Support/Path.h"

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

namespace formwork {

void addModel(CLI::App &command, CompileOptions &options) {
  command
      .add_option("MODEL", options.model,
                  "A .keras archive or .h5 file, or the JSON of model.to_json(): fresh weights")
      ->required()
      ->option_text(" ");
}

void addSettings(CLI::App &command, CompileOptions &options) {
  const char *group = "In place of what model.compile() had";
  auto add = [&](const char *name, std::string &value, const char *text, const char *help) {
    command.add_option(name, value, help)->option_text(text)->group(group);
  };
  add("--optimizer", options.settings.optimizer, "NAME",
      "One of Keras's by its name (adam, adamw, rmsprop, ...), or Keras's JSON of one with its "
      "settings; `formwork ops` has the names of all");
  add("--loss", options.settings.loss, "NAME",
      "mse, sparse_categorical_crossentropy, ..., or Keras's JSON");
  add("--metrics", options.settings.metrics, "NAMES", "Such as accuracy,mae");
  command.add_option("--learning-rate", options.settings.learningRate, "A constant one")
      ->option_text("RATE")
      ->check(CLI::PositiveNumber)
      ->group(group);
}

void addTarget(CLI::App &command, CompileOptions &options) {
  command
      .add_option("--target", options.target,
                  "The machines it is to run on: host (this one) or others of `formwork targets`, "
                  "with commas between")
      ->option_text("TARGETS")
      ->check([](const std::string &names) {
        std::string problem;
        chooseTarget(names, problem);
        return problem;
      });
  command.add_flag("--tf32", options.tf32,
                   "Let GPUs multiply float32 as TF32, with 10 bits of mantissa: faster");
  command
      .add_option("--accept-spills", options.acceptedSpills,
                  "Kernels for GPUs that may keep registers in memory; compiling fails on others "
                  "that would be slow by it")
      ->option_text("KERNELS")
      ->delimiter(',');
  command
      .add_option("--signature", options.signatures,
                  "Sizes to compile a concrete function for, beside the one for any size: "
                  "'x:f32[32,784]', several inputs in one signature with spaces between. May be "
                  "given several times")
      ->option_text("SIGNATURE")
      ->expected(1)
      ->take_all();
  command
      .add_option("--max-arena", options.maxArena,
                  "Refuse if a concrete function needs more scratch memory than this")
      ->option_text("BYTES")
      ->check(CLI::NonNegativeNumber);
}

std::string modelName(const CompileOptions &options) {
  return source::identifier(options.name.empty() ? llvm::sys::path::stem(options.model)
                                                 : llvm::StringRef(options.name));
}

} // namespace formwork
