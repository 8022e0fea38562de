// fw-expand-math: exp, log and the like, and divisions that are marked, to arithmetic, for f32 and
// f64, scalars and vectors.
//
// No calls and no branches. What is not a number stays so, infinities and zeros are exact, results
// that would be denormal may be zero, denormal arguments count as zero. Errors are measured by
// tests/codegen/math_test.cpp. sin and cos are accurate up to arguments of 2^27.
//
// Floors, square roots and absolute values are instructions and stay. Maxima and minima may give
// either zero where both operands are zeros.
#include "codegen/kernel/MathBuilder.h"
#include "codegen/kernel/Passes.h"

#include "codegen/kernel/math/Coefficients.inc"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace mlir;

namespace formwork {

#define GEN_PASS_DEF_EXPANDMATH
#include "codegen/kernel/Passes.h.inc"

/// The polynomial of either width.
#define POLYNOMIAL(x, name)                                                                        \
  ((x).isDouble() ? polynomial(x, ArrayRef(name##64)) : polynomial(x, ArrayRef(name##32)))

constexpr double log2e = 1.44269504088896340736;
/// ln 2 in two parts: n times the first is exact for any exponent n.
constexpr double ln2High32 = 0x1.62e4p-1, ln2Low32 = 0x1.7f7d1cf79abc9p-20;
constexpr double ln2High64 = 0x1.62e42fefap-1, ln2Low64 = 0x1.cf79abc9e3b398p-40;

//===--- division --------------------------------------------------------------------------------

/// 1 / b of a float32 between 2^-126 and 2^126, off by 1.13 * 2^-24 of itself at most. The first
/// guess, half of 3 - m for a mantissa m, is never too small and an eighth too large at most; each
/// step takes the third power of the error.
static Float reciprocal(Float b) {
  Float r = (b.bits().constant(0x7f000000) - b.bits()).asFloat();
  for (int step = 0; step < 2; ++step) {
    Float error = fma(-b, r, b.constant(1));
    r = fma(r, fma(error, error, error), r);
  }
  return r;
}

/// What MarkDivisions marked: b is at least 2^-64, and infinite if it is above 2^126.
static Float expand_boundedDivision(Float a, Float b) {
  return a * select(b > 0x1p126, b.constant(0), reciprocal(b));
}

//===--- exp, expm1 ------------------------------------------------------------------------------

namespace {
/// x = n ln 2 + r, |r| <= ln 2 / 2.
struct Exponent {
  Float r;
  Int n;
};
} // namespace

static Exponent splitExponent(Float x) {
  double magic = x.isDouble() ? 0x1.8p52 : 0x1.8p23;
  Float shifted = fma(x, x.constant(log2e), x.constant(magic));
  Float n = shifted - magic;
  bool wide = x.isDouble();
  Float r = fma(n, x.constant(-(wide ? ln2High64 : ln2High32)), x);
  r = fma(n, x.constant(-(wide ? ln2Low64 : ln2Low32)), r);
  return {r, shifted.bits() - x.constant(magic).bits()};
}

/// 2^n for -126 <= n <= 127 (-1022, 1023).
static Float powerOfTwo(Int n, Float like) {
  int64_t bias = like.isDouble() ? 1023 : 127, mantissa = like.isDouble() ? 52 : 23;
  return ((n + bias) << mantissa).asFloat();
}

/// exp(r) - 1 for a small r.
static Float smallExpM1(Float r) { return fma(r * r, POLYNOMIAL(r, exp), r); }

static Float expand_exp(Float x) {
  bool wide = x.isDouble();
  Float bounded = x.atMost(wide ? 710 : 89).atLeast(wide ? -750 : -105);
  Exponent e = splitExponent(bounded);
  Int half = e.n >> 1;
  Float y = smallExpM1(e.r) + 1.0;
  return y * powerOfTwo(half, x) * powerOfTwo(e.n - half, x);
}

/// exp for a sum with 1, to which what is below exp(-80) adds nothing: then one power of two is
/// enough.
static Float expand_expBesideOne(Float x) {
  Float bounded = x.atMost(x.isDouble() ? 710 : 89).atLeast(-80);
  Exponent e = splitExponent(bounded);
  // Half of it: 2^n itself may overflow where the result does not.
  return (smallExpM1(e.r) + 1.0) * powerOfTwo(e.n - 1, x) * 2.0;
}

static Float expand_expm1(Float x) {
  bool wide = x.isDouble();
  Float bounded = x.atMost(wide ? 710 : 89).atLeast(wide ? -40 : -20);
  Exponent e = splitExponent(bounded);
  // Half of it: 2^n itself may overflow where the result does not.
  Float scale = powerOfTwo(e.n - 1, x);
  Float y = fma(smallExpM1(e.r), scale, scale - 0.5) * 2.0;
  return select(x == 0.0, x, y);
}

//===--- log, log1p ------------------------------------------------------------------------------

namespace {
/// x = 2^e (1 + f), sqrt(1/2) <= 1 + f < sqrt(2).
struct Logarithm {
  Float e, f;
};
} // namespace

static Logarithm splitLogarithm(Float x) {
  bool wide = x.isDouble();
  int64_t mantissa = wide ? 52 : 23;
  int64_t root = wide ? 0x3fe6a09e667f3bcd : 0x3f3504f3;
  Int bits = x.bits();
  Int e = (bits - root) >> mantissa;
  Float m = (bits - (e << mantissa)).asFloat();
  return {e.toFloat(), m - 1.0};
}

/// e ln 2 + log(1 + f) + correction.
static Float joinLogarithm(Logarithm parts, Float correction) {
  bool wide = parts.f.isDouble();
  Float f = parts.f, square = f * f;
  Float tail = fma(f * square, POLYNOMIAL(f, log), correction);
  tail = fma(parts.e, f.constant(wide ? ln2Low64 : ln2Low32), tail);
  tail = fma(square, f.constant(-0.5), tail);
  return fma(parts.e, f.constant(wide ? ln2High64 : ln2High32), f + tail);
}

static Float expand_log(Float x) {
  double smallest = x.isDouble() ? 0x1p-1022 : 0x1p-126;
  double infinity = std::numeric_limits<double>::infinity();
  Float y = joinLogarithm(splitLogarithm(x), x.constant(0));
  y = select(x < smallest, select(x > -smallest, x.constant(-infinity), x.constant(NAN)), y);
  return select(x == infinity, x, select(x != x, x, y));
}

static Float expand_log1p(Float x) {
  double infinity = std::numeric_limits<double>::infinity();
  Float u = x + 1.0;
  Logarithm parts = splitLogarithm(u);
  // What the addition lost; nothing where f is x itself.
  Condition exact = parts.e == 0.0;
  Float lost = (x - (u - 1.0)) / u;
  parts.f = select(exact, x, parts.f);
  Float y = joinLogarithm(parts, select(exact, x.constant(0), lost));
  y = select(u <= 0.0, select(u < 0.0, x.constant(NAN), x.constant(-infinity)), y);
  y = select(x == 0.0, x, y);
  return select(x == infinity, x, select(x != x, x, y));
}

//===--- tanh, erf -------------------------------------------------------------------------------

static Float expand_tanh(Float x) {
  Float bounded = x.abs().atMost(x.isDouble() ? 22 : 10);
  Float e = expand_expm1(bounded * 2.0);
  return (e / (e + 2.0)).copySign(x);
}

static Float expand_erf(Float x) {
  bool wide = x.isDouble();
  Float a = x.abs().atMost(wide ? 6 : 4);
  Float below = a.atMost(1);
  Float square = below * below;
  Float small = fma(below, POLYNOMIAL(square, erf), below);
  double center = wide ? erfTailCenter64 : erfTailCenter32;
  double radius = wide ? erfTailRadius64 : erfTailRadius32;
  Float t = (a - center) * (1 / radius);
  Float large = a.constant(1) - expand_exp(fma(-a, a, POLYNOMIAL(t, erfTail)));
  return select(a < 1.0, small, large).copySign(x);
}

//===--- sin, cos --------------------------------------------------------------------------------

/// Of x = n pi / 2 + r: sin(r) or cos(r) by whether n + `quarters` is odd, negated by its next bit.
static Float sineOfQuarter(Float x, int64_t quarters) {
  constexpr double high = 0x1.921fb544p0, middle = 0x1.0b4611a6p-34, low = 0x1.3198a2e037073p-69;
  Float shifted = fma(x, x.constant(0.636619772367581343076), x.constant(0x1.8p52));
  Float n = shifted - 0x1.8p52;
  Float r = fma(n, x.constant(-high), x);
  r = fma(n, x.constant(-middle), r);
  r = fma(n, x.constant(-low), r);
  Int quadrant = shifted.bits() - x.constant(0x1.8p52).bits() + quarters;
  Float z = r * r;
  Float sine = fma(r * z, polynomial(z, ArrayRef(sin64)), r);
  Float cosine =
      fma(z * z, polynomial(z, ArrayRef(cos64)), fma(z, z.constant(-0.5), z.constant(1)));
  Float y = select((quadrant & 1) == 0, sine, cosine);
  return ((((quadrant & 2) << 62)) ^ y.bits()).asFloat();
}

/// In doubles, whose reduction is exact enough for any argument below 2^27.
static Float trigonometric(Float x, int64_t quarters) {
  if (x.isDouble())
    return sineOfQuarter(x, quarters);
  return sineOfQuarter(x.widened(), quarters).narrowed();
}

static Float expand_sin(Float x) { return select(x == 0.0, x, trigonometric(x, 0)); }
static Float expand_cos(Float x) { return trigonometric(x, 1); }

//===--- pow -------------------------------------------------------------------------------------

namespace {
/// An unevaluated sum.
struct Pair {
  Float high, low;
};
} // namespace

static Pair twoSum(Float a, Float b) { // |a| >= |b| or a is zero
  Float sum = a + b;
  return {sum, b - (sum - a)};
}

static Pair twoProduct(Float a, Float b) {
  Float product = a * b;
  return {product, fma(a, b, -product)};
}

/// log(x) of a positive, finite, normal double to about 100 bits' worth of its leading terms.
static Pair longLogarithm(Float x) {
  Logarithm parts = splitLogarithm(x);
  Float f = parts.f, denominator = f + 2.0, lost = f - (denominator - 2.0);
  Float s = f / denominator;
  // The remainder of the division, and what the denominator lost.
  Float rest = fma(-s, denominator, f) - s * lost;
  Float sLow = rest / denominator;
  Float z = s * s;
  Float cube = s * z;
  Float tail = fma(cube, polynomial(z, ArrayRef(logRatio64)), sLow * 2.0);
  Pair first = twoProduct(parts.e, f.constant(ln2High64)); // exact
  Pair sum = twoSum(select(parts.e == 0.0, s * 2.0, first.high),
                    select(parts.e == 0.0, f.constant(0), s * 2.0));
  Float low = sum.low + fma(parts.e, f.constant(ln2Low64), tail);
  return twoSum(sum.high, low);
}

/// |x|^y in doubles for a normal |x|.
static Float positivePower(Float a, Float y) {
  Pair l = longLogarithm(a);
  Pair product = twoProduct(l.high, y);
  Float low = fma(l.low, y, product.low);
  Float e = expand_exp(product.high);
  double infinity = std::numeric_limits<double>::infinity();
  Condition tame = (e < infinity) & (e > 0.0) & (low.abs() < 1.0);
  return select(tame, fma(e, low, e), e);
}

static Float expand_pow(Float x, Float y) {
  if (!x.isDouble())
    return expand_pow(x.widened(), y.widened()).narrowed();
  double infinity = std::numeric_limits<double>::infinity();
  Float a = x.abs();
  Float normal = a.atLeast(0x1p-1022).atMost(0x1.fffffffffffffp1023);
  Float bounded = y.atMost(0x1p70).atLeast(-0x1p70);
  Float result = positivePower(normal, bounded);
  // Zero and infinity.
  Condition falls = y < 0.0;
  result = select(a < 0x1p-1022, select(falls, x.constant(infinity), x.constant(0)), result);
  result = select(a == infinity, select(falls, x.constant(0), x.constant(infinity)), result);
  // A negative base: an integer exponent's parity is the sign, others have no result.
  Float whole = y.roundedDown();
  Condition integer = whole == y;
  Float half = y * 0.5;
  Condition odd = integer & (half.roundedDown() != half);
  Condition negative = x.bits() < 0;
  result = select(negative & odd, -result, result);
  result = select((x < 0.0) & !integer & (a < infinity), x.constant(NAN), result);
  result = select(((x != x) | (y != y)), x + y, result);
  return select((x == 1.0) | (y == 0.0) | ((x == -1.0) & (y.abs() == infinity)), x.constant(1),
                result);
}

//===--- maximum and minimum ---------------------------------------------------------------------

/// A constant that is not NaN.
static bool isNumber(Float x) {
  llvm::APFloat constant(0.0);
  return matchPattern(x.value, m_ConstantFloat(&constant)) && !constant.isNaN();
}

/// Either zero will do where both are equal: to tell -0 from 0 takes as many instructions again. Of
/// a constant one is enough, which gives its second operand where the comparison fails, as with
/// NaN.
template <typename Op> static Float expand_extremum(Float a, Float b, arith::CmpFPredicate beyond) {
  if (isNumber(a))
    std::swap(a, b);
  ImplicitLocOpBuilder &builder = *a.builder;
  if (!isNumber(b))
    return {builder, Op::create(builder, a.value, b.value, arith::FastMathFlags::nsz), a.hasFMA};
  Value isBeyond = arith::CmpFOp::create(builder, beyond, b.value, a.value);
  return {builder, arith::SelectOp::create(builder, isBeyond, b.value, a.value), a.hasFMA};
}

/// Whether the result is only ever added to 1, as in a sigmoid.
static bool isAddedToOne(Operation *op) {
  return llvm::all_of(op->getUses(), [](OpOperand &use) {
    auto sum = dyn_cast<arith::AddFOp>(use.getOwner());
    return sum && matchPattern(sum->getOperand(1 - use.getOperandNumber()), m_OneFloat());
  });
}

//===--- the pass --------------------------------------------------------------------------------

/// What an op becomes; nothing if it stays.
static std::optional<Float> expand(Operation *op, ImplicitLocOpBuilder &builder, bool hasFMA) {
  auto operand = [&](unsigned i) { return Float(builder, op->getOperand(i), hasFMA); };
  return llvm::TypeSwitch<Operation *, std::optional<Float>>(op)
      .Case([&](math::ExpOp) {
        return isAddedToOne(op) ? expand_expBesideOne(operand(0)) : expand_exp(operand(0));
      })
      .Case([&](arith::DivFOp division) -> std::optional<Float> {
        if (!hasFMA || !division->hasAttr("fw.bounded"))
          return std::nullopt;
        return expand_boundedDivision(operand(0), operand(1));
      })
      .Case([&](math::ExpM1Op) { return expand_expm1(operand(0)); })
      .Case([&](math::LogOp) { return expand_log(operand(0)); })
      .Case([&](math::Log1pOp) { return expand_log1p(operand(0)); })
      .Case([&](math::TanhOp) { return expand_tanh(operand(0)); })
      .Case([&](math::ErfOp) { return expand_erf(operand(0)); })
      .Case([&](math::SinOp) { return expand_sin(operand(0)); })
      .Case([&](math::CosOp) { return expand_cos(operand(0)); })
      .Case([&](math::PowFOp) { return expand_pow(operand(0), operand(1)); })
      .Case([&](arith::MaximumFOp) {
        return expand_extremum<arith::MaximumFOp>(operand(0), operand(1),
                                                  arith::CmpFPredicate::OGT);
      })
      .Case([&](arith::MinimumFOp) {
        return expand_extremum<arith::MinimumFOp>(operand(0), operand(1),
                                                  arith::CmpFPredicate::OLT);
      })
      .Case([&](math::RsqrtOp) { return operand(0).constant(1) / operand(0).squareRoot(); })
      .Default([](Operation *) { return std::nullopt; });
}

namespace {
struct ExpandMath : impl::ExpandMathBase<ExpandMath> {
  using ExpandMathBase::ExpandMathBase;

  void runOnOperation() override {
    getOperation()->walk([&](Operation *op) {
      if (op->getNumResults() != 1 || !isa<FloatType>(getElementTypeOrSelf(op->getResult(0))))
        return;
      Type element = getElementTypeOrSelf(op->getResult(0));
      if (!element.isF32() && !element.isF64())
        return;
      ImplicitLocOpBuilder builder(op->getLoc(), op);
      if (std::optional<Float> value = expand(op, builder, hasFMA)) {
        op->getResult(0).replaceAllUsesWith(value->value);
        op->erase();
      }
    });
  }
};
} // namespace

} // namespace formwork
