// Kernels as scalar loops, in the form that scheduled kernels have: `@k(begin, end, buffers...)`.
//
// For tests and `formwork verify` only; a product's kernels are scheduled by a target's rules.
// Intermediates of a kernel go to the stack, whatever their size.
#include "codegen/host/Passes.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotAnalysis.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotModuleBufferize.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace formwork {

#define GEN_PASS_DEF_SCALARKERNELS
#include "codegen/host/Passes.h.inc"

/// Ties what a kernel returns to its last arguments.
static void bindOutputs(func::FuncOp kernel) {
  Operation *terminator = kernel.front().getTerminator();
  OpBuilder builder(terminator);
  auto outputs = kernel.getArguments().take_back(kernel.getNumResults());
  for (BlockArgument argument : kernel.getArguments())
    if (isa<TensorType>(argument.getType()))
      kernel.setArgAttr(argument.getArgNumber(), "bufferization.writable",
                        builder.getBoolAttr(llvm::is_contained(outputs, argument)));
  for (auto [result, output] : llvm::zip_equal(terminator->getOpOperands(), outputs))
    result.set(bufferization::MaterializeInDestinationOp::create(
                   builder, kernel.getLoc(), output.getType(), result.get(), output)
                   .getResult());
}

static LogicalResult bufferize(ModuleOp kernels) {
  bufferization::OneShotBufferizationOptions options;
  options.bufferizeFunctionBoundaries = true;
  options.setFunctionBoundaryTypeConversion(bufferization::LayoutMapOption::IdentityLayoutMap);
  bufferization::BufferizationState state;
  return bufferization::runOneShotModuleBufferize(kernels, options, state);
}

/// Results are outputs by now; the range of chunks comes first.
static void takeChunks(func::FuncOp kernel) {
  kernel.front().getTerminator()->setOperands({});
  kernel.removeResAttrsAttr();
  kernel.setType(FunctionType::get(kernel.getContext(), kernel.getArgumentTypes(), {}));
  Type index = IndexType::get(kernel.getContext());
  for (unsigned i : {0, 1})
    (void)kernel.insertArgument(i, index, {}, kernel.getLoc());
}

static LogicalResult writeLoops(func::FuncOp kernel) {
  IRRewriter rewriter(kernel.getContext());
  kernel.walk([&](memref::CopyOp copy) {
    rewriter.setInsertionPoint(copy);
    if (copy.getSource() != copy.getTarget())
      linalg::CopyOp::create(rewriter, copy.getLoc(), copy.getSource(), copy.getTarget());
    rewriter.eraseOp(copy);
  });
  SmallVector<linalg::LinalgOp> ops;
  kernel.walk([&](linalg::LinalgOp op) { ops.push_back(op); });
  for (linalg::LinalgOp op : ops) {
    rewriter.setInsertionPoint(op);
    if (failed(linalg::linalgOpToLoops(rewriter, op)))
      return op.emitOpError("has no loops");
    rewriter.eraseOp(op);
  }
  kernel.walk([&](memref::AllocOp alloc) {
    rewriter.setInsertionPoint(alloc);
    rewriter.replaceOpWithNewOp<memref::AllocaOp>(alloc, alloc.getType(), alloc.getDynamicSizes());
  });
  return success();
}

/// Constants by other names than bufferization gives them outside of kernels: all functions will be
/// in one module.
static LogicalResult renameConstants(ModuleOp kernels) {
  SymbolTable symbols(kernels);
  for (auto constant : llvm::to_vector(kernels.getOps<memref::GlobalOp>()))
    if (failed(symbols.rename(constant, ("kernel" + constant.getName()).str())))
      return failure();
  return success();
}

/// tensor.pad in destination style: a fill and an insertion.
static LogicalResult expandPads(ModuleOp kernels) {
  IRRewriter rewriter(kernels.getContext());
  SmallVector<tensor::PadOp> pads;
  kernels.walk([&](tensor::PadOp pad) { pads.push_back(pad); });
  for (tensor::PadOp pad : pads) {
    rewriter.setInsertionPoint(pad);
    if (failed(linalg::rewriteInDestinationPassingStyle(rewriter, pad)))
      return failure();
  }
  return success();
}

namespace {
struct ScalarKernels : impl::ScalarKernelsBase<ScalarKernels> {
  void runOnOperation() override {
    for (auto kernels : getOperation().getOps<ModuleOp>()) {
      if (failed(expandPads(kernels)))
        return signalPassFailure();
      for (auto kernel : kernels.getOps<func::FuncOp>())
        bindOutputs(kernel);
      if (failed(bufferize(kernels)) || failed(renameConstants(kernels)))
        return signalPassFailure();
      for (auto kernel : kernels.getOps<func::FuncOp>()) {
        takeChunks(kernel);
        if (failed(writeLoops(kernel)))
          return signalPassFailure();
      }
    }
  }
};
} // namespace

void buildScalarLoweringPipeline(OpPassManager &pipeline) {
  pipeline.addPass(memref::createExpandStridedMetadataPass());
  pipeline.addPass(createLowerAffinePass());
  pipeline.addPass(createSCFToControlFlowPass());
  pipeline.addPass(createConvertMathToLLVMPass());
  pipeline.addPass(createConvertMathToLibmPass());
  pipeline.addPass(createArithToLLVMConversionPass());
  pipeline.addPass(createFinalizeMemRefToLLVMConversionPass());
  pipeline.addPass(createConvertFuncToLLVMPass());
  pipeline.addPass(createConvertControlFlowToLLVMPass());
  pipeline.addPass(createReconcileUnrealizedCastsPass());
}

} // namespace formwork
