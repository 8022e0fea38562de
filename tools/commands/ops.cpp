// formwork ops: what this build can do, printed from its registries.
#include "tools/commands/Commands.h"
#include "tools/commands/Session.h"

#include "frontend/keras/Registry.h"
#include "ir/Dialect.h"
#include "passes/training/Registry.h"
#include "tools/Dialects.h"

#include "llvm/Support/FormatVariadic.h"

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

using namespace mlir;

namespace formwork {

/// The dialect's reference, as TableGen writes it from the ops' records.
static constexpr char reference[] =
#include "tools/OpReference.inc"
    ;

/// The summary in an op's record: the line in italics below its heading.
static StringRef summaryOf(StringRef op) {
  StringRef text = reference;
  size_t heading = text.find(("### `" + op + "`").str());
  if (heading == StringRef::npos)
    return "";
  StringRef section = text.drop_front(heading).split("\n").second.ltrim();
  return section.consume_front("_") ? section.split("_\n").first : "";
}

static void printList(raw_ostream &out, StringRef title, ArrayRef<StringRef> names) {
  out << title << "\n";
  size_t column = 0;
  for (StringRef name : names) {
    if (column == 0 || column + name.size() > 76) {
      out << (column ? "\n  " : "  ");
      column = 2;
    }
    out << name << " ";
    column += name.size() + 1;
  }
  out << "\n\n";
}

static void printOps(raw_ostream &out, MLIRContext &context) {
  out << "Ops of the fw dialect (g: has a gradient)\n";
  for (RegisteredOperationName op : fwOps(context))
    out << llvm::formatv("  {0,-32} {1}  {2}\n", op.getStringRef(),
                         op.hasInterface<DifferentiableOp>() ? "g" : " ",
                         summaryOf(op.getStringRef()));
}

void addOpsCommand(CLI::App &program, int &status) {
  CLI::App *command =
      program.add_subcommand("ops", "The layers and operations that this build knows");
  command->callback([&status] {
    Session session("ops");
    printList(llvm::outs(), "Keras layers", keras::supportedLayers());
    printList(llvm::outs(), "Optimizers", optimizerNames());
    printList(llvm::outs(), "Learning rate schedules", scheduleNames());
    printList(llvm::outs(), "Losses", lossNames());
    printList(llvm::outs(), "Metrics", metricNames());
    printList(llvm::outs(), "Initializers", initializerNames());
    printList(llvm::outs(), "Regularizers", regularizerNames());
    printList(llvm::outs(), "Constraints", constraintNames());
    printOps(llvm::outs(), session.context);
    status = 0;
  });
}

} // namespace formwork
