// fw-cpu-to-llvm: what upstream has a pass for each dialect for, in one conversion. A deep model's
// kernels are a million ops: each pass over them takes as long as optimizing them does. Vectors
// have one dimension by now, so that upstream's patterns for others need not be tried on every op.
//
// What has no pattern is left, and refused after it.
#include "codegen/cpu/Passes.h"
#include "ir/Rewriting.h"

#include "mlir/Conversion/AffineToStandard/AffineToStandard.h"
#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVM.h"
#include "mlir/Conversion/IndexToLLVM/IndexToLLVM.h"
#include "mlir/Conversion/LLVMCommon/ConversionTarget.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/MemRefToLLVM/MemRefToLLVM.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVM.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/MemRef/Transforms/Transforms.h"
#include "mlir/Dialect/Vector/Transforms/LoweringPatterns.h"
#include "mlir/Dialect/Vector/Transforms/VectorRewritePatterns.h"
#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;

namespace formwork {

#define GEN_PASS_DEF_CPUTOLLVM
#include "codegen/cpu/Passes.h.inc"

/// Parts and reshapes of buffers become pointers and arithmetic.
static LogicalResult expandViews(Operation *root) {
  SmallVector<Operation *> views;
  root->walk([&](Operation *op) {
    if (isa<memref::SubViewOp, memref::CollapseShapeOp, memref::ExpandShapeOp>(op))
      views.push_back(op);
  });
  RewritePatternSet patterns(root->getContext());
  memref::populateExpandStridedMetadataPatterns(patterns);
  return applyOpPatternsGreedily(
      views, std::move(patterns),
      structuredRewriting().setStrictness(GreedyRewriteStrictness::ExistingAndNewOps));
}

namespace {
struct CPUToLLVM : impl::CPUToLLVMBase<CPUToLLVM> {
  void runOnOperation() override {
    if (failed(expandViews(getOperation())))
      return signalPassFailure();
    LLVMTypeConverter types(&getContext());
    SymbolTableCollection symbols;
    RewritePatternSet patterns(&getContext());
    populateVectorToLLVMConversionPatterns(types, patterns);
    vector::populateVectorMaskOpLoweringPatterns(patterns);
    vector::populateVectorStepLoweringPatterns(patterns);
    vector::populateVectorMaskMaterializationPatterns(patterns, /*force32BitVectorIndices=*/true);
    populateAffineToStdConversionPatterns(patterns);
    populateMathToLLVMConversionPatterns(types, patterns);
    arith::populateCeilFloorDivExpandOpsPatterns(patterns);
    arith::populateArithToLLVMConversionPatterns(types, patterns);
    index::populateIndexToLLVMConversionPatterns(types, patterns);
    populateFinalizeMemRefToLLVMConversionPatterns(types, patterns, &symbols);
    populateFuncToLLVMConversionPatterns(types, patterns, &symbols);
    cf::populateControlFlowToLLVMConversionPatterns(types, patterns);
    LLVMConversionTarget target(getContext());
    if (failed(applyPartialConversion(getOperation(), target, std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace

} // namespace formwork
