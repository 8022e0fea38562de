// RUN: formwork-opt %s | formwork-opt | FileCheck %s
// RUN: formwork-opt %s --fw-decompose --fw-settle-constants | FileCheck %s --check-prefix=DECOMPOSED

// Each op prints what it parses, and all of them decompose, whatever dimensions are unknown.
// DECOMPOSED-NOT: fw.

// CHECK-LABEL: @elementwise
func.func @elementwise(%a: tensor<?x3xf32>, %b: tensor<3xf32>, %i: tensor<?xi32>, %j: tensor<i64>)
    -> (tensor<?x3xf32>, tensor<?xf32>, tensor<i64>, tensor<i32>, tensor<?xi64>) {
  // CHECK: fw.greater_equal {{.*}} : (tensor<?x3xf32>, tensor<3xf32>) -> tensor<?x3xi1>
  %c = fw.greater_equal %a, %b : (tensor<?x3xf32>, tensor<3xf32>) -> tensor<?x3xi1>
  %d = fw.less %b, %a : (tensor<3xf32>, tensor<?x3xf32>) -> tensor<?x3xi1>
  %e = fw.logical_and %c, %d : (tensor<?x3xi1>, tensor<?x3xi1>) -> tensor<?x3xi1>
  %f = fw.logical_not %e : (tensor<?x3xi1>) -> tensor<?x3xi1>
  // CHECK: fw.select {{.*}} : (tensor<?x3xi1>, tensor<?x3xf32>, tensor<3xf32>) -> tensor<?x3xf32>
  %g = fw.select %f, %a, %b : (tensor<?x3xi1>, tensor<?x3xf32>, tensor<3xf32>) -> tensor<?x3xf32>
  // CHECK: fw.cast {{.*}} to f32 : (tensor<?xi32>) -> tensor<?xf32>
  %h = fw.cast %i to f32 : (tensor<?xi32>) -> tensor<?xf32>
  // CHECK: fw.add {{.*}} : (tensor<i64>, tensor<i64>) -> tensor<i64>
  %k = fw.add %j, %j : (tensor<i64>, tensor<i64>) -> tensor<i64>
  %l = fw.neg %k : (tensor<i64>) -> tensor<i64>
  %m = fw.cast %l to i32 : (tensor<i64>) -> tensor<i32>
  %n = fw.cast %h to i64 : (tensor<?xf32>) -> tensor<?xi64>
  return %g, %h, %l, %m, %n : tensor<?x3xf32>, tensor<?xf32>, tensor<i64>, tensor<i32>, tensor<?xi64>
}

// CHECK-LABEL: @linear
func.func @linear(%a: tensor<2x?x3x4xf32>, %b: tensor<2x4x?x3xf32>, %x: tensor<?x8x8x4xf32>, %k: tensor<3x3x2x6xf32>)
    -> (tensor<2x3x?x?xf32>, tensor<?x4x4x6xf32>, tensor<?x8x8x4xf32>, tensor<3x3x2x6xf32>, tensor<?x4x4x4xf32>) {
  // CHECK: fw.dot_general {{.*}} contract [3] x [1] batch [0, 2] x [0, 3]
  %0 = fw.dot_general %a, %b contract [3] x [1] batch [0, 2] x [0, 3]
    : (tensor<2x?x3x4xf32>, tensor<2x4x?x3xf32>) -> tensor<2x3x?x?xf32>
  // CHECK: fw.conv {{.*}} strides [2, 2] padding [0, 1, 0, 1] dilations [1, 1] groups 2
  %1 = fw.conv %x, %k strides [2, 2] padding [0, 1, 0, 1] dilations [1, 1] groups 2
    : (tensor<?x8x8x4xf32>, tensor<3x3x2x6xf32>) -> tensor<?x4x4x6xf32>
  // CHECK: fw.conv_input_grad
  %2 = fw.conv_input_grad %1, %k, %x strides [2, 2] padding [0, 1, 0, 1] dilations [1, 1] groups 2
    : (tensor<?x4x4x6xf32>, tensor<3x3x2x6xf32>, tensor<?x8x8x4xf32>) -> tensor<?x8x8x4xf32>
  // CHECK: fw.conv_kernel_grad
  %3 = fw.conv_kernel_grad %x, %1, %k strides [2, 2] padding [0, 1, 0, 1] dilations [1, 1] groups 2
    : (tensor<?x8x8x4xf32>, tensor<?x4x4x6xf32>, tensor<3x3x2x6xf32>) -> tensor<3x3x2x6xf32>
  // CHECK: fw.max_pool {{.*}} window [2, 2] strides [2, 2] padding [0, 0, 0, 0]
  %4 = fw.max_pool %x window [2, 2] strides [2, 2] padding [0, 0, 0, 0] : (tensor<?x8x8x4xf32>) -> tensor<?x4x4x4xf32>
  // CHECK: fw.max_pool_indices
  %5 = fw.max_pool_indices %x, %4 window [2, 2] strides [2, 2] padding [0, 0, 0, 0]
    : (tensor<?x8x8x4xf32>, tensor<?x4x4x4xf32>) -> tensor<?x4x4x4xi32>
  // CHECK: fw.pool_put
  %6 = fw.pool_put %4, %5, %x window [2, 2] strides [2, 2] padding [0, 0, 0, 0]
    : (tensor<?x4x4x4xf32>, tensor<?x4x4x4xi32>, tensor<?x8x8x4xf32>) -> tensor<?x8x8x4xf32>
  // CHECK: fw.pool_take
  %7 = fw.pool_take %6, %5 window [2, 2] strides [2, 2] padding [0, 0, 0, 0]
    : (tensor<?x8x8x4xf32>, tensor<?x4x4x4xi32>) -> tensor<?x4x4x4xf32>
  return %0, %1, %2, %3, %7 : tensor<2x3x?x?xf32>, tensor<?x4x4x6xf32>, tensor<?x8x8x4xf32>, tensor<3x3x2x6xf32>, tensor<?x4x4x4xf32>
}

// An image of unknown size: every window, stride, padding and dilation at work.
// CHECK-LABEL: @unknown_image
func.func @unknown_image(%x: tensor<?x?x?x2xf32>, %k: tensor<3x2x2x5xf32>) -> (tensor<?x?x?x2xf32>, tensor<?x?x?x2xf32>) {
  %0 = fw.conv %x, %k strides [2, 1] padding [1, 2, 0, 1] dilations [2, 1] groups 1
    : (tensor<?x?x?x2xf32>, tensor<3x2x2x5xf32>) -> tensor<?x?x?x5xf32>
  %1 = fw.conv_input_grad %0, %k, %x strides [2, 1] padding [1, 2, 0, 1] dilations [2, 1] groups 1
    : (tensor<?x?x?x5xf32>, tensor<3x2x2x5xf32>, tensor<?x?x?x2xf32>) -> tensor<?x?x?x2xf32>
  %2 = fw.max_pool %x window [3, 2] strides [1, 2] padding [1, 1, 0, 0] : (tensor<?x?x?x2xf32>) -> tensor<?x?x?x2xf32>
  %3 = fw.max_pool_indices %x, %2 window [3, 2] strides [1, 2] padding [1, 1, 0, 0]
    : (tensor<?x?x?x2xf32>, tensor<?x?x?x2xf32>) -> tensor<?x?x?x2xi32>
  %4 = fw.pool_put %2, %3, %x window [3, 2] strides [1, 2] padding [1, 1, 0, 0]
    : (tensor<?x?x?x2xf32>, tensor<?x?x?x2xi32>, tensor<?x?x?x2xf32>) -> tensor<?x?x?x2xf32>
  return %1, %4 : tensor<?x?x?x2xf32>, tensor<?x?x?x2xf32>
}

// CHECK-LABEL: @moving
func.func @moving(%x: tensor<?x4xf32>, %b: tensor<?x2xf32>, %i: tensor<?x2xi32>)
    -> (tensor<?x9xf32>, tensor<?x?xf32>, tensor<?x2xf32>, tensor<?x4xf32>, tensor<?x2x3xf32>, tensor<?x2xi64>, tensor<?x2x4xf32>) {
  // CHECK: fw.pad {{.*}} low [0, 1] high [0, 1] interior [0, 1] value 0.000000e+00
  %0 = fw.pad %x low [0, 1] high [0, 1] interior [0, 1] value 0.0 : (tensor<?x4xf32>) -> tensor<?x9xf32>
  // CHECK: fw.slice {{.*}} start [1, 0] limit [-2, 3] strides [2, 2]
  %1 = fw.slice %x start [1, 0] limit [-2, 3] strides [2, 2] : (tensor<?x4xf32>) -> tensor<?x2xf32>
  // CHECK: fw.pad {{.*}} like %{{.*}} low [1, 0] high [1, 0] interior [1, 1]
  %2 = fw.pad %1 like %x low [1, 0] high [1, 0] interior [1, 1] value 0.0 : (tensor<?x2xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  // CHECK: fw.concat {{.*}} axis 0
  %3 = fw.concat %x, %2 axis 0 : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  // CHECK: fw.split_like {{.*}} axis 1
  %4:2 = fw.split_like %x, %b, %b axis 1 : (tensor<?x4xf32>, tensor<?x2xf32>, tensor<?x2xf32>) -> (tensor<?x2xf32>, tensor<?x2xf32>)
  // CHECK: fw.one_hot {{.*}} depth 3 to f32
  %5 = fw.one_hot %i depth 3 to f32 : (tensor<?x2xi32>) -> tensor<?x2x3xf32>
  // CHECK: fw.iota_like {{.*}} axis 1
  %6 = fw.iota_like %i axis 1 : (tensor<?x2xi32>) -> tensor<?x2xi64>
  // CHECK: fw.gather
  %7 = fw.gather %x, %i : (tensor<?x4xf32>, tensor<?x2xi32>) -> tensor<?x2x4xf32>
  // CHECK: fw.scatter_add
  %8 = fw.scatter_add %i, %7, %x : (tensor<?x2xi32>, tensor<?x2x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  %9 = fw.add %3, %8 : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  %10 = fw.dot_general %x, %9 contract [1] x [1] batch [] x [] : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x?xf32>
  return %0, %10, %4#1, %9, %5, %6, %7 : tensor<?x9xf32>, tensor<?x?xf32>, tensor<?x2xf32>, tensor<?x4xf32>, tensor<?x2x3xf32>, tensor<?x2xi64>, tensor<?x2x4xf32>
}

// CHECK-LABEL: @reductions
func.func @reductions(%x: tensor<?x4xf32>, %c: tensor<?x4xi1>) -> (tensor<f32>, tensor<4xi1>, tensor<?xi1>, tensor<?xi64>) {
  %0 = fw.reduce_min %x axes = [0, 1] : (tensor<?x4xf32>) -> tensor<f32>
  // CHECK: fw.reduce_any {{.*}} axes = [0] : (tensor<?x4xi1>) -> tensor<4xi1>
  %1 = fw.reduce_any %c axes = [0] : (tensor<?x4xi1>) -> tensor<4xi1>
  %2 = fw.reduce_all %c axes = [1] : (tensor<?x4xi1>) -> tensor<?xi1>
  // CHECK: fw.argmax {{.*}} axis 1 : (tensor<?x4xf32>) -> tensor<?xi64>
  %3 = fw.argmax %x axis 1 : (tensor<?x4xf32>) -> tensor<?xi64>
  return %0, %1, %2, %3 : tensor<f32>, tensor<4xi1>, tensor<?xi1>, tensor<?xi64>
}

// CHECK-LABEL: @composites
func.func @composites(%x: tensor<?x3x4xf32>, %v: tensor<3xf32>, %w: tensor<3x4xf32>, %labels: tensor<?x3xi32>, %rng: tensor<2xi64>)
    -> (tensor<?x3x4xf32>, tensor<3xf32>, tensor<?x3xf32>) {
  // CHECK: fw.batch_norm {{.*}} axis 1 epsilon 1.000000e-03
  %y, %mean, %variance = fw.batch_norm %x, %v, %v axis 1 epsilon 1.0e-3
    : (tensor<?x3x4xf32>, tensor<3xf32>, tensor<3xf32>) -> (tensor<?x3x4xf32>, tensor<3xf32>, tensor<3xf32>)
  // CHECK: fw.layer_norm {{.*}} axes [1, 2] epsilon 1.000000e-03
  %0 = fw.layer_norm %y, %w, %w axes [1, 2] epsilon 1.0e-3 : (tensor<?x3x4xf32>, tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<?x3x4xf32>
  // CHECK: fw.dropout {{.*}} {rate = 5.000000e-01 : f64, stream = 3 : i64}
  %1 = fw.dropout %0, %rng {rate = 0.5 : f64, stream = 3 : i64} : (tensor<?x3x4xf32>, tensor<2xi64>) -> tensor<?x3x4xf32>
  // CHECK: fw.sparse_softmax_cross_entropy
  %2 = fw.sparse_softmax_cross_entropy %1, %labels : (tensor<?x3x4xf32>, tensor<?x3xi32>) -> tensor<?x3xf32>
  // CHECK: fw.random_uniform {{.*}} {stream = 0 : i64}
  %3 = fw.random_uniform %rng, %x {stream = 0 : i64} : (tensor<2xi64>, tensor<?x3x4xf32>) -> tensor<?x3x4xf32>
  %4 = fw.random_normal %rng, %v {stream = 1 : i64} : (tensor<2xi64>, tensor<3xf32>) -> tensor<3xf32>
  %5 = fw.random_truncated_normal %rng, %v {stream = 2 : i64} : (tensor<2xi64>, tensor<3xf32>) -> tensor<3xf32>
  %6 = fw.add %4, %5 : (tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>
  return %3, %6, %2 : tensor<?x3x4xf32>, tensor<3xf32>, tensor<?x3xf32>
}
