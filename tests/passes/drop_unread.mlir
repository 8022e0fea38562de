// RUN: formwork-opt %s --fw-drop-unread | FileCheck %s

// Of 11 rows and 9 columns the last pooling reads 10 and 8, of 13 and 12 the convolution before it
// then reads 12 and 10: the first pooling leaves the others over, and so does the first convolution.
// CHECK-LABEL: func.func @chain
// CHECK:         fw.conv %{{.*}} strides [1, 1] padding [1, -1, 0, -5] {{.*}} -> tensor<?x24x20x4xf32>
// CHECK:         fw.max_pool %{{.*}} padding [0, 0, 0, 0] : (tensor<?x24x20x4xf32>) -> tensor<?x12x10x4xf32>
// CHECK:         fw.conv %{{.*}} padding [0, 0, 0, 0] {{.*}} -> tensor<?x10x8x8xf32>
// CHECK:         fw.add %{{.*}} : (tensor<?x10x8x8xf32>, tensor<8xf32>) -> tensor<?x10x8x8xf32>
// CHECK:         fw.relu %{{.*}} -> tensor<?x10x8x8xf32>
// CHECK:         fw.max_pool %{{.*}} -> tensor<?x5x4x8xf32>
func.func @chain(%x: tensor<?x26x27x1xf32>, %k: tensor<3x3x1x4xf32>, %l: tensor<3x3x4x8xf32>, %b: tensor<8xf32>) -> tensor<?x5x4x8xf32> {
  %0 = fw.conv %x, %k strides [1, 1] padding [1, 1, 0, -1] dilations [1, 1] groups 1 : (tensor<?x26x27x1xf32>, tensor<3x3x1x4xf32>) -> tensor<?x26x24x4xf32>
  %1 = fw.max_pool %0 window [2, 2] strides [2, 2] padding [0, 0, 0, 0] : (tensor<?x26x24x4xf32>) -> tensor<?x13x12x4xf32>
  %2 = fw.conv %1, %l strides [1, 1] padding [0, 0, 0, -1] dilations [1, 1] groups 1 : (tensor<?x13x12x4xf32>, tensor<3x3x4x8xf32>) -> tensor<?x11x9x8xf32>
  %3 = fw.add %2, %b : (tensor<?x11x9x8xf32>, tensor<8xf32>) -> tensor<?x11x9x8xf32>
  %4 = fw.relu %3 : (tensor<?x11x9x8xf32>) -> tensor<?x11x9x8xf32>
  %5 = fw.max_pool %4 window [2, 2] strides [2, 2] padding [0, 0, 0, 0] : (tensor<?x11x9x8xf32>) -> tensor<?x5x4x8xf32>
  return %5 : tensor<?x5x4x8xf32>
}

// Padding counts less the less is read: with 7 of 8 rows there is none left after them.
// CHECK-LABEL: func.func @padded
// CHECK:         fw.conv %{{.*}} padding [1, 0] {{.*}} -> tensor<2x7x1xf32>
func.func @padded(%x: tensor<2x8x1xf32>, %k: tensor<3x1x1xf32>) -> tensor<2x3x1xf32> {
  %0 = fw.conv %x, %k strides [1] padding [1, 1] dilations [1] groups 1 : (tensor<2x8x1xf32>, tensor<3x1x1xf32>) -> tensor<2x8x1xf32>
  %1 = fw.max_pool %0 window [3] strides [2] padding [0, 0] : (tensor<2x8x1xf32>) -> tensor<2x3x1xf32>
  return %1 : tensor<2x3x1xf32>
}

// Of two readers the one that reads more counts; what the other leaves over is computed.
// CHECK-LABEL: func.func @readers
// CHECK:         fw.conv %{{.*}} padding [0, -1] {{.*}} -> tensor<2x8x1xf32>
// CHECK:         fw.pool_sum %{{.*}} padding [0, 0] : (tensor<2x8x1xf32>) -> tensor<2x2x1xf32>
// CHECK:         fw.pool_sum %{{.*}} padding [0, 0] : (tensor<2x8x1xf32>) -> tensor<2x2x1xf32>
func.func @readers(%x: tensor<2x11x1xf32>, %k: tensor<3x1x1xf32>) -> (tensor<2x2x1xf32>, tensor<2x2x1xf32>) {
  %0 = fw.conv %x, %k strides [1] padding [0, 0] dilations [1] groups 1 : (tensor<2x11x1xf32>, tensor<3x1x1xf32>) -> tensor<2x9x1xf32>
  %1 = fw.pool_sum %0 window [3] strides [4] padding [0, 0] : (tensor<2x9x1xf32>) -> tensor<2x2x1xf32>
  %2 = fw.pool_sum %0 window [4] strides [4] padding [0, 0] : (tensor<2x9x1xf32>) -> tensor<2x2x1xf32>
  return %1, %2 : tensor<2x2x1xf32>, tensor<2x2x1xf32>
}

// What another reader reads as a whole, here the sum over a row, is computed as a whole; so is what
// is added to something whole, and what a window of one element makes of something whole.
// CHECK-LABEL: func.func @whole
// CHECK:         fw.conv %{{.*}} padding [0, 0] {{.*}} -> tensor<2x9x1xf32>
// CHECK:         fw.relu %{{.*}} -> tensor<2x9x1xf32>
// CHECK:         fw.conv %{{.*}} padding [0, 0] {{.*}} -> tensor<2x9x1xf32>
// CHECK:         fw.conv %{{.*}} padding [0, 0] {{.*}} -> tensor<2x9x1xf32>
// CHECK:         fw.add %{{.*}} -> tensor<2x9x1xf32>
func.func @whole(%x: tensor<2x11x1xf32>, %k: tensor<3x1x1xf32>, %l: tensor<1x1x1xf32>) -> (tensor<2x4x1xf32>, tensor<2x1xf32>) {
  %0 = fw.conv %x, %k strides [1] padding [0, 0] dilations [1] groups 1 : (tensor<2x11x1xf32>, tensor<3x1x1xf32>) -> tensor<2x9x1xf32>
  %1 = fw.relu %0 : (tensor<2x9x1xf32>) -> tensor<2x9x1xf32>
  %2 = fw.reduce_sum %1 axes = [1] : (tensor<2x9x1xf32>) -> tensor<2x1xf32>
  %3 = fw.conv %x, %k strides [1] padding [0, 0] dilations [1] groups 1 : (tensor<2x11x1xf32>, tensor<3x1x1xf32>) -> tensor<2x9x1xf32>
  %4 = fw.conv %3, %l strides [1] padding [0, 0] dilations [1] groups 1 : (tensor<2x9x1xf32>, tensor<1x1x1xf32>) -> tensor<2x9x1xf32>
  %5 = fw.add %1, %4 : (tensor<2x9x1xf32>, tensor<2x9x1xf32>) -> tensor<2x9x1xf32>
  %6 = fw.max_pool %5 window [2] strides [2] padding [0, 0] : (tensor<2x9x1xf32>) -> tensor<2x4x1xf32>
  return %6, %2 : tensor<2x4x1xf32>, tensor<2x1xf32>
}

// Windows leave out places, not images: a batch that is a place of others is computed as a whole.
// CHECK-LABEL: func.func @batch
// CHECK:         fw.conv %{{.*}} padding [0, 0] {{.*}} -> tensor<3x9x1xf32>
// CHECK:         fw.add %{{.*}} -> tensor<2x3x9x1xf32>
func.func @batch(%x: tensor<3x11x1xf32>, %k: tensor<3x1x1xf32>, %z: tensor<2x1x1x1xf32>) -> tensor<2x1x4x1xf32> {
  %0 = fw.conv %x, %k strides [1] padding [0, 0] dilations [1] groups 1 : (tensor<3x11x1xf32>, tensor<3x1x1xf32>) -> tensor<3x9x1xf32>
  %1 = fw.add %0, %z : (tensor<3x9x1xf32>, tensor<2x1x1x1xf32>) -> tensor<2x3x9x1xf32>
  %2 = fw.max_pool %1 window [2, 2] strides [2, 2] padding [0, 0, 0, 0] : (tensor<2x3x9x1xf32>) -> tensor<2x1x4x1xf32>
  return %2 : tensor<2x1x4x1xf32>
}
