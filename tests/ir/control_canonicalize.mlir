// RUN: formwork-opt %s --canonicalize | FileCheck %s

// Of three carries only one is used, and what it is computed from; the counter and its capture go.
// CHECK-LABEL: @scan
// CHECK-SAME:    %[[H0:.*]]: tensor<2xf32>, %[[C0:.*]]: tensor<2xf32>, %{{.*}}: tensor<i64>, %[[X:[^:]*]]: tensor<5x2xf32>
// CHECK:       %[[RESULT:.*]]:2 = fw.scan carry(%[[H0]], %[[C0]]) over(%[[X]]) capture()
// CHECK-SAME:    -> (tensor<2xf32>, tensor<2xf32>) {
// CHECK:       return %[[RESULT]]#0
func.func @scan(%h0: tensor<2xf32>, %c0: tensor<2xf32>, %n0: tensor<i64>, %x: tensor<5x2xf32>, %z: tensor<5x2xf32>, %one: tensor<i64>) -> tensor<2xf32> {
  %h, %c, %n, %y = fw.scan carry(%h0, %c0, %n0) over(%x, %z) capture(%one)
      : (tensor<2xf32>, tensor<2xf32>, tensor<i64>, tensor<5x2xf32>, tensor<5x2xf32>, tensor<i64>) -> (tensor<2xf32>, tensor<2xf32>, tensor<i64>)
      stacks(tensor<5x2xf32>) {
  ^bb0(%hh: tensor<2xf32>, %cc: tensor<2xf32>, %nn: tensor<i64>, %xt: tensor<2xf32>, %zt: tensor<2xf32>, %o: tensor<i64>):
    %next = fw.add %cc, %xt : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
    %out = fw.mul %next, %zt : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
    fw.yield %next, %next, %o, %out : tensor<2xf32>, tensor<2xf32>, tensor<i64>, tensor<2xf32>
  }
  return %h : tensor<2xf32>
}

// A result and a capture that nobody needs.
// CHECK-LABEL: @if
// CHECK-SAME:    %[[P:.*]]: tensor<i1>, %[[A:.*]]: tensor<f32>, %[[B:.*]]: tensor<f32>
// CHECK:       fw.if %[[P]] capture(%[[A]]) : (tensor<i1>, tensor<f32>) -> tensor<f32>
func.func @if(%p: tensor<i1>, %a: tensor<f32>, %b: tensor<f32>) -> tensor<f32> {
  %y, %z = fw.if %p capture(%a, %b) : (tensor<i1>, tensor<f32>, tensor<f32>) -> (tensor<f32>, tensor<f32>) then {
  ^bb0(%0: tensor<f32>, %1: tensor<f32>):
    fw.yield %0, %1 : tensor<f32>, tensor<f32>
  } else {
  ^bb0(%0: tensor<f32>, %1: tensor<f32>):
    %n = fw.neg %0 : (tensor<f32>) -> tensor<f32>
    fw.yield %n, %1 : tensor<f32>, tensor<f32>
  }
  return %y : tensor<f32>
}

// What the condition reads stays, used or not.
// CHECK-LABEL: @while
// CHECK-SAME:    %[[A:.*]]: tensor<f32>, %[[B:.*]]: tensor<f32>, %{{.*}}: tensor<f32>
// CHECK:       fw.while carry(%[[A]], %[[B]]) capture(%[[A]])
func.func @while(%a: tensor<f32>, %b: tensor<f32>, %c: tensor<f32>) -> tensor<f32> {
  %x, %y, %z = fw.while carry(%a, %b, %c) capture(%a) : (tensor<f32>, tensor<f32>, tensor<f32>, tensor<f32>) -> (tensor<f32>, tensor<f32>, tensor<f32>) while {
  ^bb0(%0: tensor<f32>, %1: tensor<f32>, %2: tensor<f32>, %3: tensor<f32>):
    %more = fw.greater %3, %1 : (tensor<f32>, tensor<f32>) -> tensor<i1>
    fw.yield %more : tensor<i1>
  } do {
  ^bb0(%0: tensor<f32>, %1: tensor<f32>, %2: tensor<f32>, %3: tensor<f32>):
    %4 = fw.add %0, %3 : (tensor<f32>, tensor<f32>) -> tensor<f32>
    %5 = fw.add %2, %1 : (tensor<f32>, tensor<f32>) -> tensor<f32>
    fw.yield %4, %1, %5 : tensor<f32>, tensor<f32>, tensor<f32>
  }
  return %x : tensor<f32>
}
