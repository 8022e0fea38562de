// Contractions, convolutions and pooling.
//
// Images are [n, spatial dimensions..., channels] and kernels [window..., channels, filters]; there
// may be any number of spatial dimensions. `padding` is what comes before and after each of them:
// [top, bottom, left, right] of images. Each is smaller than the (dilated) window, as Keras's "same"
// makes it.

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

class Fw_ConvolutionOp<string mnemonic, dag operands, list<Trait> traits = []>
    : Fw_StructuralOp<mnemonic, !listconcat([SameOperandsElementType], traits)> {
  let arguments = !con(operands, (ins DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$padding,
                                      DenseI64ArrayAttr:$dilations, I64Attr:$groups));
  let results = (outs Fw_FloatTensor:$y);
  let assemblyFormat = [{
    operands `strides` $strides `padding` $padding `dilations` $dilations `groups` $groups
    attr-dict `:` functional-type(operands, results)
  }];
}

def Fw_ConvOp : Fw_ConvolutionOp<"conv", (ins Fw_FloatTensor:$x, Fw_FloatTensor:$kernel),
                                 [Fw_Slides]> {
  let summary = "y[n, p, o] = sum x[n, p*s + i*d, c] kernel[i, c, o], x padded; p and i are indices";
  let description = [{
    With groups, output channel o sees only the input channels of its group: kernel is
    [window..., channels/groups, filters].
  }];
}
def Fw_ConvInputGradOp : Fw_ConvolutionOp<"conv_input_grad",
    (ins Fw_FloatTensor:$dy, Fw_FloatTensor:$kernel, Fw_FloatTensor:$like)> {
  let summary = "The cotangent of conv's x, which has the shape of `like`";
}
def Fw_ConvKernelGradOp : Fw_ConvolutionOp<"conv_kernel_grad",
    (ins Fw_FloatTensor:$x, Fw_FloatTensor:$dy, Fw_FloatTensor:$like)> {
  let summary = "The cotangent of conv's kernel, which has the shape of `like`";
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

def Fw_MaxPoolOp : Fw_PoolingOp<"max_pool", (ins Fw_FloatTensor:$x),
                                [Fw_Differentiates, Fw_Slides]> {
  let summary = "The maximum of each window; padding counts as minus infinity";
  let results = (outs Fw_FloatTensor:$y);
}
def Fw_MaxPoolIndicesOp : Fw_PoolingOp<"max_pool_indices",
    (ins Fw_FloatTensor:$x, Fw_FloatTensor:$y), [SameOperandsElementType]> {
  let summary = "Where in its window each maximum y is found first, in row-major order";
  let description = "i * width + j for row i and column j of a window. No index if y is NaN.";
  let results = (outs RankedTensorOf<[I32]>:$indices);
}
// The next two are linear, and each other's adjoint.
def Fw_PoolTakeOp : Fw_PoolingOp<"pool_take",
    (ins Fw_FloatTensor:$x, RankedTensorOf<[I32]>:$indices), [Fw_Differentiates]> {
  let summary = "The element of each window of x at its index";
  let results = (outs Fw_FloatTensor:$y);
}
def Fw_PoolPutOp : Fw_PoolingOp<"pool_put",
    (ins Fw_FloatTensor:$y, RankedTensorOf<[I32]>:$indices, Fw_FloatTensor:$like),
    [Fw_Differentiates, AllElementTypesMatch<["y", "like"]>]> {
  let summary = "Zeros like `like`, with each y added at the index in its window";
  let results = (outs Fw_FloatTensor:$x);
  let hasCanonicalizer = 1;
}
// So are these two; padding counts as 0.
def Fw_PoolSumOp : Fw_PoolingOp<"pool_sum", (ins Fw_FloatTensor:$x),
                                [Fw_Differentiates, Fw_Slides]> {
  let summary = "The sum of each window";
  let results = (outs Fw_FloatTensor:$y);
}
def Fw_PoolSpreadOp : Fw_PoolingOp<"pool_spread", (ins Fw_FloatTensor:$y, Fw_FloatTensor:$like),
    [Fw_Differentiates, AllElementTypesMatch<["y", "like"]>]> {
  let summary = "Zeros like `like`, with each y added to all elements of its window";
  let results = (outs Fw_FloatTensor:$x);
}

#endif
