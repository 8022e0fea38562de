// formwork plot
//
// Graphviz is run as the program `dot`, not linked: its library would bring a stack of graphics
// libraries to every compilation, and a name that makes it fail would take the compiler with it.
#include "tools/Dot.h"
#include "tools/commands/Commands.h"
#include "tools/commands/CompileArguments.h"
#include "tools/commands/Session.h"

#include "codegen/package/Files.h"
#include "frontend/Model.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <memory>

using llvm::StringRef;

namespace formwork {

namespace {
struct PlotArguments {
  CompileOptions options;
  std::string output, direction = "TB";
};
} // namespace

static const char *examples = R"(Examples:
  formwork plot digits.keras -o digits.svg
  formwork plot digits.keras -o digits.dot       for Graphviz, which is then not needed here
The picture of plot_model with shapes; models inside the model are drawn in frames.)";

static StringRef formatOf(StringRef path) { return llvm::sys::path::extension(path).drop_front(); }

static std::string checkFormat(const std::string &path) {
  StringRef extension = llvm::sys::path::extension(path);
  if (llvm::is_contained({".svg", ".png", ".pdf", ".dot"}, extension))
    return "";
  return "'" + path + "' should end in .svg, .png, .pdf or .dot, which says what is drawn";
}

static llvm::Expected<std::string> findDot() {
  if (auto path = llvm::sys::findProgramByName("dot"))
    return *path;
  return llvm::createStringError("drawing needs Graphviz, whose program 'dot' is not in PATH; "
                                 "install it (apt install graphviz), or write a .dot file");
}

/// Has Graphviz draw `text` into the file `output`.
static llvm::Error runDot(const std::string &dot, StringRef text, StringRef format,
                          const std::string &output) {
  llvm::SmallString<128> input, said;
  if (std::error_code code = llvm::sys::fs::createTemporaryFile("formwork", "dot", input))
    return llvm::createStringError(code, "cannot make a temporary file: " + code.message());
  llvm::FileRemover removeInput(input);
  if (std::error_code code = llvm::sys::fs::createTemporaryFile("formwork", "txt", said))
    return llvm::createStringError(code, "cannot make a temporary file: " + code.message());
  llvm::FileRemover removeSaid(said);
  std::error_code code;
  {
    llvm::raw_fd_ostream stream(input, code);
    stream << text;
    stream.close();
    if (stream.has_error())
      code = stream.error(), stream.clear_error();
  }
  if (code)
    return llvm::createStringError(code, "cannot write '" + input + "': " + code.message());
  std::string typed = ("-T" + format).str(), problem;
  std::optional<StringRef> redirects[] = {StringRef(), StringRef(said), StringRef(said)};
  if (llvm::sys::ExecuteAndWait(dot, {dot, typed, "-o", output, input}, std::nullopt, redirects, 0,
                                0, &problem) == 0)
    return llvm::Error::success();
  if (auto message = llvm::MemoryBuffer::getFile(said))
    problem += (*message)->getBuffer().trim().str();
  return llvm::createStringError("Graphviz cannot draw this: " + problem);
}

/// `dot` is empty for Graphviz's own language.
static llvm::Error drawTo(const PlotArguments &arguments, const std::string &dot, StringRef text) {
  package::Outputs outputs;
  if (dot.empty()) {
    if (llvm::Error error = outputs.write(arguments.output, text))
      return error;
    return outputs.commit();
  }
  auto temporary = outputs.reserve(arguments.output);
  if (!temporary)
    return temporary.takeError();
  if (llvm::Error error = runDot(dot, text, formatOf(arguments.output), *temporary))
    return error;
  return outputs.commit();
}

static int plot(const PlotArguments &arguments) {
  std::string dot;
  if (formatOf(arguments.output) != "dot") {
    auto found = findDot();
    if (!found)
      return report(found.takeError());
    dot = *found;
  }
  Session session(arguments.options.model);
  auto model = importModel(session.context, {.path = arguments.options.model, .name = ""});
  if (failed(model))
    return session.status(mlir::failure());
  return report(drawTo(arguments, dot, printDot(model->diagram, arguments.direction)));
}

void addPlotCommand(CLI::App &program, int &status) {
  auto arguments = std::make_shared<PlotArguments>();
  CLI::App *command = program.add_subcommand("plot", "Draw the layers and their shapes");
  command->footer(examples);
  addModel(*command, arguments->options);
  command
      ->add_option("-o,--output", arguments->output,
                   "The picture; its ending says the kind: .svg, .png, .pdf, .dot")
      ->option_text("FILE")
      ->required()
      ->check(checkFormat);
  command
      ->add_option("--rankdir", arguments->direction,
                   "Where the lines lead: TB, from top to bottom (default), LR, BT or RL")
      ->option_text("TB|LR|BT|RL")
      ->check(CLI::IsMember({"TB", "LR", "BT", "RL"}));
  command->callback([arguments, &status] { status = plot(*arguments); });
}

} // namespace formwork
