// RUN: formwork-opt %s --fw-cuda-split-sums | FileCheck %s

// A sum of images over places: first over the places of each image, all images side by side.
// CHECK-LABEL: func.func @sum(
// CHECK-SAME:      %[[X:.*]]: tensor<?x26x26x32xf32>
// CHECK:         %[[N:.*]] = tensor.dim %[[X]]
// CHECK:         %[[EMPTY:.*]] = tensor.empty(%[[N]]) : tensor<?x32xf32>
// CHECK:         %[[PARTS:.*]] = fw.launch @kernels::@channels_parts ins(%[[X]]) outs(%[[EMPTY]])
// CHECK:         fw.launch @kernels::@channels ins(%[[X]], %[[PARTS]])
func.func @sum(%x: tensor<?x26x26x32xf32>, %out: tensor<32xf32>) -> tensor<32xf32> {
  %0 = fw.launch @kernels::@channels ins(%x) outs(%out) overwrites [true]
      : (tensor<?x26x26x32xf32>, tensor<32xf32>) -> tensor<32xf32>
  return %0 : tensor<32xf32>
}
// What is short, or has many results, stays as it is.
// CHECK-LABEL: func.func @rows(
// CHECK:         fw.launch @kernels::@rows ins(%{{.*}}) outs
func.func @rows(%x: tensor<4096x600xf32>, %out: tensor<4096xf32>) -> tensor<4096xf32> {
  %0 = fw.launch @kernels::@rows ins(%x) outs(%out) overwrites [true]
      : (tensor<4096x600xf32>, tensor<4096xf32>) -> tensor<4096xf32>
  return %0 : tensor<4096xf32>
}

#all = affine_map<(c, n, i, j) -> (n, i, j, c)>
#channel = affine_map<(c, n, i, j) -> (c)>
module @kernels {
  // CHECK:      func.func private @channels_parts(%{{.*}}: tensor<?x26x26x32xf32>, %{{.*}}: tensor<?x32xf32>)
  // CHECK:        iterator_types = ["parallel", "parallel", "reduction", "reduction"]
  // CHECK:      func.func private @channels(%{{.*}}, %[[SUMS:.*]]: tensor<?x32xf32>, %{{.*}}: tensor<32xf32>)
  // CHECK:        linalg.generic {{.*}} iterator_types = ["reduction", "parallel"]} ins(%[[SUMS]]
  func.func private @channels(%x: tensor<?x26x26x32xf32>, %out: tensor<32xf32>) -> tensor<32xf32>
      attributes {fw.kernel = "reduction"} {
    %zero = arith.constant 0.0 : f32
    %0 = linalg.fill ins(%zero : f32) outs(%out : tensor<32xf32>) -> tensor<32xf32>
    %1 = linalg.generic {indexing_maps = [#all, #channel],
                         iterator_types = ["parallel", "reduction", "reduction", "reduction"]}
        ins(%x : tensor<?x26x26x32xf32>) outs(%0 : tensor<32xf32>) {
      ^bb0(%a: f32, %o: f32):
        %s = arith.addf %o, %a : f32
        linalg.yield %s : f32
    } -> tensor<32xf32>
    return %1 : tensor<32xf32>
  }
  // CHECK-NOT: @rows_parts
  func.func private @rows(%x: tensor<4096x600xf32>, %out: tensor<4096xf32>) -> tensor<4096xf32>
      attributes {fw.kernel = "reduction"} {
    %zero = arith.constant 0.0 : f32
    %0 = linalg.fill ins(%zero : f32) outs(%out : tensor<4096xf32>) -> tensor<4096xf32>
    %1 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>],
                         iterator_types = ["parallel", "reduction"]}
        ins(%x : tensor<4096x600xf32>) outs(%0 : tensor<4096xf32>) {
      ^bb0(%a: f32, %o: f32):
        %s = arith.addf %o, %a : f32
        linalg.yield %s : f32
    } -> tensor<4096xf32>
    return %1 : tensor<4096xf32>
  }
}
