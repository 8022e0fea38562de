#include "codegen/cuda/Writing.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace formwork::cuda {

GroupWriter::GroupWriter(Writing &state, const Group &group)
    : state(state), kernel(state.kernel), group(group), writer(state.writer),
      evaluator(state.evaluator) {}

//===--- arithmetic and control flow -------------------------------------------------------------

Value GroupWriter::divide(Value a, int64_t b) {
  return b == 1 ? a : writer.make<arith::DivUIOp>(a, index(b));
}

Value GroupWriter::remainder(Value a, int64_t b) {
  return b == 1 ? index(0) : writer.make<arith::RemUIOp>(a, index(b));
}

Value GroupWriter::ceilDivide(Value a, int64_t b) { return divide(writer.add(a, b - 1), b); }

Value GroupWriter::less(Value a, Value b) {
  auto x = constantOf(a), y = constantOf(b);
  if (x && y)
    return writer.make<arith::ConstantOp>(writer.builder.getBoolAttr(*x < *y));
  return writer.make<arith::CmpIOp>(arith::CmpIPredicate::slt, a, b);
}

Value GroupWriter::both(Value a, Value b) {
  return !a ? b : !b ? a : writer.make<arith::AndIOp>(a, b);
}

void GroupWriter::barrier() { gpu::BarrierOp::create(writer.builder); }

void GroupWriter::onlyIf(Value condition, llvm::function_ref<void()> body) {
  if (!condition)
    return body();
  writer.branch(
      condition, {}, [&] { return body(), Values(); }, [] { return Values(); });
}

void GroupWriter::loop(Value from, Value to, int64_t step, int64_t unroll,
                       llvm::function_ref<void(Value)> body) {
  writer.loop(
      from, to, step, {}, [&](Value at, ValueRange) { return body(at), Values(); }, unroll);
}

//===--- memory ----------------------------------------------------------------------------------

static func::FuncOp functionAround(OpBuilder &builder) {
  Operation *parent = builder.getInsertionBlock()->getParentOp();
  auto function = dyn_cast<func::FuncOp>(parent);
  return function ? function : parent->getParentOfType<func::FuncOp>();
}

Value GroupWriter::newSharedArray(ArrayRef<int64_t> shape, Type element) {
  element = evaluator.memoryType(element);
  ImplicitLocOpBuilder &builder = writer.builder;
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(&functionAround(builder).front());
  auto space = gpu::AddressSpaceAttr::get(builder.getContext(), gpu::AddressSpace::Workgroup);
  auto type = MemRefType::get(shape, element, MemRefLayoutAttrInterface(), space);
  state.sharedUsed += type.getNumElements() * llvm::divideCeil(element.getIntOrFloatBitWidth(), 8);
  auto array = memref::AllocaOp::create(builder, type, builder.getI64IntegerAttr(16));
  array->setAttr("fw.name", builder.getStringAttr("shared"));
  return array;
}

Value GroupWriter::sharedArray(Type element, int64_t elements) {
  Value &array = state.shared[{element, elements}];
  if (!array)
    array = newSharedArray({elements}, element);
  return array;
}

Value GroupWriter::threadArray(StringRef name, ArrayRef<int64_t> shape, Type element) {
  ImplicitLocOpBuilder &builder = writer.builder;
  auto array =
      memref::AllocaOp::create(builder, MemRefType::get(shape, evaluator.memoryType(element)));
  array->setAttr("fw.name", builder.getStringAttr(name));
  return array;
}

//===--- places ----------------------------------------------------------------------------------

Value GroupWriter::total(ArrayRef<Dim> dims) {
  Value count = index(1);
  for (Dim dim : dims)
    count = writer.mul(count, evaluator.extent(dim));
  return count;
}

void GroupWriter::setIndices(Values &at, ArrayRef<Dim> dims, Value number) {
  for (Dim dim : llvm::reverse(dims)) {
    Value extent = evaluator.extent(dim);
    if (constantOf(extent) == 1) {
      at[dim] = index(0);
      continue;
    }
    bool last = llvm::all_of(dims.take_while([&](Dim other) { return other != dim; }),
                             [&](Dim other) { return constantOf(evaluator.extent(other)) == 1; });
    at[dim] = last ? number : writer.make<arith::RemUIOp>(number, extent);
    if (!last)
      number = writer.make<arith::DivUIOp>(number, extent);
  }
}

Point GroupWriter::pointAt(const Values &at) {
  Point point;
  point.at = at;
  point.place = ++state.places;
  return point;
}

//===--- reductions by one thread ----------------------------------------------------------------

const Item &GroupWriter::itemOf(Operation *op) const {
  return *llvm::find_if(group.items, [&](const Item &item) { return item.op == op; });
}

static SmallVector<linalg::GenericOp> inOrder(const Group &group, const OpSet &ops) {
  SmallVector<linalg::GenericOp> ordered;
  for (const Item &item : group.items)
    if (ops.contains(item.op))
      ordered.push_back(item.op);
  return ordered;
}

void GroupWriter::reduceBehind(linalg::GenericOp op, const Values &at) {
  for (linalg::GenericOp reduction : inOrder(group, itemOf(op).behind)) {
    if (available.contains(reduction) || evaluator.failed())
      continue;
    for (auto [result, value] : llvm::zip(reduction->getResults(), reduce(reduction, at)))
      evaluator.setStorage(result, {Storage::Element, value, {}});
  }
}

Values GroupWriter::initialValues(linalg::GenericOp op, const Values &at) {
  Values values;
  Point point = pointAt(at);
  for (OpOperand &init : op.getDpsInitsMutable())
    values.push_back(evaluator.read(init.get(), kernel.access(init), point));
  return values;
}

Values GroupWriter::reduce(linalg::GenericOp op, const Values &at) {
  for (Dim dim : kernel.parallel(op))
    if (!at[dim] && kernel.size(dim) != 1) {
      // A place of its result that this one does not tell.
      op->emitError() << "no schedule: its result is read at another place than its own";
      state.hasFailed = true;
      return Values(op->getNumResults(), index(0));
    }
  return reduceOver(op, reducedOrder(kernel, op), at, initialValues(op, at));
}

Values GroupWriter::accumulate(linalg::GenericOp op, const Values &at, ValueRange carried) {
  reduceBehind(op, at);
  return evaluator.accumulate(op, pointAt(at), carried);
}

/// Iterations of a window (3x3, 4x4) run at once; of longer sums, a few.
static int64_t unrollFor(const Kernel &kernel, Dim dim) {
  return kernel.isStatic(dim) && kernel.size(dim) <= 8 ? kernel.size(dim) : 4;
}

Values GroupWriter::reduceOver(linalg::GenericOp op, ArrayRef<Dim> over, Values at,
                               ValueRange carried) {
  if (over.empty())
    return accumulate(op, at, carried);
  auto step = [&](Value index, ValueRange sums) {
    at[over.front()] = index;
    return reduceOver(op, over.drop_front(), at, sums);
  };
  return writer.loop(index(0), evaluator.extent(over.front()), 1, carried, step,
                     unrollFor(kernel, over.front()));
}

//===--- stores ----------------------------------------------------------------------------------

void GroupWriter::store(ArrayRef<Value> results, const Values &at) {
  Point point = pointAt(at);
  Values elements;
  for (Value result : results)
    elements.push_back(evaluator.compute(cast<OpResult>(result), point));
  for (auto [result, element] : llvm::zip_equal(results, elements))
    writeOutput(cast<OpResult>(result), element, point);
}

void GroupWriter::writeOutput(OpResult result, Value element, const Point &point) {
  auto buffers = state.outputs.find(result);
  if (buffers == state.outputs.end() || evaluator.failed())
    return;
  for (Value buffer : buffers->second)
    evaluator.write({Storage::Buffer, buffer, {}}, kernel.access(result), element, point);
}

} // namespace formwork::cuda
