// The caller's buffers do not overlap, so that who touches which can be told by their arguments.
// Buffers of the arena may overlap: what writes there runs by itself.
#include "codegen/host/Runs.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

using namespace mlir;

namespace formwork {

/// The buffer that a view is of.
static Value behindViews(Value buffer) {
  while (auto view = buffer.getDefiningOp<ViewLikeOpInterface>())
    buffer = view.getViewSource();
  return buffer;
}

/// Whether an argument of the function is the caller's: an input, an output or a variable.
static bool isCallers(Value buffer) {
  auto argument = dyn_cast<BlockArgument>(buffer);
  auto function =
      argument ? dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp()) : func::FuncOp();
  return function && !function.getArgAttr(argument.getArgNumber(), "fw.arena");
}

namespace {
/// What the launches of a run touch.
class Touched {
public:
  explicit Touched(LaunchOp first) { add(first); }
  /// Takes the launch in, if it may run beside all others.
  bool admit(LaunchOp launch);
  /// Nothing that comes later may run beside these.
  void close() { open = false; }

private:
  void add(LaunchOp launch);
  static SmallVector<Value> buffersOf(ValueRange operands) {
    return llvm::map_to_vector(operands, behindViews);
  }

  llvm::SmallDenseSet<Value> touched, written;
  bool open = true;
};
} // namespace

void Touched::add(LaunchOp launch) {
  SmallVector<Value> outputs = buffersOf(launch.getOutputs());
  open &= llvm::all_of(outputs, isCallers);
  written.insert_range(outputs);
  touched.insert_range(outputs);
  touched.insert_range(buffersOf(launch.getInputs()));
}

bool Touched::admit(LaunchOp launch) {
  auto isFree = [&](Value output) { return isCallers(output) && !touched.contains(output); };
  auto isWritten = [&](Value input) { return written.contains(input); };
  if (!open || !llvm::all_of(buffersOf(launch.getOutputs()), isFree) ||
      llvm::any_of(buffersOf(launch.getInputs()), isWritten))
    return false;
  add(launch);
  return true;
}

/// What launches together is one function: of hundreds, as in a deep model's optimizer, compiling
/// it would take longer than all else, while threads that meet once in so many launches lose
/// nothing.
static constexpr size_t longestRun = 16;

std::vector<Run> findRuns(Block &block) {
  std::vector<Run> runs;
  std::optional<Touched> touched;
  for (Operation &op : block) {
    auto launch = dyn_cast<LaunchOp>(op);
    if (!launch) {
      if (touched && !isPure(&op))
        touched->close();
    } else if (touched && runs.back().size() < longestRun && touched->admit(launch)) {
      runs.back().push_back(launch);
    } else {
      runs.push_back({launch});
      touched.emplace(launch);
    }
  }
  return runs;
}

} // namespace formwork
