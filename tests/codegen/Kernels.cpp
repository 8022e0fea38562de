#include "tests/codegen/Kernels.h"

namespace formwork::testing {

static const char *matmul = R"(
func.func private @k(%a: tensor<{M}x{K}xf32>, %b: tensor<{K}x{N}xf32>, %out: tensor<{M}x{N}xf32>)
    -> tensor<{M}x{N}xf32> {
  %zero = arith.constant 0.0 : f32
  %0 = linalg.fill ins(%zero : f32) outs(%out : tensor<{M}x{N}xf32>) -> tensor<{M}x{N}xf32>
  %1 = linalg.matmul ins(%a, %b : tensor<{M}x{K}xf32>, tensor<{K}x{N}xf32>)
      outs(%0 : tensor<{M}x{N}xf32>) -> tensor<{M}x{N}xf32>
  return %1 : tensor<{M}x{N}xf32>
}
)";

static const char *matmulBiasRelu = R"(
func.func private @k(%a: tensor<{M}x{K}xf32>, %b: tensor<{K}x{N}xf32>, %bias: tensor<{N}xf32>,
                     %out: tensor<{M}x{N}xf32>) -> tensor<{M}x{N}xf32> {
  %zero = arith.constant 0.0 : f32
  %0 = linalg.fill ins(%zero : f32) outs(%out : tensor<{M}x{N}xf32>) -> tensor<{M}x{N}xf32>
  %1 = linalg.matmul ins(%a, %b : tensor<{M}x{K}xf32>, tensor<{K}x{N}xf32>)
      outs(%0 : tensor<{M}x{N}xf32>) -> tensor<{M}x{N}xf32>
  %2 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>,
                                        affine_map<(i, j) -> (i, j)>],
                       iterator_types = ["parallel", "parallel"]}
      ins(%1, %bias : tensor<{M}x{N}xf32>, tensor<{N}xf32>) outs(%out : tensor<{M}x{N}xf32>) {
    ^bb0(%x: f32, %c: f32, %o: f32):
      %z = arith.constant 0.0 : f32
      %s = arith.addf %x, %c : f32
      %r = arith.maximumf %s, %z : f32
      linalg.yield %r : f32
  } -> tensor<{M}x{N}xf32>
  return %2 : tensor<{M}x{N}xf32>
}
)";

/// dW = x^T * dy.
static const char *matmulTransposedA = R"(
func.func private @k(%a: tensor<{K}x{M}xf32>, %b: tensor<{K}x{N}xf32>, %out: tensor<{M}x{N}xf32>)
    -> tensor<{M}x{N}xf32> {
  %zero = arith.constant 0.0 : f32
  %0 = linalg.fill ins(%zero : f32) outs(%out : tensor<{M}x{N}xf32>) -> tensor<{M}x{N}xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(i, j, k) -> (k, i)>,
                                        affine_map<(i, j, k) -> (k, j)>,
                                        affine_map<(i, j, k) -> (i, j)>],
                       iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<{K}x{M}xf32>, tensor<{K}x{N}xf32>) outs(%0 : tensor<{M}x{N}xf32>) {
    ^bb0(%x: f32, %y: f32, %o: f32):
      %p = arith.mulf %x, %y : f32
      %s = arith.addf %o, %p : f32
      linalg.yield %s : f32
  } -> tensor<{M}x{N}xf32>
  return %1 : tensor<{M}x{N}xf32>
}
)";

/// dX = dy * W^T.
static const char *matmulTransposedB = R"(
func.func private @k(%a: tensor<{M}x{K}xf32>, %b: tensor<{N}x{K}xf32>, %out: tensor<{M}x{N}xf32>)
    -> tensor<{M}x{N}xf32> {
  %zero = arith.constant 0.0 : f32
  %0 = linalg.fill ins(%zero : f32) outs(%out : tensor<{M}x{N}xf32>) -> tensor<{M}x{N}xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(i, j, k) -> (i, k)>,
                                        affine_map<(i, j, k) -> (j, k)>,
                                        affine_map<(i, j, k) -> (i, j)>],
                       iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<{M}x{K}xf32>, tensor<{N}x{K}xf32>) outs(%0 : tensor<{M}x{N}xf32>) {
    ^bb0(%x: f32, %y: f32, %o: f32):
      %p = arith.mulf %x, %y : f32
      %s = arith.addf %o, %p : f32
      linalg.yield %s : f32
  } -> tensor<{M}x{N}xf32>
  return %1 : tensor<{M}x{N}xf32>
}
)";

/// x * W + bias of a matrix in panels, and relu.
static const char *panels = R"(
func.func private @k(%a: tensor<{M}x{K}xf32>, %b: tensor<{N}x{K}x32xf32>, %bias: tensor<{N}x32xf32>,
                     %out: tensor<{M}x{N}x32xf32>) -> tensor<{M}x{N}x32xf32> {
  %zero = arith.constant 0.0 : f32
  %0 = linalg.fill ins(%zero : f32) outs(%out : tensor<{M}x{N}x32xf32>) -> tensor<{M}x{N}x32xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(i, n, j, k) -> (i, k)>,
                                        affine_map<(i, n, j, k) -> (n, k, j)>,
                                        affine_map<(i, n, j, k) -> (i, n, j)>],
                       iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<{M}x{K}xf32>, tensor<{N}x{K}x32xf32>) outs(%0 : tensor<{M}x{N}x32xf32>) {
    ^bb0(%x: f32, %y: f32, %o: f32):
      %p = arith.mulf %x, %y : f32
      %s = arith.addf %o, %p : f32
      linalg.yield %s : f32
  } -> tensor<{M}x{N}x32xf32>
  %2 = linalg.generic {indexing_maps = [affine_map<(i, n, j) -> (i, n, j)>,
                                        affine_map<(i, n, j) -> (n, j)>,
                                        affine_map<(i, n, j) -> (i, n, j)>],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%1, %bias : tensor<{M}x{N}x32xf32>, tensor<{N}x32xf32>) outs(%out : tensor<{M}x{N}x32xf32>) {
    ^bb0(%x: f32, %c: f32, %o: f32):
      %s = arith.addf %x, %c : f32
      %r = arith.maximumf %s, %zero : f32
      linalg.yield %r : f32
  } -> tensor<{M}x{N}x32xf32>
  return %2 : tensor<{M}x{N}x32xf32>
}
)";

/// Its gradient with respect to the matrix, in panels too.
static const char *panelsMatrixGradient = R"(
func.func private @k(%a: tensor<{K}x{M}xf32>, %b: tensor<{K}x{N}x32xf32>, %out: tensor<{N}x{M}x32xf32>)
    -> tensor<{N}x{M}x32xf32> {
  %zero = arith.constant 0.0 : f32
  %0 = linalg.fill ins(%zero : f32) outs(%out : tensor<{N}x{M}x32xf32>) -> tensor<{N}x{M}x32xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(n, i, j, k) -> (k, i)>,
                                        affine_map<(n, i, j, k) -> (k, n, j)>,
                                        affine_map<(n, i, j, k) -> (n, i, j)>],
                       iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<{K}x{M}xf32>, tensor<{K}x{N}x32xf32>) outs(%0 : tensor<{N}x{M}x32xf32>) {
    ^bb0(%x: f32, %y: f32, %o: f32):
      %p = arith.mulf %x, %y : f32
      %s = arith.addf %o, %p : f32
      linalg.yield %s : f32
  } -> tensor<{N}x{M}x32xf32>
  return %1 : tensor<{N}x{M}x32xf32>
}
)";

/// Its gradient with respect to x: all columns of all panels are summed.
static const char *panelsInputGradient = R"(
func.func private @k(%a: tensor<{M}x{N}x32xf32>, %b: tensor<{N}x{K}x32xf32>, %out: tensor<{M}x{K}xf32>)
    -> tensor<{M}x{K}xf32> {
  %zero = arith.constant 0.0 : f32
  %0 = linalg.fill ins(%zero : f32) outs(%out : tensor<{M}x{K}xf32>) -> tensor<{M}x{K}xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(i, k, n, j) -> (i, n, j)>,
                                        affine_map<(i, k, n, j) -> (n, k, j)>,
                                        affine_map<(i, k, n, j) -> (i, k)>],
                       iterator_types = ["parallel", "parallel", "reduction", "reduction"]}
      ins(%a, %b : tensor<{M}x{N}x32xf32>, tensor<{N}x{K}x32xf32>) outs(%0 : tensor<{M}x{K}xf32>) {
    ^bb0(%x: f32, %y: f32, %o: f32):
      %p = arith.mulf %x, %y : f32
      %s = arith.addf %o, %p : f32
      linalg.yield %s : f32
  } -> tensor<{M}x{K}xf32>
  return %1 : tensor<{M}x{K}xf32>
}
)";

static const char *pointwise = R"(
func.func private @k(%x: tensor<{M}x{N}xf32>, %y: tensor<{N}xf32>, %z: tensor<{M}x1xf32>,
                     %out: tensor<{M}x{N}xf32>, %mask: tensor<{M}x{N}xi1>)
    -> (tensor<{M}x{N}xf32>, tensor<{M}x{N}xi1>) {
  %0:2 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>,
                                        affine_map<(i, j) -> (i, 0)>, affine_map<(i, j) -> (i, j)>,
                                        affine_map<(i, j) -> (i, j)>],
                       iterator_types = ["parallel", "parallel"]}
      ins(%x, %y, %z : tensor<{M}x{N}xf32>, tensor<{N}xf32>, tensor<{M}x1xf32>)
      outs(%out, %mask : tensor<{M}x{N}xf32>, tensor<{M}x{N}xi1>) {
    ^bb0(%a: f32, %b: f32, %c: f32, %o: f32, %m: i1):
      %d = arith.subf %a, %b : f32
      %e = arith.mulf %d, %c : f32
      %g = arith.cmpf ogt, %e, %c : f32
      linalg.yield %e, %g : f32, i1
  } -> (tensor<{M}x{N}xf32>, tensor<{M}x{N}xi1>)
  return %0#0, %0#1 : tensor<{M}x{N}xf32>, tensor<{M}x{N}xi1>
}
)";

static const char *softmax = R"(
#ij = affine_map<(i, j) -> (i, j)>
#i0 = affine_map<(i, j) -> (i, 0)>
func.func private @k(%x: tensor<{M}x{N}xf32>, %t: tensor<{M}x1xf32>, %out: tensor<{M}x{N}xf32>)
    -> tensor<{M}x{N}xf32> {
  %zero = arith.constant 0.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %m0 = linalg.fill ins(%low : f32) outs(%t : tensor<{M}x1xf32>) -> tensor<{M}x1xf32>
  %max = linalg.generic {indexing_maps = [#ij, #i0], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<{M}x{N}xf32>) outs(%m0 : tensor<{M}x1xf32>) {
    ^bb0(%a: f32, %o: f32):
      %r = arith.maximumf %a, %o : f32
      linalg.yield %r : f32
  } -> tensor<{M}x1xf32>
  %e = linalg.generic {indexing_maps = [#ij, #i0, #ij], iterator_types = ["parallel", "parallel"]}
      ins(%x, %max : tensor<{M}x{N}xf32>, tensor<{M}x1xf32>) outs(%out : tensor<{M}x{N}xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %d = arith.subf %a, %b : f32
      %r = math.exp %d : f32
      linalg.yield %r : f32
  } -> tensor<{M}x{N}xf32>
  %s0 = linalg.fill ins(%zero : f32) outs(%t : tensor<{M}x1xf32>) -> tensor<{M}x1xf32>
  %sum = linalg.generic {indexing_maps = [#ij, #i0], iterator_types = ["parallel", "reduction"]}
      ins(%e : tensor<{M}x{N}xf32>) outs(%s0 : tensor<{M}x1xf32>) {
    ^bb0(%a: f32, %o: f32):
      %r = arith.addf %o, %a : f32
      linalg.yield %r : f32
  } -> tensor<{M}x1xf32>
  %y = linalg.generic {indexing_maps = [#ij, #i0, #ij], iterator_types = ["parallel", "parallel"]}
      ins(%e, %sum : tensor<{M}x{N}xf32>, tensor<{M}x1xf32>) outs(%out : tensor<{M}x{N}xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %r = arith.divf %a, %b : f32
      linalg.yield %r : f32
  } -> tensor<{M}x{N}xf32>
  return %y : tensor<{M}x{N}xf32>
}
)";

static const char *rowSum = R"(
func.func private @k(%x: tensor<{M}x{N}xf32>, %out: tensor<{M}xf32>) -> tensor<{M}xf32> {
  %zero = arith.constant 0.0 : f32
  %0 = linalg.fill ins(%zero : f32) outs(%out : tensor<{M}xf32>) -> tensor<{M}xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>],
                       iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<{M}x{N}xf32>) outs(%0 : tensor<{M}xf32>) {
    ^bb0(%a: f32, %o: f32):
      %r = arith.addf %o, %a : f32
      linalg.yield %r : f32
  } -> tensor<{M}xf32>
  return %1 : tensor<{M}xf32>
}
)";

static const char *columnSum = R"(
func.func private @k(%x: tensor<{M}x{N}xf32>, %out: tensor<{N}xf32>) -> tensor<{N}xf32> {
  %zero = arith.constant 0.0 : f32
  %0 = linalg.fill ins(%zero : f32) outs(%out : tensor<{N}xf32>) -> tensor<{N}xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>],
                       iterator_types = ["reduction", "parallel"]}
      ins(%x : tensor<{M}x{N}xf32>) outs(%0 : tensor<{N}xf32>) {
    ^bb0(%a: f32, %o: f32):
      %r = arith.addf %o, %a : f32
      linalg.yield %r : f32
  } -> tensor<{N}xf32>
  return %1 : tensor<{N}xf32>
}
)";

static const char *fullSum = R"(
func.func private @k(%x: tensor<{M}x{N}xf32>, %out: tensor<f32>) -> tensor<f32> {
  %zero = arith.constant 0.0 : f32
  %0 = linalg.fill ins(%zero : f32) outs(%out : tensor<f32>) -> tensor<f32>
  %1 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> ()>],
                       iterator_types = ["reduction", "reduction"]}
      ins(%x : tensor<{M}x{N}xf32>) outs(%0 : tensor<f32>) {
    ^bb0(%a: f32, %o: f32):
      %r = arith.addf %o, %a : f32
      linalg.yield %r : f32
  } -> tensor<f32>
  return %1 : tensor<f32>
}
)";

static const char *transpose = R"(
func.func private @k(%x: tensor<{M}x{N}xf32>, %out: tensor<{N}x{M}xf32>) -> tensor<{N}x{M}xf32> {
  %0 = linalg.transpose ins(%x : tensor<{M}x{N}xf32>) outs(%out : tensor<{N}x{M}xf32>)
      permutation = [1, 0]
  return %0 : tensor<{N}x{M}xf32>
}
)";

/// Batches that are no leading dimension of an operand: its panel is gathered.
static const char *batchedInside = R"(
func.func private @k(%a: tensor<2x{M}x{K}xf32>, %b: tensor<{K}x{N}x2xf32>,
                     %out: tensor<2x{M}x{N}xf32>) -> tensor<2x{M}x{N}xf32> {
  %zero = arith.constant 0.0 : f32
  %0 = linalg.fill ins(%zero : f32) outs(%out : tensor<2x{M}x{N}xf32>) -> tensor<2x{M}x{N}xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(b, i, j, k) -> (b, i, k)>,
                                        affine_map<(b, i, j, k) -> (k, j, b)>,
                                        affine_map<(b, i, j, k) -> (b, i, j)>],
                       iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<2x{M}x{K}xf32>, tensor<{K}x{N}x2xf32>)
      outs(%0 : tensor<2x{M}x{N}xf32>) {
    ^bb0(%x: f32, %y: f32, %o: f32):
      %p = arith.mulf %x, %y : f32
      %s = arith.addf %o, %p : f32
      linalg.yield %s : f32
  } -> tensor<2x{M}x{N}xf32>
  return %1 : tensor<2x{M}x{N}xf32>
}
)";

/// A 3x3 convolution with stride 2 and dilation 2, C channels to N.
static const char *convolution = R"(
func.func private @k(%x: tensor<{B}x13x12x{C}xf32>, %w: tensor<3x3x{C}x{N}xf32>,
                     %bias: tensor<{N}xf32>, %out: tensor<{B}x5x8x{N}xf32>)
    -> tensor<{B}x5x8x{N}xf32> {
  %zero = arith.constant 0.0 : f32
  %0 = linalg.fill ins(%zero : f32) outs(%out : tensor<{B}x5x8x{N}xf32>) -> tensor<{B}x5x8x{N}xf32>
  %1 = linalg.generic {
      indexing_maps = [affine_map<(n, p, q, o, i, j, c) -> (n, p * 2 + i * 2, q + j * 2, c)>,
                       affine_map<(n, p, q, o, i, j, c) -> (i, j, c, o)>,
                       affine_map<(n, p, q, o, i, j, c) -> (n, p, q, o)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel",
                        "reduction", "reduction", "reduction"]}
      ins(%x, %w : tensor<{B}x13x12x{C}xf32>, tensor<3x3x{C}x{N}xf32>)
      outs(%0 : tensor<{B}x5x8x{N}xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %p = arith.mulf %a, %b : f32
      %s = arith.addf %o, %p : f32
      linalg.yield %s : f32
  } -> tensor<{B}x5x8x{N}xf32>
  %2 = linalg.generic {
      indexing_maps = [affine_map<(n, p, q, o) -> (n, p, q, o)>, affine_map<(n, p, q, o) -> (o)>,
                       affine_map<(n, p, q, o) -> (n, p, q, o)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%1, %bias : tensor<{B}x5x8x{N}xf32>, tensor<{N}xf32>)
      outs(%out : tensor<{B}x5x8x{N}xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %s = arith.addf %a, %b : f32
      %z = arith.constant 0.0 : f32
      %r = arith.maximumf %s, %z : f32
      linalg.yield %r : f32
  } -> tensor<{B}x5x8x{N}xf32>
  return %2 : tensor<{B}x5x8x{N}xf32>
}
)";

/// What a convolution's image gets back: the kernel is read across its vectors, backwards.
static const char *convolutionImageGradient = R"(
func.func private @k(%dy: tensor<{B}x10x9x{N}xf32>, %w: tensor<3x3x{C}x{N}xf32>,
                     %out: tensor<{B}x8x7x{C}xf32>) -> tensor<{B}x8x7x{C}xf32> {
  %zero = arith.constant 0.0 : f32
  %0 = linalg.fill ins(%zero : f32) outs(%out : tensor<{B}x8x7x{C}xf32>) -> tensor<{B}x8x7x{C}xf32>
  %1 = linalg.generic {
      indexing_maps = [affine_map<(n, p, q, c, i, j, o) -> (n, p + 2 - i, q + 2 - j, o)>,
                       affine_map<(n, p, q, c, i, j, o) -> (i, j, c, o)>,
                       affine_map<(n, p, q, c, i, j, o) -> (n, p, q, c)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel",
                        "reduction", "reduction", "reduction"]}
      ins(%dy, %w : tensor<{B}x10x9x{N}xf32>, tensor<3x3x{C}x{N}xf32>)
      outs(%0 : tensor<{B}x8x7x{C}xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %p = arith.mulf %a, %b : f32
      %s = arith.addf %o, %p : f32
      linalg.yield %s : f32
  } -> tensor<{B}x8x7x{C}xf32>
  return %1 : tensor<{B}x8x7x{C}xf32>
}
)";

static const char *convolutionKernelGradient = R"(
func.func private @k(%x: tensor<{B}x10x9x{C}xf32>, %dy: tensor<{B}x8x7x{N}xf32>,
                     %out: tensor<3x3x{C}x{N}xf32>) -> tensor<3x3x{C}x{N}xf32> {
  %zero = arith.constant 0.0 : f32
  %0 = linalg.fill ins(%zero : f32) outs(%out : tensor<3x3x{C}x{N}xf32>) -> tensor<3x3x{C}x{N}xf32>
  %1 = linalg.generic {
      indexing_maps = [affine_map<(i, j, c, o, n, p, q) -> (n, p + i, q + j, c)>,
                       affine_map<(i, j, c, o, n, p, q) -> (n, p, q, o)>,
                       affine_map<(i, j, c, o, n, p, q) -> (i, j, c, o)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel",
                        "reduction", "reduction", "reduction"]}
      ins(%x, %dy : tensor<{B}x10x9x{C}xf32>, tensor<{B}x8x7x{N}xf32>)
      outs(%0 : tensor<3x3x{C}x{N}xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %p = arith.mulf %a, %b : f32
      %s = arith.addf %o, %p : f32
      linalg.yield %s : f32
  } -> tensor<3x3x{C}x{N}xf32>
  return %1 : tensor<3x3x{C}x{N}xf32>
}
)";

/// The place of the first maximum of each 2x2 window: comparisons and selections in a reduction.
static const char *poolingPlaces = R"(
func.func private @k(%x: tensor<{B}x6x8x{C}xf32>, %y: tensor<{B}x3x4x{C}xf32>,
                     %shape: tensor<2x2xf32>, %out: tensor<{B}x3x4x{C}xi32>)
    -> tensor<{B}x3x4x{C}xi32> {
  %nowhere = arith.constant 4 : i32
  %0 = linalg.fill ins(%nowhere : i32) outs(%out : tensor<{B}x3x4x{C}xi32>)
      -> tensor<{B}x3x4x{C}xi32>
  %1 = linalg.generic {
      indexing_maps = [affine_map<(n, p, q, c, i, j) -> (n, p * 2 + i, q * 2 + j, c)>,
                       affine_map<(n, p, q, c, i, j) -> (n, p, q, c)>,
                       affine_map<(n, p, q, c, i, j) -> (i, j)>,
                       affine_map<(n, p, q, c, i, j) -> (n, p, q, c)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]}
      ins(%x, %y, %shape : tensor<{B}x6x8x{C}xf32>, tensor<{B}x3x4x{C}xf32>, tensor<2x2xf32>)
      outs(%0 : tensor<{B}x3x4x{C}xi32>) {
    ^bb0(%a: f32, %b: f32, %s: f32, %o: i32):
      %i = linalg.index 4 : index
      %j = linalg.index 5 : index
      %c2 = arith.constant 2 : index
      %r = arith.muli %i, %c2 : index
      %t = arith.addi %r, %j : index
      %place = arith.index_cast %t : index to i32
      %hit = arith.cmpf oge, %a, %b : f32
      %found = arith.select %hit, %place, %nowhere : i32
      %least = arith.minsi %o, %found : i32
      linalg.yield %least : i32
  } -> tensor<{B}x3x4x{C}xi32>
  return %1 : tensor<{B}x3x4x{C}xi32>
}
)";

static const char *padding = R"(
func.func private @k(%x: tensor<{B}x5x6x{C}xf32>, %out: tensor<{B}x8x7x{C}xf32>)
    -> tensor<{B}x8x7x{C}xf32> {
  %value = arith.constant -1.0 : f32
  %0 = tensor.pad %x low[0, 1, 0, 0] high[0, 2, 1, 0] {
    ^bb0(%a: index, %b: index, %c: index, %d: index):
      tensor.yield %value : f32
  } : tensor<{B}x5x6x{C}xf32> to tensor<{B}x8x7x{C}xf32>
  return %0 : tensor<{B}x8x7x{C}xf32>
}
)";

/// Rows beyond the table are its last one.
static const char *lookup = R"(
func.func private @k(%table: tensor<{R}x{C}xf32>, %at: tensor<{B}xi32>,
                     %out: tensor<{B}x{C}xf32>) -> tensor<{B}x{C}xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %rows = tensor.dim %table, %c0 : tensor<{R}x{C}xf32>
  %last = arith.subi %rows, %c1 : index
  %0 = linalg.generic {indexing_maps = [affine_map<(b, c) -> (b)>, affine_map<(b, c) -> (b, c)>],
                       iterator_types = ["parallel", "parallel"]}
      ins(%at : tensor<{B}xi32>) outs(%out : tensor<{B}x{C}xf32>) {
    ^bb0(%i: i32, %o: f32):
      %w = arith.index_cast %i : i32 to index
      %r = arith.minsi %w, %last : index
      %c = linalg.index 1 : index
      %e = tensor.extract %table[%r, %c] : tensor<{R}x{C}xf32>
      linalg.yield %e : f32
  } -> tensor<{B}x{C}xf32>
  return %0 : tensor<{B}x{C}xf32>
}
)";

/// A product in panels plus rows of a table, whose columns are counted across panels. Rows beyond
/// the table are its last one.
static const char *productAndLookup = R"(
func.func private @k(%a: tensor<{M}x{K}xf32>, %b: tensor<{N}x{K}x32xf32>, %table: tensor<{R}x{C}xf32>,
                     %at: tensor<{M}xi32>, %out: tensor<{M}x{N}x32xf32>) -> tensor<{M}x{N}x32xf32> {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %rows = tensor.dim %table, %c0 : tensor<{R}x{C}xf32>
  %last = arith.subi %rows, %c1 : index
  %0 = linalg.fill ins(%zero : f32) outs(%out : tensor<{M}x{N}x32xf32>) -> tensor<{M}x{N}x32xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(i, n, j, k) -> (i, k)>,
                                        affine_map<(i, n, j, k) -> (n, k, j)>,
                                        affine_map<(i, n, j, k) -> (i, n, j)>],
                       iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<{M}x{K}xf32>, tensor<{N}x{K}x32xf32>) outs(%0 : tensor<{M}x{N}x32xf32>) {
    ^bb0(%x: f32, %y: f32, %o: f32):
      %p = arith.mulf %x, %y : f32
      %s = arith.addf %o, %p : f32
      linalg.yield %s : f32
  } -> tensor<{M}x{N}x32xf32>
  %2 = linalg.generic {indexing_maps = [affine_map<(i, n, j) -> (i, n, j)>,
                                        affine_map<(i, n, j) -> (i)>,
                                        affine_map<(i, n, j) -> (i, n, j)>],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%1, %at : tensor<{M}x{N}x32xf32>, tensor<{M}xi32>) outs(%out : tensor<{M}x{N}x32xf32>) {
    ^bb0(%x: f32, %i: i32, %o: f32):
      %w = arith.index_cast %i : i32 to index
      %r = arith.minsi %w, %last : index
      %n = linalg.index 1 : index
      %j = linalg.index 2 : index
      %c = affine.apply affine_map<()[s0, s1] -> (s0 * 32 + s1)>()[%n, %j]
      %e = tensor.extract %table[%r, %c] : tensor<{R}x{C}xf32>
      %s = arith.addf %e, %x : f32
      linalg.yield %s : f32
  } -> tensor<{M}x{N}x32xf32>
  return %2 : tensor<{M}x{N}x32xf32>
}
)";

/// One element per lane, each from a row of its own.
static const char *pickEach = R"(
func.func private @k(%table: tensor<{B}x{C}xf32>, %at: tensor<{B}xi64>, %out: tensor<{B}xf32>)
    -> tensor<{B}xf32> {
  %0 = linalg.generic {indexing_maps = [affine_map<(b) -> (b)>, affine_map<(b) -> (b)>],
                       iterator_types = ["parallel"]}
      ins(%at : tensor<{B}xi64>) outs(%out : tensor<{B}xf32>) {
    ^bb0(%i: i64, %o: f32):
      %b = linalg.index 0 : index
      %c = arith.index_cast %i : i64 to index
      %e = tensor.extract %table[%b, %c] : tensor<{B}x{C}xf32>
      linalg.yield %e : f32
  } -> tensor<{B}xf32>
  return %0 : tensor<{B}xf32>
}
)";

/// Mean and variance of columns, then what is normalized: three passes over a tile of columns.
static const char *columnNorm = R"(
#ij = affine_map<(i, j) -> (i, j)>
#j = affine_map<(i, j) -> (j)>
func.func private @k(%x: tensor<{M}x{N}xf32>, %mean: tensor<{N}xf32>, %out: tensor<{M}x{N}xf32>)
    -> (tensor<{N}xf32>, tensor<{M}x{N}xf32>) {
  %zero = arith.constant 0.0 : f32
  %0 = linalg.fill ins(%zero : f32) outs(%mean : tensor<{N}xf32>) -> tensor<{N}xf32>
  %1 = linalg.generic {indexing_maps = [#ij, #j], iterator_types = ["reduction", "parallel"]}
      ins(%x : tensor<{M}x{N}xf32>) outs(%0 : tensor<{N}xf32>) {
    ^bb0(%a: f32, %o: f32):
      %r = arith.addf %o, %a : f32
      linalg.yield %r : f32
  } -> tensor<{N}xf32>
  %2 = linalg.fill ins(%zero : f32) outs(%mean : tensor<{N}xf32>) -> tensor<{N}xf32>
  %3 = linalg.generic {indexing_maps = [#ij, #j, #j], iterator_types = ["reduction", "parallel"]}
      ins(%x, %1 : tensor<{M}x{N}xf32>, tensor<{N}xf32>) outs(%2 : tensor<{N}xf32>) {
    ^bb0(%a: f32, %m: f32, %o: f32):
      %c = arith.constant 0.125 : f32
      %s = arith.mulf %m, %c : f32
      %d = arith.subf %a, %s : f32
      %q = arith.mulf %d, %d : f32
      %r = arith.addf %o, %q : f32
      linalg.yield %r : f32
  } -> tensor<{N}xf32>
  %4 = linalg.generic {indexing_maps = [#ij, #j, #ij], iterator_types = ["parallel", "parallel"]}
      ins(%x, %3 : tensor<{M}x{N}xf32>, tensor<{N}xf32>) outs(%out : tensor<{M}x{N}xf32>) {
    ^bb0(%a: f32, %v: f32, %o: f32):
      %one = arith.constant 1.0 : f32
      %t = arith.addf %v, %one : f32
      %u = math.sqrt %t : f32
      %r = arith.divf %a, %u : f32
      linalg.yield %r : f32
  } -> tensor<{M}x{N}xf32>
  return %1, %4 : tensor<{N}xf32>, tensor<{M}x{N}xf32>
}
)";

/// A product, its rows' maxima and what is left below them: a contraction feeds a later pass.
static const char *productAndRows = R"(
#ij = affine_map<(i, j) -> (i, j)>
#i = affine_map<(i, j) -> (i)>
func.func private @k(%a: tensor<{M}x{K}xf32>, %b: tensor<{K}x{N}xf32>, %most: tensor<{M}xf32>,
                     %out: tensor<{M}x{N}xf32>) -> (tensor<{M}xf32>, tensor<{M}x{N}xf32>) {
  %zero = arith.constant 0.0 : f32
  %low = arith.constant -1.0e30 : f32
  %0 = linalg.fill ins(%zero : f32) outs(%out : tensor<{M}x{N}xf32>) -> tensor<{M}x{N}xf32>
  %1 = linalg.matmul ins(%a, %b : tensor<{M}x{K}xf32>, tensor<{K}x{N}xf32>)
      outs(%0 : tensor<{M}x{N}xf32>) -> tensor<{M}x{N}xf32>
  %2 = linalg.fill ins(%low : f32) outs(%most : tensor<{M}xf32>) -> tensor<{M}xf32>
  %3 = linalg.generic {indexing_maps = [#ij, #i], iterator_types = ["parallel", "reduction"]}
      ins(%1 : tensor<{M}x{N}xf32>) outs(%2 : tensor<{M}xf32>) {
    ^bb0(%x: f32, %o: f32):
      %r = arith.maximumf %x, %o : f32
      linalg.yield %r : f32
  } -> tensor<{M}xf32>
  %4 = linalg.generic {indexing_maps = [#ij, #i, #ij], iterator_types = ["parallel", "parallel"]}
      ins(%1, %3 : tensor<{M}x{N}xf32>, tensor<{M}xf32>) outs(%out : tensor<{M}x{N}xf32>) {
    ^bb0(%x: f32, %m: f32, %o: f32):
      %r = arith.subf %x, %m : f32
      linalg.yield %r : f32
  } -> tensor<{M}x{N}xf32>
  return %3, %4 : tensor<{M}xf32>, tensor<{M}x{N}xf32>
}
)";

/// Two variables' steps and a counter in one kernel, in place: groups that share nothing.
static const char *optimizerStep = R"(
#i = affine_map<(i) -> (i)>
#0 = affine_map<(i) -> ()>
func.func private @k(%g: tensor<{M}xf32>, %h: tensor<{N}xf32>, %rate: tensor<f32>,
                     %v: tensor<{M}xf32>, %w: tensor<{N}xf32>)
    -> (tensor<{M}xf32>, tensor<{N}xf32>) {
  %0 = linalg.generic {indexing_maps = [#i, #0, #i], iterator_types = ["parallel"]}
      ins(%g, %rate : tensor<{M}xf32>, tensor<f32>) outs(%v : tensor<{M}xf32>) {
    ^bb0(%a: f32, %r: f32, %o: f32):
      %s = arith.mulf %a, %r : f32
      %t = arith.subf %o, %s : f32
      linalg.yield %t : f32
  } -> tensor<{M}xf32>
  %1 = linalg.generic {indexing_maps = [#i, #0, #i], iterator_types = ["parallel"]}
      ins(%h, %rate : tensor<{N}xf32>, tensor<f32>) outs(%w : tensor<{N}xf32>) {
    ^bb0(%a: f32, %r: f32, %o: f32):
      %s = arith.mulf %a, %r : f32
      %t = arith.subf %o, %s : f32
      linalg.yield %t : f32
  } -> tensor<{N}xf32>
  return %0, %1 : tensor<{M}xf32>, tensor<{N}xf32>
}
)";

/// A sum over steps and examples and what is computed from it, in place: the sum rests between the
/// steps if they are large.
static const char *sumAndStep = R"(
#a = affine_map<(i, j, t, k) -> (t, k, i)>
#b = affine_map<(i, j, t, k) -> (t, k, j)>
#c = affine_map<(i, j, t, k) -> (i, j)>
#ij = affine_map<(i, j) -> (i, j)>
func.func private @k(%x: tensor<73x{K}x{M}xf32>, %dy: tensor<73x{K}x{N}xf32>, %w: tensor<{M}x{N}xf32>)
    -> tensor<{M}x{N}xf32> {
  %zero = arith.constant 0.0 : f32
  %rate = arith.constant 0.01 : f32
  %empty = linalg.fill ins(%zero : f32) outs(%w : tensor<{M}x{N}xf32>) -> tensor<{M}x{N}xf32>
  %sum = linalg.generic {indexing_maps = [#a, #b, #c],
                         iterator_types = ["parallel", "parallel", "reduction", "reduction"]}
      ins(%x, %dy : tensor<73x{K}x{M}xf32>, tensor<73x{K}x{N}xf32>)
      outs(%empty : tensor<{M}x{N}xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %p = arith.mulf %a, %b : f32
      %r = arith.addf %o, %p : f32
      linalg.yield %r : f32
  } -> tensor<{M}x{N}xf32>
  %y = linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]}
      ins(%sum : tensor<{M}x{N}xf32>) outs(%w : tensor<{M}x{N}xf32>) {
    ^bb0(%g: f32, %o: f32):
      %s = arith.mulf %g, %rate : f32
      %r = arith.subf %o, %s : f32
      linalg.yield %r : f32
  } -> tensor<{M}x{N}xf32>
  return %y : tensor<{M}x{N}xf32>
}
)";

/// The right operand depends on what may be a tile's rows, and its vectors lie far apart.
static const char *productOfTurned = R"(
#a = affine_map<(i, b, j, k) -> (k, i)>
#b = affine_map<(i, b, j, k) -> (j, k, b)>
#c = affine_map<(i, b, j, k) -> (i, b, j)>
func.func private @k(%x: tensor<{K}x{M}xf32>, %y: tensor<{N}x{K}x2xf32>, %out: tensor<{M}x2x{N}xf32>)
    -> tensor<{M}x2x{N}xf32> {
  %zero = arith.constant 0.0 : f32
  %0 = linalg.fill ins(%zero : f32) outs(%out : tensor<{M}x2x{N}xf32>) -> tensor<{M}x2x{N}xf32>
  %1 = linalg.generic {indexing_maps = [#a, #b, #c],
                       iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%x, %y : tensor<{K}x{M}xf32>, tensor<{N}x{K}x2xf32>) outs(%0 : tensor<{M}x2x{N}xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %p = arith.mulf %a, %b : f32
      %r = arith.addf %o, %p : f32
      linalg.yield %r : f32
  } -> tensor<{M}x2x{N}xf32>
  return %1 : tensor<{M}x2x{N}xf32>
}
)";

/// Results of different layouts that need the same sum: one of them lies across the vectors.
static const char *centredBothWays = R"(
#ij = affine_map<(i, j) -> (i, j)>
#ji = affine_map<(i, j) -> (j, i)>
#i = affine_map<(i, j) -> (i)>
func.func private @k(%x: tensor<{M}x{N}xf32>, %s: tensor<{M}xf32>, %y: tensor<{M}x{N}xf32>,
                     %t: tensor<{N}x{M}xf32>) -> (tensor<{M}x{N}xf32>, tensor<{N}x{M}xf32>) {
  %zero = arith.constant 0.0 : f32
  %s0 = linalg.fill ins(%zero : f32) outs(%s : tensor<{M}xf32>) -> tensor<{M}xf32>
  %sum = linalg.generic {indexing_maps = [#ij, #i], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<{M}x{N}xf32>) outs(%s0 : tensor<{M}xf32>) {
    ^bb0(%a: f32, %o: f32):
      %r = arith.addf %o, %a : f32
      linalg.yield %r : f32
  } -> tensor<{M}xf32>
  %0:2 = linalg.generic {indexing_maps = [#ij, #i, #ij, #ji],
                         iterator_types = ["parallel", "parallel"]}
      ins(%x, %sum : tensor<{M}x{N}xf32>, tensor<{M}xf32>)
      outs(%y, %t : tensor<{M}x{N}xf32>, tensor<{N}x{M}xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32, %p: f32):
      %d = arith.subf %a, %b : f32
      %e = arith.addf %a, %b : f32
      linalg.yield %d, %e : f32, f32
  } -> (tensor<{M}x{N}xf32>, tensor<{N}x{M}xf32>)
  return %0#0, %0#1 : tensor<{M}x{N}xf32>, tensor<{N}x{M}xf32>
}
)";

/// Two results of different layouts that share nothing but what they read.
static const char *copiedBothWays = R"(
#ij = affine_map<(i, j) -> (i, j)>
#ji = affine_map<(i, j) -> (j, i)>
func.func private @k(%x: tensor<{M}x{N}xf32>, %y: tensor<{M}x{N}xf32>, %t: tensor<{N}x{M}xf32>)
    -> (tensor<{M}x{N}xf32>, tensor<{N}x{M}xf32>) {
  %0 = linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<{M}x{N}xf32>) outs(%y : tensor<{M}x{N}xf32>) {
    ^bb0(%a: f32, %o: f32):
      %r = arith.negf %a : f32
      linalg.yield %r : f32
  } -> tensor<{M}x{N}xf32>
  %1 = linalg.generic {indexing_maps = [#ji, #ij], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<{M}x{N}xf32>) outs(%t : tensor<{N}x{M}xf32>) {
    ^bb0(%a: f32, %o: f32):
      %r = arith.addf %a, %a : f32
      linalg.yield %r : f32
  } -> tensor<{N}x{M}xf32>
  return %0, %1 : tensor<{M}x{N}xf32>, tensor<{N}x{M}xf32>
}
)";

static std::vector<Sizes> matrices(std::vector<std::array<int64_t, 3>> list) {
  std::vector<Sizes> sizes;
  for (auto [m, n, k] : list)
    sizes.push_back({{"M", m}, {"N", n}, {"K", k}});
  return sizes;
}

static std::vector<Sizes> planes(std::vector<std::array<int64_t, 2>> list) {
  std::vector<Sizes> sizes;
  for (auto [m, n] : list)
    sizes.push_back({{"M", m}, {"N", n}});
  return sizes;
}

/// In doubles: eight lanes, and no more than its rounding allowed.
static KernelRow inDoubles(KernelRow row) {
  row.name += "_f64";
  for (size_t at = row.text.find("f32"); at != std::string::npos; at = row.text.find("f32", at))
    row.text.replace(at, 3, "f64");
  for (size_t at = row.text.find("0xFF800000"); at != std::string::npos;
       at = row.text.find("0xFF800000", at))
    row.text.replace(at, 10, "0xFFF0000000000000");
  row.sizes.resize(std::min<size_t>(row.sizes.size(), 3));
  return row;
}

const std::vector<KernelRow> &kernelRows() {
  static const std::vector<KernelRow> rows = [] {
    auto products = matrices({{5, 7, 3},
                              {32, 128, 30},
                              {33, 37, 17},
                              {1, 10, 64},
                              {0, 4, 3},
                              {4, 0, 3},
                              {3, 4, 0},
                              {7, 100, 1},
                              {19, 1, 5},
                              {64, 33, 8},
                              {5, 9, 1030}}); // a sum in parts, the last of which is short
    auto areas = planes({{5, 7},
                         {32, 128},
                         {33, 37},
                         {1, 10},
                         {0, 4},
                         {4, 0},
                         {7, 1000},
                         {3, 1},
                         {16, 16},
                         {17, 1100}});
    std::vector<Sizes> images = {{{"B", 2}, {"C", 3}, {"N", 20}},
                                 {{"B", 1}, {"C", 17}, {"N", 5}},
                                 {{"B", 3}, {"C", 1}, {"N", 16}}};
    std::vector<Sizes> tables = {{{"B", 7}, {"C", 5}, {"R", 9}}, {{"B", 33}, {"C", 20}, {"R", 4}}};
    std::vector<KernelRow> all = {
        {"matmul", matmul, products},
        {"matmul_bias_relu", matmulBiasRelu, products},
        {"matmul_transposed_a", matmulTransposedA, products},
        {"matmul_transposed_b", matmulTransposedB, products},
        {"panels", panels, matrices({{1, 5, 7}, {9, 3, 20}, {33, 20, 130}, {0, 2, 3}})},
        // The last has rows that lie far apart, and many that use them.
        {"panels_matrix_gradient", panelsMatrixGradient,
         matrices({{1, 2, 3}, {7, 3, 20}, {1100, 17, 30}})},
        {"panels_input_gradient", panelsInputGradient,
         matrices({{1, 2, 3}, {9, 5, 20}, {33, 3, 37}})},
        {"pointwise", pointwise, areas},
        {"softmax", softmax, areas},
        {"row_sum", rowSum, areas},
        {"column_sum", columnSum, areas},
        {"full_sum", fullSum, areas},
        {"transpose", transpose, areas},
        {"batched_inside", batchedInside, matrices({{5, 7, 3}, {33, 40, 17}})},
        {"convolution", convolution, images},
        {"convolution_image_gradient", convolutionImageGradient, images},
        {"convolution_kernel_gradient", convolutionKernelGradient, images},
        {"pooling_places", poolingPlaces, images},
        {"padding", padding, images},
        {"lookup", lookup, tables, true, 0, false, 20},
        {"product_and_lookup", productAndLookup,
         {{{"M", 1}, {"N", 3}, {"K", 5}, {"R", 4}, {"C", 96}},
          {{"M", 19}, {"N", 2}, {"K", 30}, {"R", 7}, {"C", 64}},
          {{"M", 33}, {"N", 1}, {"K", 17}, {"R", 1}, {"C", 33}}},
         true, 1e-5, false, 12},
        {"pick_each", pickEach, tables, true, 0, false, 5},
        {"column_norm", columnNorm, planes({{8, 40}, {5, 7}, {8, 16}, {33, 3}})},
        // A product that later passes read needs rows of known length.
        {"product_and_rows", productAndRows, matrices({{5, 7, 3}, {19, 40, 17}, {32, 10, 64}}),
         false},
        {"optimizer_step", optimizerStep, planes({{5, 70}, {2048, 33}, {3000, 1}})},
        // Small; large enough for steps of several, of which the last is not whole; with panels; of
        // rows too, whose number is a multiple of lanes, but not of a tile's rows.
        {"sum_and_step", sumAndStep,
         matrices({{5, 7, 3}, {19, 450, 40}, {66, 520, 30}, {134, 210, 30}, {256, 210, 30}})},
        {"product_of_turned", productOfTurned, matrices({{1, 2, 3}, {1, 17, 5}, {5, 20, 7}})},
        {"centred_both_ways", centredBothWays,
         planes({{33, 37}, {5, 7}, {16, 16}, {3, 1}, {4, 0}})},
        {"copied_both_ways", copiedBothWays, areas},
        // Many results, a small right operand whose rows are far apart.
        {"matmul_much_written", matmul, matrices({{1100, 528, 5}})},
        // Large enough for the right operand to be copied.
        {"matmul_packed", matmul, matrices({{200, 530, 20}})},
        // With 16 registers the last two of six tiles have four rows each.
        {"matmul_rest_shared", matmulBiasRelu, matrices({{32, 16, 33}, {20, 16, 7}})},
    };
    for (const char *name : {"matmul", "matmul_bias_relu", "softmax", "transpose"})
      for (const KernelRow &row : std::vector<KernelRow>(all))
        if (row.name == name)
          all.push_back(inDoubles(row));
    return all;
  }();
  return rows;
}

} // namespace formwork::testing
