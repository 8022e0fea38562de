// Scalars as C++ and CUDA C++ both spell them.
#include "codegen/source/FunctionPrinter.h"

using namespace mlir;

namespace formwork::source {

Language::Language() {
  addArithmeticRules(*this);
  addMemoryRules(*this);
  addControlRules(*this);
}

std::string Language::type(Type type, bool isSigned) const {
  if (type.isF32())
    return "float";
  if (type.isF64())
    return "double";
  if (type.isIndex())
    return isSigned ? "int64_t" : "uint64_t";
  if (type.isInteger(1))
    return "bool";
  for (unsigned width : {8, 16, 32, 64})
    if (type.isInteger(width))
      return (isSigned ? "int" : "uint") + std::to_string(width) + "_t";
  return "";
}

std::string Language::elementType(Type element) const {
  if (element.isInteger(1) || element.isInteger(8))
    return "uint8_t";
  return type(element, /*isSigned=*/true);
}

std::string Language::function(StringRef name, Type type) const {
  return (name + (type.isF32() ? "f" : "")).str();
}

std::string Language::unroll(int64_t count) const {
  return "#pragma unroll " + std::to_string(count);
}

std::string Language::array(MemRefType type, StringRef name, std::optional<int64_t> alignment,
                            bool flat) const {
  std::string text;
  if (alignment)
    text = "alignas(" + std::to_string(*alignment) + ") ";
  text += elementType(type.getElementType()) + " " + name.str();
  if (flat)
    return text + "[" + std::to_string(std::max<int64_t>(type.getNumElements(), 1)) + "]";
  for (int64_t size : type.getShape())
    if (size != 1)
      text += "[" + std::to_string(size) + "]";
  return text;
}

} // namespace formwork::source
