// Passes over kernels that are scheduled, whatever they are scheduled for.

#ifndef FORMWORK_CODEGEN_KERNEL_PASSES_TD
#define FORMWORK_CODEGEN_KERNEL_PASSES_TD

include "mlir/Pass/PassBase.td"

def MarkDivisions : Pass<"fw-mark-divisions"> {
  let summary = "Mark divisions by a root and a constant with fw.bounded";
  let description = [{
    ExpandMath makes products with reciprocals of them where a fused multiply-add is an instruction:
    within 1.63 units of the last place.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect"];
}

def ExpandMath : Pass<"fw-expand-math"> {
  let summary = "Turn exp, log and the like into arithmetic: polynomials, no calls";
  let options = [
    Option<"hasFMA", "fma", "bool", "true", "Whether a fused multiply-add is an instruction">
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect"];
}

#endif
