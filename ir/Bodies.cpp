// Bodies of control flow, seen as functions from arguments to yielded values.
#include "ir/Bodies.h"

#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace formwork {

/// The ops of `body` that `wanted` is computed from, in order.
static SmallVector<Operation *> opsLeadingTo(Block &body, DenseSet<Value> &wanted) {
  SmallVector<Operation *> ops;
  for (Operation &op : llvm::reverse(body.without_terminator()))
    if (llvm::any_of(op.getResults(), [&](Value result) { return wanted.contains(result); })) {
      wanted.insert(op.operand_begin(), op.operand_end());
      ops.push_back(&op);
    }
  std::reverse(ops.begin(), ops.end());
  return ops;
}

SmallVector<Value> writeBody(ImplicitLocOpBuilder &builder, Block &body, ValueRange arguments) {
  IRMapping mapping;
  mapping.map(body.getArguments(), arguments);
  return writeBody(builder, body, mapping);
}

SmallVector<Value> writeBody(ImplicitLocOpBuilder &builder, Block &body, IRMapping &mapping) {
  for (Operation &op : body.without_terminator())
    builder.clone(op, mapping);
  return llvm::map_to_vector(body.getTerminator()->getOperands(),
                             [&](Value yielded) { return mapping.lookup(yielded); });
}

Value emptyLikeYielded(ImplicitLocOpBuilder &builder, Block &body, ValueRange examples,
                       unsigned index, RankedTensorType type) {
  SmallVector<Value> sizes;
  if (!type.hasStaticShape()) {
    Value yielded = body.getTerminator()->getOperand(index);
    IRMapping mapping;
    mapping.map(body.getArguments(), examples);
    DenseSet<Value> wanted = {yielded};
    for (Operation *op : opsLeadingTo(body, wanted))
      builder.clone(*op, mapping);
    for (int64_t i = 0; i < type.getRank(); ++i)
      if (type.isDynamicDim(i))
        sizes.push_back(tensor::DimOp::create(builder, mapping.lookup(yielded), i));
  }
  return tensor::EmptyOp::create(builder, type, sizes);
}

Value memoryOfShape(ImplicitLocOpBuilder &builder, Value example) {
  auto type = cast<RankedTensorType>(example.getType());
  SmallVector<Value> sizes;
  for (int64_t i = 0; i < type.getRank(); ++i)
    if (type.isDynamicDim(i))
      sizes.push_back(tensor::DimOp::create(builder, example, i));
  return bufferization::AllocTensorOp::create(builder, type, sizes);
}

Value inMemoryOf(ImplicitLocOpBuilder &builder, Value value, Value destination) {
  return bufferization::MaterializeInDestinationOp::create(builder, destination.getType(), value,
                                                           destination)
      .getResult();
}

llvm::BitVector argumentsNeededFor(Block &body, const llvm::BitVector &indices) {
  DenseSet<Value> wanted;
  for (unsigned index : indices.set_bits())
    wanted.insert(body.getTerminator()->getOperand(index));
  opsLeadingTo(body, wanted);
  llvm::BitVector needed(body.getNumArguments());
  for (BlockArgument argument : body.getArguments())
    needed[argument.getArgNumber()] = wanted.contains(argument);
  return needed;
}

void copyBody(OpBuilder &builder, Block &body, Region &region, const llvm::BitVector &keptArguments,
              const llvm::BitVector &keptYields) {
  OpBuilder::InsertionGuard guard(builder);
  Block *copy = builder.createBlock(&region);
  IRMapping mapping;
  for (unsigned index : keptArguments.set_bits()) {
    BlockArgument argument = body.getArgument(index);
    mapping.map(argument, copy->addArgument(argument.getType(), argument.getLoc()));
  }
  Operation *terminator = body.getTerminator();
  SmallVector<Value> yields = choose(terminator->getOperands(), keptYields);
  DenseSet<Value> wanted(yields.begin(), yields.end());
  for (Operation *op : opsLeadingTo(body, wanted))
    builder.clone(*op, mapping);
  for (Value &yielded : yields)
    yielded = mapping.lookup(yielded);
  YieldOp::create(builder, terminator->getLoc(), yields);
}

void replaceKept(RewriterBase &rewriter, Operation *op, Operation *smaller,
                 const llvm::BitVector &kept) {
  for (auto [result, index] : llvm::zip_equal(smaller->getResults(), kept.set_bits()))
    rewriter.replaceAllUsesWith(op->getResult(index), result);
  rewriter.eraseOp(op);
}

SmallVector<Value> choose(ValueRange values, const llvm::BitVector &kept) {
  SmallVector<Value> chosen;
  for (unsigned index : kept.set_bits())
    chosen.push_back(values[index]);
  return chosen;
}

void setArgumentTypes(Block &body, TypeRange types) {
  for (auto [argument, type] : llvm::zip_equal(body.getArguments(), types))
    argument.setType(type);
}

llvm::BitVector slice(const llvm::BitVector &bits, unsigned from, unsigned count) {
  llvm::BitVector part(count);
  for (unsigned i = 0; i < count; ++i)
    part[i] = bits[from + i];
  return part;
}

llvm::BitVector usedResults(Operation *op) {
  llvm::BitVector used(op->getNumResults());
  for (OpResult result : op->getResults())
    used[result.getResultNumber()] = !result.use_empty();
  return used;
}

bool isFloat(Value value) { return isa<FloatType>(getElementTypeOrSelf(value.getType())); }

llvm::BitVector floats(ValueRange values) {
  llvm::BitVector bits(values.size());
  for (auto [i, value] : llvm::enumerate(values))
    bits[i] = isFloat(value);
  return bits;
}

} // namespace formwork
