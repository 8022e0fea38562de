// The sizes of `?` dimensions become arguments, so that what depends on them is host arithmetic.
//
// Every size on the host is then a function of these arguments: none is asked of a buffer. Runs on
// tensors, and again on buffers: bufferization asks the arguments that it copies.
#include "ir/Rewriting.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/MemRef/Transforms/Transforms.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace formwork {

#define GEN_PASS_DEF_BINDSIZES
#include "passes/Passes.h.inc"

namespace {
/// The arguments that stand for symbols, appended when first asked for.
class Sizes {
public:
  explicit Sizes(func::FuncOp function) : function(function) {
    for (BlockArgument argument : function.getArguments())
      if (auto symbol =
              function.getArgAttrOfType<IntegerAttr>(argument.getArgNumber(), "fw.symbol"))
        arguments[symbol.getInt()] = argument;
  }

  Value of(int64_t symbol) {
    auto [entry, isNew] = arguments.try_emplace(symbol);
    if (isNew) {
      Builder builder(function.getContext());
      unsigned position = function.getNumArguments();
      auto name = builder.getNamedAttr("fw.symbol", builder.getI64IntegerAttr(symbol));
      (void)function.insertArgument(position, builder.getIndexType(),
                                    builder.getDictionaryAttr(name), function.getLoc());
      entry->second = function.getArgument(position);
    }
    return entry->second;
  }

private:
  func::FuncOp function;
  llvm::MapVector<int64_t, Value> arguments;
};
} // namespace

/// What a loop was given where it passes `argument` on: a carry keeps its shape.
static Value initialOf(BlockArgument argument) {
  Operation *parent = argument.getOwner()->getParentOp();
  if (auto loop = dyn_cast<scf::ForOp>(parent))
    if (OpOperand *initial = loop.getTiedLoopInit(argument))
      return initial->get();
  auto loop = dyn_cast<scf::WhileOp>(parent);
  if (!loop)
    return {};
  unsigned number = argument.getArgNumber();
  return argument.getOwner() == loop.getBeforeBody() ? loop.getInits()[number]
                                                     : loop.getConditionOp().getArgs()[number];
}

/// A value made further out that is as large as the result of control flow.
static Value asLargeAs(OpResult result) {
  unsigned number = result.getResultNumber();
  if (auto loop = dyn_cast<scf::ForOp>(result.getOwner()))
    return loop.getInitArgs()[number];
  if (auto loop = dyn_cast<scf::WhileOp>(result.getOwner()))
    if (auto passed = dyn_cast<BlockArgument>(loop.getConditionOp().getArgs()[number]))
      return initialOf(passed);
  if (auto choice = dyn_cast<scf::IfOp>(result.getOwner()))
    // Both branches write to memory that was made for what they yield.
    if (auto written = choice.thenYield()
                           .getOperand(number)
                           .getDefiningOp<bufferization::MaterializeInDestinationOp>())
      return written.getDest();
  return {};
}

namespace {
/// The size of what control flow passes on is that of what it was given.
struct SizeThroughControlFlow : OpRewritePattern<tensor::DimOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(tensor::DimOp dim, PatternRewriter &rewriter) const override {
    auto argument = dyn_cast<BlockArgument>(dim.getSource());
    Value same = argument ? initialOf(argument) : asLargeAs(cast<OpResult>(dim.getSource()));
    if (!same)
      return failure();
    rewriter.modifyOpInPlace(dim, [&] { dim.getSourceMutable().assign(same); });
    return success();
  }
};

/// A dimension that a reshape makes of others is as large as they are together.
struct SizeThroughReshape : OpRewritePattern<memref::DimOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(memref::DimOp dim, PatternRewriter &rewriter) const override {
    auto reshape = dim.getSource().getDefiningOp<memref::CollapseShapeOp>();
    std::optional<int64_t> index = dim.getConstantIndex();
    if (!reshape || !index)
      return failure();
    Value size;
    for (int64_t before : reshape.getReassociationIndices()[*index]) {
      Value factor = rewriter.createOrFold<memref::DimOp>(dim.getLoc(), reshape.getSrc(), before);
      size = size ? rewriter.createOrFold<arith::MulIOp>(dim.getLoc(), size, factor) : factor;
    }
    rewriter.replaceOp(dim, size);
    return success();
  }
};
} // namespace

/// tensor.dim of anything becomes tensor.dim of what it is computed from.
static LogicalResult resolveSizes(func::FuncOp function) {
  RewritePatternSet patterns(function.getContext());
  patterns.add<SizeThroughControlFlow, SizeThroughReshape>(function.getContext());
  memref::populateResolveRankedShapedTypeResultDimsPatterns(patterns);
  memref::populateResolveShapedTypeResultDimsPatterns(patterns);
  tensor::DimOp::getCanonicalizationPatterns(patterns, function.getContext());
  memref::DimOp::getCanonicalizationPatterns(patterns, function.getContext());
  return applyPatternsGreedily(function, std::move(patterns), structuredRewriting());
}

/// The symbol of a dimension of an argument, or -1.
template <typename DimOp> static int64_t symbolOf(func::FuncOp function, DimOp dim) {
  auto argument = dyn_cast<BlockArgument>(dim.getSource());
  std::optional<int64_t> index = dim.getConstantIndex();
  if (!argument || argument.getOwner() != &function.front() || !index)
    return -1;
  auto symbols =
      function.getArgAttrOfType<DenseI64ArrayAttr>(argument.getArgNumber(), "fw.symbols");
  return symbols ? symbols[*index] : -1;
}

static LogicalResult bindSizes(func::FuncOp function) {
  if (failed(resolveSizes(function)))
    return function.emitError("sizes do not settle");
  Sizes sizes(function);
  WalkResult result = function.walk([&](tensor::DimOp dim) {
    int64_t symbol = symbolOf(function, dim);
    if (symbol < 0) {
      dim.emitError() << "the size of dimension " << dim.getConstantIndex().value_or(-1)
                      << " of this value is not known from the inputs' sizes";
      return WalkResult::interrupt();
    }
    dim.replaceAllUsesWith(sizes.of(symbol));
    dim.erase();
    return WalkResult::advance();
  });
  function.walk([&](memref::DimOp dim) {
    int64_t symbol = symbolOf(function, dim);
    if (symbol >= 0)
      dim.replaceAllUsesWith(sizes.of(symbol));
  });
  return failure(result.wasInterrupted());
}

namespace {
struct BindSizes : impl::BindSizesBase<BindSizes> {
  void runOnOperation() override {
    if (failed(bindSizes(getOperation())))
      signalPassFailure();
  }
};
} // namespace

} // namespace formwork
