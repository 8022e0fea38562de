// RUN: formwork-opt %s --canonicalize | FileCheck %s

// CHECK-LABEL: @reshapes_become_one(
// CHECK-SAME:    %[[X:.*]]: tensor<?x2x3xf32>
// CHECK:       %[[Y:.*]] = fw.reshape %[[X]] to [-1, 3, 2]
// CHECK:       return %[[Y]]
func.func @reshapes_become_one(%x: tensor<?x2x3xf32>) -> tensor<?x3x2xf32> {
  %0 = fw.reshape %x to [-1, 6] : (tensor<?x2x3xf32>) -> tensor<?x6xf32>
  %1 = fw.reshape %0 to [-1, 3, 2] : (tensor<?x6xf32>) -> tensor<?x3x2xf32>
  return %1 : tensor<?x3x2xf32>
}

// CHECK-LABEL: @transposes_become_one(
// CHECK-SAME:    %[[X:.*]]: tensor<2x3x4xf32>
// CHECK:       %[[Y:.*]] = fw.transpose %[[X]] permutation = [2, 0, 1]
// CHECK:       return %[[X]], %[[Y]]
func.func @transposes_become_one(%x: tensor<2x3x4xf32>) -> (tensor<2x3x4xf32>, tensor<4x2x3xf32>) {
  %0 = fw.transpose %x permutation = [1, 2, 0] : (tensor<2x3x4xf32>) -> tensor<3x4x2xf32>
  %1 = fw.transpose %0 permutation = [2, 0, 1] : (tensor<3x4x2xf32>) -> tensor<2x3x4xf32>
  %2 = fw.transpose %0 permutation = [1, 2, 0] : (tensor<3x4x2xf32>) -> tensor<4x2x3xf32>
  return %1, %2 : tensor<2x3x4xf32>, tensor<4x2x3xf32>
}

// CHECK-LABEL: @contractions_read_transposed(
// CHECK-SAME:    %[[A:.*]]: tensor<3x2xf32>, %[[B:.*]]: tensor<4x3xf32>
// CHECK:       fw.dot_general %[[A]], %[[B]] contract [0] x [1] batch [] x []
func.func @contractions_read_transposed(%a: tensor<3x2xf32>, %b: tensor<4x3xf32>) -> tensor<2x4xf32> {
  %0 = fw.transpose %a permutation = [1, 0] : (tensor<3x2xf32>) -> tensor<2x3xf32>
  %1 = fw.transpose %b permutation = [1, 0] : (tensor<4x3xf32>) -> tensor<3x4xf32>
  %2 = fw.dot_general %0, %1 contract [1] x [0] batch [] x [] : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<2x4xf32>
  return %2 : tensor<2x4xf32>
}

// What remains of the operand would come in another order.
// CHECK-LABEL: @a_transpose_of_what_remains_stays
// CHECK:       fw.transpose
func.func @a_transpose_of_what_remains_stays(%a: tensor<4x3x2xf32>, %b: tensor<2xf32>) -> tensor<3x4xf32> {
  %0 = fw.transpose %a permutation = [1, 0, 2] : (tensor<4x3x2xf32>) -> tensor<3x4x2xf32>
  %1 = fw.dot_general %0, %b contract [2] x [0] batch [] x [] : (tensor<3x4x2xf32>, tensor<2xf32>) -> tensor<3x4xf32>
  return %1 : tensor<3x4xf32>
}

// CHECK-LABEL: @nothing_done_is_nothing(
// CHECK-SAME:    %[[X:.*]]: tensor<2x3xf32>, %[[RNG:.*]]: tensor<2xi64>
// CHECK-NEXT:  return %[[X]]
func.func @nothing_done_is_nothing(%x: tensor<2x3xf32>, %rng: tensor<2xi64>) -> tensor<2x3xf32> {
  %one = fw.constant dense<1.0> : tensor<f32>
  %zero = fw.constant dense<0.0> : tensor<f32>
  %0 = fw.mul %x, %one : (tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32>
  %1 = fw.div %0, %one : (tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32>
  %2 = fw.sub %1, %zero : (tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32>
  %3 = fw.neg %2 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %4 = fw.neg %3 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %5 = fw.cast %4 to f64 : (tensor<2x3xf32>) -> tensor<2x3xf64>
  %6 = fw.cast %5 to f32 : (tensor<2x3xf64>) -> tensor<2x3xf32>
  %7 = fw.pad %6 low [0, 0] high [0, 0] interior [0, 0] value 0.0 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %8 = fw.slice %7 start [0, 0] limit [-1, 3] strides [1, 1] : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %9 = fw.concat %8 axis 0 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %10 = fw.dropout %9, %rng {rate = 0.0 : f64, stream = 0 : i64} : (tensor<2x3xf32>, tensor<2xi64>) -> tensor<2x3xf32>
  %11 = fw.sum_like %10, %10 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %12 = fw.reduce_sum %11 axes = [] : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %12 : tensor<2x3xf32>
}

// x + 0.0 changes -0.0, so it stays.
// CHECK-LABEL: @adding_zero_stays
// CHECK:       fw.add
func.func @adding_zero_stays(%x: tensor<2xf32>) -> tensor<2xf32> {
  %zero = fw.constant dense<0.0> : tensor<f32>
  %0 = fw.add %x, %zero : (tensor<2xf32>, tensor<f32>) -> tensor<2xf32>
  return %0 : tensor<2xf32>
}

// The cotangent that a mean over a known batch begins with.
// CHECK-LABEL: @constants_are_computed(
// CHECK-SAME:    %[[X:.*]]: tensor<4x2xf32>
// CHECK-NEXT:  %[[SHARE:.*]] = fw.constant dense<2.500000e-01> : tensor<4x2xf32>
// CHECK-NEXT:  return %[[SHARE]]
func.func @constants_are_computed(%x: tensor<4x2xf32>) -> tensor<4x2xf32> {
  %one = fw.constant dense<1> : tensor<i32>
  %0 = fw.cast %one to f32 : (tensor<i32>) -> tensor<f32>
  %n = fw.count %x axes = [0] : (tensor<4x2xf32>) -> tensor<f32>
  %1 = fw.div %0, %n : (tensor<f32>, tensor<f32>) -> tensor<f32>
  %2 = fw.broadcast_like %1, %x axes = [0, 1] : (tensor<f32>, tensor<4x2xf32>) -> tensor<4x2xf32>
  return %2 : tensor<4x2xf32>
}

// What an elementwise op repeats itself is not repeated for it.
// CHECK-LABEL: @broadcasts_are_read(
// CHECK-SAME:    %[[X:.*]]: tensor<?x2xf32>, %[[S:.*]]: tensor<f32>, %[[V:.*]]: tensor<?xf32>
// CHECK:       fw.mul %[[X]], %[[S]]
// CHECK:       %[[REPEATED:.*]] = fw.broadcast_like %[[V]]
// CHECK:       fw.mul %{{.*}}, %[[REPEATED]]
func.func @broadcasts_are_read(%x: tensor<?x2xf32>, %s: tensor<f32>, %v: tensor<?xf32>) -> tensor<?x2xf32> {
  %0 = fw.broadcast_like %s, %x axes = [0, 1] : (tensor<f32>, tensor<?x2xf32>) -> tensor<?x2xf32>
  %1 = fw.mul %x, %0 : (tensor<?x2xf32>, tensor<?x2xf32>) -> tensor<?x2xf32>
  %2 = fw.broadcast_like %v, %x axes = [1] : (tensor<?xf32>, tensor<?x2xf32>) -> tensor<?x2xf32>
  %3 = fw.mul %1, %2 : (tensor<?x2xf32>, tensor<?x2xf32>) -> tensor<?x2xf32>
  return %3 : tensor<?x2xf32>
}
