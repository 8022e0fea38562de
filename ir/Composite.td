// Composites: kept whole until after differentiation, since their gradients are better than what
// the chain rule makes of their pieces, and since fusion sees what is meant.

#ifndef FORMWORK_IR_COMPOSITE_TD
#define FORMWORK_IR_COMPOSITE_TD

include "ir/Structural.td"

//===--- Loss.cpp: over the last axis ------------------------------------------------------------

class Fw_SoftmaxLikeOp<string mnemonic> : Fw_StructuralOp<mnemonic> {
  let arguments = (ins Fw_FloatTensor:$x);
  let results = (outs Fw_FloatTensor:$y);
}
def Fw_SoftmaxOp : Fw_SoftmaxLikeOp<"softmax"> { let summary = "over the last axis"; }
def Fw_LogSoftmaxOp : Fw_SoftmaxLikeOp<"log_softmax"> { let summary = "over the last axis"; }

def Fw_SoftmaxCrossEntropyOp
    : Fw_StructuralOp<"softmax_cross_entropy", [SameOperandsElementType]> {
  let summary = "-sum(labels * log_softmax(logits)) over the last axis: one loss per example";
  let arguments = (ins Fw_FloatTensor:$logits, Fw_FloatTensor:$labels);
  let results = (outs Fw_FloatTensor:$y);
}

def Fw_SparseSoftmaxCrossEntropyOp : Fw_StructuralOp<"sparse_softmax_cross_entropy"> {
  let summary = "-log_softmax(logits) at the label, over the last axis: one loss per example";
  let description = [{
    A label outside the classes reads nothing out of bounds: its loss is log(sum(exp(logits - max))).
  }];
  let arguments = (ins Fw_FloatTensor:$logits, Fw_IntegerTensor:$labels);
  let results = (outs Fw_FloatTensor:$y);
}

//===--- Normalization.cpp -----------------------------------------------------------------------

def Fw_BatchNormOp : Fw_StructuralOp<"batch_norm", [SameOperandsElementType]> {
  let summary = "BatchNormalization in training: normalizes over all axes but `axis`";
  let description = [{
    y = (x - mean) / sqrt(variance + epsilon) * gamma + beta, with the batch's mean and biased
    variance, which are results too: the moving statistics are made of them.
  }];
  let arguments = (ins Fw_FloatTensor:$x, Fw_FloatTensor:$gamma, Fw_FloatTensor:$beta,
                       I64Attr:$axis, F64Attr:$epsilon);
  let results = (outs Fw_FloatTensor:$y, Fw_FloatTensor:$mean, Fw_FloatTensor:$variance);
  let assemblyFormat = [{
    operands `axis` $axis `epsilon` $epsilon attr-dict `:` functional-type(operands, results)
  }];
}

def Fw_LayerNormOp : Fw_StructuralOp<"layer_norm", [SameOperandsElementType]> {
  let summary = "LayerNormalization: normalizes each example over `axes`, which increase";
  let description = "gamma and beta have the dimensions of x at `axes`.";
  let arguments = (ins Fw_FloatTensor:$x, Fw_FloatTensor:$gamma, Fw_FloatTensor:$beta,
                       DenseI64ArrayAttr:$axes, F64Attr:$epsilon);
  let results = (outs Fw_FloatTensor:$y);
  let assemblyFormat = [{
    operands `axes` $axes `epsilon` $epsilon attr-dict `:` functional-type(operands, results)
  }];
}

//===--- Random.cpp ------------------------------------------------------------------------------

class Fw_RandomOp<string mnemonic> : Fw_StructuralOp<mnemonic> {
  let description = [{
    A pure function of `rng` = [seed, counter], the stream and each element's row-major index e, the
    same on every target, by Philox4x32-10 (Salmon et al., SC 2011):
      key            = (seed low, seed high), in words of 32 bits
      block          = (e >> 6) * 16 + (e & 15)
      counter words  = (block low, counter low, stream, counter high ^ block high << 16)
      word of e      = (e >> 4) & 3
    So 64 consecutive elements are 16 lanes of 4 words: a vector of blocks gives four vectors.
  }];
  let arguments = (ins TensorRankOf<[I64], [1]>:$rng, Fw_FloatTensor:$like, I64Attr:$stream);
  let results = (outs Fw_FloatTensor:$y);
}

def Fw_RandomUniformOp : Fw_RandomOp<"random_uniform"> {
  let summary = "Uniform in [0, 1): the upper p bits of the word times 2^-p";
  // p is the precision of the type: 24 for f32. For f64, with p = 53, the bits of word (w + 2) & 3
  // follow those of word w.
}
def Fw_RandomNormalOp : Fw_RandomOp<"random_normal"> {
  let summary = "The standard normal distribution's quantile at the uniform number's middle";
}
def Fw_RandomTruncatedNormalOp : Fw_RandomOp<"random_truncated_normal"> {
  let summary = "The standard normal distribution, conditioned on lying within (-2, 2)";
}

def Fw_DropoutOp : Fw_StructuralOp<"dropout"> {
  let summary = "x / (1 - rate) where random_uniform is at least `rate`, else 0";
  let description = "Its own adjoint: the gradient drops the same elements, drawn again.";
  let arguments = (ins Fw_FloatTensor:$x, TensorRankOf<[I64], [1]>:$rng, F64Attr:$rate,
                       I64Attr:$stream);
  let results = (outs Fw_FloatTensor:$y);
  let hasFolder = 1;
}

#endif
