// RUN: formwork-opt %s --fw-sink-into-scan --canonicalize --cse --split-input-file | FileCheck %s

// A step gathers its own rows: what the loop goes over are their indices.
// CHECK-LABEL: @rows
// CHECK-SAME:    %[[H0:[a-z0-9]+]]: tensor<?x4xf32>, %[[T:[a-z0-9]+]]: tensor<9x4xf32>, %[[B:[a-z0-9]+]]: tensor<4xf32>, %[[I:[a-z0-9]+]]: tensor<?x5xi32>
// CHECK-NEXT:  %[[STEPS:.*]] = fw.transpose %[[I]] permutation = [1, 0]
// CHECK-NEXT:  fw.scan carry(%[[H0]]) over(%[[STEPS]]) capture(%[[T]], %[[B]])
// CHECK-NEXT:  ^bb0(%[[H:[a-z0-9]+]]: tensor<?x4xf32>, %[[IT:[a-z0-9]+]]: tensor<?xi32>, %[[TT:[a-z0-9]+]]: tensor<9x4xf32>, %[[BB:[a-z0-9]+]]: tensor<4xf32>):
// CHECK-NEXT:    %[[X:.*]] = fw.gather %[[TT]], %[[IT]] : (tensor<9x4xf32>, tensor<?xi32>) -> tensor<?x4xf32>
// CHECK-NEXT:    %[[Z:.*]] = fw.add %[[X]], %[[BB]]
// CHECK-NEXT:    fw.mul %[[H]], %[[Z]]
func.func @rows(%h0: tensor<?x4xf32>, %t: tensor<9x4xf32>, %b: tensor<4xf32>, %i: tensor<?x5xi32>) -> tensor<?x4xf32> {
  %x = fw.gather %t, %i : (tensor<9x4xf32>, tensor<?x5xi32>) -> tensor<?x5x4xf32>
  %s = fw.transpose %x permutation = [1, 0, 2] : (tensor<?x5x4xf32>) -> tensor<5x?x4xf32>
  %z = fw.add %s, %b : (tensor<5x?x4xf32>, tensor<4xf32>) -> tensor<5x?x4xf32>
  %h = fw.scan carry(%h0) over(%z) capture() : (tensor<?x4xf32>, tensor<5x?x4xf32>) -> tensor<?x4xf32> {
  ^bb0(%hh: tensor<?x4xf32>, %zt: tensor<?x4xf32>):
    %next = fw.mul %hh, %zt : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
    fw.yield %next : tensor<?x4xf32>
  }
  return %h : tensor<?x4xf32>
}

// -----

// The rows' elements in the middle: they are turned within the step.
// CHECK-LABEL: @turned
// CHECK:         fw.gather %{{.*}}, %{{.*}} : (tensor<9x4xf32>, tensor<2x3xi32>) -> tensor<2x3x4xf32>
// CHECK-NEXT:    fw.transpose %{{.*}} permutation = [1, 2, 0] : (tensor<2x3x4xf32>) -> tensor<3x4x2xf32>
func.func @turned(%h0: tensor<3x4x2xf32>, %t: tensor<9x4xf32>, %i: tensor<2x5x3xi32>) -> tensor<3x4x2xf32> {
  %x = fw.gather %t, %i : (tensor<9x4xf32>, tensor<2x5x3xi32>) -> tensor<2x5x3x4xf32>
  %s = fw.transpose %x permutation = [1, 2, 3, 0] : (tensor<2x5x3x4xf32>) -> tensor<5x3x4x2xf32>
  %h = fw.scan carry(%h0) over(%s) capture() : (tensor<3x4x2xf32>, tensor<5x3x4x2xf32>) -> tensor<3x4x2xf32> {
  ^bb0(%hh: tensor<3x4x2xf32>, %st: tensor<3x4x2xf32>):
    %next = fw.add %hh, %st : (tensor<3x4x2xf32>, tensor<3x4x2xf32>) -> tensor<3x4x2xf32>
    fw.yield %next : tensor<3x4x2xf32>
  }
  return %h : tensor<3x4x2xf32>
}

// -----

// A loop over the elements of rows, and rows that differ in what is added to each: as they were.
// CHECK-LABEL: @others
// CHECK:         %[[E:.*]] = fw.transpose %{{.*}} permutation = [1, 0]
// CHECK:         %[[Z:.*]] = fw.add
// CHECK:         over(%[[E]])
// CHECK:         over(%[[Z]])
func.func @others(%h0: tensor<5xf32>, %g0: tensor<4xf32>, %t: tensor<9x4xf32>, %b: tensor<5x4xf32>, %i: tensor<5xi32>) -> (tensor<5xf32>, tensor<4xf32>) {
  %x = fw.gather %t, %i : (tensor<9x4xf32>, tensor<5xi32>) -> tensor<5x4xf32>
  %e = fw.transpose %x permutation = [1, 0] : (tensor<5x4xf32>) -> tensor<4x5xf32>
  %z = fw.add %x, %b : (tensor<5x4xf32>, tensor<5x4xf32>) -> tensor<5x4xf32>
  %h = fw.scan carry(%h0) over(%e) capture() : (tensor<5xf32>, tensor<4x5xf32>) -> tensor<5xf32> {
  ^bb0(%hh: tensor<5xf32>, %et: tensor<5xf32>):
    %next = fw.mul %hh, %et : (tensor<5xf32>, tensor<5xf32>) -> tensor<5xf32>
    fw.yield %next : tensor<5xf32>
  }
  %g = fw.scan carry(%g0) over(%z) capture() : (tensor<4xf32>, tensor<5x4xf32>) -> tensor<4xf32> {
  ^bb0(%gg: tensor<4xf32>, %zt: tensor<4xf32>):
    %next = fw.mul %gg, %zt : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    fw.yield %next : tensor<4xf32>
  }
  return %h, %g : tensor<5xf32>, tensor<4xf32>
}
