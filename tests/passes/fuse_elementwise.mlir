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
