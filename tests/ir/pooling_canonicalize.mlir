// RUN: formwork-opt %s --canonicalize | FileCheck %s

// Relu before a pooling: where a maximum was taken, what relu gave is that maximum, so the mask can
// look at the maxima. Windows may overlap.
// CHECK-LABEL: func.func @relu_then_pool
// CHECK-SAME:    %[[X:[a-z0-9]+]]: tensor<2x5x5x8xf32>, %[[Y:[a-z0-9]+]]: tensor<2x2x2x8xf32>, %[[DY:[a-z0-9]+]]: tensor<2x2x2x8xf32>
// CHECK-DAG:     %[[ZERO:.*]] = fw.constant dense<0.000000e+00> : tensor<f32>
// CHECK-DAG:     %[[I:.*]] = fw.max_pool_indices %[[X]], %[[Y]]
// CHECK:         %[[MASK:.*]] = fw.greater %[[Y]], %[[ZERO]]
// CHECK:         %[[MASKED:.*]] = fw.select %[[MASK]], %[[DY]], %[[ZERO]]
// CHECK:         %[[DX:.*]] = fw.pool_put %[[MASKED]], %[[I]], %[[X]]
// CHECK:         return %[[DX]]
func.func @relu_then_pool(%x: tensor<2x5x5x8xf32>, %y: tensor<2x2x2x8xf32>, %dy: tensor<2x2x2x8xf32>) -> tensor<2x5x5x8xf32> {
  %zero = fw.constant dense<0.0> : tensor<f32>
  %i = fw.max_pool_indices %x, %y window [3, 3] strides [2, 2] padding [0, 0, 0, 0] : (tensor<2x5x5x8xf32>, tensor<2x2x2x8xf32>) -> tensor<2x2x2x8xi32>
  %put = fw.pool_put %dy, %i, %x window [3, 3] strides [2, 2] padding [0, 0, 0, 0] : (tensor<2x2x2x8xf32>, tensor<2x2x2x8xi32>, tensor<2x5x5x8xf32>) -> tensor<2x5x5x8xf32>
  %mask = fw.greater %x, %zero : (tensor<2x5x5x8xf32>, tensor<f32>) -> tensor<2x5x5x8xi1>
  %dx = fw.select %mask, %put, %zero : (tensor<2x5x5x8xi1>, tensor<2x5x5x8xf32>, tensor<f32>) -> tensor<2x5x5x8xf32>
  return %dx : tensor<2x5x5x8xf32>
}

// Not if the mask is of something else, or what is elsewhere is not zero.
// CHECK-LABEL: func.func @other_mask
// CHECK-COUNT-2: fw.pool_put %arg3
// CHECK:         return
func.func @other_mask(%x: tensor<2x4x4x8xf32>, %z: tensor<2x4x4x8xf32>, %y: tensor<2x2x2x8xf32>, %dy: tensor<2x2x2x8xf32>) -> (tensor<2x4x4x8xf32>, tensor<2x4x4x8xf32>) {
  %zero = fw.constant dense<0.0> : tensor<f32>
  %one = fw.constant dense<1.0> : tensor<f32>
  %i = fw.max_pool_indices %x, %y window [2, 2] strides [2, 2] padding [0, 0, 0, 0] : (tensor<2x4x4x8xf32>, tensor<2x2x2x8xf32>) -> tensor<2x2x2x8xi32>
  %a = fw.pool_put %dy, %i, %x window [2, 2] strides [2, 2] padding [0, 0, 0, 0] : (tensor<2x2x2x8xf32>, tensor<2x2x2x8xi32>, tensor<2x4x4x8xf32>) -> tensor<2x4x4x8xf32>
  %b = fw.pool_put %dy, %i, %z window [2, 2] strides [2, 2] padding [0, 0, 0, 0] : (tensor<2x2x2x8xf32>, tensor<2x2x2x8xi32>, tensor<2x4x4x8xf32>) -> tensor<2x4x4x8xf32>
  %other = fw.greater %z, %zero : (tensor<2x4x4x8xf32>, tensor<f32>) -> tensor<2x4x4x8xi1>
  %same = fw.greater %x, %zero : (tensor<2x4x4x8xf32>, tensor<f32>) -> tensor<2x4x4x8xi1>
  %c = fw.select %other, %a, %zero : (tensor<2x4x4x8xi1>, tensor<2x4x4x8xf32>, tensor<f32>) -> tensor<2x4x4x8xf32>
  %d = fw.select %same, %b, %one : (tensor<2x4x4x8xi1>, tensor<2x4x4x8xf32>, tensor<f32>) -> tensor<2x4x4x8xf32>
  return %c, %d : tensor<2x4x4x8xf32>, tensor<2x4x4x8xf32>
}
