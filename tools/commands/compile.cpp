// formwork compile
#include "codegen/package/Files.h"
#include "codegen/package/Package.h"
#include "codegen/package/SourcePackage.h"
#include "tools/commands/Commands.h"
#include "tools/commands/CompileArguments.h"
#include "tools/commands/Session.h"

#include "llvm/ADT/StringSwitch.h"

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <memory>

using namespace mlir;

namespace formwork {

namespace {
struct Arguments {
  CompileOptions options;
  std::string output, emit = "exe", weights = "embed";
};
} // namespace

static const char *examples = R"(Examples:
  formwork compile digits.keras -o digits
      A program with `predict`, `evaluate`, `bench` and `summary`.
  formwork compile digits.json -o digits --train --signature 'image:f32[32,64]'
      One that trains as well, from fresh weights; batches of 32 have code of their own.
  formwork compile digits.keras -o libdigits.a --emit=static
      An inference library that needs no runtime, and its header digits.h.
  formwork compile digits.keras -o digits_source --emit=cpp --train
      The same as C++ that you may read and own, with a CMakeLists.txt.
  formwork compile digits.keras -o libdigits.so --emit=shared --target=host,cuda:sm_80,cuda:sm_90
      A library that runs on GPUs, and on the CPU where there is none.
  formwork compile digits.keras -o libdigits.a --emit=static --weights=external
      Weights apart from the code: the library stays when a model is trained anew.
  formwork compile digits.keras --emit=fw --train --optimizer=sgd --learning-rate=0.1
      The training functions, gradients and all, as the compiler sees them.)";

static Stage stageOf(StringRef emit) {
  return llvm::StringSwitch<Stage>(emit)
      .Case("fw", Stage::Fw)
      .Case("linalg", Stage::Linalg)
      .Case("kernels", Stage::Kernels)
      .Case("llvm", Stage::Llvm)
      .Default(Stage::Object);
}

static package::Kind kindOf(StringRef emit) {
  return llvm::StringSwitch<package::Kind>(emit)
      .Case("static", package::Kind::StaticLibrary)
      .Case("shared", package::Kind::SharedLibrary)
      .Case("obj", package::Kind::Object)
      .Default(package::Kind::Program);
}

static bool writesToStandardOutput(const Arguments &arguments) {
  return arguments.output.empty() || arguments.output == "-";
}

/// Whether an accelerator has a text of that name.
static bool isAcceleratorText(StringRef emit) {
  return llvm::any_of(
      targets(), [&](const Target *target) { return llvm::is_contained(target->texts(), emit); });
}

static TargetChoice chosenTarget(const Arguments &arguments) {
  std::string problem;
  return *chooseTarget(arguments.options.target, problem);
}

/// Whether what is to be written fits the machines that were named.
static llvm::Error checkEmit(const Arguments &arguments) {
  const Target *accelerator = chosenTarget(arguments).accelerator;
  if (isAcceleratorText(arguments.emit) &&
      !(accelerator && llvm::is_contained(accelerator->texts(), arguments.emit)))
    return llvm::createStringError("--emit=" + arguments.emit + " needs a GPU in --target, as in " +
                                   "--target=cuda:sm_90");
  if (accelerator && (arguments.emit == "cpp" || arguments.emit == "llvm"))
    return llvm::createStringError("--emit=" + arguments.emit +
                                   " is about the CPU's code: leave GPUs out of --target");
  return llvm::Error::success();
}

/// One file of the accelerator's text goes to a file or to standard output, several to a folder.
static int printAcceleratorText(Session &session, const Arguments &arguments) {
  auto files = printAccelerated(session.context, arguments.options, arguments.emit);
  if (failed(files))
    return session.status(failure());
  if (writesToStandardOutput(arguments)) {
    llvm::outs() << files->front().text;
    return 0;
  }
  if (files->size() > 1) {
    package::addFileList(*files);
    return report(package::writeFolder(arguments.output, *files));
  }
  package::Outputs outputs;
  if (llvm::Error error = outputs.write(arguments.output, files->front().text))
    return report(std::move(error));
  return report(outputs.commit());
}

static int printText(Session &session, const Arguments &arguments, Stage stage) {
  if (writesToStandardOutput(arguments))
    return session.status(printStage(session.context, arguments.options, stage, llvm::outs()));
  std::string text;
  llvm::raw_string_ostream out(text);
  if (int status = session.status(printStage(session.context, arguments.options, stage, out)))
    return status;
  package::Outputs outputs;
  if (llvm::Error error = outputs.write(arguments.output, text))
    return report(std::move(error));
  return report(outputs.commit());
}

/// Whether a file can be made at `path`: told before the work, not after it.
static llvm::Error checkWritable(StringRef path) {
  package::Outputs attempt;
  return attempt.reserve(path).takeError();
}

static std::vector<SourceFile> sourceFiles(const CompiledModel &compiled,
                                           const Arguments &arguments) {
  package::SourceOptions options;
  options.machineOption = chosenTarget(arguments).host.option.str();
  return package::sourcePackage(compiled.description, compiled.source, options);
}

static bool makesFolder(const Arguments &arguments) {
  return arguments.emit == "cpp" || arguments.emit == "cuda";
}

static int compile(Arguments &arguments) {
  if (int status = report(checkEmit(arguments)))
    return status;
  arguments.options.source = arguments.emit == "cpp";
  arguments.options.weightsOutside = arguments.weights == "external";
  if (!writesToStandardOutput(arguments))
    if (int status = report(makesFolder(arguments) ? package::checkFolder(arguments.output)
                                                   : checkWritable(arguments.output)))
      return status;
  arguments.options.name = modelName(arguments.options);
  Session session(arguments.options.model);
  Stage stage = stageOf(arguments.emit);
  if (isAcceleratorText(arguments.emit))
    return printAcceleratorText(session, arguments);
  if (stage != Stage::Object)
    return printText(session, arguments, stage);
  auto compiled = compileModel(session.context, arguments.options);
  if (failed(compiled))
    return session.status(failure());
  if (arguments.options.source)
    return report(package::writeFolder(arguments.output, sourceFiles(*compiled, arguments)));
  return report(package::writePackage(kindOf(arguments.emit), arguments.output,
                                      compiled->description, compiled->objects(), compiled->triple,
                                      libraryFolder()));
}

void addCompileCommand(CLI::App &program, int &status) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App *command = program.add_subcommand(
      "compile", "Make a program, a library or a look at the compiler's stages");
  command->footer(examples);
  addModel(*command, arguments->options);
  command
      ->add_option("-o,--output", arguments->output,
                   "What is written; a library's header NAME.h is put beside it")
      ->option_text("FILE");
  command
      ->add_option("--emit", arguments->emit,
                   "exe (default); static, shared, obj: for your program to link, with a header; "
                   "cpp: a folder of C++17 source, to read, keep and build with any compiler; "
                   "cuda, ptx: a GPU's kernels as a folder of source, as assembly; "
                   "fw, linalg, kernels, llvm: "
                   "text of a stage; these texts go to stdout without -o")
      ->option_text("KIND")
      ->check(CLI::IsMember({"exe", "static", "shared", "obj", "cpp", "cuda", "ptx", "fw", "linalg",
                             "kernels", "llvm"}));
  command->add_flag("--train", arguments->options.train,
                    "Compile training as well: train_step, evaluate_step, gradients, apply, init");
  command
      ->add_flag("--sample-weights", arguments->options.sampleWeights,
                 "With --train: what trains and evaluates also takes a weight for each sample, "
                 "by which its loss is multiplied and its weighted_metrics count")
      ->needs("--train");
  command->add_flag("--input-gradients", arguments->options.inputGradients,
                    "Compile input_gradients as well: from gradients of the outputs to those of "
                    "the inputs; with --train also loss_input_gradients, those of the loss");
  command
      ->add_option("--name", arguments->options.name,
                   "Begins each exported name and is the header's; the file's name if not given")
      ->option_text("NAME");
  command
      ->add_option("--seed", arguments->options.seed,
                   "Of fresh weights that are embedded: bare JSON without --train")
      ->option_text("N");
  command
      ->add_option("--weights", arguments->weights,
                   "embed (default); external: a library's weights are NAME_weights.bin beside it, "
                   "for your program to read or map, and a program is told --weights FILE")
      ->option_text("WHERE")
      ->check(CLI::IsMember({"embed", "external"}));
  command
      ->add_option("--fold-embeddings", arguments->options.foldEmbeddings,
                   "Multiply tables of embeddings by the kernel that follows ahead of time, for "
                   "inference, where that adds at most so many bytes of weights; what it adds is "
                   "told")
      ->option_text("BYTES")
      ->check(CLI::NonNegativeNumber)
      ->excludes("--train");
  command->add_flag_callback(
      "--resources", [arguments] { arguments->options.report = &llvm::errs(); },
      "Tell what each kernel takes of a GPU: registers, shared memory, what is spilled");
  addTarget(*command, arguments->options);
  addSettings(*command, arguments->options);
  command->callback([arguments, &status] {
    if (arguments->output.empty() && stageOf(arguments->emit) == Stage::Object &&
        !isAcceleratorText(arguments->emit))
      throw CLI::RequiredError("-o");
    status = compile(*arguments);
  });
}

} // namespace formwork
