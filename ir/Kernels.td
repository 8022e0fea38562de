// The seam between a host schedule and its kernels.

#ifndef FORMWORK_IR_KERNELS_TD
#define FORMWORK_IR_KERNELS_TD

include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "ir/Base.td"

def Fw_LaunchOp : Op<Fw_Dialect, "launch",
    [AttrSizedOperandSegments, DestinationStyleOpInterface,
     DeclareOpInterfaceMethods<MemoryEffectsOpInterface>,
     DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>,
     DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "Runs a kernel of `module @kernels` on its operands";
  let description = [{
    Destination style: on tensors each result is the new value of an output, on buffers there are no
    results. Output i is overwritten whole, its old value never read, if `overwrites[i]`. Two
    operands never share memory, unless they are the same value.
  }];
  let arguments = (ins SymbolRefAttr:$kernel, Variadic<AnyType>:$inputs,
                       Variadic<AnyShaped>:$outputs, DenseBoolArrayAttr:$overwrites);
  let results = (outs Variadic<AnyRankedTensor>:$values);
  let assemblyFormat = [{
    $kernel `ins` `(` $inputs `)` `outs` `(` $outputs `)` `overwrites` $overwrites attr-dict
    `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() { return getOutputsMutable(); }
    /// The function of `module @kernels` that runs.
    ::llvm::StringRef getKernelName() { return getKernel().getLeafReference(); }
  }];
}

def Fw_PassedConstantOp : Op<Fw_Dialect, "passed_constant", [Pure]> {
  let summary = "A constant that kernels are given";
  let description = [{
    Kernels hold other scalar constants themselves. Those that would differ in this one alone, as
    initializers of layers alike do, are one kernel.
  }];
  let arguments = (ins I32Attr:$value);
  let results = (outs I32:$result);
  let assemblyFormat = "$value attr-dict";
}

#endif
