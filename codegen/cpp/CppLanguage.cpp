// Types: fw::f32x16 is 16 floats, fw::m16 16 conditions.
#include "codegen/cpp/CppLanguage.h"

#include "codegen/source/FunctionPrinter.h"

using namespace mlir;

namespace formwork::cpp {

CppLanguage::CppLanguage() { addVectorRules(*this); }

static std::string laneType(Type element, bool isSigned) {
  if (element.isF32())
    return "f32x";
  if (element.isF64())
    return "f64x";
  if (element.isIndex())
    return "i64x";
  if (element.isInteger(1))
    return "m";
  for (unsigned width : {8, 16, 32, 64})
    if (element.isInteger(width))
      return (isSigned ? "i" : "u") + std::to_string(width) + "x";
  return "";
}

std::string CppLanguage::type(Type type, bool isSigned) const {
  auto vector = dyn_cast<VectorType>(type);
  if (!vector)
    return Language::type(type, isSigned);
  std::string lane = laneType(vector.getElementType(), isSigned);
  int64_t count = vector.getNumElements();
  if (vector.getRank() != 1 || vector.isScalable() || lane.empty() || count > 64 ||
      !llvm::isPowerOf2_64(count))
    return "";
  return "fw::" + lane + std::to_string(count);
}

std::string CppLanguage::conversion(Type to, bool toSigned) const {
  std::string spelled = type(to, toSigned);
  return isa<VectorType>(to) ? "fw::convert<" + spelled + ">" : spelled;
}

std::string CppLanguage::parameterType(Type type, bool isSigned) const {
  if (isa<VectorType>(type))
    return "const " + this->type(type, isSigned) + " &";
  return Language::parameterType(type, isSigned);
}

std::string CppLanguage::elementType(Type element) const {
  return isa<VectorType>(element) ? type(element, /*isSigned=*/false)
                                  : Language::elementType(element);
}

std::string CppLanguage::function(StringRef name, Type) const { return "fw::" + name.str(); }

std::string CppLanguage::unroll(int64_t count) const {
  return "FW_UNROLL(" + std::to_string(count) + ")";
}

} // namespace formwork::cpp
