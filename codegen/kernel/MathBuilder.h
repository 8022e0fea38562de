// Floats, integers and conditions, scalars or vectors, as C++ values: expressions over them write
// arith ops. `hasFMA` says whether fma is an instruction; otherwise it is a product and a sum.
#pragma once

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace formwork {

struct Lane {
  Lane(mlir::ImplicitLocOpBuilder &builder, mlir::Value value, bool hasFMA)
      : builder(&builder), value(value), hasFMA(hasFMA) {}

  bool isDouble() const { return width() == 64; }
  unsigned width() const {
    return mlir::getElementTypeOrSelf(value.getType()).getIntOrFloatBitWidth();
  }
  /// This value's shape, of another element.
  mlir::Type like(mlir::Type element) const {
    auto shaped = mlir::dyn_cast<mlir::ShapedType>(value.getType());
    return shaped ? mlir::Type(shaped.clone(element)) : element;
  }
  mlir::Value splat(mlir::TypedAttr attribute) const {
    auto shaped = mlir::dyn_cast<mlir::ShapedType>(like(attribute.getType()));
    if (shaped)
      attribute = mlir::DenseElementsAttr::get(shaped, mlir::Attribute(attribute));
    return mlir::arith::ConstantOp::create(*builder, attribute);
  }

  mlir::ImplicitLocOpBuilder *builder;
  mlir::Value value;
  bool hasFMA;
};

struct Condition : Lane {
  using Lane::Lane;
  Condition operator&(Condition other) const {
    return with(mlir::arith::AndIOp::create(*builder, value, other.value));
  }
  Condition operator|(Condition other) const {
    return with(mlir::arith::OrIOp::create(*builder, value, other.value));
  }
  Condition operator!() const {
    return with(mlir::arith::XOrIOp::create(*builder, value, splat(builder->getBoolAttr(true))));
  }

private:
  Condition with(mlir::Value next) const { return {*builder, next, hasFMA}; }
};

struct Float;

struct Int : Lane {
  using Lane::Lane;
  Int constant(int64_t number) const {
    return with(
        splat(builder->getIntegerAttr(mlir::getElementTypeOrSelf(value.getType()), number)));
  }
  Int operator+(Int b) const { return with(mlir::arith::AddIOp::create(*builder, value, b.value)); }
  Int operator-(Int b) const { return with(mlir::arith::SubIOp::create(*builder, value, b.value)); }
  Int operator&(Int b) const { return with(mlir::arith::AndIOp::create(*builder, value, b.value)); }
  Int operator^(Int b) const { return with(mlir::arith::XOrIOp::create(*builder, value, b.value)); }
  Int operator|(Int b) const { return with(mlir::arith::OrIOp::create(*builder, value, b.value)); }
  Int operator+(int64_t b) const { return *this + constant(b); }
  Int operator-(int64_t b) const { return *this - constant(b); }
  Int operator&(int64_t b) const { return *this & constant(b); }
  Int operator<<(int64_t b) const {
    return with(mlir::arith::ShLIOp::create(*builder, value, constant(b).value));
  }
  Int operator>>(int64_t b) const { // with the sign
    return with(mlir::arith::ShRSIOp::create(*builder, value, constant(b).value));
  }
  Condition operator==(int64_t b) const { return compare(mlir::arith::CmpIPredicate::eq, b); }
  Condition operator<(int64_t b) const { return compare(mlir::arith::CmpIPredicate::slt, b); }
  inline Float asFloat() const;
  inline Float toFloat() const;

private:
  Int with(mlir::Value next) const { return {*builder, next, hasFMA}; }
  Condition compare(mlir::arith::CmpIPredicate predicate, int64_t b) const {
    return {*builder, mlir::arith::CmpIOp::create(*builder, predicate, value, constant(b).value),
            hasFMA};
  }
};

struct Float : Lane {
  using Lane::Lane;
  Float constant(double number) const {
    return with(splat(builder->getFloatAttr(mlir::getElementTypeOrSelf(value.getType()), number)));
  }
  Float operator+(Float b) const {
    return with(mlir::arith::AddFOp::create(*builder, value, b.value));
  }
  Float operator-(Float b) const {
    return with(mlir::arith::SubFOp::create(*builder, value, b.value));
  }
  Float operator*(Float b) const {
    return with(mlir::arith::MulFOp::create(*builder, value, b.value));
  }
  Float operator/(Float b) const {
    return with(mlir::arith::DivFOp::create(*builder, value, b.value));
  }
  Float operator-() const { return with(mlir::arith::NegFOp::create(*builder, value)); }
  Float operator+(double b) const { return *this + constant(b); }
  Float operator-(double b) const { return *this - constant(b); }
  Float operator*(double b) const { return *this * constant(b); }
  Condition operator<(double b) const {
    return compare(mlir::arith::CmpFPredicate::OLT, constant(b));
  }
  Condition operator<=(double b) const {
    return compare(mlir::arith::CmpFPredicate::OLE, constant(b));
  }
  Condition operator>(double b) const {
    return compare(mlir::arith::CmpFPredicate::OGT, constant(b));
  }
  Condition operator==(double b) const {
    return compare(mlir::arith::CmpFPredicate::OEQ, constant(b));
  }
  Condition operator==(Float b) const { return compare(mlir::arith::CmpFPredicate::OEQ, b); }
  Condition operator!=(Float b) const { return compare(mlir::arith::CmpFPredicate::UNE, b); }

  /// Not a number stays not a number.
  inline Float atMost(double limit) const;
  inline Float atLeast(double limit) const;
  Float abs() const { return with(mlir::math::AbsFOp::create(*builder, value)); }
  Float roundedDown() const { return with(mlir::math::FloorOp::create(*builder, value)); }
  Float squareRoot() const { return with(mlir::math::SqrtOp::create(*builder, value)); }
  inline Float copySign(Float sign) const;
  Int bits() const {
    return {*builder,
            mlir::arith::BitcastOp::create(*builder, like(builder->getIntegerType(width())), value),
            hasFMA};
  }
  Float widened() const {
    return with(mlir::arith::ExtFOp::create(*builder, like(builder->getF64Type()), value));
  }
  Float narrowed() const {
    return with(mlir::arith::TruncFOp::create(*builder, like(builder->getF32Type()), value));
  }

private:
  Float with(mlir::Value next) const { return {*builder, next, hasFMA}; }
  Condition compare(mlir::arith::CmpFPredicate predicate, Float b) const {
    return {*builder, mlir::arith::CmpFOp::create(*builder, predicate, value, b.value), hasFMA};
  }
};

inline Float select(Condition condition, Float a, Float b) {
  return {*a.builder, mlir::arith::SelectOp::create(*a.builder, condition.value, a.value, b.value),
          a.hasFMA};
}

/// a * b + c, rounded once where the machine can.
inline Float fma(Float a, Float b, Float c) {
  if (!a.hasFMA)
    return a * b + c;
  return {*a.builder, mlir::math::FmaOp::create(*a.builder, a.value, b.value, c.value), true};
}

/// coefficients[0] + coefficients[1] x + ...
inline Float polynomial(Float x, llvm::ArrayRef<double> coefficients) {
  Float value = x.constant(coefficients.back());
  for (double c : llvm::reverse(coefficients.drop_back()))
    value = fma(value, x, x.constant(c));
  return value;
}

inline Float Float::atMost(double limit) const {
  return select(*this > limit, constant(limit), *this);
}
inline Float Float::atLeast(double limit) const {
  return select(*this < limit, constant(limit), *this);
}

inline Float Float::copySign(Float sign) const {
  int64_t mask = isDouble() ? INT64_MIN : INT32_MIN;
  return ((sign.bits() & mask) | (bits() & ~mask)).asFloat();
}

inline Float Int::asFloat() const {
  mlir::Type element = isDouble() ? mlir::Type(builder->getF64Type()) : builder->getF32Type();
  return {*builder, mlir::arith::BitcastOp::create(*builder, like(element), value), hasFMA};
}

inline Float Int::toFloat() const {
  mlir::Type element = isDouble() ? mlir::Type(builder->getF64Type()) : builder->getF32Type();
  return {*builder, mlir::arith::SIToFPOp::create(*builder, like(element), value), hasFMA};
}

} // namespace formwork
