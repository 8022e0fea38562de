#include "codegen/kernel/Items.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/IntEqClasses.h"

using namespace mlir;

namespace formwork {

linalg::GenericOp producerOf(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (auto generic = dyn_cast<linalg::GenericOp>(op))
      return generic;
    if (!isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::ExtractSliceOp, tensor::PadOp,
             tensor::CastOp>(op))
      return {};
    value = op->getOperand(0);
  }
  return {};
}

SmallVector<Value> readsOf(linalg::GenericOp op) {
  SmallVector<Value> values;
  for (OpOperand &operand : op->getOpOperands())
    if (op.payloadUsesValueFromOperand(&operand) || isReduction(op))
      values.push_back(operand.get());
  op->walk([&](tensor::ExtractOp extract) { values.push_back(extract.getTensor()); });
  return values;
}

void collectReductions(Value value, OpSet &reductions) {
  linalg::GenericOp producer = producerOf(value);
  if (!producer)
    return;
  if (isReduction(producer)) {
    reductions.insert(producer);
    return;
  }
  for (Value read : readsOf(producer))
    collectReductions(read, reductions);
}

std::vector<Item> findItems(const Kernel &kernel) {
  std::vector<Item> items;
  llvm::SetVector<Operation *> needed;
  for (const Kernel::Output &output : kernel.getOutputs())
    needed.insert(output.value.getDefiningOp());
  for (size_t i = 0; i < needed.size(); ++i)
    for (Value read : readsOf(cast<linalg::GenericOp>(needed[i]))) {
      OpSet reductions;
      collectReductions(read, reductions);
      needed.insert(reductions.begin(), reductions.end());
    }
  for (linalg::GenericOp op : kernel.getOps()) {
    if (!needed.contains(op))
      continue;
    Item item{op, {}};
    for (Value read : readsOf(op))
      collectReductions(read, item.behind);
    items.push_back(std::move(item));
  }
  return items;
}

Dims outerDims(const Kernel &kernel, ArrayRef<Item> items, ArrayRef<unsigned> members) {
  Dims outer = kernel.parallel(items[members.front()].op);
  for (unsigned member : members.drop_front()) {
    Dims parallel = kernel.parallel(items[member].op);
    llvm::erase_if(outer, [&](Dim dim) { return !contains(parallel, dim); });
  }
  return outer;
}

int writtenAlong(const Kernel &kernel, linalg::GenericOp op) {
  AffineMap written = kernel.access(cast<OpResult>(op->getResult(0)));
  for (Dim dim : kernel.parallel(op))
    if (stepOf(written, dim) == Step::Unit)
      return dim;
  return noDim;
}

SmallVector<SmallVector<unsigned>> connectItems(const Kernel &kernel, ArrayRef<Item> items) {
  auto outerOf = [&](ArrayRef<unsigned> members) { return outerDims(kernel, items, members); };
  llvm::IntEqClasses classes(items.size());
  for (auto [i, item] : llvm::enumerate(items))
    for (auto [j, other] : llvm::enumerate(items))
      if (item.behind.contains(other.op))
        classes.join(i, j);
  auto members = [&] {
    SmallVector<SmallVector<unsigned>> lists(items.size());
    for (unsigned i = 0; i < items.size(); ++i)
      lists[classes.findLeader(i)].push_back(i);
    llvm::erase_if(lists, [](auto &list) { return list.empty(); });
    return lists;
  };
  for (bool changed = true; changed;) {
    changed = false;
    SmallVector<SmallVector<unsigned>> lists = members();
    for (size_t a = 0; a < lists.size() && !changed; ++a)
      for (size_t b = a + 1; b < lists.size() && !changed; ++b) {
        SmallVector<unsigned> both = lists[a];
        llvm::append_range(both, lists[b]);
        size_t shared = outerOf(both).size();
        if (shared != outerOf(lists[a]).size() || shared != outerOf(lists[b]).size())
          continue;
        if (shared == 0 &&
            outerOf(lists[a]).size() + kernel.loops(items[lists[a][0]].op).size() > 0)
          continue;
        if (writtenAlong(kernel, items[lists[a].back()].op) !=
            writtenAlong(kernel, items[lists[b].back()].op))
          continue;
        classes.join(lists[a].front(), lists[b].front());
        changed = true;
      }
  }
  return members();
}

Dims innerOrder(const Kernel &kernel, linalg::GenericOp op, Dims inner) {
  AffineMap written = kernel.access(cast<OpResult>(op->getResult(0)));
  for (Dim dim : inner)
    if (stepOf(written, dim) == Step::Unit) {
      llvm::erase(inner, dim);
      inner.push_back(dim);
      break;
    }
  return inner;
}

Dims reducedOrder(const Kernel &kernel, linalg::GenericOp op) {
  Dims dims = kernel.reduced(op);
  auto strided = [&](Dim dim) {
    return llvm::count_if(op.getDpsInputOperands(), [&](OpOperand *operand) {
      return stepOf(kernel.access(*operand), dim) == Step::Strided;
    });
  };
  Dim best = dims.back();
  for (Dim dim : dims)
    if (strided(dim) < strided(best))
      best = dim;
  llvm::erase(dims, best);
  dims.push_back(best);
  return dims;
}

} // namespace formwork
