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
                              {64, 33, 8}});
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
    std::vector<KernelRow> all = {
        {"matmul", matmul, products},
        {"matmul_bias_relu", matmulBiasRelu, products},
        {"matmul_transposed_a", matmulTransposedA, products},
        {"matmul_transposed_b", matmulTransposedB, products},
        {"pointwise", pointwise, areas},
        {"softmax", softmax, areas},
        {"row_sum", rowSum, areas},
        {"column_sum", columnSum, areas},
        {"full_sum", fullSum, areas},
        {"transpose", transpose, areas},
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
