// RUN: formwork-opt %s --fw-expand-math | FileCheck %s

// A power of two alone may be too large for a number, or too small: it is made of two.
// CHECK-LABEL: func.func @exp
// CHECK:         arith.shrsi
// CHECK-COUNT-2: arith.shli
// CHECK-NOT:     arith.shli
// CHECK:         return
func.func @exp(%x: vector<8xf32>) -> vector<8xf32> {
  %y = math.exp %x : vector<8xf32>
  return %y : vector<8xf32>
}

// Where 1 is added, as in a sigmoid, small ones do not count: one power, and twice that.
// CHECK-LABEL: func.func @sigmoid
// CHECK-NOT:     arith.shrsi
// CHECK:         arith.shli
// CHECK-NOT:     arith.shli
// CHECK:         arith.divf
func.func @sigmoid(%x: vector<8xf32>) -> vector<8xf32> {
  %one = arith.constant dense<1.0> : vector<8xf32>
  %negative = arith.negf %x : vector<8xf32>
  %e = math.exp %negative : vector<8xf32>
  %sum = arith.addf %one, %e : vector<8xf32>
  %y = arith.divf %one, %sum : vector<8xf32>
  return %y : vector<8xf32>
}

// But where anything else reads it they do.
// CHECK-LABEL: func.func @both
// CHECK:         arith.shrsi
func.func @both(%x: f32) -> (f32, f32) {
  %one = arith.constant 1.0 : f32
  %e = math.exp %x : f32
  %sum = arith.addf %e, %one : f32
  return %e, %sum : f32, f32
}
