// Leaves out what is computed at the ends of images and read by no window: from the last reader of
// each value back to what computes it.
//
// Only known sizes, and only where windows and elementwise ops are all there is between: any other
// reader reads the whole.
#include "ir/Retyping.h"
#include "passes/Passes.h"

using namespace mlir;

namespace formwork {

#define GEN_PASS_DEF_DROPUNREAD
#include "passes/Passes.h.inc"

namespace {
using Shape = SmallVector<int64_t>;

/// Of each value of a block the part, from its beginning, that something reads.
class Reach {
public:
  explicit Reach(Block &block) : block(block) {
    // What cannot compute a part computes the whole, and then so do others that read it.
    do
      trace();
    while (keepWhole());
  }

  void apply() {
    for (Operation &op : block)
      if (computesPart(op))
        lessen(op);
  }

private:
  static ArrayRef<int64_t> shapeOf(Value value) {
    return cast<RankedTensorType>(value.getType()).getShape();
  }
  bool isRead(Value value) const { return parts.contains(value); }
  const Shape &partRead(Value value) const { return parts.find(value)->second; }
  bool isPart(Value value) const {
    return isRead(value) && ArrayRef(partRead(value)) != shapeOf(value);
  }
  bool computesPart(Operation &op) const {
    return op.getNumResults() == 1 && isPart(op.getResult(0));
  }

  void trace() {
    parts.clear();
    for (Operation &op : llvm::reverse(block))
      read(op);
  }

  void read(Operation &op) {
    if (whole.contains(&op))
      readWhole(op.getResult(0));
    if (op.getNumResults() == 1 && isRead(op.getResult(0))) {
      if (auto windows = dyn_cast<SlidingWindowOp>(op))
        return readWindows(windows);
      if (isa<ElementwiseOp>(op))
        return readElements(op);
    }
    for (Value operand : op.getOperands())
      readWhole(operand);
  }

  void readWindows(SlidingWindowOp op) {
    Value image = op->getOperand(0);
    const Shape &part = partRead(op->getResult(0));
    Shape needed(shapeOf(image));
    for (auto [dimension, window] : llvm::enumerate(op.slidingWindows()))
      needed[dimension + 1] = window.reach(needed[dimension + 1], part[dimension + 1]);
    add(image, needed);
    for (Value operand : op->getOperands().drop_front())
      readWhole(operand);
  }

  void readElements(Operation &op) {
    Shape part = partRead(op.getResult(0)); // a copy: the map grows
    for (Value operand : op.getOperands())
      add(operand, partOf(operand, part));
  }

  /// What an elementwise op reads of an operand for this part of its result: a 1 stretches.
  static Shape partOf(Value operand, ArrayRef<int64_t> part) {
    Shape needed(shapeOf(operand));
    for (auto [size, wanted] : llvm::zip_equal(needed, part.take_back(needed.size())))
      if (size != 1)
        size = wanted;
    return needed;
  }

  void readWhole(Value value) {
    if (isa<RankedTensorType>(value.getType()))
      add(value, Shape(shapeOf(value)));
  }

  /// What is not known stays so.
  void add(Value value, ArrayRef<int64_t> needed) {
    Shape &part = parts.try_emplace(value, Shape(needed.size(), 0)).first->second;
    for (auto [size, more, whole] : llvm::zip_equal(part, needed, shapeOf(value)))
      size = ShapedType::isDynamic(whole) ? whole : std::max(size, more);
  }

  /// Notes which ops cannot compute just the part that is read; whether there were any.
  bool keepWhole() {
    bool found = false;
    for (Operation &op : block)
      if (computesPart(op) && !canLessen(op))
        found |= whole.insert(&op).second;
    return found;
  }

  bool canLessen(Operation &op) const {
    const Shape &part = partRead(op.getResult(0));
    if (auto windows = dyn_cast<SlidingWindowOp>(op)) {
      ArrayRef<int64_t> shape = shapeOf(op.getResult(0));
      return part.front() == shape.front() && part.back() == shape.back() &&
             llvm::none_of(windows.slidingWindows(),
                           [](const Window &window) { return window.isPointwise(); });
    }
    return isa<ElementwiseOp>(op) && llvm::all_of(op.getOperands(), [&](Value operand) {
             return becomes(operand) == ArrayRef(partOf(operand, part));
           });
  }

  /// The shape that the value will have.
  Shape becomes(Value value) const {
    bool lessens = value.getDefiningOp() && isPart(value);
    return lessens ? partRead(value) : Shape(shapeOf(value));
  }

  void lessen(Operation &op) {
    if (auto windows = dyn_cast<SlidingWindowOp>(op))
      leavePositions(windows, partRead(op.getResult(0)));
    LogicalResult inferred = inferTypesAnew(&op);
    assert(succeeded(inferred) && "parts of shapes that fit do fit");
    (void)inferred;
  }

  static void leavePositions(SlidingWindowOp op, ArrayRef<int64_t> part) {
    SmallVector<int64_t> padding;
    ArrayRef<int64_t> image = shapeOf(op->getOperand(0));
    for (auto [dimension, window] : llvm::enumerate(op.slidingWindows())) {
      int64_t length = image[dimension + 1], count = part[dimension + 1];
      bool isKnown = !ShapedType::isDynamic(length);
      padding.append({window.low, isKnown ? window.highFor(length, count) : window.high});
    }
    op.setPadding(padding);
  }

  Block &block;
  llvm::DenseMap<Value, Shape> parts;
  llvm::SmallPtrSet<Operation *, 8> whole;
};

struct DropUnread : impl::DropUnreadBase<DropUnread> {
  void runOnOperation() override { Reach(getOperation().front()).apply(); }
};
} // namespace

} // namespace formwork
