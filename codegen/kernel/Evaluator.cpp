#include "codegen/kernel/Evaluator.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace formwork {

VectorType vectorOf(int64_t lanes, Type element) { return VectorType::get({lanes}, element); }

Value Evaluator::fail(Operation *op, const Twine &why) {
  if (!hasFailed)
    op->emitError() << "no schedule: " << why;
  hasFailed = true;
  return {};
}

//===--- lanes -----------------------------------------------------------------------------------

Value Evaluator::spread(Value element, const Point &point) {
  if (!element || point.vectorDim == noDim || point.lanes == 1 ||
      isa<VectorType>(element.getType()))
    return element;
  return writer.make<vector::BroadcastOp>(vectorOf(point.lanes, element.getType()), element);
}

Value Evaluator::combine(Operation *combiner, Value a, Value b) {
  OperationState state(combiner->getLoc(), combiner->getName());
  state.addOperands({a, b});
  state.addTypes(a.getType());
  state.attributes = combiner->getAttrDictionary().getValue();
  return writer.make(state);
}

//===--- memory ----------------------------------------------------------------------------------

Type Evaluator::memoryType(Type element) const {
  return element.isInteger(1) ? IntegerType::get(element.getContext(), 8) : element;
}

/// A boolean is a byte in memory.
Value Evaluator::fromMemory(Value value, Type element) {
  if (!element.isInteger(1))
    return value;
  auto vector = dyn_cast<VectorType>(value.getType());
  Type type = vector ? Type(vector.clone(element)) : element;
  return writer.make<arith::TruncIOp>(type, value);
}

Value Evaluator::rowOf(const Point &point) { return point.row ? point.row : writer.index(0); }

/// Never the value of another time: registers change as sums grow.
Value Evaluator::load(Value registers, const Point &point) {
  int64_t width = cast<MemRefType>(registers.getType()).getDimSize(1);
  Value column = writer.index(width > 1 ? point.vector : 0);
  return memref::LoadOp::create(writer.builder, registers, ValueRange{rowOf(point), column});
}

void Evaluator::store(Value registers, Value value, const Point &point) {
  int64_t width = cast<MemRefType>(registers.getType()).getDimSize(1);
  Value column = writer.index(width > 1 ? point.vector : 0);
  memref::StoreOp::create(writer.builder, value, registers, ValueRange{rowOf(point), column});
}

SmallVector<Value> Evaluator::indicesOf(const Storage &storage, AffineMap access,
                                        const Point &point) {
  SmallVector<Value> indices;
  if (storage.kind == Storage::Buffer) {
    for (AffineExpr index : access.getResults())
      indices.push_back(writer.expression(index, point.at));
    return indices;
  }
  if (storage.tile)
    indices.push_back(storage.tile);
  // Scratch holds a tile: outer dimensions count from where the tile begins.
  for (Dim dim : storage.dims) {
    if (int(dim) == tile->rowDim)
      indices.push_back(rowOf(point));
    else if (int(dim) == tile->vectorDim && storage.firstColumn)
      indices.push_back(writer.make<arith::SubIOp>(point.at[dim], storage.firstColumn));
    else if (int(dim) == tile->vectorDim)
      indices.push_back(writer.index(point.vector * tile->lanes));
    else if (contains(tile->outer, dim) || (kernel.isStatic(dim) && kernel.size(dim) == 1))
      // Readers of a dimension of one element need not have it as a loop.
      indices.push_back(writer.index(0));
    else if (Value origin = origins.lookup(dim))
      indices.push_back(writer.make<arith::SubIOp>(point.at[dim], origin));
    else
      indices.push_back(point.at[dim]);
  }
  return indices;
}

Value Evaluator::load(Value buffer, Type element, AffineMap access, ArrayRef<Value> indices,
                      const Point &point) {
  Step step =
      point.vectorDim == noDim || point.lanes == 1 ? Step::None : stepOf(access, point.vectorDim);
  if (step == Step::None)
    return fromMemory(writer.make<memref::LoadOp>(buffer, indices), element);
  if (step == Step::Strided)
    return fromMemory(loadLanes(buffer, access, indices, point), element);
  return loadVector(buffer, element, indices, point.mask, point);
}

/// Adjacent elements; zeros where the mask is off.
Value Evaluator::loadVector(Value buffer, Type element, ArrayRef<Value> indices, Value mask,
                            const Point &point) {
  VectorType type = vectorOf(point.lanes, memoryType(element));
  if (!mask)
    return fromMemory(writer.make<vector::LoadOp>(type, buffer, indices), element);
  Value zero = writer.make<arith::ConstantOp>(type, writer.builder.getZeroAttr(type));
  return fromMemory(writer.make<vector::MaskedLoadOp>(type, buffer, indices, mask, zero), element);
}

/// How far apart the elements of neighbouring lanes lie, if that is the same for all lanes.
Value Evaluator::laneStride(Value buffer, AffineMap access, Dim dim) {
  auto type = cast<MemRefType>(buffer.getType());
  SmallVector<int64_t> strides;
  int64_t offset;
  if (llvm::failed(type.getStridesAndOffset(strides, offset)))
    return {};
  AffineExpr d = getAffineDimExpr(dim, access.getContext());
  Value total = writer.index(0);
  for (auto [axis, index] : llvm::enumerate(access.getResults())) {
    AffineExpr next = index.replace(d, d + 1);
    auto step = dyn_cast<AffineConstantExpr>(
        simplifyAffineExpr(next - index, access.getNumDims(), access.getNumSymbols()));
    if (!step)
      return {};
    if (step.getValue() == 0)
      continue;
    Value stride;
    if (ShapedType::isDynamic(strides[axis])) {
      auto metadata = memref::ExtractStridedMetadataOp::create(writer.builder, buffer);
      stride = metadata.getStrides()[axis];
    } else {
      stride = writer.index(strides[axis]);
    }
    total = writer.add(total, writer.mul(stride, writer.index(step.getValue())));
  }
  return total;
}

/// Elements that are not adjacent, in one gather from where the `first` of them lies; null if there
/// is none for them.
Value Evaluator::gatherLanes(Value buffer, AffineMap access, ArrayRef<Value> first,
                             const Point &point) {
  Type element = cast<MemRefType>(buffer.getType()).getElementType();
  if (element.getIntOrFloatBitWidth() < 32)
    return {};
  Value stride = laneStride(buffer, access, point.vectorDim);
  if (!stride)
    return {};
  // Offsets of known strides fit 32 bits, of which a gather takes twice as many.
  constexpr int64_t far = 1 << 26;
  auto known = constantOf(stride);
  Value offsets = writer.make<arith::MulIOp>(
      spread(stride, point), writer.make<vector::StepOp>(vectorOf(point.lanes, stride.getType())));
  if (known && std::abs(*known) < far)
    offsets = writer.make<arith::IndexCastOp>(vectorOf(point.lanes, writer.builder.getI32Type()),
                                              offsets);
  VectorType type = vectorOf(point.lanes, element);
  VectorType lanes = vectorOf(point.lanes, writer.builder.getI1Type());
  Value mask =
      point.mask ? point.mask : writer.make<arith::ConstantOp>(DenseElementsAttr::get(lanes, true));
  Value zero = writer.make<arith::ConstantOp>(type, writer.builder.getZeroAttr(type));
  return writer.make<vector::GatherOp>(type, buffer, first, offsets, mask, zero);
}

/// Elements that are not adjacent, one by one if need be.
Value Evaluator::loadLanes(Value buffer, AffineMap access, ArrayRef<Value> first,
                           const Point &point) {
  if (Value gathered = gatherLanes(buffer, access, first, point))
    return gathered;
  SmallVector<Value> elements;
  Value last = writer.add(extents[point.vectorDim], -1);
  for (int64_t lane = 0; lane < point.lanes; ++lane) {
    SmallVector<Value> at = point.at;
    at[point.vectorDim] = writer.add(at[point.vectorDim], lane);
    if (point.mask)
      at[point.vectorDim] = writer.minimum(at[point.vectorDim], last);
    SmallVector<Value> indices(first);
    for (auto [axis, index] : llvm::enumerate(access.getResults()))
      if (index.isFunctionOfDim(point.vectorDim))
        indices[axis] = writer.expression(index, at);
    elements.push_back(writer.make<memref::LoadOp>(buffer, indices));
  }
  Type type = vectorOf(point.lanes, elements.front().getType());
  return writer.make<vector::FromElementsOp>(type, elements);
}

void Evaluator::write(const Storage &storage, AffineMap access, Value value, const Point &point) {
  if (!value)
    return;
  Type element = getElementTypeOrSelf(value.getType());
  bool varies = point.vectorDim != noDim && point.lanes > 1 && dependsOn(access, point.vectorDim);
  if (varies)
    value = spread(value, point);
  if (element.isInteger(1)) {
    Type byte = memoryType(element);
    Type type = varies ? Type(vectorOf(point.lanes, byte)) : byte;
    value = writer.make<arith::ExtUIOp>(type, value);
  }
  SmallVector<Value> indices = indicesOf(storage, access, point);
  auto &builder = writer.builder;
  if (!varies) {
    memref::StoreOp::create(builder, value, storage.buffer, indices);
  } else if (stepOf(access, point.vectorDim) == Step::Strided) {
    assert(storage.kind == Storage::Buffer && "scratch lies along vectors");
    storeLanes(storage.buffer, access, value, point);
  } else if (point.mask && storage.kind == Storage::Buffer) {
    vector::MaskedStoreOp::create(builder, storage.buffer, indices, point.mask, value);
  } else {
    vector::StoreOp::create(builder, value, storage.buffer, indices);
  }
}

/// Elements that are not adjacent, one by one.
void Evaluator::storeLanes(Value buffer, AffineMap access, Value vector, const Point &point) {
  Value count = writer.index(point.lanes);
  if (point.mask)
    count = writer.minimum(
        count, writer.make<arith::SubIOp>(extents[point.vectorDim], point.at[point.vectorDim]));
  writer.loop(writer.index(0), count, 1, {}, [&](Value lane, ValueRange) {
    SmallVector<Value> at = point.at, indices;
    at[point.vectorDim] = writer.add(at[point.vectorDim], lane);
    for (AffineExpr index : access.getResults())
      indices.push_back(writer.expression(index, at));
    Value element = vector::ExtractOp::create(writer.builder, vector, OpFoldResult(lane));
    memref::StoreOp::create(writer.builder, element, buffer, indices);
    return SmallVector<Value>();
  });
}

//===--- tensors ---------------------------------------------------------------------------------

/// Whether `access` is where the op itself writes: the only place of a tile that others may read.
static bool isOwnPlace(const Kernel &kernel, OpResult result, AffineMap access) {
  ArrayRef<int64_t> shape = cast<RankedTensorType>(result.getType()).getShape();
  for (auto [own, read, size] :
       llvm::zip_equal(kernel.access(result).getResults(), access.getResults(), shape))
    if (own != read && size != 1)
      return false;
  return true;
}

Value Evaluator::readStored(const Storage &storage, Value tensor, AffineMap access,
                            const Point &point) {
  auto result = dyn_cast<OpResult>(tensor);
  if (storage.kind != Storage::Buffer && result && !isOwnPlace(kernel, result, access))
    return fail(tensor.getDefiningOp(), "another place of its result is read in the same kernel");
  if (storage.kind == Storage::Element)
    return storage.buffer;
  if (storage.kind == Storage::Registers) {
    Value &value = known[{tensor, access, point.row, point.place, point.vector}];
    return value ? value : value = load(storage.buffer, point);
  }
  Type element = getElementTypeOrSelf(tensor.getType());
  SmallVector<Value> indices = indicesOf(storage, access, point);
  if (storage.kind == Storage::Scratch)
    access =
        AffineMap::getMultiDimMapWithTargets(kernel.dimCount(), storage.dims, access.getContext());
  return load(storage.buffer, element, access, indices, point);
}

Value Evaluator::load(Value buffer, Type tensor, AffineMap access, const Point &point) {
  Storage storage{Storage::Buffer, buffer, {}};
  return load(buffer, getElementTypeOrSelf(tensor), access, indicesOf(storage, access, point),
              point);
}

Value Evaluator::read(Value tensor, AffineMap access, const Point &point) {
  if (!isa<ShapedType>(tensor.getType()))
    return outside(tensor);
  if (auto found = stored.find(tensor); found != stored.end())
    return readStored(found->second, tensor, access, point);
  if (SplatElementsAttr splat; matchPattern(tensor, m_Constant(&splat)))
    return writer.make<arith::ConstantOp>(splat.getSplatValue<TypedAttr>());
  if (Value buffer = bound.lookupOrNull(tensor))
    return readStored({Storage::Buffer, buffer, {}}, tensor, access, point);

  // What nothing has written may be anything.
  if (tensor.getDefiningOp<tensor::EmptyOp>())
    return writer.make<arith::ConstantOp>(
        writer.builder.getZeroAttr(getElementTypeOrSelf(tensor.getType())));

  Key key{tensor, access, point.row, point.place, point.vector};
  if (Value value = known.lookup(key))
    return value;
  auto op = tensor.getDefiningOp<linalg::GenericOp>();
  if (!op)
    return tensor.getDefiningOp() ? readView(tensor.getDefiningOp(), access, point)
                                  : fail(kernel.getFunction(), "an argument without a buffer");
  if (isReduction(op))
    return fail(op, "its result is read before it is complete");

  // The op's loops, from the indices at which its result is read.
  AffineMap written = op.getIndexingMapMatchingResult(cast<OpResult>(tensor));
  SmallVector<AffineExpr> loops(op.getNumLoops());
  for (auto [index, at] : llvm::zip_equal(written.getResults(), access.getResults()))
    if (auto dim = dyn_cast<AffineDimExpr>(index))
      loops[dim.getPosition()] = at;
  for (auto [loop, size] : llvm::zip_equal(loops, op.getStaticLoopRanges()))
    if (!loop && size == 1)
      loop = getAffineConstantExpr(0, op.getContext());
  if (llvm::is_contained(loops, AffineExpr()))
    return fail(op, "its result does not follow its loops");
  SmallVector<Value> results = evaluate(op, loops, point, {});
  for (auto [result, value] : llvm::zip(op->getResults(), results))
    if (op.getIndexingMapMatchingResult(result) == written)
      known[{result, access, point.row, point.place, point.vector}] = value;
  return known.lookup(key);
}

/// Reads through a reshape or slice of what has no buffer.
Value Evaluator::readView(Operation *view, AffineMap access, const Point &point) {
  SmallVector<AffineExpr> indices;
  MLIRContext *context = view->getContext();
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(view)) {
    ArrayRef<int64_t> shape = expand.getResultType().getShape();
    for (ArrayRef<int64_t> group : expand.getReassociationIndices()) {
      AffineExpr index = getAffineConstantExpr(0, context);
      for (int64_t dim : group) {
        if (dim != group.front() && ShapedType::isDynamic(shape[dim]))
          return fail(view, "an unknown size inside a reshape");
        index = (dim == group.front() ? index : index * shape[dim]) + access.getResult(dim);
      }
      indices.push_back(index);
    }
  } else if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(view)) {
    ArrayRef<int64_t> shape = collapse.getSrcType().getShape();
    for (auto [at, group] : llvm::enumerate(collapse.getReassociationIndices())) {
      SmallVector<AffineExpr> split;
      AffineExpr rest = access.getResult(at);
      for (int64_t dim : llvm::reverse(group)) {
        if (dim != group.front() && ShapedType::isDynamic(shape[dim]))
          return fail(view, "an unknown size inside a reshape");
        split.push_back(dim == group.front() ? rest : rest % shape[dim]);
        rest = dim == group.front() ? rest : rest.floorDiv(shape[dim]);
      }
      indices.append(split.rbegin(), split.rend());
    }
  } else if (auto slice = dyn_cast<tensor::ExtractSliceOp>(view)) {
    if (ShapedType::isDynamicShape(slice.getStaticOffsets()) ||
        ShapedType::isDynamicShape(slice.getStaticStrides()))
      return fail(view, "a slice, at a place not known now, of a value of the same kernel");
    llvm::SmallBitVector dropped = slice.getDroppedDims();
    for (unsigned dim = 0, kept = 0; dim < dropped.size(); ++dim) {
      AffineExpr index = getAffineConstantExpr(slice.getStaticOffset(dim), context);
      if (!dropped[dim])
        index = index + access.getResult(kept++) * slice.getStaticStride(dim);
      indices.push_back(index);
    }
  } else if (auto pad = dyn_cast<tensor::PadOp>(view)) {
    return readPadded(pad, access, point);
  } else {
    return fail(view, "a view of a value that is computed in the same kernel");
  }
  return read(view->getOperand(0), AffineMap::get(access.getNumDims(), 0, indices, context), point);
}

/// Inside its source, or the padding's value. Nothing outside is read: scalar indices are kept
/// inside, lanes are masked.
Value Evaluator::readPadded(tensor::PadOp pad, AffineMap access, const Point &point) {
  Value buffer = outside(pad.getSource()), value = pad.getConstantPaddingValue();
  if (!isa<MemRefType>(buffer.getType()) || !value)
    return fail(pad, "padding of a value that is computed in the same kernel");
  Type element = pad.getSourceType().getElementType();
  bool isVector = point.vectorDim != noDim && point.lanes > 1;
  SmallVector<Value> indices;
  Value inside, lanesInside;
  auto both = [&](Value a, Value b) { return a ? writer.make<arith::AndIOp>(a, b) : b; };
  for (auto [axis, at] : llvm::enumerate(access.getResults())) {
    auto size = [&] { return writer.make<memref::DimOp>(buffer, writer.index(axis)); };
    OpFoldResult low = pad.getMixedLowPad()[axis], high = pad.getMixedHighPad()[axis];
    Value index = writer.expression(at, point.at);
    bool padded = !isConstantIntValue(low, 0) || !isConstantIntValue(high, 0);
    if (!padded) {
      indices.push_back(index);
      continue;
    }
    Value before =
        isa<Value>(low) ? outside(cast<Value>(low)) : writer.index(*getConstantIntValue(low));
    index = writer.make<arith::SubIOp>(index, before);
    bool varies = isVector && at.isFunctionOfDim(point.vectorDim);
    if (!varies) {
      // As unsigned numbers, negative ones are too large, too.
      Value here = writer.make<arith::CmpIOp>(arith::CmpIPredicate::ult, index, size());
      inside = both(inside, here);
      indices.push_back(writer.make<arith::SelectOp>(here, index, writer.index(0)));
      continue;
    }
    if (stepOf(access, point.vectorDim) != Step::Unit)
      return fail(pad, "padding across the vectors");
    Type type = vectorOf(point.lanes, writer.builder.getIndexType());
    Value lanes =
        writer.make<arith::AddIOp>(spread(index, point), writer.make<vector::StepOp>(type));
    lanesInside = both(lanesInside, writer.make<arith::CmpIOp>(arith::CmpIPredicate::ult, lanes,
                                                               spread(size(), point)));
    indices.push_back(index);
  }
  Value mask = point.mask;
  if (lanesInside)
    mask = mask ? writer.make<arith::AndIOp>(mask, lanesInside) : lanesInside;
  // With an empty source there is no index inside: its lanes are all masked, its elements not read.
  Value read = isVector && stepOf(access, point.vectorDim) == Step::Unit
                   ? loadVector(buffer, element, indices, mask, point)
                   : load(buffer, element, access, indices, point);
  if (inside)
    lanesInside = isVector && lanesInside ? both(lanesInside, spread(inside, point)) : inside;
  if (!lanesInside)
    return read;
  Attribute padding;
  if (!matchPattern(value, m_Constant(&padding)))
    return fail(pad, "padding by a value that is not constant");
  Value outsideValue = writer.make<arith::ConstantOp>(cast<TypedAttr>(padding));
  bool anyVector = isa<VectorType>(read.getType()) || isa<VectorType>(lanesInside.getType());
  if (anyVector)
    return writer.make<arith::SelectOp>(spread(lanesInside, point), spread(read, point),
                                        spread(outsideValue, point));
  return writer.make<arith::SelectOp>(lanesInside, read, outsideValue);
}

//===--- bodies ----------------------------------------------------------------------------------

/// The dimensions of the kernel that the op's loops run over.
SmallVector<AffineExpr> Evaluator::loopsOf(linalg::GenericOp op) const {
  return llvm::map_to_vector(kernel.loops(op),
                             [&](Dim dim) { return getAffineDimExpr(dim, op.getContext()); });
}

Value Evaluator::compute(OpResult result, const Point &point) {
  auto op = cast<linalg::GenericOp>(result.getOwner());
  AffineMap access = kernel.access(result);
  if (auto found = stored.find(result);
      found != stored.end() &&
      (found->second.kind == Storage::Registers || found->second.kind == Storage::Element))
    return readStored(found->second, result, access, point);
  Key key{result, access, point.row, point.place, point.vector};
  if (Value value = known.lookup(key))
    return value;
  SmallVector<Value> results = evaluate(op, loopsOf(op), point, {});
  for (auto [other, value] : llvm::zip(op->getResults(), results))
    known[{other, kernel.access(other), point.row, point.place, point.vector}] = value;
  return known.lookup(key);
}

SmallVector<Value> Evaluator::accumulate(linalg::GenericOp op, const Point &point,
                                         ValueRange accumulators) {
  return evaluate(op, loopsOf(op), point, accumulators);
}

/// What an argument of the body is at a place.
Value Evaluator::readOperand(OpOperand &operand, ArrayRef<AffineExpr> loops, const Point &point) {
  auto op = cast<linalg::GenericOp>(operand.getOwner());
  AffineMap access =
      op.getMatchingIndexingMap(&operand).replaceDimsAndSymbols(loops, {}, kernel.dimCount(), 0);
  auto panel = panels.find(&operand);
  return panel == panels.end() ? read(operand.get(), access, point)
                               : readStored(panel->second, operand.get(), access, point);
}

/// Adds to `values` what an op of a body gives, of operands that are there.
void Evaluator::evaluateInner(Operation &inner, ArrayRef<AffineExpr> loops, const Point &point,
                              IRMapping &values) {
  if (auto index = dyn_cast<linalg::IndexOp>(inner)) {
    values.map(index.getResult(), loopIndex(loops[index.getDim()], point));
  } else if (auto apply = dyn_cast<affine::AffineApplyOp>(inner)) {
    values.map(apply.getResult(), computedIndex(apply, loops, point));
  } else if (auto extract = dyn_cast<tensor::ExtractOp>(inner)) {
    auto indices =
        llvm::map_to_vector(extract.getIndices(), [&](Value at) { return valueOf(at, values); });
    values.map(extract.getResult(), gather(extract.getTensor(), indices, point));
  } else if (inner.getNumResults() >= 1 && inner.getNumRegions() == 0) {
    if (SmallVector<Value> copied = copy(inner, values, point); !copied.empty())
      values.map(inner.getResults(), copied);
  } else {
    fail(&inner, "an op that has no vector form");
  }
}

SmallVector<Value> Evaluator::evaluate(linalg::GenericOp op, ArrayRef<AffineExpr> loops,
                                       const Point &point, ValueRange accumulators) {
  IRMapping values;
  for (OpOperand &operand : op->getOpOperands()) {
    BlockArgument argument = op.getMatchingBlockArgument(&operand);
    if (op.isDpsInit(&operand) && !accumulators.empty())
      values.map(argument, accumulators[operand.getOperandNumber() - op.getNumDpsInputs()]);
    else if (!argument.use_empty())
      values.map(argument, readOperand(operand, loops, point));
  }
  // acc + a * b rounds once.
  Operation *sum = !accumulators.empty() && isMultiplyAdd(op) ? combinerOf(op) : nullptr;
  for (Operation &inner : op.getBlock()->without_terminator()) {
    if (hasFailed)
      return SmallVector<Value>(op->getNumResults());
    // The product of a multiply-add is part of it.
    bool isProduct = sum && inner.hasOneUse() && *inner.getUsers().begin() == sum;
    if (&inner == sum)
      values.map(inner.getResult(0),
                 multiplyAdd(inner, op.getRegionOutputArgs()[0], values, point));
    else if (!isProduct)
      evaluateInner(inner, loops, point, values);
  }
  SmallVector<Value> results;
  for (Value yielded : op.getBlock()->getTerminator()->getOperands())
    results.push_back(valueOf(yielded, values));
  return results;
}

SmallVector<Value> Evaluator::indicesOf(tensor::ExtractOp extract, const Point &point) {
  auto op = cast<linalg::GenericOp>(extract->getParentOp());
  SetVector<Operation *> needed;
  BackwardSliceOptions inBody;
  inBody.filter = [&](Operation *other) { return other->getParentOp() == op; };
  (void)getBackwardSlice(extract.getOperation(), &needed, inBody);
  SmallVector<AffineExpr> loops = loopsOf(op);
  IRMapping values;
  needed.insert(extract);
  for (OpOperand *operand : op.getDpsInputOperands())
    if (BlockArgument argument = op.getMatchingBlockArgument(operand);
        llvm::any_of(argument.getUsers(), [&](Operation *user) { return needed.contains(user); }))
      values.map(argument, readOperand(*operand, loops, point));
  needed.remove(extract);
  for (Operation *inner : needed)
    evaluateInner(*inner, loops, point, values);
  return llvm::map_to_vector(extract.getIndices(), [&](Value at) { return valueOf(at, values); });
}

/// What `value` is in the body at hand, or outside of it: a constant of the kernel.
Value Evaluator::valueOf(Value value, const IRMapping &values) {
  Value inner = values.lookupOrNull(value);
  return inner ? inner : outside(value);
}

/// accumulator + a * b, from the op that adds.
Value Evaluator::multiplyAdd(Operation &sum, BlockArgument accumulator, const IRMapping &values,
                             const Point &point) {
  Value other = sum.getOperand(sum.getOperand(0) == accumulator ? 1 : 0);
  Operation *product = other.getDefiningOp();
  Value a = valueOf(product->getOperand(0), values);
  Value b = valueOf(product->getOperand(1), values);
  Value c = values.lookup(accumulator);
  bool isVector = isa<VectorType>(c.getType());
  if (isVector)
    a = spread(a, point), b = spread(b, point);
  if (!hasFMA)
    return writer.make<arith::AddFOp>(c, writer.make<arith::MulFOp>(a, b));
  // Not vector.fma: LLVM may take that apart again.
  return writer.make<math::FmaOp>(a, b, c);
}

/// The op on scalars, or on vectors if an operand is one.
SmallVector<Value> Evaluator::copy(Operation &op, const IRMapping &values, const Point &point) {
  SmallVector<Value> operands;
  bool isVector = false;
  for (Value operand : op.getOperands()) {
    operands.push_back(valueOf(operand, values));
    if (!operands.back())
      return fail(&op, "an operand from outside the kernel"), SmallVector<Value>();
    isVector |= isa<VectorType>(operands.back().getType());
  }
  if (isVector && !OpTrait::hasElementwiseMappableTraits(&op))
    return fail(&op, "an op that has no vector form"), SmallVector<Value>();
  if (isVector)
    for (Value &operand : operands)
      operand = spread(operand, point);
  OperationState state(op.getLoc(), op.getName());
  state.addOperands(operands);
  for (Type type : op.getResultTypes())
    state.addTypes(isVector ? Type(vectorOf(point.lanes, type)) : type);
  state.attributes = op.getAttrDictionary().getValue();
  if (op.getNumResults() > 1)
    return llvm::to_vector_of<Value>(writer.builder.create(state)->getResults());
  Value result = writer.make(state);
  if (isa<arith::AddIOp>(op) && isVector)
    for (auto [a, b] : {std::pair(0, 1), std::pair(1, 0)})
      if (Value from = firstOf(operands[a]))
        if (auto uniform = operands[b].getDefiningOp<vector::BroadcastOp>())
          countsFrom[result] = writer.add(from, uniform.getSource());
  return {result};
}

/// The first lane of a vector that counts up by ones; nothing of any other. A constant is written
/// anew: the vector may come from further out than the loop that it was first written in.
Value Evaluator::firstOf(Value vector) {
  Value first = countsFrom.lookup(vector);
  std::optional<int64_t> constant = first ? constantOf(first) : std::nullopt;
  return constant ? writer.index(*constant) : first;
}

Value Evaluator::loopIndex(AffineExpr loop, const Point &point) {
  Value scalar = writer.expression(loop, point.at);
  if (point.vectorDim == noDim || point.lanes == 1 || !loop.isFunctionOfDim(point.vectorDim))
    return scalar;
  AffineMap map = AffineMap::get(kernel.dimCount(), 0, loop);
  Type type = vectorOf(point.lanes, writer.builder.getIndexType());
  Value steps = writer.make<vector::StepOp>(type);
  if (stepOf(map, point.vectorDim) == Step::Unit) {
    Value result = writer.make<arith::AddIOp>(spread(scalar, point), steps);
    countsFrom[result] = scalar;
    return result;
  }
  SmallVector<Value> elements;
  for (int64_t lane = 0; lane < point.lanes; ++lane) {
    SmallVector<Value> at = point.at;
    at[point.vectorDim] = writer.add(at[point.vectorDim], lane);
    elements.push_back(writer.expression(loop, at));
  }
  return writer.make<vector::FromElementsOp>(type, elements);
}

/// affine.apply on indices of loops, as where a dimension was split.
Value Evaluator::computedIndex(affine::AffineApplyOp apply, ArrayRef<AffineExpr> loops,
                               const Point &point) {
  SmallVector<AffineExpr> operands;
  for (Value operand : apply.getMapOperands()) {
    auto index = operand.getDefiningOp<linalg::IndexOp>();
    if (!index)
      return fail(apply, "an index that is computed of more than loops");
    operands.push_back(loops[index.getDim()]);
  }
  AffineMap map = apply.getAffineMap();
  ArrayRef<AffineExpr> all(operands);
  return loopIndex(map.getResult(0).replaceDimsAndSymbols(all.take_front(map.getNumDims()),
                                                          all.drop_front(map.getNumDims())),
                   point);
}

/// tensor.extract: one element for all lanes, adjacent ones, or one by one.
Value Evaluator::gather(Value tensor, ArrayRef<Value> indices, const Point &point) {
  Value buffer = bound.lookupOrNull(tensor);
  if (auto found = stored.find(tensor);
      found != stored.end() && found->second.kind == Storage::Buffer)
    buffer = found->second.buffer;
  if (!buffer)
    return fail(kernel.getFunction(), "elements are gathered from a value that is in no buffer");
  Type element = getElementTypeOrSelf(tensor.getType());
  auto isVector = [](Value index) { return isa<VectorType>(index.getType()); };
  if (llvm::none_of(indices, isVector))
    return fromMemory(writer.make<memref::LoadOp>(buffer, indices), element);

  SmallVector<Value> first(indices);
  if (Value from = firstOf(indices.back()); from && llvm::none_of(indices.drop_back(), isVector)) {
    first.back() = from;
    return loadVector(buffer, element, first, point.mask, point);
  }
  SmallVector<Value> elements;
  for (int64_t lane = 0; lane < point.lanes; ++lane) {
    SmallVector<Value> at;
    for (Value index : indices) {
      Value scalar = isVector(index) ? writer.make<vector::ExtractOp>(index, lane) : index;
      if (point.mask)
        scalar = writer.make<arith::SelectOp>(writer.make<vector::ExtractOp>(point.mask, lane),
                                              scalar, writer.index(0));
      at.push_back(scalar);
    }
    elements.push_back(writer.make<memref::LoadOp>(buffer, at));
  }
  Type type = vectorOf(point.lanes, memoryType(element));
  return fromMemory(writer.make<vector::FromElementsOp>(type, elements), element);
}

//===--- outside of tiles ------------------------------------------------------------------------

void Evaluator::bind(Value tensor, Value buffer) { bound.map(tensor, buffer); }

/// Views of arguments, sizes and constants: once, at the beginning.
LogicalResult Evaluator::bindBody(func::FuncOp function) {
  auto &builder = writer.builder;
  for (Operation &op : function.front().without_terminator()) {
    Value source = op.getNumOperands() ? bound.lookupOrNull(op.getOperand(0)) : Value();
    bool isBuffer = source && isa<MemRefType>(source.getType());
    if (auto dim = dyn_cast<tensor::DimOp>(op)) {
      if (isBuffer)
        bound.map(dim.getResult(), writer.make<memref::DimOp>(source, outside(dim.getIndex())));
    } else if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op); expand && isBuffer) {
      SmallVector<OpFoldResult> shape = expand.getMixedOutputShape();
      for (OpFoldResult &size : shape)
        if (auto value = dyn_cast<Value>(size))
          size = outside(value);
      SmallVector<int64_t> sizes(expand.getResultType().getShape());
      auto type = memref::ExpandShapeOp::computeExpandedType(
          cast<MemRefType>(source.getType()), sizes, expand.getReassociationIndices());
      if (llvm::failed(type))
        return op.emitError() << "no schedule: a reshape of a strided view";
      bound.map(expand.getResult(),
                memref::ExpandShapeOp::create(builder, *type, source,
                                              expand.getReassociationIndices(), shape)
                    .getResult());
    } else if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op); collapse && isBuffer) {
      bound.map(collapse.getResult(),
                memref::CollapseShapeOp::create(builder, source, collapse.getReassociationIndices())
                    .getResult());
    } else if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op); slice && isBuffer) {
      auto mapped = [&](SmallVector<OpFoldResult> list) {
        for (OpFoldResult &entry : list)
          if (auto value = dyn_cast<Value>(entry))
            entry = outside(value);
        return list;
      };
      auto offsets = mapped(slice.getMixedOffsets()), sizes = mapped(slice.getMixedSizes()),
           strides = mapped(slice.getMixedStrides());
      auto type = memref::SubViewOp::inferRankReducedResultType(slice.getResultType().getShape(),
                                                                cast<MemRefType>(source.getType()),
                                                                offsets, sizes, strides);
      bound.map(slice.getResult(), memref::SubViewOp::create(builder, cast<MemRefType>(type),
                                                             source, offsets, sizes, strides)
                                       .getResult());
    } else if (auto cast = dyn_cast<tensor::CastOp>(op); cast && isBuffer) {
      auto type = MemRefType::get(cast.getType().getShape(),
                                  ::cast<MemRefType>(source.getType()).getElementType());
      bound.map(cast.getResult(), memref::CastOp::create(builder, type, source).getResult());
    } else if (matchPattern(&op, m_Constant()) && isa<TensorType>(op.getResult(0).getType())) {
      // Elements that are all the same are written where they are read.
      if (!isa<SplatElementsAttr>(::cast<arith::ConstantOp>(op).getValue()))
        return op.emitError() << "no schedule: a table of constants inside a kernel";
    } else if (isa<arith::ArithDialect, affine::AffineDialect>(op.getDialect())) {
      // What depends on a tensor's element is not here: linalg ops compute that.
      writer.clone(op, bound);
    }
  }
  return success();
}

} // namespace formwork
