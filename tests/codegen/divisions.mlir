// RUN: formwork-opt %s --fw-mark-divisions | FileCheck %s
// RUN: formwork-opt %s --fw-mark-divisions --fw-expand-math | FileCheck %s --check-prefix=FMA
// RUN: formwork-opt %s --fw-mark-divisions --fw-expand-math="fma=false" | FileCheck %s --check-prefix=PLAIN

// Adam's: the divisor is a root and a constant that is not too small, in either order.
// CHECK-LABEL: func.func @bounded
// CHECK-COUNT-2: arith.divf {{.*}} {fw.bounded}
// FMA-LABEL:   func.func @bounded
// FMA-NOT:       arith.divf
// FMA-COUNT-12:  math.fma
// FMA:           return
// PLAIN-LABEL: func.func @bounded
// PLAIN-COUNT-2: arith.divf
func.func @bounded(%m: vector<16xf32>, %v: vector<16xf32>, %x: f32) -> (vector<16xf32>, f32) {
  %epsilons = arith.constant dense<1.0e-7> : vector<16xf32>
  %epsilon = arith.constant 1.0e-3 : f32
  %root = math.sqrt %v : vector<16xf32>
  %divisor = arith.addf %root, %epsilons : vector<16xf32>
  %y = arith.divf %m, %divisor : vector<16xf32>
  %r = math.sqrt %x : f32
  %d = arith.addf %epsilon, %r : f32
  %z = arith.divf %x, %d : f32
  return %y, %z : vector<16xf32>, f32
}

// Not: a constant that leaves the divisor too small, none at all, doubles, another function.
// CHECK-LABEL: func.func @others
// CHECK-NOT:     fw.bounded
// CHECK:         return
func.func @others(%x: f32, %w: f64) -> (f32, f32, f64, f32) {
  %tiny = arith.constant 1.0e-30 : f32
  %one = arith.constant 1.0 : f32
  %wide = arith.constant 1.0 : f64
  %root = math.sqrt %x : f32
  %small = arith.addf %root, %tiny : f32
  %a = arith.divf %x, %small : f32
  %b = arith.divf %x, %root : f32
  %rootWide = math.sqrt %w : f64
  %sumWide = arith.addf %rootWide, %wide : f64
  %c = arith.divf %w, %sumWide : f64
  %power = math.exp %x : f32
  %sum = arith.addf %power, %one : f32
  %d = arith.divf %x, %sum : f32
  return %a, %b, %c, %d : f32, f32, f64, f32
}
