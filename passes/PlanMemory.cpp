// One arena for all buffers of a host function.
//
// A buffer is live from its first use to its last, in the order of the schedule; one that is used
// in a loop but made outside is live for the whole loop. Buffers of known size get constant offsets
// by best fit, the largest first. Buffers whose sizes depend on `?` share slots: disjoint in time
// within a slot, a slot as large as its largest member; their offsets are host arithmetic at the
// function's beginning.
//
// fw.arena_peak says which layers hold how much where most is held, for diagnostics.
//
// Refuses a buffer whose size depends on data.
#include "passes/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/Transforms/BufferViewFlowAnalysis.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;

namespace formwork {

#define GEN_PASS_DEF_PLANMEMORY
#include "passes/Passes.h.inc"

static constexpr int64_t alignment = 64;

namespace {
/// Positions of ops in the schedule; an op with regions spans those of the ops inside.
struct Span {
  int64_t first, last;
  bool overlaps(Span other) const { return first <= other.last && other.first <= last; }
};

struct Buffer {
  memref::AllocOp alloc;
  Span live;
  /// Where it is used first, in the block where it is allocated.
  Operation *firstUse;
  /// Bytes; of all but the `?` dimensions if there are such.
  int64_t bytes;
  int64_t offset = 0;
  bool isStatic() { return alloc.getType().hasStaticShape(); }
};

struct Slot {
  SmallVector<Buffer *> members;
};

class Planner {
public:
  explicit Planner(func::FuncOp function) : function(function) {}
  LogicalResult run();

private:
  void number(Block &block, int64_t &next);
  Operation *positionOf(Operation *user, Operation *alloc);
  Span lifeOf(memref::AllocOp alloc, const BufferViewFlowAnalysis &views);
  int64_t placeStatic();
  ArrayAttr peak();
  void assignSlots();
  LogicalResult hoistSizes();
  void rewrite(int64_t staticBytes);
  Value bytesOf(OpBuilder &builder, Buffer &buffer, IRMapping &sizes);
  Value endOfSlots(OpBuilder &builder, int64_t staticBytes, IRMapping &sizes,
                   DenseMap<Buffer *, Value> *offsets);
  void addArenaFunction(int64_t staticBytes);

  func::FuncOp function;
  DenseMap<Operation *, Span> spans;
  std::vector<Buffer> buffers;
  SmallVector<Slot> slots;
  /// What computes the sizes of buffers, in order, all at the function's beginning.
  SmallVector<Operation *> sizeOps;
};
} // namespace

//===--- lifetimes -------------------------------------------------------------------------------

void Planner::number(Block &block, int64_t &next) {
  for (Operation &op : block) {
    int64_t first = next++;
    for (Region &region : op.getRegions())
      for (Block &inner : region)
        number(inner, next);
    spans[&op] = {first, next - 1};
  }
}

/// The op that holds `user` in the innermost block that also holds `alloc`.
Operation *Planner::positionOf(Operation *user, Operation *alloc) {
  for (Block *block = alloc->getBlock();; block = block->getParentOp()->getBlock())
    if (Operation *position = block->findAncestorOpInBlock(*user))
      return position;
}

Span Planner::lifeOf(memref::AllocOp alloc, const BufferViewFlowAnalysis &views) {
  Span life{std::numeric_limits<int64_t>::max(), spans[alloc].last};
  for (Value view : views.resolve(alloc.getResult()))
    for (Operation *user : view.getUsers()) {
      Span position = spans[positionOf(user, alloc)];
      life.first = std::min(life.first, position.first);
      life.last = std::max(life.last, position.last);
    }
  life.first = std::min(life.first, life.last);
  return life;
}

/// The first op that uses it in the block where it is allocated.
static Operation *firstUseOf(memref::AllocOp alloc, const BufferViewFlowAnalysis &views) {
  Operation *first = alloc->getBlock()->getTerminator();
  for (Value view : views.resolve(alloc.getResult()))
    for (Operation *user : view.getUsers())
      if (Operation *here = alloc->getBlock()->findAncestorOpInBlock(*user))
        first = here->isBeforeInBlock(first) ? here : first;
  return first;
}

//===--- offsets ---------------------------------------------------------------------------------

/// Where `buffer` fits among `busy`, the ranges taken while it lives: the smallest gap that holds
/// it, else after the last.
static int64_t bestFit(const Buffer &buffer, SmallVector<std::pair<int64_t, int64_t>> busy) {
  llvm::sort(busy);
  int64_t best = -1, smallest = std::numeric_limits<int64_t>::max(), at = 0;
  for (auto [from, to] : busy) {
    int64_t gap = from - at;
    if (gap >= buffer.bytes && gap < smallest) {
      smallest = gap;
      best = at;
    }
    at = std::max(at, to);
  }
  return best >= 0 ? best : at;
}

/// Among equals the first in the program first: the buffers lie in that order.
template <typename Weight>
static void sortLargestFirst(SmallVectorImpl<Buffer *> &order, Weight weight) {
  llvm::sort(order, [&](Buffer *a, Buffer *b) {
    return std::pair(weight(b), a) < std::pair(weight(a), b);
  });
}

int64_t Planner::placeStatic() {
  SmallVector<Buffer *> order;
  for (Buffer &buffer : buffers)
    if (buffer.isStatic())
      order.push_back(&buffer);
  sortLargestFirst(order, [](Buffer *buffer) { return buffer->bytes; });
  int64_t end = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    SmallVector<std::pair<int64_t, int64_t>> busy;
    for (Buffer *placed : ArrayRef(order).take_front(i))
      if (placed->live.overlaps(order[i]->live))
        busy.push_back({placed->offset, placed->offset + placed->bytes});
    order[i]->offset = bestFit(*order[i], busy);
    end = std::max(end, order[i]->offset + order[i]->bytes);
  }
  return end;
}

/// [layer, bytes] for each layer with buffers of known size that are live when most of them are,
/// the largest first.
ArrayAttr Planner::peak() {
  auto liveAt = [&](int64_t position) {
    return llvm::make_filter_range(buffers, [position](Buffer &buffer) {
      return buffer.isStatic() && buffer.live.overlaps({position, position});
    });
  };
  int64_t most = 0, where = -1;
  for (const Buffer &start : buffers) { // the sum grows only where a life begins
    int64_t bytes = 0;
    for (Buffer &buffer : liveAt(start.live.first))
      bytes += buffer.bytes;
    if (bytes > most)
      most = bytes, where = start.live.first;
  }
  llvm::MapVector<StringRef, int64_t> layers;
  for (Buffer &buffer : liveAt(where))
    layers[layerName(buffer.alloc.getLoc())] += buffer.bytes;
  auto order = layers.takeVector();
  llvm::stable_sort(order, [](auto &a, auto &b) { return a.second > b.second; });
  Builder builder(function.getContext());
  return builder.getArrayAttr(llvm::map_to_vector(order, [&](auto &layer) -> Attribute {
    return builder.getArrayAttr(
        {builder.getStringAttr(layer.first), builder.getI64IntegerAttr(layer.second)});
  }));
}

/// Largest first, so that those that follow into a slot seldom make it larger. How large is judged
/// by what is known: the `?` of one function are mostly the same batch.
void Planner::assignSlots() {
  SmallVector<Buffer *> order;
  for (Buffer &buffer : buffers)
    if (!buffer.isStatic())
      order.push_back(&buffer);
  auto weight = [](Buffer *buffer) {
    return std::pair(buffer->alloc.getType().getNumDynamicDims(), buffer->bytes);
  };
  sortLargestFirst(order, weight);
  for (Buffer *buffer : order) {
    auto fits = [&](const Slot &slot) {
      return llvm::none_of(slot.members,
                           [&](Buffer *other) { return other->live.overlaps(buffer->live); });
    };
    auto slot = llvm::find_if(slots, fits);
    if (slot == slots.end())
      slot = &slots.emplace_back();
    slot->members.push_back(buffer);
  }
}

//===--- host arithmetic -------------------------------------------------------------------------

/// Moves what computes sizes to the function's beginning.
LogicalResult Planner::hoistSizes() {
  llvm::SetVector<Operation *> needed;
  SmallVector<Value> open;
  for (Buffer &buffer : buffers)
    llvm::append_range(open, buffer.alloc.getDynamicSizes());
  while (!open.empty()) {
    Value value = open.pop_back_val();
    Operation *op = value.getDefiningOp();
    if (!op && cast<BlockArgument>(value).getOwner() == &function.front() &&
        value.getType().isIndex())
      continue;
    if (!op || !isPure(op) || op->getNumRegions())
      return emitError(value.getLoc(), "the size of a buffer depends on more than the sizes of "
                                       "the function's inputs");
    if (needed.insert(op))
      llvm::append_range(open, op->getOperands());
  }
  sizeOps = llvm::to_vector(needed);
  llvm::sort(sizeOps, [&](Operation *a, Operation *b) { return spans[a].first < spans[b].first; });
  for (Operation *op : llvm::reverse(sizeOps))
    op->moveBefore(&function.front(), function.front().begin());
  return success();
}

static Value constant(OpBuilder &builder, Location location, int64_t value) {
  return arith::ConstantIndexOp::create(builder, location, value);
}

/// Bytes of a buffer of unknown size, rounded up to the alignment.
Value Planner::bytesOf(OpBuilder &builder, Buffer &buffer, IRMapping &sizes) {
  Location location = buffer.alloc.getLoc();
  MemRefType type = buffer.alloc.getType();
  int64_t fixed = llvm::divideCeil(type.getElementTypeBitWidth(), 8);
  for (int64_t size : type.getShape())
    fixed *= ShapedType::isDynamic(size) ? 1 : size;
  Value bytes = constant(builder, location, fixed);
  for (Value size : buffer.alloc.getDynamicSizes())
    bytes = arith::MulIOp::create(builder, location, bytes, sizes.lookupOrDefault(size));
  Value up =
      arith::AddIOp::create(builder, location, bytes, constant(builder, location, alignment - 1));
  return arith::AndIOp::create(builder, location, up, constant(builder, location, -alignment));
}

/// Computes where each slot begins, and returns where the last one ends.
Value Planner::endOfSlots(OpBuilder &builder, int64_t staticBytes, IRMapping &sizes,
                          DenseMap<Buffer *, Value> *offsets) {
  Value at = constant(builder, function.getLoc(), staticBytes);
  for (Slot &slot : slots) {
    Value largest;
    for (Buffer *buffer : slot.members) {
      Value bytes = bytesOf(builder, *buffer, sizes);
      largest = largest
                    ? arith::MaxSIOp::create(builder, function.getLoc(), largest, bytes).getResult()
                    : bytes;
      if (offsets)
        (*offsets)[buffer] = at;
    }
    at = arith::AddIOp::create(builder, function.getLoc(), at, largest);
  }
  return at;
}

/// `@NAME.arena`: the same arithmetic from the sizes of symbols alone.
void Planner::addArenaFunction(int64_t staticBytes) {
  OpBuilder builder(function);
  Type index = builder.getIndexType();
  SmallVector<BlockArgument> symbols;
  for (BlockArgument argument : function.getArguments())
    if (function.getArgAttr(argument.getArgNumber(), "fw.symbol"))
      symbols.push_back(argument);
  SmallVector<Type> types(symbols.size(), index);
  auto arena =
      func::FuncOp::create(builder, function.getLoc(), (function.getName() + ".arena").str(),
                           builder.getFunctionType(types, index));
  arena.setPrivate();
  Block *body = arena.addEntryBlock();
  builder.setInsertionPointToEnd(body);
  IRMapping sizes;
  for (auto [symbol, argument] : llvm::zip_equal(symbols, body->getArguments())) {
    sizes.map(symbol, argument);
    arena.setArgAttr(argument.getArgNumber(), "fw.symbol",
                     function.getArgAttr(symbol.getArgNumber(), "fw.symbol"));
  }
  for (Operation *op : sizeOps)
    builder.clone(*op, sizes);
  Value end = endOfSlots(builder, staticBytes, sizes, nullptr);
  func::ReturnOp::create(builder, function.getLoc(), end);
}

//===--- the function, on an arena ---------------------------------------------------------------

void Planner::rewrite(int64_t staticBytes) {
  MLIRContext *context = function.getContext();
  unsigned position = function.getNumArguments();
  auto bytes = MemRefType::get({ShapedType::kDynamic}, IntegerType::get(context, 8));
  auto name = NamedAttribute(StringAttr::get(context, "fw.arena"), UnitAttr::get(context));
  (void)function.insertArgument(position, bytes, DictionaryAttr::get(context, name),
                                function.getLoc());
  Value arena = function.getArgument(position);

  auto builder = OpBuilder::atBlockBegin(&function.front());
  if (!sizeOps.empty())
    builder.setInsertionPointAfter(sizeOps.back());
  IRMapping same;
  DenseMap<Buffer *, Value> offsets;
  endOfSlots(builder, staticBytes, same, &offsets);
  for (Buffer &buffer : buffers) {
    Location location = buffer.alloc.getLoc();
    Value offset =
        buffer.isStatic() ? constant(builder, location, buffer.offset) : offsets[&buffer];
    // Where its life begins, in each step of a loop anew: nothing it held before is needed.
    OpBuilder here(buffer.firstUse);
    Value view = memref::ViewOp::create(here, location, buffer.alloc.getType(), arena, offset,
                                        buffer.alloc.getDynamicSizes());
    for (Operation *user : llvm::make_early_inc_range(buffer.alloc->getUsers()))
      if (isa<memref::DeallocOp>(user))
        user->erase();
    buffer.alloc.replaceAllUsesWith(view);
  }
  // Only now: the insertion point may be one of them.
  for (Buffer &buffer : buffers)
    buffer.alloc.erase();
}

static int64_t staticBytesOf(MemRefType type) {
  int64_t bytes = llvm::divideCeil(type.getElementTypeBitWidth(), 8);
  for (int64_t size : type.getShape())
    bytes *= ShapedType::isDynamic(size) ? 1 : size;
  return type.hasStaticShape() ? int64_t(llvm::alignTo(bytes, alignment)) : bytes;
}

LogicalResult Planner::run() {
  int64_t next = 0;
  number(function.front(), next);
  BufferViewFlowAnalysis views(function);
  function.walk([&](memref::AllocOp alloc) {
    buffers.push_back(
        {alloc, lifeOf(alloc, views), firstUseOf(alloc, views), staticBytesOf(alloc.getType())});
  });
  if (failed(hoistSizes()))
    return failure();
  int64_t staticBytes = placeStatic();
  assignSlots();
  addArenaFunction(staticBytes);
  ArrayAttr atPeak = peak();
  rewrite(staticBytes);
  if (staticBytes)
    function->setAttr("fw.arena_peak", atPeak);
  if (slots.empty())
    function->setAttr("fw.arena_bytes",
                      Builder(function.getContext()).getI64IntegerAttr(staticBytes));
  return success();
}

namespace {
struct PlanMemory : impl::PlanMemoryBase<PlanMemory> {
  void runOnOperation() override {
    for (auto function : llvm::to_vector(getOperation().getOps<func::FuncOp>()))
      if (!function.isExternal() && failed(Planner(function).run()))
        return signalPassFailure();
  }
};
} // namespace

} // namespace formwork
