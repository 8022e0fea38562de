// RUN: formwork-opt %s --fw-choose-layouts='panel-bytes=16 row-bytes=32 matrix-bytes=256' --canonicalize --cse | FileCheck %s
// RUN: formwork-opt %s --fw-choose-layouts | FileCheck %s --check-prefix=SMALL

// Every function takes the matrix in panels and its slot like it: forward contractions over its
// rows, backward ones over its columns, and the update, which computes the gradient in panels.
// SMALL-NOT: panel
// CHECK:     fw.variable @w : tensor<16x8xf32> trainable panel 4
// CHECK:     fw.variable @m : tensor<16x8xf32> slot_of @w panel 4
// CHECK:     fw.variable @narrow : tensor<32x4xf32> trainable
// CHECK-NOT: panel
// CHECK:     fw.variable @looped : tensor<8x8xf32> trainable panel 4
// CHECK:     fw.variable @added : tensor<8x8xf32> trainable
// CHECK-NOT: panel
fw.variable @w : tensor<16x8xf32> trainable
fw.variable @m : tensor<16x8xf32> slot_of @w
fw.variable @narrow : tensor<32x4xf32> trainable
fw.variable @looped : tensor<8x8xf32> trainable
fw.variable @added : tensor<8x8xf32> trainable

// CHECK-LABEL: func.func @predict
// CHECK-SAME:    %[[X:[a-z0-9]+]]: tensor<?x16xf32>, %[[W:[a-z0-9]+]]: tensor<2x16x4xf32> {fw.variable = @w}
// CHECK:         %[[Y:[a-z0-9]+]] = fw.dot_general %[[X]], %[[W]] contract [1] x [1] batch [] x [] : {{.*}} -> tensor<?x2x4xf32>
// CHECK:         fw.reshape %[[Y]] to [-1, 8]
func.func @predict(%x: tensor<?x16xf32>, %w: tensor<16x8xf32> {fw.variable = @w}) -> tensor<?x8xf32> {
  %y = fw.dot_general %x, %w contract [1] x [0] batch [] x [] : (tensor<?x16xf32>, tensor<16x8xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// CHECK-LABEL: func.func @step
// CHECK-SAME:    %[[X:[a-z0-9]+]]: tensor<5x16xf32>, %[[DY:[a-z0-9]+]]: tensor<5x8xf32>, %[[W:[a-z0-9]+]]: tensor<2x16x4xf32>
// CHECK-SAME:    %[[M:[a-z0-9]+]]: tensor<2x16x4xf32>
// CHECK-SAME:    -> (tensor<5x16xf32>, tensor<2x16x4xf32> {fw.variable = @w}, tensor<2x16x4xf32> {fw.variable = @m})
// CHECK:         %[[PANELS:[a-z0-9]+]] = fw.reshape %[[DY]] to [5, 2, 4]
// CHECK:         %[[DX:[a-z0-9]+]] = fw.dot_general %[[PANELS]], %[[W]] contract [1, 2] x [0, 2] batch [] x []
// CHECK:         %[[DW:[a-z0-9]+]] = fw.dot_general %[[X]], %[[PANELS]] contract [0] x [0] batch [] x [] : {{.*}} -> tensor<16x2x4xf32>
// CHECK:         %[[TURNED:[a-z0-9]+]] = fw.transpose %[[DW]] permutation = [1, 0, 2]
// CHECK:         %[[NEXT:[a-z0-9]+]] = fw.add %[[TURNED]], %[[M]]
// CHECK:         %[[NEW:[a-z0-9]+]] = fw.sub %[[W]], %[[NEXT]]
// CHECK:         return %[[DX]], %[[NEW]], %[[NEXT]]
func.func @step(%x: tensor<5x16xf32>, %dy: tensor<5x8xf32>,
                %w: tensor<16x8xf32> {fw.variable = @w, fw.donated},
                %m: tensor<16x8xf32> {fw.variable = @m, fw.donated})
    -> (tensor<5x16xf32>, tensor<16x8xf32> {fw.variable = @w}, tensor<16x8xf32> {fw.variable = @m}) {
  %dx = fw.dot_general %dy, %w contract [1] x [1] batch [] x [] : (tensor<5x8xf32>, tensor<16x8xf32>) -> tensor<5x16xf32>
  %dw = fw.dot_general %x, %dy contract [0] x [0] batch [] x [] : (tensor<5x16xf32>, tensor<5x8xf32>) -> tensor<16x8xf32>
  %next = fw.add %dw, %m : (tensor<16x8xf32>, tensor<16x8xf32>) -> tensor<16x8xf32>
  %new = fw.sub %w, %next : (tensor<16x8xf32>, tensor<16x8xf32>) -> tensor<16x8xf32>
  return %dx, %new, %next : tensor<5x16xf32>, tensor<16x8xf32>, tensor<16x8xf32>
}

// A gradient that others read too is computed once.
// CHECK-LABEL: func.func @clipped
// CHECK:         fw.dot_general
// CHECK-NOT:     fw.dot_general
// CHECK:         return
func.func @clipped(%x: tensor<5x16xf32>, %dy: tensor<5x8xf32>,
                   %w: tensor<16x8xf32> {fw.variable = @w, fw.donated})
    -> (tensor<16x8xf32>, tensor<16x8xf32> {fw.variable = @w}) {
  %dw = fw.dot_general %x, %dy contract [0] x [0] batch [] x [] : (tensor<5x16xf32>, tensor<5x8xf32>) -> tensor<16x8xf32>
  %new = fw.sub %w, %dw : (tensor<16x8xf32>, tensor<16x8xf32>) -> tensor<16x8xf32>
  return %dw, %new : tensor<16x8xf32>, tensor<16x8xf32>
}

// What no op computes in panels is turned, and fresh values of one number need not be.
// CHECK-LABEL: func.func @init
// CHECK:         %[[ZERO:[a-z0-9]+]] = fw.constant dense<0.000000e+00> : tensor<2x16x4xf32>
// CHECK:         %[[SPLIT:[a-z0-9]+]] = fw.reshape %{{.*}} to [16, 2, 4]
// CHECK:         %[[FIRST:[a-z0-9]+]] = fw.transpose %[[SPLIT]] permutation = [1, 0, 2]
// CHECK:         return %[[FIRST]], %[[ZERO]]
func.func @init(%seed: tensor<2xi64>, %w: tensor<16x8xf32> {fw.variable = @w, fw.donated},
                %m: tensor<16x8xf32> {fw.variable = @m, fw.donated})
    -> (tensor<16x8xf32> {fw.variable = @w}, tensor<16x8xf32> {fw.variable = @m}) {
  %like = fw.constant dense<0.0> : tensor<16x8xf32>
  %first = fw.random_uniform %seed, %like {stream = 3 : i64} : (tensor<2xi64>, tensor<16x8xf32>) -> tensor<16x8xf32>
  return %first, %like : tensor<16x8xf32>, tensor<16x8xf32>
}

// What each step of a loop multiplies lies in panels for all of them. Rows that are short, and what
// a step reads in another way as well, stay as they are.
// CHECK-LABEL: func.func @others
// CHECK-SAME:    tensor<32x4xf32> {fw.variable = @narrow}
// CHECK-SAME:    %[[L:[a-z0-9]+]]: tensor<2x8x4xf32> {fw.variable = @looped}
// CHECK-SAME:    tensor<8x8xf32> {fw.variable = @added}
// CHECK:         fw.scan {{.*}} capture(%[[L]], %{{.*}})
// CHECK:         ^bb0({{.*}}, %[[R:[a-z0-9]+]]: tensor<2x8x4xf32>, %{{.*}}: tensor<8x8xf32>):
// CHECK:           %[[P:[a-z0-9]+]] = fw.dot_general %{{.*}}, %[[R]] contract [1] x [1] batch [] x [] : {{.*}} -> tensor<5x2x4xf32>
// CHECK:           fw.dot_general %[[P]], %[[R]] contract [1, 2] x [0, 2] batch [] x []
func.func @others(%x: tensor<5x32xf32>, %h: tensor<5x8xf32>, %s: tensor<3x5x8xf32>,
                  %n: tensor<32x4xf32> {fw.variable = @narrow},
                  %l: tensor<8x8xf32> {fw.variable = @looped},
                  %a: tensor<8x8xf32> {fw.variable = @added}) -> (tensor<5x4xf32>, tensor<5x8xf32>) {
  %y = fw.dot_general %x, %n contract [1] x [0] batch [] x [] : (tensor<5x32xf32>, tensor<32x4xf32>) -> tensor<5x4xf32>
  %z = fw.scan carry(%h) over(%s) capture(%l, %a) : (tensor<5x8xf32>, tensor<3x5x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<5x8xf32> {
  ^bb0(%c: tensor<5x8xf32>, %e: tensor<5x8xf32>, %r: tensor<8x8xf32>, %b: tensor<8x8xf32>):
    %p = fw.dot_general %c, %r contract [1] x [0] batch [] x [] : (tensor<5x8xf32>, tensor<8x8xf32>) -> tensor<5x8xf32>
    %q = fw.dot_general %p, %r contract [1] x [1] batch [] x [] : (tensor<5x8xf32>, tensor<8x8xf32>) -> tensor<5x8xf32>
    %scaled = fw.add %b, %b : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
    %o = fw.dot_general %q, %scaled contract [1] x [0] batch [] x [] : (tensor<5x8xf32>, tensor<8x8xf32>) -> tensor<5x8xf32>
    %sum = fw.add %o, %e : (tensor<5x8xf32>, tensor<5x8xf32>) -> tensor<5x8xf32>
    fw.yield %sum : tensor<5x8xf32>
  }
  return %y, %z : tensor<5x4xf32>, tensor<5x8xf32>
}
