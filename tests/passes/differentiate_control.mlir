// RUN: formwork-opt %s --fw-differentiate --canonicalize --cse | FileCheck %s

// Only the final state is used, and only the weight's gradient is wanted: the way back needs nothing
// but what a costly function gave, takes no cotangents of outputs, and carries no gradient of the
// index.
// CHECK-LABEL: @final_state
// CHECK-SAME:    %[[H0:.*]]: tensor<2x3xf32>, %[[X:.*]]: tensor<4x2x3xf32>, %[[N:.*]]: tensor<4xi32>, %[[W:.*]]: tensor<3xf32>
// CHECK:       %[[FINAL:.*]], %[[TANH:.*]] = fw.scan carry(%[[H0]]) over(%[[X]]) capture(%[[W]])
// CHECK-SAME:    -> tensor<2x3xf32> stacks(tensor<4x2x3xf32>)
// CHECK:       %[[BACK:.*]]:2 = fw.scan reverse carry(%{{[^)]*}}) over(%[[X]], %[[TANH]]) capture(%[[W]])
// CHECK-SAME:    -> (tensor<2x3xf32>, tensor<3xf32>) {
// CHECK-NOT:       fw.tanh
// CHECK:       return %[[BACK]]#1
func.func @final_state(%h0: tensor<2x3xf32>, %x: tensor<4x2x3xf32>, %n: tensor<4xi32>, %w: tensor<3xf32>) -> tensor<3xf32> {
  %h, %y = fw.scan carry(%h0) over(%x, %n) capture(%w)
      : (tensor<2x3xf32>, tensor<4x2x3xf32>, tensor<4xi32>, tensor<3xf32>) -> tensor<2x3xf32> stacks (tensor<4x2x3xf32>) {
  ^bb0(%hh: tensor<2x3xf32>, %xt: tensor<2x3xf32>, %nt: tensor<i32>, %ww: tensor<3xf32>):
    %xw = fw.mul %xt, %ww : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
    %s = fw.add %xw, %hh : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
    %next = fw.tanh %s : (tensor<2x3xf32>) -> tensor<2x3xf32>
    fw.yield %next, %next : tensor<2x3xf32>, tensor<2x3xf32>
  }
  %dw = fw.gradient %h wrt %w : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<3xf32>
  return %dw : tensor<3xf32>
}

// What a contraction computed from the state is stacked with what is added to it: a step's way back
// has one contraction, that of the gradient, and computes neither the product nor the sum again.
// CHECK-LABEL: @contraction
// CHECK-SAME:    %[[H0:.*]]: tensor<2x3xf32>, %[[X:.*]]: tensor<4x2x3xf32>, %[[R:.*]]: tensor<3x3xf32>
// CHECK:       %[[FINAL:.*]], %[[STACKS:.*]]:2 = fw.scan carry(%[[H0]]) over(%[[X]]) capture(%[[R]])
// CHECK-NEXT:    ^bb0(%[[H:.*]]: tensor<2x3xf32>, %{{.*}}: tensor<2x3xf32>, %{{.*}}: tensor<3x3xf32>):
// CHECK:           %[[Z:.*]] = fw.add
// CHECK-NEXT:      %[[NEXT:.*]] = fw.relu %[[Z]]
// CHECK-NEXT:      fw.yield %[[NEXT]], %[[H]], %[[Z]]
// CHECK:       fw.scan reverse {{.*}} over(%[[STACKS]]#0, %[[STACKS]]#1)
// CHECK-NEXT:    ^bb0(%{{.*}}, %{{.*}}, %[[BEFORE:.*]]: tensor<2x3xf32>, %[[KEPT:.*]]: tensor<2x3xf32>, %{{.*}}):
// CHECK:           fw.relu %[[KEPT]]
// CHECK-NOT:       fw.dot_general %[[BEFORE]], %{{.*}} contract [1]
// CHECK:           fw.yield
func.func @contraction(%h0: tensor<2x3xf32>, %x: tensor<4x2x3xf32>, %r: tensor<3x3xf32>) -> tensor<3x3xf32> {
  %h = fw.scan carry(%h0) over(%x) capture(%r)
      : (tensor<2x3xf32>, tensor<4x2x3xf32>, tensor<3x3xf32>) -> tensor<2x3xf32> {
  ^bb0(%hh: tensor<2x3xf32>, %xt: tensor<2x3xf32>, %rr: tensor<3x3xf32>):
    %hr = fw.dot_general %hh, %rr contract [1] x [0] batch [] x [] : (tensor<2x3xf32>, tensor<3x3xf32>) -> tensor<2x3xf32>
    %z = fw.add %xt, %hr : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
    %next = fw.relu %z : (tensor<2x3xf32>) -> tensor<2x3xf32>
    fw.yield %next : tensor<2x3xf32>
  }
  %dr = fw.gradient %h wrt %r : (tensor<2x3xf32>, tensor<3x3xf32>) -> tensor<3x3xf32>
  return %dr : tensor<3x3xf32>
}

// The gradient of a branch is a branch on the same predicate.
// CHECK-LABEL: @branch
// CHECK-SAME:    %[[P:.*]]: tensor<i1>, %[[X:.*]]: tensor<4xf32>
// CHECK:       fw.if %[[P]] capture(%[[X]]
// CHECK:         fw.exp
// CHECK:       } else {
// CHECK-NOT:     fw.exp
// CHECK:         fw.neg
func.func @branch(%p: tensor<i1>, %x: tensor<4xf32>) -> tensor<4xf32> {
  %y = fw.if %p capture(%x) : (tensor<i1>, tensor<4xf32>) -> tensor<4xf32> then {
  ^bb0(%0: tensor<4xf32>):
    %1 = fw.exp %0 : (tensor<4xf32>) -> tensor<4xf32>
    fw.yield %1 : tensor<4xf32>
  } else {
  ^bb0(%0: tensor<4xf32>):
    %1 = fw.neg %0 : (tensor<4xf32>) -> tensor<4xf32>
    fw.yield %1 : tensor<4xf32>
  }
  %dx = fw.gradient %y wrt %x : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %dx : tensor<4xf32>
}

// A loop with a gradient runs as a scan over its greatest number of steps.
// CHECK-LABEL: @bounded
// CHECK-NOT:   fw.while
// CHECK:       fw.scan carry{{.*}} stacks(tensor<10xf32>)
// CHECK:       fw.scan reverse
func.func @bounded(%x: tensor<f32>, %limit: tensor<f32>) -> tensor<f32> {
  %y = fw.while carry(%x) capture(%limit) max_steps = 10 : (tensor<f32>, tensor<f32>) -> tensor<f32> while {
  ^bb0(%now: tensor<f32>, %most: tensor<f32>):
    %more = fw.greater %most, %now : (tensor<f32>, tensor<f32>) -> tensor<i1>
    fw.yield %more : tensor<i1>
  } do {
  ^bb0(%now: tensor<f32>, %most: tensor<f32>):
    %square = fw.mul %now, %now : (tensor<f32>, tensor<f32>) -> tensor<f32>
    fw.yield %square : tensor<f32>
  }
  %dx = fw.gradient %y wrt %x : (tensor<f32>, tensor<f32>) -> tensor<f32>
  return %dx : tensor<f32>
}
