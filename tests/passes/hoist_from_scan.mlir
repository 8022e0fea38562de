// RUN: formwork-opt %s --fw-hoist-from-scan --canonicalize --cse --split-input-file | FileCheck %s
// RUN: formwork-opt %s --fw-differentiate --canonicalize --cse --fw-hoist-from-scan --canonicalize --cse --split-input-file | FileCheck %s --check-prefix=GRAD

// The input's projection does not depend on the state: it is one contraction for all steps, and the
// bias, which is part of it, is added there too. What does not vary at all is computed once.
// CHECK-LABEL: @recurrent
// CHECK-SAME:    %[[H0:.*]]: tensor<2x4xf32>, %[[X:.*]]: tensor<5x2x3xf32>, %[[W:.*]]: tensor<3x4xf32>, %[[B:.*]]: tensor<4xf32>, %[[R:.*]]: tensor<4x4xf32>
// CHECK-DAG:   %[[RR:.*]] = fw.neg %[[R]]
// CHECK-DAG:   %[[XW:.*]] = fw.dot_general %[[X]], %[[W]] contract [2] x [0] batch [] x [] : (tensor<5x2x3xf32>, tensor<3x4xf32>) -> tensor<5x2x4xf32>
// CHECK-DAG:   %[[Z:.*]] = fw.add %[[XW]], %[[B]]
// CHECK:       fw.scan carry(%[[H0]]) over(%[[Z]]) capture(%[[RR]])
// CHECK:         fw.dot_general
// CHECK-NOT:     fw.dot_general
// CHECK:         fw.yield
func.func @recurrent(%h0: tensor<2x4xf32>, %x: tensor<5x2x3xf32>, %w: tensor<3x4xf32>, %b: tensor<4xf32>, %r: tensor<4x4xf32>) -> tensor<2x4xf32> {
  %h = fw.scan carry(%h0) over(%x) capture(%w, %b, %r)
      : (tensor<2x4xf32>, tensor<5x2x3xf32>, tensor<3x4xf32>, tensor<4xf32>, tensor<4x4xf32>) -> tensor<2x4xf32> {
  ^bb0(%hh: tensor<2x4xf32>, %xt: tensor<2x3xf32>, %ww: tensor<3x4xf32>, %bb: tensor<4xf32>, %rr: tensor<4x4xf32>):
    %xw = fw.dot_general %xt, %ww contract [1] x [0] batch [] x [] : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<2x4xf32>
    %z = fw.add %xw, %bb : (tensor<2x4xf32>, tensor<4xf32>) -> tensor<2x4xf32>
    %minus = fw.neg %rr : (tensor<4x4xf32>) -> tensor<4x4xf32>
    %hr = fw.dot_general %hh, %minus contract [1] x [0] batch [] x [] : (tensor<2x4xf32>, tensor<4x4xf32>) -> tensor<2x4xf32>
    %s = fw.add %z, %hr : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
    %next = fw.tanh %s : (tensor<2x4xf32>) -> tensor<2x4xf32>
    fw.yield %next : tensor<2x4xf32>
  }
  return %h : tensor<2x4xf32>
}

// -----

// Elementwise work stays where it is if no contraction needs it: its stack would only cost memory.
// CHECK-LABEL: @elementwise
// CHECK-NEXT:  fw.scan
// CHECK:         fw.exp
func.func @elementwise(%h0: tensor<2xf32>, %x: tensor<5x2xf32>) -> tensor<2xf32> {
  %h = fw.scan carry(%h0) over(%x) capture() : (tensor<2xf32>, tensor<5x2xf32>) -> tensor<2xf32> {
  ^bb0(%hh: tensor<2xf32>, %xt: tensor<2xf32>):
    %e = fw.exp %xt : (tensor<2xf32>) -> tensor<2xf32>
    %next = fw.mul %hh, %e : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
    fw.yield %next : tensor<2xf32>
  }
  return %h : tensor<2xf32>
}

// -----

// A recurrent layer and its gradients. The way back begins with the sums, which are stacked. Step by
// step remains dz, with one contraction; after it comes one contraction over all steps and examples
// for each weight, one sum for the bias, one contraction for the inputs. The recurrent weight, which
// the way back reads across, is turned once.
// GRAD-LABEL: @gradients
// GRAD-SAME:    %[[H0:.*]]: tensor<2x4xf32>, %[[X:.*]]: tensor<5x2x3xf32>, %[[W:.*]]: tensor<3x4xf32>, %[[B:.*]]: tensor<4xf32>, %[[R:.*]]: tensor<4x4xf32>
// GRAD:        fw.dot_general %[[X]], %[[W]] contract [2] x [0]
// GRAD-NOT:    fw.dot_general %[[X]], %[[W]]
// GRAD:        %{{.*}}, %[[H:[^ ]*]]:2 = fw.scan carry
// GRAD:          fw.dot_general
// GRAD-NOT:    fw.dot_general
// GRAD:        %[[TURNED:.*]] = fw.transpose %[[R]] permutation = [1, 0]
// GRAD:        %{{.*}}, %[[DZ:.*]] = fw.scan reverse carry(%{{[^,)]*}}) over(%[[H]]#1) capture(%[[TURNED]])
// GRAD-NEXT:     ^bb0(%{{.*}}: tensor<2x4xf32>, %{{.*}}: tensor<2x4xf32>, %[[T:.*]]: tensor<4x4xf32>)
// GRAD-NOT:      fw.tanh
// GRAD:          fw.dot_general %{{.*}}, %[[T]] contract [1] x [0]
// GRAD-NOT:      fw.dot_general
// GRAD:          fw.yield %{{[^,]*}}, %{{[^,]*}} :
// GRAD-DAG:    fw.dot_general %[[X]], %[[DZ]] contract [0, 1] x [0, 1] batch [] x [] : (tensor<5x2x3xf32>, tensor<5x2x4xf32>) -> tensor<3x4xf32>
// GRAD-DAG:    fw.dot_general %[[H]]#0, %[[DZ]] contract [0, 1] x [0, 1] batch [] x [] : (tensor<5x2x4xf32>, tensor<5x2x4xf32>) -> tensor<4x4xf32>
// GRAD-DAG:    fw.reduce_sum %[[DZ]] axes = [0, 1] : (tensor<5x2x4xf32>) -> tensor<4xf32>
// GRAD-DAG:    fw.dot_general %[[DZ]], %[[W]] contract [2] x [1] batch [] x [] : (tensor<5x2x4xf32>, tensor<3x4xf32>) -> tensor<5x2x3xf32>
// GRAD:        return
func.func @gradients(%h0: tensor<2x4xf32>, %x: tensor<5x2x3xf32>, %w: tensor<3x4xf32>, %b: tensor<4xf32>, %r: tensor<4x4xf32>)
    -> (tensor<5x2x3xf32>, tensor<3x4xf32>, tensor<4xf32>, tensor<4x4xf32>) {
  %h = fw.scan carry(%h0) over(%x) capture(%w, %b, %r)
      : (tensor<2x4xf32>, tensor<5x2x3xf32>, tensor<3x4xf32>, tensor<4xf32>, tensor<4x4xf32>) -> tensor<2x4xf32> {
  ^bb0(%hh: tensor<2x4xf32>, %xt: tensor<2x3xf32>, %ww: tensor<3x4xf32>, %bb: tensor<4xf32>, %rr: tensor<4x4xf32>):
    %xw = fw.dot_general %xt, %ww contract [1] x [0] batch [] x [] : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<2x4xf32>
    %z = fw.add %xw, %bb : (tensor<2x4xf32>, tensor<4xf32>) -> tensor<2x4xf32>
    %hr = fw.dot_general %hh, %rr contract [1] x [0] batch [] x [] : (tensor<2x4xf32>, tensor<4x4xf32>) -> tensor<2x4xf32>
    %s = fw.add %z, %hr : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
    %next = fw.tanh %s : (tensor<2x4xf32>) -> tensor<2x4xf32>
    fw.yield %next : tensor<2x4xf32>
  }
  %dx, %dw, %db, %dr = fw.gradient %h wrt %x, %w, %b, %r
      : (tensor<2x4xf32>, tensor<5x2x3xf32>, tensor<3x4xf32>, tensor<4xf32>, tensor<4x4xf32>)
      -> (tensor<5x2x3xf32>, tensor<3x4xf32>, tensor<4xf32>, tensor<4x4xf32>)
  return %dx, %dw, %db, %dr : tensor<5x2x3xf32>, tensor<3x4xf32>, tensor<4xf32>, tensor<4x4xf32>
}
