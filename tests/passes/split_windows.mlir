// RUN: formwork-opt %s --fw-split-windows --canonicalize --cse --split-input-file | FileCheck %s
// RUN: formwork-opt %s --fw-split-windows --canonicalize --cse --fw-form-kernels --split-input-file | FileCheck %s --check-prefix=KERNELS

#image = affine_map<(n, h, w, c, i, j, k) -> (n, h + i, w + j, k)>
#kernel = affine_map<(n, h, w, c, i, j, k) -> (i, j, k, c)>
#out = affine_map<(n, h, w, c, i, j, k) -> (n, h, w, c)>
#same = affine_map<(n, h, w, c) -> (n, h, w, c)>
#last = affine_map<(n, h, w, c) -> (c)>
#windows = affine_map<(n, p, q, c, a, b) -> (n, p * 2 + a, q * 3 + b, c)>
#window = affine_map<(n, p, q, c, a, b) -> (a, b)>
#pooled = affine_map<(n, p, q, c, a, b) -> (n, p, q, c)>

// The convolution's loops over rows and columns become two each, the addition's too; the pooling
// reads windows as dimensions, and all is one kernel.
// CHECK-DAG: #[[IMAGE:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6, d7, d8) -> (d0, d1 * 2 + d2 + d6, d3 * 3 + d4 + d7, d8)>
// CHECK-DAG: #[[KERNEL:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6, d7, d8) -> (d6, d7, d8, d5)>
// CHECK-DAG: #[[WINDOWS:.*]] = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d4, d2, d5, d3)>
// CHECK-LABEL: func.func @pool
// CHECK:         %[[N:.*]] = tensor.dim
// CHECK:         tensor.empty(%[[N]]) : tensor<?x2x2x4x3x8xf32>
// CHECK:         linalg.generic {indexing_maps = [#[[IMAGE]], #[[KERNEL]], {{.*}}], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
// CHECK:         linalg.generic {{.*}} ins(%{{.*}}, %{{.*}} : tensor<?x2x2x4x3x8xf32>, tensor<8xf32>) outs(%{{.*}} : tensor<?x2x2x4x3x8xf32>)
// CHECK:         linalg.generic {indexing_maps = [#[[WINDOWS]],
// CHECK-SAME:      ins(%{{.*}} : tensor<?x2x2x4x3x8xf32>{{.*}}) outs(%{{.*}} : tensor<?x2x4x8xf32>)
// KERNELS-LABEL: func.func @pool
// KERNELS:         fw.launch
// KERNELS-NOT:     fw.launch
// KERNELS:         return
func.func @pool(%x: tensor<?x6x13x4xf32>, %w: tensor<3x2x4x8xf32>, %b: tensor<8xf32>) -> tensor<?x2x4x8xf32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %n = tensor.dim %x, %c0 : tensor<?x6x13x4xf32>
  %e = tensor.empty(%n) : tensor<?x4x12x8xf32>
  %0 = linalg.fill ins(%zero : f32) outs(%e : tensor<?x4x12x8xf32>) -> tensor<?x4x12x8xf32>
  %1 = linalg.generic {indexing_maps = [#image, #kernel, #out], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %w : tensor<?x6x13x4xf32>, tensor<3x2x4x8xf32>) outs(%0 : tensor<?x4x12x8xf32>) {
    ^bb0(%u: f32, %v: f32, %o: f32):
      %p = arith.mulf %u, %v : f32
      %s = arith.addf %o, %p : f32
      linalg.yield %s : f32
  } -> tensor<?x4x12x8xf32>
  %2 = linalg.generic {indexing_maps = [#same, #last, #same], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%1, %b : tensor<?x4x12x8xf32>, tensor<8xf32>) outs(%e : tensor<?x4x12x8xf32>) {
    ^bb0(%u: f32, %v: f32, %o: f32):
      %s = arith.addf %u, %v : f32
      linalg.yield %s : f32
  } -> tensor<?x4x12x8xf32>
  %f = tensor.empty(%n) : tensor<?x2x4x8xf32>
  %3 = linalg.fill ins(%low : f32) outs(%f : tensor<?x2x4x8xf32>) -> tensor<?x2x4x8xf32>
  %shape = tensor.empty() : tensor<2x3xf32>
  %4 = linalg.generic {indexing_maps = [#windows, #window, #pooled], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]}
      ins(%2, %shape : tensor<?x4x12x8xf32>, tensor<2x3xf32>) outs(%3 : tensor<?x2x4x8xf32>) {
    ^bb0(%u: f32, %v: f32, %o: f32):
      %r = arith.maximumf %o, %u : f32
      linalg.yield %r : f32
  } -> tensor<?x2x4x8xf32>
  return %4 : tensor<?x2x4x8xf32>
}

// -----

#row = affine_map<(n, h, c, k) -> (n, h, k)>
#matrix = affine_map<(n, h, c, k) -> (k, c)>
#result = affine_map<(n, h, c, k) -> (n, h, c)>
#windows = affine_map<(n, p, c, a) -> (n, p * 2 + a, c)>
#window = affine_map<(n, p, c, a) -> (a)>
#pooled = affine_map<(n, p, c, a) -> (n, p, c)>

// Each step of a sequence is a row of the product: what is pooled are sums of neighbours. Somebody
// reads the image whole, and it stays; so it does where an end is left over or windows overlap.
// CHECK-LABEL: func.func @others
// CHECK:         tensor<2x12x8xf32>
// CHECK-NOT:     tensor<2x6x2x8xf32>
// KERNELS-LABEL: func.func @others
// KERNELS-COUNT-2: fw.launch
func.func @others(%x: tensor<2x12x4xf32>, %w: tensor<4x8xf32>) -> (tensor<2x6x8xf32>, tensor<2x12x8xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x12x8xf32>
  %0 = linalg.fill ins(%zero : f32) outs(%e : tensor<2x12x8xf32>) -> tensor<2x12x8xf32>
  %1 = linalg.generic {indexing_maps = [#row, #matrix, #result], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<2x12x4xf32>, tensor<4x8xf32>) outs(%0 : tensor<2x12x8xf32>) {
    ^bb0(%u: f32, %v: f32, %o: f32):
      %p = arith.mulf %u, %v : f32
      %s = arith.addf %o, %p : f32
      linalg.yield %s : f32
  } -> tensor<2x12x8xf32>
  %f = tensor.empty() : tensor<2x6x8xf32>
  %2 = linalg.fill ins(%zero : f32) outs(%f : tensor<2x6x8xf32>) -> tensor<2x6x8xf32>
  %shape = tensor.empty() : tensor<2xf32>
  %3 = linalg.generic {indexing_maps = [#windows, #window, #pooled], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%1, %shape : tensor<2x12x8xf32>, tensor<2xf32>) outs(%2 : tensor<2x6x8xf32>) {
    ^bb0(%u: f32, %v: f32, %o: f32):
      %r = arith.addf %o, %u : f32
      linalg.yield %r : f32
  } -> tensor<2x6x8xf32>
  return %3, %1 : tensor<2x6x8xf32>, tensor<2x12x8xf32>
}

// -----

#row = affine_map<(n, h, c, k) -> (n, h, k)>
#matrix = affine_map<(n, h, c, k) -> (k, c)>
#result = affine_map<(n, h, c, k) -> (n, h, c)>
#windows = affine_map<(n, p, c, a) -> (n, p * 2 + a, c)>
#window = affine_map<(n, p, c, a) -> (a)>
#pooled = affine_map<(n, p, c, a) -> (n, p, c)>

// CHECK-LABEL: func.func @left_over
// CHECK-NOT:     tensor<2x6x2x8xf32>
func.func @left_over(%x: tensor<2x13x4xf32>, %w: tensor<4x8xf32>) -> tensor<2x6x8xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x13x8xf32>
  %0 = linalg.fill ins(%zero : f32) outs(%e : tensor<2x13x8xf32>) -> tensor<2x13x8xf32>
  %1 = linalg.generic {indexing_maps = [#row, #matrix, #result], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<2x13x4xf32>, tensor<4x8xf32>) outs(%0 : tensor<2x13x8xf32>) {
    ^bb0(%u: f32, %v: f32, %o: f32):
      %p = arith.mulf %u, %v : f32
      %s = arith.addf %o, %p : f32
      linalg.yield %s : f32
  } -> tensor<2x13x8xf32>
  %f = tensor.empty() : tensor<2x6x8xf32>
  %2 = linalg.fill ins(%zero : f32) outs(%f : tensor<2x6x8xf32>) -> tensor<2x6x8xf32>
  %shape = tensor.empty() : tensor<2xf32>
  %3 = linalg.generic {indexing_maps = [#windows, #window, #pooled], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%1, %shape : tensor<2x13x8xf32>, tensor<2xf32>) outs(%2 : tensor<2x6x8xf32>) {
    ^bb0(%u: f32, %v: f32, %o: f32):
      %r = arith.addf %o, %u : f32
      linalg.yield %r : f32
  } -> tensor<2x6x8xf32>
  return %3 : tensor<2x6x8xf32>
}

// -----

#row = affine_map<(n, h, c, k) -> (n, h, k)>
#matrix = affine_map<(n, h, c, k) -> (k, c)>
#result = affine_map<(n, h, c, k) -> (n, h, c)>
#windows = affine_map<(n, p, c, a) -> (n, p * 2 + a, c)>
#window = affine_map<(n, p, c, a) -> (a)>
#pooled = affine_map<(n, p, c, a) -> (n, p, c)>

// Three windows beside each other are too few rows for a tile.
// CHECK-LABEL: func.func @few
// CHECK-NOT:     tensor<2x3x2x8xf32>
func.func @few(%x: tensor<2x6x4xf32>, %w: tensor<4x8xf32>) -> tensor<2x3x8xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x6x8xf32>
  %0 = linalg.fill ins(%zero : f32) outs(%e : tensor<2x6x8xf32>) -> tensor<2x6x8xf32>
  %1 = linalg.generic {indexing_maps = [#row, #matrix, #result], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<2x6x4xf32>, tensor<4x8xf32>) outs(%0 : tensor<2x6x8xf32>) {
    ^bb0(%u: f32, %v: f32, %o: f32):
      %p = arith.mulf %u, %v : f32
      %s = arith.addf %o, %p : f32
      linalg.yield %s : f32
  } -> tensor<2x6x8xf32>
  %f = tensor.empty() : tensor<2x3x8xf32>
  %2 = linalg.fill ins(%zero : f32) outs(%f : tensor<2x3x8xf32>) -> tensor<2x3x8xf32>
  %shape = tensor.empty() : tensor<2xf32>
  %3 = linalg.generic {indexing_maps = [#windows, #window, #pooled], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%1, %shape : tensor<2x6x8xf32>, tensor<2xf32>) outs(%2 : tensor<2x3x8xf32>) {
    ^bb0(%u: f32, %v: f32, %o: f32):
      %r = arith.addf %o, %u : f32
      linalg.yield %r : f32
  } -> tensor<2x3x8xf32>
  return %3 : tensor<2x3x8xf32>
}

// -----

#image = affine_map<(n, h, c, j, k) -> (n, h + j, k)>
#kernel = affine_map<(n, h, c, j, k) -> (j, k, c)>
#result = affine_map<(n, h, c, j, k) -> (n, h, c)>
#windows = affine_map<(n, p, c, a) -> (n, p * 2 + a, c)>
#window = affine_map<(n, p, c, a) -> (a)>
#pooled = affine_map<(n, p, c, a) -> (n, p, c)>

// What lies beside a narrow image is left out of the sums only while a tile holds whole rows.
// CHECK-LABEL: func.func @narrow_and_padded
// CHECK-NOT:     tensor<2x6x2x8xf32>
func.func @narrow_and_padded(%x: tensor<2x12x4xf32>, %w: tensor<3x4x8xf32>) -> tensor<2x6x8xf32> {
  %zero = arith.constant 0.0 : f32
  %p = tensor.empty() : tensor<2x14x4xf32>
  %z = linalg.fill ins(%zero : f32) outs(%p : tensor<2x14x4xf32>) -> tensor<2x14x4xf32>
  %padded = tensor.insert_slice %x into %z[0, 1, 0] [2, 12, 4] [1, 1, 1] : tensor<2x12x4xf32> into tensor<2x14x4xf32>
  %e = tensor.empty() : tensor<2x12x8xf32>
  %0 = linalg.fill ins(%zero : f32) outs(%e : tensor<2x12x8xf32>) -> tensor<2x12x8xf32>
  %1 = linalg.generic {indexing_maps = [#image, #kernel, #result], iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction"]}
      ins(%padded, %w : tensor<2x14x4xf32>, tensor<3x4x8xf32>) outs(%0 : tensor<2x12x8xf32>) {
    ^bb0(%u: f32, %v: f32, %o: f32):
      %m = arith.mulf %u, %v : f32
      %s = arith.addf %o, %m : f32
      linalg.yield %s : f32
  } -> tensor<2x12x8xf32>
  %f = tensor.empty() : tensor<2x6x8xf32>
  %2 = linalg.fill ins(%zero : f32) outs(%f : tensor<2x6x8xf32>) -> tensor<2x6x8xf32>
  %shape = tensor.empty() : tensor<2xf32>
  %3 = linalg.generic {indexing_maps = [#windows, #window, #pooled], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%1, %shape : tensor<2x12x8xf32>, tensor<2xf32>) outs(%2 : tensor<2x6x8xf32>) {
    ^bb0(%u: f32, %v: f32, %o: f32):
      %r = arith.addf %o, %u : f32
      linalg.yield %r : f32
  } -> tensor<2x6x8xf32>
  return %3 : tensor<2x6x8xf32>
}
