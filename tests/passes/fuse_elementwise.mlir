// RUN: formwork-opt %s --fw-decompose --cse --fw-fuse-elementwise | FileCheck %s

// A consumer that reads its producer twice, and what is computed of it once more: one op computes
// all three, reads nothing of its own, and keeps only what others read.
// CHECK-LABEL: func.func @several
// CHECK:         %[[BOTH:.*]]:2 = linalg.generic
// CHECK-SAME:      ins(%{{[a-z0-9]+}} : tensor<3x4xf32>) outs(%{{.*}}, %{{.*}} :
// CHECK-NOT:     linalg.generic
// CHECK:         return %[[BOTH]]#{{[01]}}, %[[BOTH]]#{{[01]}}
func.func @several(%x: tensor<3x4xf32>) -> (tensor<3x4xf32>, tensor<3x4xf32>) {
  %0 = fw.exp %x : (tensor<3x4xf32>) -> tensor<3x4xf32>
  %1 = fw.tanh %0 : (tensor<3x4xf32>) -> tensor<3x4xf32>
  %2 = fw.mul %1, %0 : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  %3 = fw.div %2, %1 : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  return %3, %1 : tensor<3x4xf32>, tensor<3x4xf32>
}

// A contraction whose result is only turned writes it turned, in the order it then lies in.
// CHECK-LABEL: func.func @turned
// CHECK-SAME:    %[[X:.*]]: tensor<6x3xf32>, %[[DY:.*]]: tensor<6x2x4xf32>
// CHECK:         %[[DW:.*]] = linalg.generic {indexing_maps = [#[[A:.*]], #[[B:.*]], #[[C:.*]]], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
// CHECK-SAME:      ins(%[[X]], %[[DY]] : {{.*}}) outs(%{{.*}} : tensor<2x3x4xf32>)
// CHECK-NOT:     linalg.generic
// CHECK:         return %[[DW]]
func.func @turned(%x: tensor<6x3xf32>, %dy: tensor<6x2x4xf32>) -> tensor<2x3x4xf32> {
  %0 = fw.dot_general %x, %dy contract [0] x [0] batch [] x [] : (tensor<6x3xf32>, tensor<6x2x4xf32>) -> tensor<3x2x4xf32>
  %1 = fw.transpose %0 permutation = [1, 0, 2] : (tensor<3x2x4xf32>) -> tensor<2x3x4xf32>
  return %1 : tensor<2x3x4xf32>
}

// What is computed of a contraction's result through a reshape takes the contraction's shape.
// CHECK-LABEL: func.func @reshaped
// CHECK:         %[[Y:[a-z0-9]+]] = linalg.generic {{.*}} ins(%{{.*}} : tensor<?x3xf32>, tensor<2x3x4xf32>)
// CHECK:         linalg.generic {{.*}} ins(%[[Y]], %{{.*}} : tensor<?x2x4xf32>, tensor<2x4xf32>)
// CHECK:         tensor.collapse_shape
func.func @reshaped(%x: tensor<?x3xf32>, %w: tensor<2x3x4xf32>, %bias: tensor<8xf32>) -> tensor<?x8xf32> {
  %0 = fw.dot_general %x, %w contract [1] x [1] batch [] x [] : (tensor<?x3xf32>, tensor<2x3x4xf32>) -> tensor<?x2x4xf32>
  %1 = fw.reshape %0 to [-1, 8] : (tensor<?x2x4xf32>) -> tensor<?x8xf32>
  %2 = fw.add %1, %bias : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
  return %2 : tensor<?x8xf32>
}

// CHECK-LABEL: func.func @rotated
// CHECK:         linalg.generic {{.*}} outs(%{{.*}} : tensor<4x?x2xf32>)
// CHECK-NOT:     linalg.generic
// CHECK:         return
func.func @rotated(%x: tensor<6x?xf32>, %dy: tensor<6x2x4xf32>) -> tensor<4x?x2xf32> {
  %0 = fw.dot_general %x, %dy contract [0] x [0] batch [] x [] : (tensor<6x?xf32>, tensor<6x2x4xf32>) -> tensor<?x2x4xf32>
  %1 = fw.transpose %0 permutation = [2, 0, 1] : (tensor<?x2x4xf32>) -> tensor<4x?x2xf32>
  return %1 : tensor<4x?x2xf32>
}
