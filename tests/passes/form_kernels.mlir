// RUN: formwork-opt %s --fw-kernels | FileCheck %s
// RUN: formwork-opt %s --fw-decompose --fw-form-kernels="fuse=false" | FileCheck %s --check-prefix=SINGLE

// A contraction takes what follows it element by element; a softmax is one kernel of rows.
// CHECK-LABEL: func.func @dense
// CHECK:         fw.launch @kernels::@dense_dense ins(%{{.*}}, %{{.*}}, %{{.*}}) outs
// CHECK-NOT:     fw.launch
// CHECK:         fw.launch @kernels::@dense_probabilities ins(%{{.*}}) outs
// CHECK-NOT:     fw.launch
// CHECK:         return
// SINGLE-LABEL: func.func @dense
// SINGLE-COUNT-8: fw.launch
func.func @dense(%x: tensor<32x64xf32>, %w: tensor<64x10xf32>, %b: tensor<10xf32>) -> tensor<32x10xf32> {
  %0 = fw.dot_general %x, %w contract [1] x [0] batch [] x [] : (tensor<32x64xf32>, tensor<64x10xf32>) -> tensor<32x10xf32> loc("dense")
  %1 = fw.add %0, %b : (tensor<32x10xf32>, tensor<10xf32>) -> tensor<32x10xf32> loc("dense")
  %2 = fw.relu %1 : (tensor<32x10xf32>) -> tensor<32x10xf32> loc("dense")
  %3 = fw.softmax %2 : (tensor<32x10xf32>) -> tensor<32x10xf32> loc("probabilities")
  return %3 : tensor<32x10xf32>
}

// An update of three variables that share elements is one kernel, which writes all three in place,
// and which follows the last reader of what it overwrites.
// CHECK-LABEL: func.func @update
// CHECK-SAME:    %[[G:[a-z0-9]+]]: tensor<8x8xf32>, %[[X:[a-z0-9]+]]: tensor<8x8xf32>
// CHECK-SAME:    %[[M:[a-z0-9]+]]: tensor<8x8xf32> {fw.donated, fw.variable = @m}
// CHECK-SAME:    %[[W:[a-z0-9]+]]: tensor<8x8xf32> {fw.donated, fw.variable = @w}
// CHECK:         %[[Y:.*]] = fw.launch @kernels::@{{.*}} ins(%[[X]], %[[W]])
// CHECK:         %[[NEW:.*]]:2 = fw.launch @kernels::@{{.*}} ins(%[[G]]) outs(%[[M]], %[[W]]) overwrites [false, false]
// CHECK:         return %[[Y]], %[[NEW]]#0, %[[NEW]]#1
func.func @update(%g: tensor<8x8xf32>, %x: tensor<8x8xf32>,
                  %m: tensor<8x8xf32> {fw.donated, fw.variable = @m},
                  %w: tensor<8x8xf32> {fw.donated, fw.variable = @w})
    -> (tensor<8x8xf32>, tensor<8x8xf32> {fw.variable = @m}, tensor<8x8xf32> {fw.variable = @w}) {
  %0 = fw.sub %g, %m : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
  %m1 = fw.add %m, %0 : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
  %1 = fw.sqrt %m1 : (tensor<8x8xf32>) -> tensor<8x8xf32>
  %w1 = fw.sub %w, %1 : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
  %y = fw.dot_general %x, %w contract [1] x [0] batch [] x [] : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
  return %y, %m1, %w1 : tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>
}

// An exponential that two ops of other shapes need is computed once, and two groups that would wait
// for each other stay apart: the product needs the sum of all exponentials.
// CHECK-LABEL: func.func @shared
// CHECK:         %[[E:.*]] = fw.launch @kernels::@[[EXP:.*]] ins(%{{.*}}) outs
// CHECK:         %[[SUM:.*]] = fw.launch @kernels::@[[REDUCE:.*]] ins(%[[E]]) outs
// CHECK:         fw.launch @kernels::@[[PRODUCT:.*]] ins(%[[E]], %[[SUM]]) outs
func.func @shared(%x: tensor<100xf32>) -> tensor<100xf32> {
  %0 = fw.exp %x : (tensor<100xf32>) -> tensor<100xf32>
  %1 = fw.reduce_sum %0 axes = [0] : (tensor<100xf32>) -> tensor<f32>
  %2 = fw.mul %0, %1 : (tensor<100xf32>, tensor<f32>) -> tensor<100xf32>
  return %2 : tensor<100xf32>
}

// A window's maximum and where it is are found together; what comes of the latter follows.
// CHECK-LABEL: func.func @pooled
// CHECK-SAME:    %[[X:[a-z0-9]+]]: tensor<2x6x6x8xf32>, %[[DY:[a-z0-9]+]]: tensor<2x3x3x8xf32>
// CHECK:         %[[BOTH:.*]]:2 = fw.launch @kernels::@{{.*}} ins(%[[X]]) outs({{.*}} -> (tensor<2x3x3x8xf32>, tensor<2x3x3x8xi32>)
// CHECK:         %[[DX:.*]] = fw.launch @kernels::@{{.*}} ins(%[[DY]], %[[BOTH]]#1) outs
// CHECK-NOT:     fw.launch
// CHECK:         return %[[BOTH]]#0, %[[DX]]
func.func @pooled(%x: tensor<2x6x6x8xf32>, %dy: tensor<2x3x3x8xf32>) -> (tensor<2x3x3x8xf32>, tensor<2x6x6x8xf32>) {
  %y = fw.max_pool %x window [2, 2] strides [2, 2] padding [0, 0, 0, 0] : (tensor<2x6x6x8xf32>) -> tensor<2x3x3x8xf32>
  %i = fw.max_pool_indices %x, %y window [2, 2] strides [2, 2] padding [0, 0, 0, 0] : (tensor<2x6x6x8xf32>, tensor<2x3x3x8xf32>) -> tensor<2x3x3x8xi32>
  %dx = fw.pool_put %dy, %i, %x window [2, 2] strides [2, 2] padding [0, 0, 0, 0] : (tensor<2x3x3x8xf32>, tensor<2x3x3x8xi32>, tensor<2x6x6x8xf32>) -> tensor<2x6x6x8xf32>
  return %y, %dx : tensor<2x3x3x8xf32>, tensor<2x6x6x8xf32>
}

// A transpose is a way to read.
// CHECK-LABEL: func.func @transposed
// CHECK-COUNT-1: fw.launch
// CHECK-NOT:     fw.launch
// CHECK:         return
func.func @transposed(%x: tensor<8x16xf32>, %y: tensor<8x4xf32>) -> tensor<16x4xf32> {
  %0 = fw.transpose %x permutation = [1, 0] : (tensor<8x16xf32>) -> tensor<16x8xf32>
  %1 = fw.dot_general %0, %y contract [1] x [0] batch [] x [] : (tensor<16x8xf32>, tensor<8x4xf32>) -> tensor<16x4xf32>
  return %1 : tensor<16x4xf32>
}

// A column of a matrix has gaps: the kernel takes the matrix. Rows have none: the host's view does.
// CHECK-LABEL: func.func @parts
// CHECK-SAME:    %[[X:[a-z0-9]+]]: tensor<8x16xf32>
// CHECK:         %[[ROWS:.*]] = tensor.extract_slice %[[X]][2, 0] [4, 16]
// CHECK-DAG:     fw.launch @kernels::@{{.*}} ins(%[[ROWS]])
// CHECK-DAG:     fw.launch @kernels::@{{.*}} ins(%[[X]])
func.func @parts(%x: tensor<8x16xf32>) -> (tensor<4x16xf32>, tensor<8x4xf32>) {
  %0 = fw.slice %x start [2, 0] limit [6, 16] strides [1, 1] : (tensor<8x16xf32>) -> tensor<4x16xf32>
  %1 = fw.exp %0 : (tensor<4x16xf32>) -> tensor<4x16xf32>
  %2 = fw.slice %x start [0, 4] limit [8, 8] strides [1, 1] : (tensor<8x16xf32>) -> tensor<8x4xf32>
  %3 = fw.exp %2 : (tensor<8x4xf32>) -> tensor<8x4xf32>
  return %1, %3 : tensor<4x16xf32>, tensor<8x4xf32>
}

// What surrounds a padded image is zeros, and the convolution is told so.
// CHECK-LABEL: func.func @padded
// CHECK-NOT:     fw.zero_border
// CHECK:         fw.launch @kernels::@padded_same
// CHECK:         return
func.func @padded(%x: tensor<2x7x6x5xf32>, %w: tensor<3x3x5x16xf32>) -> tensor<2x7x6x16xf32> {
  %0 = fw.conv %x, %w strides [1, 1] padding [1, 1, 0, 2] dilations [1, 1] groups 1 : (tensor<2x7x6x5xf32>, tensor<3x3x5x16xf32>) -> tensor<2x7x6x16xf32> loc("same")
  return %0 : tensor<2x7x6x16xf32>
}

// Functions share kernels that are the same.
// CHECK-LABEL: func.func @again
// CHECK:         fw.launch @kernels::@transposed
func.func @again(%x: tensor<8x16xf32>, %y: tensor<8x4xf32>) -> tensor<16x4xf32> {
  %0 = fw.dot_general %x, %y contract [0] x [0] batch [] x [] : (tensor<8x16xf32>, tensor<8x4xf32>) -> tensor<16x4xf32>
  return %0 : tensor<16x4xf32>
}

// CHECK-LABEL: module @kernels
// CHECK:         func.func private @dense_dense{{.*}} attributes {fw.kernel = "contraction", fw.layers = ["dense"]}
// CHECK:         func.func private @dense_probabilities{{.*}} attributes {fw.kernel = "rows", fw.layers = [{{.*}}"probabilities"{{.*}}]}
// CHECK:         func.func private @padded_same{{.*}}: tensor<2x9x8x5xf32> {fw.zero_border = array<i64: 0, 1, 0, 0, 0, 1, 2, 0>}
