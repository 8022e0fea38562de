// The gradient of fw.scan.
//
// Forward, each step's incoming carries are stacked as well, and what contractions and costly
// functions computed from them. Backward, a scan the other way has as carries the cotangents of the
// carries and the sums of the captures' gradients; each of its steps computes the rest of the step
// again from what was stacked, and goes backwards through it. Stacks that turn out not to be needed
// there, as a sum of which only the sigmoid is, are left to canonicalization.
#include "ir/Backpropagation.h"
#include "ir/Bodies.h"
#include "ir/Scan.h"

using namespace mlir;

namespace formwork {

/// The sum that `value` is a term of, as far as nothing else reads what it is made of: it takes no
/// more memory, and no gradient of a sum needs its terms.
static Value wholeSum(Value value) {
  while (value.hasOneUse() && isa<AddOp, SubOp>(*value.user_begin()) &&
         value.user_begin()->getResult(0).getType() == value.getType())
    value = value.user_begin()->getResult(0);
  return value;
}

/// The values of a step that are kept for the way back, since it takes long to compute them again.
/// What does not depend on the carries is computed once for all steps anyway.
static SmallVector<Value> keptValues(ScanOp scan) {
  Block &body = scan.getBody().front();
  ValueRange carries = ValueRange(body.getArguments()).take_front(scan.getInitials().size());
  DenseSet<Value> dependent(carries.begin(), carries.end());
  llvm::SetVector<Value> kept;
  for (Operation &op : body.without_terminator()) {
    if (llvm::none_of(op.getOperands(), [&](Value value) { return dependent.contains(value); }))
      continue;
    dependent.insert_range(op.getResults());
    if (isa<DotGeneralOp, ConvOp, ConvInputGradOp, ConvKernelGradOp>(op))
      kept.insert(wholeSum(op.getResult(0)));
    else if (op.hasTrait<Costly>())
      kept.insert(op.getResult(0));
  }
  return kept.takeVector();
}

/// This scan with the incoming carries of each step and the values to keep as further outputs. It
/// takes this one's place.
static ScanOp withHistory(ScanOp scan, ValueRange kept, ImplicitLocOpBuilder &builder) {
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(scan);
  Block &original = scan.getBody().front();
  SmallVector<Value> history(original.getArguments().take_front(scan.getInitials().size()));
  llvm::append_range(history, kept);
  SmallVector<Type> stacked(scan.getStacked().getTypes());
  for (Value value : history)
    stacked.push_back(stackTypeOf(countSteps(scan), value.getType()));
  auto augmented = ScanOp::create(builder, scan.getFinals().getTypes(), stacked, scan.getInitials(),
                                  scan.getSequences(), scan.getCaptures(), scan.getReverse());
  IRMapping mapping;
  scan.getBody().cloneInto(&augmented.getBody(), mapping);
  for (Value &value : history)
    value = mapping.lookup(value);
  Operation *terminator = augmented.getBody().front().getTerminator();
  terminator->insertOperands(terminator->getNumOperands(), history);
  scan.getFinals().replaceAllUsesWith(augmented.getFinals());
  scan.getStacked().replaceAllUsesWith(augmented.getStacked().take_front(scan.getStacked().size()));
  return augmented;
}

namespace {
/// The backward scan of `scan`, and which of the forward values it deals with.
struct Backward {
  ScanOp scan;
  /// Values of its body that are not computed again.
  SmallVector<Value> kept;
  /// Which carries, elements, captures have gradients; which outputs have cotangents that are not
  /// known to be zero.
  llvm::BitVector carries, elements, captures, outputs;

  Backward(ScanOp scan, ValueRange cotangents);
  ScanOp create(ImplicitLocOpBuilder &builder, ScanOp forward, ValueRange cotangents);
  LogicalResult writeBody(ScanOp backward);
  MaybeValues results(ScanOp backward);
};
} // namespace

Backward::Backward(ScanOp scan, ValueRange cotangents)
    : scan(scan), kept(keptValues(scan)), carries(floats(scan.getInitials())),
      elements(floats(scan.getSequences())), captures(floats(scan.getCaptures())),
      outputs(floats(scan.getStacked())) {
  for (auto [i, cotangent] : llvm::enumerate(cotangents.drop_front(scan.getInitials().size())))
    if (cotangent && isZeroLike(cotangent))
      outputs.reset(i);
}

/// Carries: cotangents of carries, sums for captures. Sequences: the forward carries of each step,
/// the forward sequences, what was kept, cotangents of outputs. Stacks: gradients of the sequences.
ScanOp Backward::create(ImplicitLocOpBuilder &builder, ScanOp forward, ValueRange cotangents) {
  size_t count = scan.getInitials().size();
  SmallVector<Value> initials = choose(cotangents.take_front(count), carries);
  for (Value capture : choose(scan.getCaptures(), captures))
    initials.push_back(constantLike(builder, 0, capture));
  ValueRange history = forward.getStacked().take_back(count + kept.size());
  SmallVector<Value> sequences(history.take_front(count));
  llvm::append_range(sequences, scan.getSequences());
  llvm::append_range(sequences, history.drop_front(count));
  llvm::append_range(sequences, choose(cotangents.drop_front(count), outputs));
  SmallVector<Value> stacks = choose(scan.getSequences(), elements);
  return ScanOp::create(builder, ValueRange(initials).getTypes(), ValueRange(stacks).getTypes(),
                        initials, sequences, scan.getCaptures(), !scan.getReverse());
}

/// The values to differentiate in a body whose yielded values are `yielded`: carries and outputs
/// that have cotangents.
static SmallVector<Value> targetsAmong(ValueRange yielded, const llvm::BitVector &carries,
                                       const llvm::BitVector &outputs) {
  SmallVector<Value> targets = choose(yielded.take_front(carries.size()), carries);
  llvm::append_range(targets, choose(yielded.drop_front(carries.size()), outputs));
  return targets;
}

LogicalResult Backward::writeBody(ScanOp backward) {
  SmallVector<Type> types =
      scanBodyTypes(backward.getInitials(), backward.getSequences(), backward.getCaptures());
  Block &body = backward.getBody().emplaceBlock();
  body.addArguments(types, SmallVector<Location>(types.size(), backward.getLoc()));
  ValueRange rest = body.getArguments();
  auto take = [&](size_t count) {
    ValueRange taken = rest.take_front(count);
    rest = rest.drop_front(count);
    return SmallVector<Value>(taken);
  };
  SmallVector<Value> seeds = take(carries.count()), sums = take(captures.count()),
                     forward = take(carries.size() + elements.size()), known = take(kept.size());
  llvm::append_range(seeds, take(outputs.count()));
  llvm::append_range(forward, take(captures.size()));

  auto builder = ImplicitLocOpBuilder::atBlockEnd(backward.getLoc(), &body);
  IRMapping again;
  again.map(scan.getBody().getArguments(), forward);
  SmallVector<Value> yielded = formwork::writeBody(builder, scan.getBody().front(), again);
  llvm::BitVector sources = floats(forward);
  SmallVector<Value> wanted = choose(forward, sources);
  MaybeValues found =
      backpropagate(builder, targetsAmong(yielded, carries, outputs), seeds, wanted);
  if (failed(found))
    return failure();
  SmallVector<Value> gradients;
  for (auto [gradient, value] : llvm::zip_equal(*found, wanted))
    gradients.push_back(gradient ? gradient : constantLike(builder, 0, value));

  // Of carries, elements, captures, in this order.
  ArrayRef<Value> all = gradients;
  SmallVector<Value> next(all.take_front(carries.count()));
  for (auto [sum, gradient] : llvm::zip_equal(sums, all.take_back(captures.count())))
    next.push_back(AddOp::create(builder, sum, gradient));
  llvm::append_range(next, all.slice(carries.count(), elements.count()));
  YieldOp::create(builder, next);
  // Only now, since gradients are found along what computes a value.
  for (auto [value, element] : llvm::zip_equal(kept, known))
    again.lookup(value).replaceAllUsesWith(element);
  return success();
}

/// The gradient of each operand: null for integers.
MaybeValues Backward::results(ScanOp backward) {
  ValueRange finals = backward.getFinals(), stacks = backward.getStacked();
  SmallVector<Value> gradients;
  auto next = [](ValueRange &from, bool present) {
    if (!present)
      return Value();
    Value first = from.front();
    from = from.drop_front();
    return first;
  };
  for (size_t i = 0; i < carries.size(); ++i)
    gradients.push_back(next(finals, carries[i]));
  for (size_t i = 0; i < elements.size(); ++i)
    gradients.push_back(next(stacks, elements[i]));
  for (size_t i = 0; i < captures.size(); ++i)
    gradients.push_back(next(finals, captures[i]));
  return gradients;
}

MaybeValues ScanOp::gradient(ImplicitLocOpBuilder &builder, ValueRange cotangents) {
  Backward backward(*this, cotangents);
  ScanOp forward = withHistory(*this, backward.kept, builder);
  ScanOp reversed = backward.create(builder, forward, cotangents);
  if (failed(backward.writeBody(reversed)))
    return failure();
  return backward.results(reversed);
}

} // namespace formwork
