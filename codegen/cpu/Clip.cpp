#include "codegen/cpu/Clip.h"

#include "ir/ZeroBorder.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace formwork {

int64_t Clip::stepAlong(Dim dim) const {
  AffineExpr d = getAffineDimExpr(dim, index.getContext());
  auto step = dyn_cast<AffineConstantExpr>(
      simplifyAffineExpr(index.replace(d, d + 1) - index, dimCount, 0));
  return step ? step.getValue() : 0;
}

AffineExpr Clip::without(Dim dim) const {
  MLIRContext *context = index.getContext();
  return index.replace(getAffineDimExpr(dim, context), getAffineConstantExpr(0, context));
}

std::optional<int64_t> Clip::atOrigin(ArrayRef<Dim> dims) const {
  AffineExpr rest = index;
  for (Dim dim : dims)
    rest = Clip{rest, from, to, dimCount}.without(dim);
  auto constant = dyn_cast<AffineConstantExpr>(simplifyAffineExpr(rest, dimCount, 0));
  return constant ? std::optional(constant.getValue()) : std::nullopt;
}

/// Whether every index moves evenly with every dimension, forward or backward.
static bool isLinear(AffineExpr index) {
  return !index
              .walk([](AffineExpr part) {
                bool divides = part.getKind() == AffineExprKind::FloorDiv ||
                               part.getKind() == AffineExprKind::CeilDiv ||
                               part.getKind() == AffineExprKind::Mod;
                return divides ? WalkResult::interrupt() : WalkResult::advance();
              })
              .wasInterrupted();
}

SmallVector<Clip> findClips(const Kernel &kernel, const ContractionGroup &contraction) {
  SmallVector<Clip> clips;
  if (contraction.ops.size() != 1 || !isMultiplyAdd(contraction.ops.front()))
    return clips;
  for (OpOperand *operand : linalg::GenericOp(contraction.ops.front()).getDpsInputOperands()) {
    DenseI64ArrayAttr border = zeroBorderOf(kernel.getFunction(), operand->get());
    if (!border)
      continue;
    auto shape = cast<RankedTensorType>(operand->get().getType()).getShape();
    for (auto [axis, index] : llvm::enumerate(kernel.access(*operand).getResults())) {
      int64_t low = border[axis], high = border[shape.size() + axis];
      if ((low || high) && isLinear(index))
        clips.push_back(
            {index, low,
             ShapedType::isDynamic(shape[axis]) ? std::nullopt : std::optional(shape[axis] - high),
             kernel.dimCount()});
    }
  }
  return clips;
}

Range clipped(Range all, const Clip &clip, int64_t offset, int64_t step) {
  auto inside = [&](int64_t k) {
    int64_t index = offset + step * k;
    return index >= clip.from && (!clip.to || index < *clip.to);
  };
  while (all.from < all.to && !inside(all.from))
    ++all.from;
  while (all.from < all.to && !inside(all.to - 1))
    --all.to;
  return all;
}

} // namespace formwork
