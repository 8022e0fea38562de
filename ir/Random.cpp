// Random numbers as pure functions of (seed, counter, stream, element): Philox4x32-10, and the
// distributions made of it. The record of random_uniform defines which number is whose.
#include "ir/Broadcasting.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <array>

using namespace mlir;

namespace formwork {

//===--- Philox4x32-10 ---------------------------------------------------------------------------

namespace {
/// i32 and i64 scalars, unsigned.
struct Word {
  ImplicitLocOpBuilder *builder;
  Value value;

  Word constant(uint64_t bits) const {
    APInt integer(value.getType().getIntOrFloatBitWidth(), bits);
    auto attribute = IntegerAttr::get(value.getType(), integer);
    return {builder, arith::ConstantOp::create(*builder, attribute)};
  }
  template <typename Op> Word with(Word other) const {
    return {builder, Op::create(*builder, value, other.value)};
  }
  Word operator^(Word other) const { return with<arith::XOrIOp>(other); }
  Word operator+(uint64_t bits) const { return with<arith::AddIOp>(constant(bits)); }
  Word operator<<(uint64_t bits) const { return with<arith::ShLIOp>(constant(bits)); }
  Word operator>>(uint64_t bits) const { return with<arith::ShRUIOp>(constant(bits)); }
  Word low() const {
    return {builder, arith::TruncIOp::create(*builder, builder->getI32Type(), value)};
  }
  Word high() const { return (*this >> 32).low(); }
};
using Block = std::array<Word, 4>;
} // namespace

/// The 64-bit product of 32-bit words: its low half and its high half.
static std::pair<Word, Word> multiply(Word a, uint64_t factor) {
  auto product = arith::MulUIExtendedOp::create(*a.builder, a.value, a.constant(factor).value);
  return {{a.builder, product.getLow()}, {a.builder, product.getHigh()}};
}

static Block philox(Block counter, Word key0, Word key1) {
  for (int round = 0; round < 10; ++round) {
    auto [low0, high0] = multiply(counter[0], 0xD2511F53);
    auto [low1, high1] = multiply(counter[2], 0xCD9E8D57);
    counter = {high1 ^ counter[1] ^ key0, low1, high0 ^ counter[3] ^ key1, low0};
    key0 = key0 + 0x9E3779B9;
    key1 = key1 + 0xBB67AE85;
  }
  return counter;
}

//===--- random_uniform --------------------------------------------------------------------------

static LogicalResult inferRandom(std::optional<Location> location, Value rng, Value like,
                                 SmallVectorImpl<Type> &types) {
  if (failed(verifyCompatibleDims({cast<RankedTensorType>(rng.getType()).getDimSize(0), 2})))
    return emitOptionalError(location, "rng is [seed, counter], not ", rng.getType());
  types.push_back(like.getType());
  return success();
}

LogicalResult RandomUniformOp::inferReturnTypes(MLIRContext *, std::optional<Location> location,
                                                Adaptor adaptor, SmallVectorImpl<Type> &types) {
  return inferRandom(location, adaptor.getRng(), adaptor.getLike(), types);
}

/// The word of `block` that `number` (0 to 3) names.
static Word chosenWord(const Block &block, Word number) {
  Word chosen = block[0];
  for (uint64_t i = 1; i < 4; ++i) {
    Value here = arith::CmpIOp::create(*number.builder, arith::CmpIPredicate::eq, number.value,
                                       number.constant(i).value);
    chosen.value = arith::SelectOp::create(*number.builder, here, block[i].value, chosen.value);
  }
  return chosen;
}

/// The upper bits of a word as a fraction in [0, 1) of `type`, none of them rounded away.
static Expr fractionOf(const Block &block, Word number, FloatType type) {
  ImplicitLocOpBuilder &builder = *number.builder;
  unsigned precision = APFloat::semanticsPrecision(type.getFloatSemantics());
  Word bits = chosenWord(block, number);
  unsigned width = 32;
  if (precision > width) {
    Type wide = builder.getI64Type();
    auto extended = [&](Word word) -> Word {
      return {&builder, arith::ExtUIOp::create(builder, wide, word.value)};
    };
    // Words 0 and 2 belong together, and 1 and 3.
    Word partner = chosenWord({block[2], block[3], block[0], block[1]}, number);
    bits = (extended(bits) << 32) ^ extended(partner);
    width = 64;
  }
  bits = bits >> (width - precision);
  Expr fraction(builder, arith::UIToFPOp::create(builder, type, bits.value));
  return fraction * std::ldexp(1.0, -int(precision));
}

/// The body over (group, word, lane): 64 elements are a group of 4 words by 16 lanes.
static Expr uniformElement(ArrayRef<Expr> elements, Value stream) {
  ImplicitLocOpBuilder &builder = elements[0].build();
  Type i64 = builder.getI64Type(), i32 = builder.getI32Type();
  Word seed{&builder, elements[0].value()}, counter{&builder, elements[1].value()};
  Word group{&builder, loopIndex(builder, 0, i64).value()};
  Word number{&builder, loopIndex(builder, 1, i32).value()};
  Word lane{&builder, loopIndex(builder, 2, i64).value()};
  Word block = (group << 4).with<arith::AddIOp>(lane);
  Word streamWord{&builder, stream};
  Block words =
      philox({block.low(), counter.low(), streamWord, counter.high() ^ (block.high() << 16)},
             seed.low(), seed.high());
  return fractionOf(words, number, cast<FloatType>(elements.back().value().getType()));
}

/// The first elements of `groups` [g, 4, 16], as `type`.
static Value firstElements(ImplicitLocOpBuilder &builder, Value groups, OpFoldResult count,
                           RankedTensorType type, const Sizes &sizes) {
  SmallVector<ReassociationIndices> all = {{0, 1, 2}};
  Value flat = tensor::CollapseShapeOp::create(builder, groups, all);
  Value used = flat;
  if (cast<RankedTensorType>(flat.getType()).getDimSize(0) != getConstantIntValue(count))
    used = tensor::ExtractSliceOp::create(builder, flat, Sizes{builder.getIndexAttr(0)},
                                          Sizes{count}, Sizes{builder.getIndexAttr(1)});
  if (type.getRank() == 1)
    return conform(builder, used, type);
  if (type.getRank() == 0)
    return tensor::CollapseShapeOp::create(builder, used, ArrayRef<ReassociationIndices>{});
  SmallVector<ReassociationIndices> group = {
      llvm::to_vector<2>(llvm::seq<int64_t>(0, type.getRank()))};
  return tensor::ExpandShapeOp::create(builder, type, used, group, sizes);
}

/// The same, element by element: a view has at most one size that is not known.
static Value eachElement(ImplicitLocOpBuilder &builder, Value groups, RankedTensorType type,
                         const Sizes &sizes) {
  SmallVector<Value> extents;
  for (OpFoldResult size : sizes)
    extents.push_back(asValue(builder, size));
  auto body = [&](ArrayRef<Expr> elements) -> Expr {
    ImplicitLocOpBuilder &scalars = elements[0].build();
    auto constant = [&](int64_t value) { return arith::ConstantIndexOp::create(scalars, value); };
    Value element = linalg::IndexOp::create(scalars, 0);
    for (auto [i, extent] : llvm::enumerate(ArrayRef(extents).drop_front())) {
      Value outer = arith::MulIOp::create(scalars, element, extent);
      element = arith::AddIOp::create(scalars, outer, linalg::IndexOp::create(scalars, i + 1));
    }
    Value group = arith::DivUIOp::create(scalars, element, constant(64));
    Value vector = arith::DivUIOp::create(scalars, element, constant(16));
    Value word = arith::RemUIOp::create(scalars, vector, constant(4));
    Value lane = arith::RemUIOp::create(scalars, element, constant(16));
    return {scalars, tensor::ExtractOp::create(scalars, groups, ValueRange{group, word, lane})};
  };
  SmallVector<AffineExpr> loops;
  for (int64_t i = 0; i < type.getRank(); ++i)
    loops.push_back(builder.getAffineDimExpr(i));
  return generic(builder, loops.size(), {}, {emptyOf(builder, type, sizes), loops}, body);
}

/// ceil(count / 64).
static OpFoldResult groupsFor(ImplicitLocOpBuilder &builder, OpFoldResult count) {
  if (std::optional<int64_t> known = getConstantIntValue(count))
    return builder.getIndexAttr(llvm::divideCeil(*known, 64));
  Value up = asValue(builder, scaled(builder, count, 1, 63));
  return arith::DivUIOp::create(builder, up, arith::ConstantIndexOp::create(builder, 64))
      .getResult();
}

// Loops over [group, word, lane], so that an inner loop over lanes is a vector of blocks, and the
// four words, unrolled, share their rounds.
MaybeValues RandomUniformOp::decompose(ImplicitLocOpBuilder &builder) {
  Sizes sizes = sizesOf(builder, getLike());
  OpFoldResult count = builder.getIndexAttr(1);
  for (OpFoldResult size : sizes)
    count = multiplied(builder, count, size);
  OpFoldResult groups = groupsFor(builder, count);
  auto type = getType().clone(
      {getConstantIntValue(groups).value_or(ShapedType::kDynamic), int64_t(4), int64_t(16)});
  Sizes groupSizes = {groups, builder.getIndexAttr(4), builder.getIndexAttr(16)};

  AffineExpr group, number, lane;
  bindDims(getContext(), group, number, lane);
  Value stream = PassedConstantOp::create(builder, uint32_t(getStream()));
  auto body = [&](ArrayRef<Expr> elements) { return uniformElement(elements, stream); };
  Value uniform = generic(builder, 3,
                          {{getRng(), {builder.getAffineConstantExpr(0)}},
                           {getRng(), {builder.getAffineConstantExpr(1)}}},
                          {emptyOf(builder, type, groupSizes), {group, number, lane}}, body);
  if (getType().getNumDynamicDims() > 1)
    return SmallVector<Value>{eachElement(builder, uniform, getType(), sizes)};
  return SmallVector<Value>{firstElements(builder, uniform, count, getType(), sizes)};
}

// `like` gives its shape alone, which does not vary with the values in it.
static MaybeValues noGradients() { return SmallVector<Value>(2); }

MaybeValues RandomUniformOp::gradient(ImplicitLocOpBuilder &, ValueRange) { return noGradients(); }

//===--- random_normal, random_truncated_normal --------------------------------------------------

/// a[0] + a[1] x + ..., by Horner's rule.
static Expr polynomial(ArrayRef<double> a, Expr x) {
  Expr value = a.back();
  for (double coefficient : llvm::reverse(a.drop_back()))
    value = value * x + coefficient;
  return value;
}

/// The standard normal distribution's quantile at 1/2 + q for |q| < 1/2: algorithm AS 241, PPND16,
/// of Wichura, Applied Statistics 37 (1988), relative error about 1e-16. Its third region, below
/// e^-25, is left out: such tails are never drawn in f32, and once in 10^11 times in f64, where the
/// second region's formula continues.
static Expr normalQuantile(Expr q) {
  constexpr double a[] = {3.3871328727963666080e0,  1.3314166789178437745e+2,
                          1.9715909503065514427e+3, 1.3731693765509461125e+4,
                          4.5921953931549871457e+4, 6.7265770927008700853e+4,
                          3.3430575583588128105e+4, 2.5090809287301226727e+3};
  constexpr double b[] = {1.0,
                          4.2313330701600911252e+1,
                          6.8718700749205790830e+2,
                          5.3941960214247511077e+3,
                          2.1213794301586595867e+4,
                          3.9307895800092710610e+4,
                          2.8729085735721942674e+4,
                          5.2264952788528545610e+3};
  constexpr double c[] = {1.42343711074968357734e0,  4.63033784615654529590e0,
                          5.76949722146069140550e0,  3.64784832476320460504e0,
                          1.27045825245236838258e0,  2.41780725177450611770e-1,
                          2.27238449892691845833e-2, 7.74545014278341407640e-4};
  constexpr double d[] = {1.0,
                          2.05319162663775882187e0,
                          1.67638483018380384940e0,
                          6.89767334985100004550e-1,
                          1.48103976427480074590e-1,
                          1.51986665636164571966e-2,
                          5.47593808499534494600e-4,
                          1.05075007164441684324e-9};
  Expr inner = 0.180625 - q * q;
  Expr central = q * polynomial(a, inner) / polynomial(b, inner);
  Expr outer = sqrt(-log(0.5 - abs(q))) - 1.6;
  Expr tail = sign(q) * polynomial(c, outer) / polynomial(d, outer);
  return select(abs(q) <= 0.425, central, tail);
}

/// A uniform number as the middle of its interval, less 1/2: in (-1/2, 1/2), exact.
static Expr centeredUniform(ImplicitLocOpBuilder &builder, Value rng, Value like, uint64_t stream) {
  auto element = cast<FloatType>(getElementTypeOrSelf(like.getType()));
  int precision = APFloat::semanticsPrecision(element.getFloatSemantics());
  Expr uniform(builder, RandomUniformOp::create(builder, rng, like, stream));
  return uniform - 0.5 + std::ldexp(1.0, -precision - 1);
}

LogicalResult RandomNormalOp::inferReturnTypes(MLIRContext *, std::optional<Location> location,
                                               Adaptor adaptor, SmallVectorImpl<Type> &types) {
  return inferRandom(location, adaptor.getRng(), adaptor.getLike(), types);
}

MaybeValues RandomNormalOp::decompose(ImplicitLocOpBuilder &builder) {
  Expr q = centeredUniform(builder, getRng(), getLike(), getStream());
  return SmallVector<Value>{normalQuantile(q).value()};
}

MaybeValues RandomNormalOp::gradient(ImplicitLocOpBuilder &, ValueRange) { return noGradients(); }

LogicalResult RandomTruncatedNormalOp::inferReturnTypes(MLIRContext *,
                                                        std::optional<Location> location,
                                                        Adaptor adaptor,
                                                        SmallVectorImpl<Type> &types) {
  return inferRandom(location, adaptor.getRng(), adaptor.getLike(), types);
}

MaybeValues RandomTruncatedNormalOp::decompose(ImplicitLocOpBuilder &builder) {
  // The probability of (-2, 2): erf(sqrt(2)).
  constexpr double within = 0.95449973610364158560;
  Expr q = centeredUniform(builder, getRng(), getLike(), getStream());
  return SmallVector<Value>{normalQuantile(q * within).value()};
}

MaybeValues RandomTruncatedNormalOp::gradient(ImplicitLocOpBuilder &, ValueRange) {
  return noGradients();
}

//===--- dropout ---------------------------------------------------------------------------------

LogicalResult DropoutOp::inferReturnTypes(MLIRContext *, std::optional<Location> location,
                                          Adaptor adaptor, SmallVectorImpl<Type> &types) {
  double rate = adaptor.getRate().convertToDouble();
  if (!(rate >= 0 && rate <= 1))
    return emitOptionalError(location, "rate ", rate, " is not in [0, 1]");
  return inferRandom(location, adaptor.getRng(), adaptor.getX(), types);
}

OpFoldResult DropoutOp::fold(FoldAdaptor) { return getRate().isZero() ? getX() : Value(); }

MaybeValues DropoutOp::decompose(ImplicitLocOpBuilder &builder) {
  double rate = getRate().convertToDouble();
  // With rate 1 nothing is kept, and nothing needs a scale.
  double scale = rate < 1 ? 1 / (1 - rate) : 1;
  Expr x(builder, getX());
  Expr uniform(builder, RandomUniformOp::create(builder, getRng(), getX(), getStream()));
  return SmallVector<Value>{select(uniform >= rate, x * scale, 0).value()};
}

MaybeValues DropoutOp::gradient(ImplicitLocOpBuilder &builder, ValueRange cotangents) {
  return SmallVector<Value>{
      DropoutOp::create(builder, cotangents[0], getRng(), getRate(), getStream()), Value()};
}

} // namespace formwork
