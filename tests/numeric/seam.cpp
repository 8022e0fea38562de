// An op that only the tests know. It says what it is made of, as every op does, and so runs on
// every target: no pass, no schedule and no printer has heard of it.
#include "ir/Dialect.h"
#include "tests/numeric/Executor.h"
#include "tests/numeric/Table.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/OpDefinition.h"

#include <cmath>

using namespace mlir;

namespace formwork::test {

namespace {
/// x / (1 + |x|), written down as linalg.
class SquashOp
    : public Op<SquashOp, OpTrait::ZeroRegions, OpTrait::OneResult, OpTrait::ZeroSuccessors,
                OpTrait::OneOperand, OpTrait::SameOperandsAndResultType,
                MemoryEffectOpInterface::Trait, DecomposableOp::Trait> {
public:
  using Op::Op;
  static StringRef getOperationName() { return "fw.only_in_tests"; }
  static ArrayRef<StringRef> getAttributeNames() { return {}; }

  void getEffects(SmallVectorImpl<MemoryEffects::EffectInstance> &) {}

  MaybeValues decompose(ImplicitLocOpBuilder &builder) {
    Value x = getOperation()->getOperand(0);
    auto type = cast<RankedTensorType>(x.getType());
    Value result = tensor::EmptyOp::create(builder, type.getShape(), type.getElementType());
    SmallVector<AffineMap> maps(2, builder.getMultiDimIdentityMap(type.getRank()));
    SmallVector<utils::IteratorType> loops(type.getRank(), utils::IteratorType::parallel);
    auto generic = linalg::GenericOp::create(
        builder, TypeRange(type), ValueRange(x), ValueRange(result), maps, loops,
        [&](OpBuilder &inner, Location location, ValueRange elements) {
          Value one = arith::ConstantOp::create(inner, location,
                                                inner.getFloatAttr(type.getElementType(), 1));
          Value size = math::AbsFOp::create(inner, location, elements[0]);
          Value sum = arith::AddFOp::create(inner, location, one, size);
          Value quotient = arith::DivFOp::create(inner, location, elements[0], sum);
          linalg::YieldOp::create(inner, location, quotient);
        });
    return SmallVector<Value>(generic.getResults());
  }
};
} // namespace

void registerTestOps(MLIRContext &context) {
  RegisteredOperationName::insert<SquashOp>(*context.getLoadedDialect<FwDialect>());
}

void addSeamRows(Table &table) {
  table.row("only_in_tests", unaryShapes())
      .body("%y = \"fw.only_in_tests\"(%0) : ($0) -> $y")
      .reference([](const Arrays &x) {
        return elementwise(x, [](auto &e) { return e[0] / (1 + std::abs(e[0])); });
      })
      .noGradient()
      .notGeneral();
}

} // namespace formwork::test
