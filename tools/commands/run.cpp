// formwork train, evaluate, predict, convert and bench: a program is compiled, unless it was
// before, and run.
//
// Options that the program has are its own; they are read here only to pass them on, and to refuse
// what it would refuse before anything is compiled.
#include "codegen/package/Package.h"
#include "runtime/Error.h"
#include "runtime/app/Options.h"
#include "runtime/data/Dataset.h"
#include "runtime/io/File.h"
#include "tools/Cache.h"
#include "tools/commands/Commands.h"
#include "tools/commands/CompileArguments.h"
#include "tools/commands/Session.h"

#include "llvm/Support/FileSystem.h"

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <memory>
#include <unistd.h>

using namespace mlir;

namespace formwork {

namespace {
/// One of the commands.
struct Row {
  const char *name, *help, *examples;
  bool trains; ///< Needs the training functions.
};

struct Arguments {
  CompileOptions options;
  std::vector<std::string> forwarded; ///< After the program's name.
};
} // namespace

static constexpr Row rows[] = {
    {"train", "Train a model on data, as Keras's fit does",
     R"(Examples:
  formwork train digits.keras --data train.npz --epochs 10 -o trained.keras
  formwork train digits.json --data train.npz --validation-split 0.2 --optimizer adam \
      --loss sparse_categorical_crossentropy --metrics accuracy -o trained.keras
The model is compiled once for this batch size and machine; the next run begins at once.)",
     true},
    {"evaluate", "Loss and metrics of a model over data",
     R"(Example:
  formwork evaluate trained.keras --data test.npz)",
     true},
    {"predict", "Outputs of a model for inputs",
     R"(Example:
  formwork predict trained.keras --input images.npy -o predictions.npy)",
     false},
    {"convert", "A model and its weights as a .keras archive, .safetensors or .npz",
     R"(Examples:
  formwork convert digits.h5 -o digits.keras
  formwork convert digits.keras -o weights.npz
  formwork convert digits.json --weights weights.npz -o digits.keras
Arrays of .safetensors and .npz are called as variables are: layer/variable, as in dense/kernel, and
optimizer/layer/variable/slot. What is missing of the optimizer is as in the beginning.)",
     true},
    {"bench", "How fast a model runs on this machine",
     R"(Examples:
  formwork bench digits.keras --batch-size 32
  formwork bench digits.keras --train --batch-size 32 --json
  formwork bench digits.keras --train --profile
With --profile, which layers and kernels take how much of the time, at how many GF/s and GB/s, beside
what this machine can do at most.)",
     false},
};

/// Compiles the program if the cache has it not.
static int ensureProgram(const CompileOptions &options, const std::string &path) {
  if (llvm::sys::fs::can_execute(path))
    return 0;
  Session session(options.model);
  auto compiled = compileModel(session.context, options);
  if (failed(compiled))
    return session.status(failure());
  return report(package::writePackage(package::Kind::Program, path, compiled->description,
                                      compiled->objects(), compiled->triple, libraryFolder()));
}

/// Becomes the program.
static int run(const std::string &path, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), path);
  std::vector<char *> words;
  for (std::string &argument : arguments)
    words.push_back(argument.data());
  words.push_back(nullptr);
  llvm::outs().flush();
  execv(path.c_str(), words.data());
  return report(llvm::createStringError(std::error_code(errno, std::generic_category()),
                                        "cannot run '" + path + "'"));
}

/// What the program would say of its files, before it is compiled: it reads and writes them later.
static llvm::Error checkFiles(const CLI::App &command) {
  runtime::Mistakes mistakes;
  for (const char *name : {"--data", "--input", "--validation-data", "--weights"})
    if (const CLI::Option *option = command.get_option_no_throw(name))
      for (const std::string &file : option->results())
        mistakes.gather([&] { runtime::checkReadable(file); });
  if (const CLI::Option *option = command.get_option_no_throw("--output"))
    for (const std::string &file : option->results())
      mistakes.gather([&] { runtime::checkWritable(file); });
  try {
    mistakes.raise();
    return llvm::Error::success();
  } catch (const runtime::Error &error) {
    return llvm::createStringError(error.what());
  }
}

/// A model without optimizer and loss has weights alone to convert.
static int chooseTraining(CompileOptions &options) {
  Session session(options.model);
  auto model = importModel(session.context, {.path = options.model, .name = options.name});
  if (failed(model))
    return session.status(failure());
  options.train = !model->compileConfig.empty() || !options.settings.empty();
  return 0;
}

static int compileAndRun(Arguments &arguments) {
  arguments.options.name = modelName(arguments.options);
  if (arguments.forwarded.front() == "convert")
    if (int status = chooseTraining(arguments.options))
      return status;
  auto path = cachedProgramPath(arguments.options, libraryFolder());
  if (!path)
    return report(path.takeError());
  if (int status = ensureProgram(arguments.options, *path))
    return status;
  return run(*path, arguments.forwarded);
}

/// The program's options, with its own help texts.
static void addForwarded(CLI::App &command, const Row &row) {
  for (const runtime::OptionText &text : runtime::optionTexts(row.name)) {
    std::string names = "--" + std::string(text.name);
    if (text.letter)
      names = std::string("-") + text.letter + "," + names;
    std::string help = text.help;
    std::replace(help.begin(), help.end(), '\n', ' ');
    CLI::Option *option =
        text.argument
            ? command.add_option(names)->option_text(text.argument)->expected(1)->take_all()
            : command.add_flag(names);
    option->description(help)->group("What the program does");
  }
}

/// What was given of the program's options, as it was given.
static std::vector<std::string> forwarded(const CLI::App &command, const Row &row) {
  std::vector<std::string> result{row.name};
  for (const runtime::OptionText &text : runtime::optionTexts(row.name)) {
    std::string name = "--" + std::string(text.name);
    const CLI::Option *option = command.get_option(name);
    for (const std::string &value : option->results())
      result.push_back(text.argument ? name + "=" + value : name);
  }
  return result;
}

/// The size that gets code of its own: the one batches will have.
static int64_t batchSize(const CLI::App &command) {
  const CLI::Option *option = command.get_option_no_throw("--batch-size");
  return option && option->count() ? option->as<int64_t>() : runtime::Options().batchSize;
}

/// Whether the program is to take weights of samples: those of the data, or of the labels.
static bool needsSampleWeights(const CLI::App &command) {
  const CLI::Option *classes = command.get_option_no_throw("--class-weight");
  if (classes && classes->count())
    return true;
  for (const char *name : {"--data", "--validation-data"})
    if (const CLI::Option *option = command.get_option_no_throw(name))
      if (runtime::holdSampleWeights(option->results()))
        return true;
  return false;
}

/// Whether the program is to tell where its time goes, for which it is compiled otherwise.
static bool isProfiled(const CLI::App &command) {
  const CLI::Option *option = command.get_option_no_throw("--profile");
  return option && option->count();
}

static void addRunCommand(CLI::App &program, int &status, const Row &row) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App *command = program.add_subcommand(row.name, row.help);
  command->footer(row.examples);
  addModel(*command, arguments->options);
  arguments->options.train = row.trains;
  if (std::string_view(row.name) == "bench")
    command->add_flag("--train", arguments->options.train, "Time training as well");
  addForwarded(*command, row);
  addTarget(*command, arguments->options);
  addSettings(*command, arguments->options);
  command->callback([arguments, command, &row, &status] {
    arguments->options.batch = batchSize(*command);
    arguments->options.sampleWeights = row.trains && needsSampleWeights(*command);
    arguments->options.profile = isProfiled(*command);
    arguments->forwarded = forwarded(*command, row);
    status = report(checkFiles(*command));
    if (!status)
      status = compileAndRun(*arguments);
  });
}

void addRunCommands(CLI::App &program, int &status) {
  for (const Row &row : rows)
    addRunCommand(program, status, row);
}

} // namespace formwork
