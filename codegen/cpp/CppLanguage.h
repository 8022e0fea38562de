// C++17 with the vectors of formwork_vector.h: the tile form of CPUs, printed as it is.
#pragma once

#include "codegen/source/Language.h"

namespace formwork::cpp {

class CppLanguage : public source::Language {
public:
  CppLanguage();

  std::string type(mlir::Type type, bool isSigned) const override;
  std::optional<source::Expression> scalarOf(mlir::Value value, bool isSigned,
                                             source::FunctionPrinter &printer) const override;
  std::string conversion(mlir::Type to, bool toSigned) const override;
  std::string parameterType(mlir::Type type, bool isSigned) const override;
  std::string elementType(mlir::Type type) const override;
  std::string function(llvm::StringRef name, mlir::Type type) const override;
  std::string unroll(int64_t count) const override;
};

/// Rules for the vector dialect, and for arith where vectors are not computed like scalars.
void addVectorRules(source::Language &language);

} // namespace formwork::cpp
