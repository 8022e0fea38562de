// RUN: formwork-opt %s --fw-decompose --canonicalize --fw-bind-results --eliminate-empty-tensors --one-shot-bufferize="bufferize-function-boundaries function-boundary-type-conversion=identity-layout-map" --cse --canonicalize | FileCheck %s

// An LSTM's two carries, each updated in place: what is allocated inside the loop are the five
// intermediate values of a step. The hidden state is copied to where it is stacked.
// CHECK-LABEL: func.func @lstm
// CHECK-SAME:    %[[X:[^:]*]]: memref<5x2x3xf32>
// CHECK-DAG:     %[[STACK:.*]] = memref.alloc() {{.*}} memref<5x2x4xf32>
// CHECK-DAG:     memref.copy %{{.*}}, %[[H:.*]] : memref<2x4xf32>
// CHECK-DAG:     memref.copy %{{.*}}, %[[C:.*]] : memref<2x4xf32>
// CHECK:         scf.for %[[T:.*]] = {{[^(]*}} {
// CHECK:           memref.subview %[[X]][%[[T]], 0, 0]
// CHECK-COUNT-5:   memref.alloc
// CHECK-NOT:       memref.alloc
// CHECK-NOT:       memref.copy
// CHECK:           linalg.generic {{.*}} outs(%[[C]] : memref<2x4xf32>)
// CHECK:           linalg.generic {{.*}} outs(%[[H]] : memref<2x4xf32>)
// CHECK:           %[[OUT:.*]] = memref.subview %[[STACK]][%[[T]], 0, 0]
// CHECK-NEXT:      memref.copy %[[H]], %[[OUT]]
// CHECK-NEXT:    }
func.func @lstm(%x: tensor<5x2x3xf32>, %h0: tensor<2x4xf32>, %c0: tensor<2x4xf32>, %w: tensor<3x4xf32>, %u: tensor<4x4xf32>) -> (tensor<2x4xf32>, tensor<5x2x4xf32>) {
  %h, %c, %y = fw.scan carry(%h0, %c0) over(%x) capture(%w, %u)
      : (tensor<2x4xf32>, tensor<2x4xf32>, tensor<5x2x3xf32>, tensor<3x4xf32>, tensor<4x4xf32>) -> (tensor<2x4xf32>, tensor<2x4xf32>)
      stacks (tensor<5x2x4xf32>) {
  ^bb0(%hh: tensor<2x4xf32>, %cc: tensor<2x4xf32>, %xt: tensor<2x3xf32>, %ww: tensor<3x4xf32>, %uu: tensor<4x4xf32>):
    %0 = fw.dot_general %xt, %ww contract [1] x [0] batch [] x [] : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<2x4xf32>
    %1 = fw.dot_general %hh, %uu contract [1] x [0] batch [] x [] : (tensor<2x4xf32>, tensor<4x4xf32>) -> tensor<2x4xf32>
    %z = fw.add %0, %1 : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
    %g = fw.sigmoid %z : (tensor<2x4xf32>) -> tensor<2x4xf32>
    %kept = fw.mul %g, %cc : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
    %next_c = fw.add %kept, %z : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
    %next_h = fw.mul %next_c, %g : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
    fw.yield %next_h, %next_c, %next_h : tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>
  }
  return %h, %y : tensor<2x4xf32>, tensor<5x2x4xf32>
}

// Carries that change places need a copy, or the first update would destroy what the second reads.
// CHECK-LABEL: func.func @swap
// CHECK:         scf.for
// CHECK:           memref.copy %[[B:.*]], %[[OLD_B:[^ ]*]] :
// CHECK:           memref.copy %[[A:.*]], %[[OLD_A:[^ ]*]] :
// CHECK-NEXT:      memref.copy %[[OLD_B]], %[[A]] :
// CHECK-NEXT:      memref.copy %[[OLD_A]], %[[B]] :
func.func @swap(%x: tensor<5xf32>, %a0: tensor<2xf32>, %b0: tensor<2xf32>) -> (tensor<2xf32>, tensor<2xf32>) {
  %a, %b = fw.scan carry(%a0, %b0) over(%x) capture()
      : (tensor<2xf32>, tensor<2xf32>, tensor<5xf32>) -> (tensor<2xf32>, tensor<2xf32>) {
  ^bb0(%aa: tensor<2xf32>, %bb: tensor<2xf32>, %xt: tensor<f32>):
    fw.yield %bb, %aa : tensor<2xf32>, tensor<2xf32>
  }
  return %a, %b : tensor<2xf32>, tensor<2xf32>
}

// Both branches compute into the same memory, so that no buffer is chosen at run time.
// CHECK-LABEL: func.func @if
// CHECK:         %[[Y:.*]] = memref.alloc() {{.*}} memref<4xf32>
// CHECK:         scf.if %{{.*}} {
// CHECK:           linalg.generic {{.*}} outs(%[[Y]]
// CHECK-NEXT:      ^bb0
// CHECK:         } else {
// CHECK:           memref.copy %{{.*}}, %[[Y]]
// CHECK-NEXT:    }
func.func @if(%p: tensor<i1>, %x: tensor<4xf32>) -> tensor<4xf32> {
  %y = fw.if %p capture(%x) : (tensor<i1>, tensor<4xf32>) -> tensor<4xf32> then {
  ^bb0(%0: tensor<4xf32>):
    %1 = fw.exp %0 : (tensor<4xf32>) -> tensor<4xf32>
    fw.yield %1 : tensor<4xf32>
  } else {
  ^bb0(%0: tensor<4xf32>):
    fw.yield %0 : tensor<4xf32>
  }
  %z = fw.neg %y : (tensor<4xf32>) -> tensor<4xf32>
  return %z : tensor<4xf32>
}

// The step counter is a scalar; the carry is updated in place.
// CHECK-LABEL: func.func @while
// CHECK:         memref.copy %{{.*}}, %[[CARRY:.*]] : memref<4xf32>
// CHECK:         scf.while
// CHECK:           scf.condition
// CHECK:         } do {
// CHECK-NOT:       memref.alloc
// CHECK:           linalg.generic {{.*}} outs(%[[CARRY]]
// CHECK:           scf.yield
func.func @while(%x: tensor<4xf32>, %limit: tensor<f32>) -> tensor<4xf32> {
  %y = fw.while carry(%x) capture(%limit) max_steps = 10 : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32> while {
  ^bb0(%now: tensor<4xf32>, %most: tensor<f32>):
    %sum = fw.reduce_sum %now axes = [0] : (tensor<4xf32>) -> tensor<f32>
    %more = fw.greater %most, %sum : (tensor<f32>, tensor<f32>) -> tensor<i1>
    fw.yield %more : tensor<i1>
  } do {
  ^bb0(%now: tensor<4xf32>, %most: tensor<f32>):
    %twice = fw.add %now, %now : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    fw.yield %twice : tensor<4xf32>
  }
  return %y : tensor<4xf32>
}
