// RUN: formwork-opt %s --fw-print-source --split-input-file -o /dev/null 2>&1 | FileCheck %s

// Parentheses where they are needed, and only there; each op where it is used, if it is once.
// CHECK-LABEL: void expressions(float argument0, float argument1, float *__restrict argument2) {
// CHECK-NEXT:    argument2[0] = (argument0 + argument1) * (argument0 - (argument1 - argument0));
// CHECK-NEXT:    argument2[1] = -(-1.5f);
// CHECK-NEXT:  }
func.func @expressions(%a: f32, %b: f32, %out: memref<2xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %sum = arith.addf %a, %b : f32
  %inner = arith.subf %b, %a : f32
  %outer = arith.subf %a, %inner : f32
  %product = arith.mulf %sum, %outer : f32
  memref.store %product, %out[%c0] : memref<2xf32>
  %least = arith.constant -1.5 : f32
  %negated = arith.negf %least : f32
  memref.store %negated, %out[%c1] : memref<2xf32>
  return
}

// A load stays before a store that may be to the same place.
// CHECK-LABEL: void swapped(
// CHECK-NEXT:    const float argument0_value = argument0[0];
// CHECK-NEXT:    argument0[0] = argument0[1];
// CHECK-NEXT:    argument0[1] = argument0_value;
func.func @swapped(%x: memref<2xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %a = memref.load %x[%c0] : memref<2xf32>
  %b = memref.load %x[%c1] : memref<2xf32>
  memref.store %b, %x[%c0] : memref<2xf32>
  memref.store %a, %x[%c1] : memref<2xf32>
  return
}

// Carried values are assigned at once.
// CHECK-LABEL: int64_t fibonacci(
// CHECK:         const uint64_t next_carried = sum;
// CHECK-NEXT:    sum = carried + sum;
// CHECK-NEXT:    carried = next_carried;
func.func @fibonacci(%n: index) -> i64 {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0 : i64
  %one = arith.constant 1 : i64
  %r:2 = scf.for %i = %c0 to %n step %c1 iter_args(%a = %zero, %b = %one) -> (i64, i64) {
    %next = arith.addi %a, %b : i64
    scf.yield %b, %next : i64, i64
  }
  return %r#0 : i64
}

// Sizes that are not known follow the pointer; addresses are made of strides.
// CHECK-LABEL: void rows(const float *__restrict argument0, int64_t argument0_size0, int64_t argument0_size1,
// CHECK-NEXT:      float *__restrict argument1
// CHECK:         for (int64_t i = 0; i < argument0_size0; ++i) {
// CHECK-NEXT:      argument1[i] = argument0[i * argument0_size1 + 3];
func.func @rows(%x: memref<?x?xf32>, %y: memref<?xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %n = memref.dim %x, %c0 : memref<?x?xf32>
  scf.for %i = %c0 to %n step %c1 {
    %a = memref.load %x[%i, %c3] : memref<?x?xf32>
    memref.store %a, %y[%i] : memref<?xf32>
  }
  return
}

// Constants read back to the same bits.
// CHECK-LABEL: void constants(
// CHECK-NEXT:    argument0[0] = 0.1f;
// CHECK-NEXT:    argument0[1] = -INFINITY;
// CHECK-NEXT:    argument0[2] = 1e-45f;
func.func @constants(%x: memref<3xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %a = arith.constant 0.1 : f32
  %b = arith.constant 0xFF800000 : f32
  %c = arith.constant 0x00000001 : f32
  memref.store %a, %x[%c0] : memref<3xf32>
  memref.store %b, %x[%c1] : memref<3xf32>
  memref.store %c, %x[%c2] : memref<3xf32>
  return
}
