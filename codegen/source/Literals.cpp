// The shortest decimal that reads back the same, from the standard library, which knows it exactly.
#include "codegen/source/Literals.h"

#include "llvm/ADT/SmallString.h"

#include <charconv>

using namespace llvm;

namespace formwork::source {

template <typename Float> static std::string shortest(Float value) {
  char text[64];
  auto end = std::to_chars(text, text + sizeof text, value).ptr;
  std::string result(text, end);
  if (StringRef(result).find_first_of(".e") == StringRef::npos)
    result += ".0";
  return result;
}

Expression floatLiteral(const APFloat &value) {
  bool isDouble = &value.getSemantics() == &APFloat::IEEEdouble();
  auto binding = value.isNegative() ? Precedence::Unary : Precedence::Primary;
  std::string sign = value.isNegative() ? "-" : "";
  if (value.isNaN())
    return {sign + "NAN", binding};
  if (value.isInfinity())
    return {sign + "INFINITY", binding};
  if (isDouble)
    return {shortest(value.convertToDouble()), binding};
  return {shortest(value.convertToFloat()) + "f", binding};
}

Expression integerLiteral(const APInt &value, bool isSigned) {
  if (value.getBitWidth() == 1)
    return {value.isZero() ? "false" : "true"};
  if (isSigned) {
    Expression literal = integer(value.getSExtValue());
    if (value.getBitWidth() == 32 && value.isMinSignedValue())
      literal = {"INT32_MIN", Precedence::Primary, true, value.getSExtValue()};
    return literal;
  }
  // In hexadecimal what is a pattern of bits rather than a number.
  SmallString<24> text;
  bool pattern = value.getActiveBits() > 16;
  value.toString(text, pattern ? 16 : 10, /*Signed=*/false, /*formatAsCLiteral=*/pattern);
  text = StringRef(text).lower();
  return {(text + (value.getBitWidth() > 32 ? "ull" : "u")).str()};
}

} // namespace formwork::source
