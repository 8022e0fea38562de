// JSON as MLIR attributes.
#pragma once

#include "frontend/Json.h"

#include "mlir/IR/BuiltinAttributes.h"

namespace formwork::keras {

/// object -> DictionaryAttr, array -> ArrayAttr, string -> StringAttr, integer -> i64, real -> f64,
/// bool -> BoolAttr, null -> UnitAttr.
mlir::Attribute attributeOf(mlir::MLIRContext &context, const Json &value);

} // namespace formwork::keras
