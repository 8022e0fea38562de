// RUN: formwork-opt %s | formwork-opt | FileCheck %s

// CHECK-LABEL: @scan
func.func @scan(%h0: tensor<?x3xf32>, %n0: tensor<i64>, %x: tensor<?x?x3xf32>, %ids: tensor<?x2xi32>, %seed: tensor<2xi64>) -> tensor<?x3xf32> {
  // CHECK: fw.scan reverse carry(%{{[^)]*}}) over(%{{[^)]*}}) capture(%{{[^)]*}})
  // CHECK-SAME: -> (tensor<?x3xf32>, tensor<i64>) stacks(tensor<?x?x3xf32>)
  // CHECK: ^bb0(%{{.*}}: tensor<?x3xf32>, %{{.*}}: tensor<i64>, %{{.*}}: tensor<?x3xf32>, %{{.*}}: tensor<2xi32>, %{{.*}}: tensor<2xi64>):
  %h, %n, %y = fw.scan reverse carry(%h0, %n0) over(%x, %ids) capture(%seed)
      : (tensor<?x3xf32>, tensor<i64>, tensor<?x?x3xf32>, tensor<?x2xi32>, tensor<2xi64>) -> (tensor<?x3xf32>, tensor<i64>)
      stacks(tensor<?x?x3xf32>) {
  ^bb0(%hh: tensor<?x3xf32>, %nn: tensor<i64>, %xt: tensor<?x3xf32>, %id: tensor<2xi32>, %s: tensor<2xi64>):
    %next = fw.add %hh, %xt : (tensor<?x3xf32>, tensor<?x3xf32>) -> tensor<?x3xf32>
    fw.yield %next, %nn, %next : tensor<?x3xf32>, tensor<i64>, tensor<?x3xf32>
  }
  return %h : tensor<?x3xf32>
}

// CHECK-LABEL: @if
func.func @if(%p: tensor<i1>, %a: tensor<?xf32>, %b: tensor<?xf32>) -> tensor<?xf32> {
  // CHECK: fw.if %{{.*}} capture(%{{.*}}, %{{.*}}) : (tensor<i1>, tensor<?xf32>, tensor<?xf32>) -> tensor<?xf32> then {
  // CHECK: } else {
  %y = fw.if %p capture(%a, %b) : (tensor<i1>, tensor<?xf32>, tensor<?xf32>) -> tensor<?xf32> then {
  ^bb0(%x: tensor<?xf32>, %z: tensor<?xf32>):
    fw.yield %x : tensor<?xf32>
  } else {
  ^bb0(%x: tensor<?xf32>, %z: tensor<?xf32>):
    fw.yield %z : tensor<?xf32>
  }
  return %y : tensor<?xf32>
}

// CHECK-LABEL: @while
func.func @while(%x: tensor<f32>, %limit: tensor<f32>) -> tensor<f32> {
  // CHECK: fw.while carry(%{{.*}}) capture(%{{.*}}) max_steps = 10 : (tensor<f32>, tensor<f32>) -> tensor<f32> while {
  // CHECK: } do {
  %y = fw.while carry(%x) capture(%limit) max_steps = 10 : (tensor<f32>, tensor<f32>) -> tensor<f32> while {
  ^bb0(%now: tensor<f32>, %most: tensor<f32>):
    %more = fw.greater %most, %now : (tensor<f32>, tensor<f32>) -> tensor<i1>
    fw.yield %more : tensor<i1>
  } do {
  ^bb0(%now: tensor<f32>, %most: tensor<f32>):
    %twice = fw.add %now, %now : (tensor<f32>, tensor<f32>) -> tensor<f32>
    fw.yield %twice : tensor<f32>
  }
  return %y : tensor<f32>
}
