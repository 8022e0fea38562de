// Contractions, convolutions and pooling.
//
// Images are NHWC and kernels HWIO. `padding` is [top, bottom, left, right]; each side is smaller
// than the (dilated) window, as Keras's "same" makes it.

#ifndef FORMWORK_IR_LINEAR_TD
#define FORMWORK_IR_LINEAR_TD

include "ir/Structural.td"

//===--- Linear.cpp ------------------------------------------------------------------------------

def Fw_DotGeneralOp : Fw_StructuralOp<"dot_general", [SameOperandsElementType, Fw_Stacks]> {
  let summary = "Sums products over the contracted dimensions: matmul, einsum of two operands";
  let description = [{
    The result's dimensions are the batch dimensions in the order given, then what remains of a,
    then what remains of b. [m, k] times [k, n] is `contract [1] x [0] batch [] x []`.
  }];
  let arguments = (ins Fw_FloatTensor:$a, Fw_FloatTensor:$b,
                       DenseI64ArrayAttr:$a_contract, DenseI64ArrayAttr:$b_contract,
                       DenseI64ArrayAttr:$a_batch, DenseI64ArrayAttr:$b_batch);
  let results = (outs Fw_FloatTensor:$y);
  let assemblyFormat = [{
    $a `,` $b `contract` $a_contract `x` $b_contract `batch` $a_batch `x` $b_batch attr-dict `:`
    functional-type(operands, results)
  }];
  let builders = [OpBuilder<(ins "::mlir::Value":$a, "::mlir::Value":$b,
                                 "::llvm::ArrayRef<int64_t>":$aContract,
                                 "::llvm::ArrayRef<int64_t>":$bContract), [{
    build($_builder, $_state, a, b, aContract, bContract, {}, {});
  }]>];
  let hasCanonicalizeMethod = 1;
}

//===--- Convolution.cpp: three ops, each bilinear, each the gradient of the others ---------------

class Fw_ConvolutionOp<string mnemonic, dag operands>
    : Fw_StructuralOp<mnemonic, [SameOperandsElementType]> {
  let arguments = !con(operands, (ins DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$padding,
                                      DenseI64ArrayAttr:$dilations, I64Attr:$groups));
  let results = (outs Fw_FloatTensor:$y);
  let assemblyFormat = [{
    operands `strides` $strides `padding` $padding `dilations` $dilations `groups` $groups
    attr-dict `:` functional-type(operands, results)
  }];
}

def Fw_Conv2dOp : Fw_ConvolutionOp<"conv2d", (ins Fw_FloatTensor:$x, Fw_FloatTensor:$kernel)> {
  let summary = "y[n, p, q, o] = sum x[n, p*s + i*d, q*s + j*d, c] kernel[i, j, c, o], x padded";
  let description = [{
    With groups, output channel o sees only the input channels of its group: kernel is
    [h, w, channels/groups, filters].
  }];
}
def Fw_Conv2dInputGradOp : Fw_ConvolutionOp<"conv2d_input_grad",
    (ins Fw_FloatTensor:$dy, Fw_FloatTensor:$kernel, Fw_FloatTensor:$like)> {
  let summary = "The cotangent of conv2d's x, which has the shape of `like`";
}
def Fw_Conv2dKernelGradOp : Fw_ConvolutionOp<"conv2d_kernel_grad",
    (ins Fw_FloatTensor:$x, Fw_FloatTensor:$dy, Fw_FloatTensor:$like)> {
  let summary = "The cotangent of conv2d's kernel, which has the shape of `like`";
}

//===--- Pooling.cpp -----------------------------------------------------------------------------

class Fw_PoolingOp<string mnemonic, dag operands, list<Trait> traits>
    : Fw_PureOp<mnemonic, !listconcat([Fw_Decomposes], traits)> {
  let arguments = !con(operands, (ins DenseI64ArrayAttr:$window, DenseI64ArrayAttr:$strides,
                                      DenseI64ArrayAttr:$padding));
  let assemblyFormat = [{
    operands `window` $window `strides` $strides `padding` $padding attr-dict `:`
    functional-type(operands, results)
  }];
}

def Fw_MaxPool2dOp : Fw_PoolingOp<"max_pool2d", (ins Fw_FloatTensor:$x), [Fw_Differentiates]> {
  let summary = "The maximum of each window; padding counts as minus infinity";
  let results = (outs Fw_FloatTensor:$y);
}
def Fw_MaxPool2dIndicesOp : Fw_PoolingOp<"max_pool2d_indices",
    (ins Fw_FloatTensor:$x, Fw_FloatTensor:$y), [SameOperandsElementType]> {
  let summary = "Where in its window each maximum y is found first, in row-major order";
  let description = "i * width + j for row i and column j of the window. No index if y is NaN.";
  let results = (outs RankedTensorOf<[I32]>:$indices);
}
// The next two are linear, and each other's adjoint.
def Fw_Pool2dTakeOp : Fw_PoolingOp<"pool2d_take",
    (ins Fw_FloatTensor:$x, RankedTensorOf<[I32]>:$indices), [Fw_Differentiates]> {
  let summary = "The element of each window of x at its index";
  let results = (outs Fw_FloatTensor:$y);
}
def Fw_Pool2dPutOp : Fw_PoolingOp<"pool2d_put",
    (ins Fw_FloatTensor:$y, RankedTensorOf<[I32]>:$indices, Fw_FloatTensor:$like),
    [Fw_Differentiates, AllElementTypesMatch<["y", "like"]>]> {
  let summary = "Zeros like `like`, with each y added at the index in its window";
  let results = (outs Fw_FloatTensor:$x);
}

#endif
